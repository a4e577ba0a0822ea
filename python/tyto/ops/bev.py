"""Bird's-eye-view pooling (Lift-Splat-Shoot, Philion and Fidler, ECCV 2020): features of cameras, spread along their rays by a
distribution over depth, gathered in the cells of a grid seen from above."""
from typing import NamedTuple, Optional, Sequence, Tuple, Union

import torch

from .._compile import eager
from .._errors import ArgumentError, reason, shown
from .._library import Library
from .._operation import Operation, Plan, elements
from ._memory import empty_as, memory_format, rows_apart
from ._operator import Operator, telling

_BEV = Library("bev")
_AXES = {name: _BEV.constants[f"TYTO_BEV_AXES_{name.upper()}"] for name in ("xy", "yx")}
_ROUNDINGS = {name: _BEV.constants[f"TYTO_BEV_{name.upper()}"] for name in ("truncate", "floor")}
_REDUCTIONS = {name: _BEV.constants[f"TYTO_BEV_{name.upper()}"] for name in ("sum", "mean", "max")}
_MAPS = ("samples", "cameras", "bins", "height", "width")


class BevIndex:
    """Which points of the cameras' frustums fall into which cells; of bev_index() alone, because bev_pool() trusts it.

    samples, cameras, bins, height, width    of the maps that it is for
    rows, columns, levels                    of the grid
    device                                   where it lies; to(device) brings it elsewhere

    It can be pickled, so that a DataLoader's workers may make it."""

    samples: int
    cameras: int
    bins: int
    height: int
    width: int
    rows: int
    columns: int
    levels: int

    def __init__(self, *_, **__):
        raise ArgumentError("usage", "a BevIndex is made by tyto.ops.bev_index()")

    @property
    def device(self) -> torch.device:
        return self._runs.device

    def to(self, device: Union[str, torch.device], *, non_blocking: bool = False) -> "BevIndex":
        """It, or a copy of it on another device."""
        try:  # a type is none: what is converted is no index
            device = torch.device(device)
            starts, runs, cells = (t.to(device, non_blocking=non_blocking) for t in (self._starts, self._runs, self._cells))
        except Exception as error:
            raise ArgumentError("usage", f"BevIndex.to: device cannot be {shown(device)}: {reason(error)[:500]}") from None
        return self if runs is self._runs else _index(self._sizes(), self._grid(), starts, runs, cells)

    def __repr__(self) -> str:
        return (f"BevIndex({', '.join(f'{name}={value}' for name, value in {**self._sizes(), **self._grid()}.items())}, "
                f"device={str(self.device)!r})")

    def _sizes(self):
        return {name: getattr(self, name) for name in _MAPS}

    def _grid(self):
        return {name: getattr(self, name) for name in ("rows", "columns", "levels")}


def _index(sizes, grid, starts: torch.Tensor, runs: torch.Tensor, cells: torch.Tensor) -> BevIndex:
    index = BevIndex.__new__(BevIndex)
    index.__dict__.update(sizes, **grid, _starts=starts, _runs=runs, _cells=cells)
    return index


_MATRICES = ("intrinsics", "camera_to_grid", "image_augmentation")
_INDEX = Operation(_BEV, "bev_index", elements("intrinsics", "samples", "cameras", 3, 3),
                   elements("camera_to_grid", "samples", "cameras", 4, 4),
                   elements("image_augmentation", "samples", "cameras", 3, 3, optional=True),
                   choices={"axes": _AXES, "rounding": _ROUNDINGS})


@eager
@telling("bev_index")
def _bev_index(matrices, options, check):
    for name, matrix in zip(_MATRICES, matrices):
        if isinstance(matrix, torch.Tensor) and matrix.dtype in (torch.float16, torch.bfloat16):
            raise ArgumentError("usage", f"bev_index: {name} is of {matrix.dtype}, which has no room for a pixel's position; "
                                "float32 and float64 are taken")
    plan, ready = _INDEX.prepare(matrices, options)
    descriptor = plan.descriptor()
    for name, matrix in zip(_MATRICES, ready):
        if matrix is not None:
            setattr(descriptor, name, matrix.data_ptr())
    samples = plan.sizes["samples"]
    sizes = {"samples": samples, "cameras": plan.sizes["cameras"],
             **{name: getattr(descriptor, name) for name in ("bins", "height", "width")}}
    x, y, levels = descriptor.grid
    rows, columns = (x, y) if descriptor.axes == _AXES["xy"] else (y, x)

    def empty(dtype, *shape):
        return torch.empty(shape, dtype=dtype, device=plan.device)

    index = _index(sizes, {"rows": rows, "columns": columns, "levels": levels}, empty(torch.int32, samples, x * y * levels + 1),
                   empty(torch.int64, *sizes.values()), empty(torch.int32, *sizes.values()))  # a run is 8 bytes
    descriptor.cell_starts, descriptor.runs, descriptor.cells = (t.data_ptr() for t in (index._starts, index._runs, index._cells))
    _INDEX.run(plan, descriptor, check)
    return index


def bev_index(intrinsics: torch.Tensor, camera_to_grid: torch.Tensor, image_augmentation: Optional[torch.Tensor] = None, *,
              bins: int, height: int, width: int, image_size: Tuple[int, int] = (128, 352), first_depth: float = 4,
              depth_step: float = 1, grid: Sequence[int] = (200, 200, 1), lower: Sequence[float] = (-50, -50, -10),
              step: Sequence[float] = (0.5, 0.5, 20), axes: str = "xy", rounding: str = "truncate", in_float: bool = False,
              check: bool = True) -> BevIndex:
    """Which points of the cameras' frustums fall into which cells: once a calibration, for bev_pool().

    Point (bin, row, column) of a camera is the pixel (u, v) of the network's input, u = linspace(0, image width - 1,
    width)[column], v likewise, at first_depth + bin * depth_step metres along the camera's axis. It stands at
    rotation K^-1 A^-1 (u d, v d, d) + translation. Defaults are those of Lift-Splat-Shoot.

    intrinsics          [samples, cameras, 3, 3]  K, in pixels of the camera's own image; float64 or float32
    camera_to_grid      [samples, cameras, 4, 4]  rotation and translation in metres
    image_augmentation  [samples, cameras, 3, 3]  A, from pixels of the camera's image to those of the network's input, last row
                        0 0 1; None: none
    bins, height, width of the feature maps; height and width below 65536
    image_size          height and width of the network's input, pixels
    first_depth, depth_step  metres, positive
    grid                cells along x, y and z
    lower, step         of x, y and z: the first cells' lower faces and a cell's sides, metres
    axes                "xy": x along a map's rows (Lift-Splat-Shoot, BEVFusion); "yx": along its columns (BEVDet, BEVDepth)
    rounding            of (p - lower) / step to a cell: "truncate", toward zero, as published poolings do, which also takes points
                        up to a cell below `lower` into the first; "floor"
    in_float            geometry of float32 matrices is computed in float32, not in float64
    check               whether a camera whose matrices have no inverse or are not finite is an ArgumentError; otherwise, and on
                        CUDA always, where a call does not wait, it has no points
    """
    options = {"bins": bins, "height": height, "width": width, "first_depth": first_depth, "depth_step": depth_step, "grid": grid,
               "lower": lower, "step": step, "axes": axes, "rounding": rounding, "in_float": in_float}
    try:
        options["image_height"], options["image_width"] = image_size
    except Exception:  # whatever somebody's type raises
        raise ArgumentError("usage", f"bev_index: image_size cannot be {shown(image_size)}; it is a height and a width") from None
    return _bev_index((intrinsics, camera_to_grid, image_augmentation), options, check)


class _Call(NamedTuple):
    plan: Plan
    index: BevIndex
    options: dict
    channels_last: bool  # of the grid's map


def _channels_last(maps: torch.Tensor) -> torch.Tensor:
    """[samples, cameras, height, width, channels] of maps whose channels are dimension 2."""
    return maps.permute(0, 1, 3, 4, 2)


class _BevPool(Operator):
    name = "bev_pool"

    def __init__(self):
        maps = (elements("depth", *_MAPS, strided=True),
                elements("features", "samples", "cameras", "channels", "height", "width", strided=True))
        choices = {"reduction": _REDUCTIONS}
        self._pool = Operation(_BEV, "bev_pool", *maps, halves="native", choices=choices)
        self._gradient = Operation(_BEV, "bev_pool_backward", *maps, halves="native", autocast="native", choices=choices,
                                   called="bev_pool")

    def prepare(self, depth, features, index, options):
        if not isinstance(index, BevIndex):
            raise ArgumentError("usage", f"bev_pool: index is no BevIndex, but {type(index).__name__}; bev_index() makes it")
        options = {**options, **index._grid()}
        plan, (depth, features) = self._pool.prepare((depth, features), options)
        if plan.device != index.device:
            raise ArgumentError("usage", f"bev_pool: index is on {index.device}, depth on {plan.device}; index.to() brings it")
        for name, size in index._sizes().items():
            if plan.sizes[name] != size:
                raise ArgumentError("shape", f"bev_pool: depth has {plan.sizes[name]} {name}, the index is of {size}")
        if not depth.is_contiguous() and rows_apart(_channels_last(depth)) is None:
            depth = depth.contiguous()
        last = not features.is_contiguous() and rows_apart(_channels_last(features)) is not None
        if not last:
            features = _channels_last(features).contiguous().permute(0, 1, 4, 2, 3)
        return _Call(plan, index, options, last), (depth, features)

    def _fill(self, operation, plan, call, depth, features):
        descriptor = plan.descriptor()
        descriptor.depth, descriptor.features = depth.data_ptr(), features.data_ptr()
        descriptor.cell_starts, descriptor.runs = call.index._starts.data_ptr(), call.index._runs.data_ptr()
        descriptor.feature_stride = rows_apart(_channels_last(features)) or 0  # of nothing
        if not depth.is_contiguous():
            descriptor.depth_bins = _BEV.constants["TYTO_BEV_BINS_LAST"]
            descriptor.depth_stride = rows_apart(_channels_last(depth))
        descriptor.layout = _BEV.constants[f"TYTO_BEV_CHANNELS_{'LAST' if call.channels_last else 'FIRST'}"]
        return descriptor

    def forward(self, call, inputs, trained):
        plan, index = call.plan, call.index
        samples, channels = plan.sizes["samples"], plan.sizes["channels"]
        descriptor = self._fill(self._pool, plan, call, *inputs)
        out = torch.empty((samples, index.levels * channels, index.rows, index.columns), dtype=plan.elements, device=plan.device,
                          memory_format=memory_format(call.channels_last))
        descriptor.out = out.data_ptr()
        winners = None
        if trained and call.options["reduction"] == "max":
            winners = torch.empty((samples, index.rows, index.columns, index.levels, channels), dtype=torch.int32,
                                  device=plan.device)
            descriptor.winners = winners.data_ptr()
        self._pool.run(plan, descriptor, None)
        return out, (*inputs, winners)

    def backward(self, call, kept, of_out, wanted):
        depth, features, winners = kept
        plan, _ = self._gradient.prepare((depth, features), call.options)
        descriptor = self._fill(self._gradient, plan, call, depth, features)
        of_out = of_out.contiguous(memory_format=memory_format(call.channels_last))
        descriptor.out_gradient = of_out.data_ptr()
        descriptor.cells = call.index._cells.data_ptr()
        if winners is not None:
            descriptor.winners = winners.data_ptr()
        gradients = [empty_as(t) if want else None for t, want in zip((depth, features), wanted)]
        descriptor.depth_gradient, descriptor.features_gradient = (None if g is None else g.data_ptr() for g in gradients)
        self._gradient.run(plan, descriptor, None)
        return gradients


_POOL = _BevPool()


def bev_pool(depth: torch.Tensor, features: torch.Tensor, index: BevIndex, *, logits: bool = True,
             reduction: str = "sum") -> torch.Tensor:
    """Features of cameras on the grid: [samples, levels * channels, rows, columns], 0 where no point falls.

    Of each cell the sum over its points of weight * feature, without the lifted tensor of points x channels. Types are float64,
    float32, bfloat16 and float16, of which halves are summed in float32; under autocast it computes in float32.

    depth      [samples, cameras, bins, height, width]
    features   [samples, cameras, channels, height, width]; of both the last dimension but two may be a part of a map whose channels
               stand last in memory, which are not copied; then the result's stand last, too
    index      of bev_index(), for these sizes
    logits     True: `depth` holds logits, of which the softmax over the bins is the weights; False: weights
    reduction  "sum"; "mean", over the cell's points, whatever their weights; "max", of weight * feature, a channel at a time
    """
    return _POOL(depth, features, index, {"logits": logits, "reduction": reduction})
