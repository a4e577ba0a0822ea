"""What callers give by mistake, in place of a tensor and of an option. Each as (what it is, a function that makes it)."""
import decimal
import itertools
import math
from typing import Callable, Iterator, Tuple

import numpy as np
import torch

Made = Tuple[str, Callable[[], object]]


class Raising:
    """Raises whatever is asked of it."""

    def refuse(self, *_):
        raise RuntimeError("Raising was asked")

    __hash__ = __eq__ = __bool__ = __float__ = __int__ = __index__ = __len__ = __iter__ = __getitem__ = __repr__ = __str__ = refuse


class Foreign(torch.Tensor):
    """Somebody's tensor."""


_FEW = [None, True, -1, 0.5, math.nan, 2**64, 2**2000, "x", (), [1, 2, 3, 4], {}]
_MORE = [False, 0, 1, 2, 3, -0.5, 1e-300, 1e300, -1e300, math.inf, -math.inf, 2**31 - 1, 2**31, -2**31, -2**31 - 1, 2**63, -2**64,
         1j, "", "1", "nan", b"1", [], set(), [1], (1, 2, 3), ["a"] * 4, [math.nan] * 4, [None] * 4, (0, 0, 0, 0), [[1, 2], [3, 4]],
         {"a": 1}, int, Ellipsis, NotImplemented, decimal.Decimal("NaN"), decimal.Decimal("1e999999"), range(4)]


def _named(values) -> Iterator[Made]:
    for value in values:
        text = repr(value)
        yield text if len(text) < 40 else text[:37] + "...", lambda value=value: value


def few() -> Iterator[Made]:
    """What is neither a tensor nor, in most places, an option."""
    yield from _named(_FEW)
    yield from [
        ("a long list", lambda: [0.1] * 100000),
        ("an object", object),
        ("an object that raises", Raising),
        ("a list of objects that raise", lambda: [Raising()] * 4),
        ("numpy array", lambda: np.ones(4)),
        ("a tensor", lambda: torch.ones(4)),
    ]


def options() -> Iterator[Made]:
    """In place of an option."""
    yield from few()
    yield from _named(_MORE)
    yield from [
        ("a generator", lambda: (v for v in (1, 2))),
        ("no end of numbers", itertools.count),
        ("a surrogate", lambda: "\ud800"),
        ("numpy nan", lambda: np.float32("nan")),
        ("numpy int64", lambda: np.int64(-2**63)),
        ("numpy bool", lambda: np.bool_(True)),
        ("numpy 0-d", lambda: np.array(1.0)),
        ("numpy objects", lambda: np.array([None, "a"], dtype=object)),
        ("a number's tensor", lambda: torch.tensor(1.0)),
        ("a tensor on meta", lambda: torch.ones(4, device="meta")),
    ]


def tensors(good: torch.Tensor) -> Iterator[Made]:
    """In place of a good tensor."""
    good = good.detach()
    dims = good.dim()
    for dtype in (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16,
                  torch.float32, torch.float64, torch.complex64, torch.complex128):
        yield str(dtype), lambda dtype=dtype: good.to(dtype)
    for value in 0, -1, 1, 7, 2**31 - 1, -2**31, 1e-30, 1e30, math.nan, math.inf, -math.inf:
        if good.is_floating_point() or (math.isfinite(value) and abs(value) < 2**62):
            yield f"full of {value}", lambda value=value: torch.full_like(good, value)
    if not good.is_floating_point():
        yield "full of 2^63 - 1", lambda: torch.full_like(good, 2**63 - 1)
    else:
        yield "that wants a gradient", lambda: good.clone().requires_grad_()
    for dim in range(dims):
        yield f"none in dimension {dim}", lambda dim=dim: good.narrow(dim, 0, 0)
        yield f"one less in dimension {dim}", lambda dim=dim: good.narrow(dim, 0, good.shape[dim] - 1)
        yield f"one in dimension {dim}", lambda dim=dim: good.narrow(dim, 0, 1)
        yield f"twice in dimension {dim}", lambda dim=dim: torch.cat([good, good], dim)
        for count in 2**31, 2**40, 2**56:
            yield (f"{count} times in dimension {dim}",
                   lambda dim=dim, count=count: good.narrow(dim, 0, 1).expand(*good.shape[:dim], count, *good.shape[dim + 1:]))
        yield f"without strides, {dim}", lambda dim=dim: good.narrow(dim, 0, 1).expand(good.shape)
    yield from [
        ("0-d", lambda: good.flatten()[0]),
        ("flat", good.flatten),
        ("of another dimension", lambda: good[None]),
        ("of twelve dimensions", lambda: good.reshape((1,) * (12 - dims) + tuple(good.shape))),
        ("its first row", lambda: good[0]),
        ("turned", lambda: good.permute(*reversed(range(dims)))),
        ("strided", lambda: torch.stack([good, good], dims)[..., 1]),
        ("off by an element", lambda: torch.cat([good.flatten()[:1], good.flatten()])[1:].view(good.shape)),
        ("empty", lambda: good.new_empty(0)),
        ("empty and 0-d's", lambda: good.new_empty((0,) * dims)),
        ("sparse", good.to_sparse),
        ("on meta", lambda: good.to("meta")),
        ("negative by a bit", lambda: torch.complex(good.double(), good.double()).conj().imag),
        ("conjugate by a bit", lambda: torch.complex(good.double(), good.double()).conj()),
        ("a parameter", lambda: torch.nn.Parameter(good.clone(), requires_grad=good.is_floating_point())),
        ("a parameter without a shape", torch.nn.UninitializedParameter),
        ("foreign", lambda: good.clone().as_subclass(Foreign)),
        ("without memory", lambda: _without_memory(good.clone())),
        ("a list of it", lambda: [good]),
        ("a list of its rows", lambda: list(good)),
        ("a list of its rows and None", lambda: [*good, None]),
        ("numpy", good.numpy),
        ("numbers", good.tolist),
        ("made in inference", lambda: _in_inference(good)),
    ]
    if hasattr(torch, "quantize_per_tensor"):
        yield "quantized", lambda: torch.quantize_per_tensor(good.float(), 0.1, 0, torch.qint8)
    if hasattr(good, "refine_names"):
        yield "named", lambda: good.refine_names(*"abcdefgh"[:dims])
    if hasattr(torch, "nested"):
        yield "nested", lambda: torch.nested.nested_tensor([good.float(), good.float()])
    if dims == 2:
        yield "sparse by rows", lambda: good.float().to_sparse_csr()
    if good.dtype == torch.float32:
        yield "of MKL-DNN", good.to_mkldnn
    try:
        from torch._subclasses.fake_tensor import FakeTensorMode
    except ImportError:
        return
    yield "fake", lambda: FakeTensorMode().from_tensor(good)


def _without_memory(tensor: torch.Tensor) -> torch.Tensor:
    getattr(tensor, "untyped_storage", tensor.storage)().resize_(0)
    return tensor


def _in_inference(tensor: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return tensor.clone()
