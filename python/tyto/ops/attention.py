"""Attention without its map of queries x keys.

Types are float32, bfloat16 and float16, of which halves are computed and summed in float32; under autocast inputs become its
type, as for PyTorch's own."""
from typing import NamedTuple, Optional

import torch

from .._errors import ArgumentError
from .._operation import Operation, Plan, autocast_type, elements, floats, integers
from ._memory import check_memory, empty_as, is_channels_last, memory_format, rows_apart
from ._operator import Operator
from ._operators import LAYOUT, OPERATORS, TYPES


def _is_4d(*tensors) -> bool:
    return all(isinstance(t, torch.Tensor) and t.dim() == 4 for t in tensors)


def _as_autocast_has(tensors):
    dtype = next((autocast_type(t.device) for t in tensors if isinstance(t, torch.Tensor)), None)
    if dtype is None:
        return tensors
    return [t.to(dtype) if isinstance(t, torch.Tensor) and t.is_floating_point() and t.dtype != torch.float64 and t.data_ptr()
            else t for t in tensors]


class _AttentionCall(NamedTuple):
    plan: Plan
    mask: Optional[torch.Tensor]
    options: dict
    tokens: bool  # the heads of a token stand side by side in memory; else those of a head do


def _tokens_apart(tensor: torch.Tensor) -> Optional[int]:
    """Elements from token to token of [batch, heads, tokens, size], where the heads of each stand side by side."""
    return rows_apart(tensor.transpose(1, 2), 2)


def _by_token(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if _tokens_apart(tensor) is not None else tensor.transpose(1, 2).contiguous().transpose(1, 2)


def _by_head(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if rows_apart(tensor) is not None else tensor.contiguous()


class _Attention(Operator):
    name = "attention"

    def __init__(self):
        inputs = (elements("q", "batch", "heads", "queries", "depth", strided=True),
                  elements("k", "batch", "heads", "keys", "depth", strided=True),
                  elements("v", "batch", "heads", "keys", "width", strided=True),
                  elements("bias", "bias_batch", "bias_heads", "queries", "keys", optional=True),
                  integers("mask", "mask_batch", "mask_queries", "keys", optional=True))
        of_y = elements("gradient", "batch", "heads", "queries", "width", strided=True)
        self._attention = Operation(OPERATORS, "attention", *inputs, **TYPES)
        self._gradient = Operation(OPERATORS, "attention_backward", *inputs, of_y, called="attention", **TYPES)

    def prepare(self, q, k, v, bias, mask, options):
        for argument, tensor in zip(self._attention.arguments, (q, k, v)):
            self._attention.check(argument, tensor)
            check_memory(self.name, argument.name, tensor)
        q, k, v, bias = _as_autocast_has((q, k, v, bias))
        batch, heads, queries, _ = q.shape
        sizes = (batch, heads, queries, k.shape[2])
        bias, mask = self._spread("bias", bias, sizes), self._spread("mask", mask, sizes)
        if mask is not None:
            if mask.dtype != torch.bool:
                raise ArgumentError("usage", f"attention: mask is of {mask.dtype}, not of torch.bool, where True leaves a key; "
                                    "what is added to the scores is the bias")
            mask = mask.to(torch.int32)
        tokens = self._is_by_token((q, k, v), bias, mask, heads)
        if bias is not None:
            bias = bias.expand(-1, -1, queries, -1)
            if not tokens:
                if bias.shape[0] > 1 and bias.shape[1] < heads:
                    bias = bias.expand(-1, heads, -1, -1)
                bias = bias.reshape(-1, 1, *bias.shape[2:])
        if mask is not None:
            mask = mask.reshape(-1, *mask.shape[2:])
        if not tokens:
            options = {**options, "batch": batch * heads, "heads": 1}
        q, k, v = ((_by_token if tokens else _by_head)(t) for t in (q, k, v))
        plan, (q, k, v, bias, mask) = self._attention.prepare((q, k, v, bias, mask), options)
        return _AttentionCall(plan, mask, options, tokens), (q, k, v, bias)

    def _spread(self, name, tensor, sizes):
        """[batch or 1, heads or 1, queries or 1, keys] of what broadcasts to [batch, heads, queries, keys]."""
        if tensor is None:
            return None
        if not isinstance(tensor, torch.Tensor):
            raise ArgumentError("usage", f"attention: {name} is no torch.Tensor, but {type(tensor).__name__}")
        if tensor.layout != torch.strided:
            raise ArgumentError("usage", f"attention: {name} is {tensor.layout}; dense tensors are taken")
        check_memory(self.name, name, tensor)
        shape = [1] * (4 - tensor.dim()) + list(tensor.shape)
        if tensor.dim() > 4 or any(of not in (1, size) for of, size in zip(shape, sizes)):
            raise ArgumentError("shape", f"attention: {name} is {list(tensor.shape)}, which does not broadcast to [batch, heads, "
                                f"queries, keys], {list(sizes)}")
        return tensor.reshape(shape).expand(-1, -1, -1, sizes[3])

    def _is_by_token(self, inputs, bias, mask, heads):
        if heads == 1:
            return False
        if mask is not None and mask.shape[1] > 1:
            return False  # a token's heads share its mask
        if any(t is not None and t.shape[0] > 1 and t.shape[1] == 1 for t in (bias, mask)):
            return True  # what the heads share would have to be copied for each
        return all(_tokens_apart(t) is not None for t in inputs)

    def _fill(self, operation, plan, call, q, k, v, bias):
        descriptor = plan.descriptor()
        apart = _tokens_apart if call.tokens else rows_apart
        for name, tensor in ("q", q), ("k", k), ("v", v):
            setattr(descriptor, name, tensor.data_ptr())
            setattr(descriptor, f"{name}_stride", apart(tensor) or 0)  # of nothing
        for name, tensor in ("bias", bias), ("mask", call.mask):
            if tensor is not None:
                setattr(descriptor, name, tensor.data_ptr())
        return descriptor

    def forward(self, call, inputs, trained):
        plan = call.plan
        batch, heads, queries, width = (plan.sizes[name] for name in ("batch", "heads", "queries", "width"))
        descriptor = self._fill(self._attention, plan, call, *inputs)

        def empty(dtype, *shape):
            return torch.empty(shape, dtype=dtype, device=plan.device)

        if call.tokens:
            y = empty(plan.elements, batch, queries, heads, width).transpose(1, 2)
        else:
            y = empty(plan.elements, batch, heads, queries, width)
        descriptor.y = y.data_ptr()
        rows = ()
        if trained:
            rows = [empty(torch.float32, batch, heads, queries) for _ in range(2)]
            descriptor.maximum, descriptor.sum = (t.data_ptr() for t in rows)
        self._attention.run(plan, descriptor, None)
        return y, (*inputs, *rows)

    def backward(self, call, kept, of_y, wanted):
        *inputs, maximum, total = kept
        of_y = (_by_token if call.tokens else _by_head)(of_y)
        plan, (*inputs, _, of_y) = self._gradient.prepare((*inputs, call.mask, of_y), call.options)
        descriptor = self._fill(self._gradient, plan, call, *inputs)
        descriptor.maximum, descriptor.sum = maximum.data_ptr(), total.data_ptr()
        descriptor.y_gradient = of_y.data_ptr()
        descriptor.y_stride = (_tokens_apart(of_y) if call.tokens else rows_apart(of_y)) or 0
        found = [empty_as(t) if want else None for t, want in zip(inputs[:3], wanted)]
        if wanted[3]:
            found.append(torch.empty(inputs[3].shape, dtype=torch.float32, device=plan.device))
        for name, gradient in zip(("q", "k", "v", "bias"), found):
            if gradient is not None:
                setattr(descriptor, f"{name}_gradient", gradient.data_ptr())
        self._gradient.run(plan, descriptor, None)
        if wanted[3]:
            found[3] = found[3].to(inputs[3].dtype)
        return (*found, *[None] * (4 - len(found)))


_ATTENTION = _Attention()


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, bias: Optional[torch.Tensor] = None,
              mask: Optional[torch.Tensor] = None, scale: Optional[float] = None) -> torch.Tensor:
    """Scaled dot-product attention (Vaswani et al., NeurIPS 2017): softmax over the keys of (scale q . k + bias), times v.

    Shapes are those of torch.nn.functional.scaled_dot_product_attention. Inputs whose tokens stand equally far apart in memory, by
    head or with a token's heads side by side as a projection leaves them, are not copied. Not in float64.

    q      [batch, heads, queries, depth]; on CUDA depth is at most 256
    k      [batch, heads, keys, depth]; there may be no keys
    v      [batch, heads, keys, width]
    bias   what is added to the scores, of the type of q; what broadcasts to [batch, heads, queries, keys]
    mask   True leaves a key, torch.bool; what broadcasts to [batch, heads, queries, keys]. A query that has no key gets 0, not NaN
    scale  None: 1 / sqrt(depth)
    result [batch, heads, queries, width]; it lies as the inputs do
    """
    if isinstance(scale, (int, float)) and scale == 0:  # which the C function takes for its default
        raise ArgumentError("usage", "attention: scale cannot be 0")
    return _ATTENTION(q, k, v, bias, mask, {} if scale is None else {"scale": scale})


class _PositionCall(NamedTuple):
    plan: Plan
    options: dict
    channels_last: bool


class _PositionAttention(Operator):
    name = "position_attention"

    def __init__(self):
        q, k = (elements(name, "batch", "depth", "height", "width", strided=True) for name in "qk")
        v, x, of_y = (elements(name, "batch", "channels", "height", "width", strided=True) for name in ("v", "x", "gradient"))
        gamma = floats("gamma", 1)
        self._attention = Operation(OPERATORS, "position_attention", q, k, v, x, gamma, **TYPES)
        self._gradient = Operation(OPERATORS, "position_attention_backward", q, k, v, gamma, of_y, called="position_attention",
                                   **TYPES)

    def prepare(self, q, k, v, x, gamma):
        if isinstance(gamma, torch.Tensor) and gamma.dim() == 0:
            gamma = gamma.reshape(1)
        last = all(is_channels_last(t) for t in (q, k, v, x))
        options = {"layout": LAYOUT[last]}
        if _is_4d(q):
            options["positions"] = q.shape[2] * q.shape[3]
        plan, (*maps, gamma) = self._attention.prepare((*_as_autocast_has((q, k, v, x)), gamma), options)
        return _PositionCall(plan, options, last), (*[t if last else t.contiguous() for t in maps], gamma)

    def _fill(self, operation, plan, call, q, k, v, gamma):
        descriptor = plan.descriptor()
        descriptor.q, descriptor.k, descriptor.v, descriptor.gamma = (t.data_ptr() for t in (q, k, v, gamma))
        return descriptor

    def forward(self, call, inputs, trained):
        plan = call.plan
        q, k, v, x, gamma = inputs
        descriptor = self._fill(self._attention, plan, call, q, k, v, gamma)
        y = torch.empty(x.shape, dtype=plan.elements, device=plan.device, memory_format=memory_format(call.channels_last))
        descriptor.x, descriptor.y = x.data_ptr(), y.data_ptr()
        rows = ()
        if trained:
            rows = [torch.empty(len(x), call.options["positions"], dtype=torch.float32, device=plan.device) for _ in range(2)]
            descriptor.maximum, descriptor.sum = (t.data_ptr() for t in rows)
        self._attention.run(plan, descriptor, None)
        return y, (q, k, v, gamma, *rows)

    def backward(self, call, kept, of_y, wanted):
        q, k, v, gamma, maximum, total = kept
        dense = of_y.contiguous(memory_format=memory_format(call.channels_last))
        plan, (q, k, v, gamma, dense) = self._gradient.prepare((q, k, v, gamma, dense), call.options)
        descriptor = self._fill(self._gradient, plan, call, q, k, v, gamma)
        descriptor.maximum, descriptor.sum, descriptor.y_gradient = maximum.data_ptr(), total.data_ptr(), dense.data_ptr()
        of_x = of_y if wanted[3] else None
        wanted = (*wanted[:3], wanted[4])
        if not any(wanted):
            return None, None, None, of_x, None
        found = [empty_as(t) if want else None for t, want in zip((q, k, v, gamma), wanted)]
        for name, gradient in zip(("q", "k", "v", "gamma"), found):
            if gradient is not None:
                setattr(descriptor, f"{name}_gradient", gradient.data_ptr())
        self._gradient.run(plan, descriptor, None)
        return (*found[:3], of_x, found[3])


_POSITION = _PositionAttention()


def position_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, x: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    """Position attention: gamma * (softmax over j of q_i . k_j) v_j + x over all positions of a map.

    The PAM of DANet (Fu et al., CVPR 2019), behind its convolutions; scores are not scaled. Maps are contiguous or channels_last,
    all of them, and taken as they lie; others are copied. Not in float64.

    q, k    [batch, depth, height, width]; on CUDA depth is at most 256
    v, x    [batch, channels, height, width]
    gamma   [1] or []; computed with in float32
    result  [batch, channels, height, width]
    """
    return _POSITION(q, k, v, x, gamma)
