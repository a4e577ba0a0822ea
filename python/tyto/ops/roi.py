"""Pooling of regions of interest, as torchvision.ops has it.

Common to all: features [images, channels, height, width], float32, bfloat16 or float16, contiguous or channels_last, which are
taken as they lie and give a result that lies so, too. A result has the features' type, and is computed in float32, under autocast
as well.

rois          [regions, 5]: the number of the image, then x1, y1, x2, y2, which spatial_scale brings to cells of the maps; or a list
              of [regions, 4], one an image. A region whose number is none of the images', as -1, or that has a NaN holds nothing:
              its features are 0, and nothing goes back through it. Of any type; computed with in float32; they have no gradient
output_size   bins of a region: rows and columns, or one number for both
result        [regions, channels, *output_size]"""
from typing import NamedTuple, Sequence, Tuple, Union

import torch

from .._errors import ArgumentError, shown
from .._operation import Operation, Plan, elements, floats
from ._memory import check_memory, is_channels_last, memory_format
from ._operator import Operator
from ._operators import LAYOUT, OPERATORS, TYPES

Rois = Union[torch.Tensor, Sequence[torch.Tensor]]


class _Call(NamedTuple):
    plan: Plan
    rois: torch.Tensor
    options: dict
    channels_last: bool


class _Roi(Operator):
    def __init__(self, name: str, argmax: bool):
        self.name = name
        self._argmax = argmax  # which cell a bin's value is of, for the gradient
        self._pool = Operation(OPERATORS, name, elements("features", "images", "channels", "height", "width", strided=True),
                               floats("rois", "regions", 5), **TYPES)
        self._gradient = Operation(OPERATORS, f"{name}_backward",
                                   elements("gradient", "regions", "channels", "rows", "columns", strided=True),
                                   floats("rois", "regions", 5), called=name, **TYPES)

    def prepare(self, features, rois, output_size, options):
        options["rows"], options["columns"] = self._pair(output_size)
        if isinstance(rois, (list, tuple)):
            rois = self._numbered(rois, features)
        if isinstance(rois, torch.Tensor):
            rois = rois.detach()
        last = is_channels_last(features)
        options["layout"] = LAYOUT[last]  # which the workspace depends on
        plan, (features, rois) = self._pool.prepare((features, rois), options)
        return _Call(plan, rois, options, last), (features if last else features.contiguous(),)

    def _pair(self, size):
        if isinstance(size, int):
            return size, size
        try:
            rows, columns = size
        except Exception:  # whatever somebody's type raises
            raise ArgumentError("usage", f"{self.name}: output_size cannot be {shown(size)}; it is rows and columns, or one number "
                                "for both") from None
        return rows, columns

    def _numbered(self, boxes, features):
        for image, b in enumerate(boxes):
            if not isinstance(b, torch.Tensor) or b.dim() != 2 or b.shape[1] != 4:
                what = list(b.shape) if isinstance(b, torch.Tensor) else type(b).__name__
                raise ArgumentError("shape", f"{self.name}: rois[{image}] is {what}, not [regions, 4]")
            check_memory(self.name, f"rois[{image}]", b)
            if b.device != boxes[0].device:
                raise ArgumentError("usage", f"{self.name}: rois[{image}] is on {b.device}, rois[0] on {boxes[0].device}; bring "
                                    "them to one device")
        if isinstance(features, torch.Tensor) and features.dim() == 4 and len(boxes) != len(features):
            raise ArgumentError("shape", f"{self.name}: rois is a list of {len(boxes)}, features are of {len(features)} images")
        if not boxes:
            return torch.empty(0, 5, device=getattr(features, "device", None))
        numbers = [torch.full((len(b), 1), float(image), device=b.device) for image, b in enumerate(boxes)]
        return torch.cat([torch.cat([n, b.float()], 1) for n, b in zip(numbers, boxes)])

    def forward(self, call, inputs, trained):
        plan, options = call.plan, call.options
        descriptor = plan.descriptor()
        descriptor.maps, descriptor.rois = inputs[0].data_ptr(), call.rois.data_ptr()
        sizes = (plan.sizes["regions"], plan.sizes["channels"], int(options["rows"]), int(options["columns"]))
        pooled = torch.empty(sizes, dtype=plan.elements, device=plan.device, memory_format=memory_format(call.channels_last))
        descriptor.features = pooled.data_ptr()
        argmax = None
        if trained and self._argmax:
            argmax = torch.empty(pooled.numel(), dtype=torch.int32, device=plan.device)
            descriptor.argmax = argmax.data_ptr()
        self._pool.run(plan, descriptor, None)
        return pooled, (argmax,)

    def backward(self, call, kept, of_pooled, wanted):
        of_maps = {name: call.plan.sizes[name] for name in ("images", "height", "width")}
        options = {name: value for name, value in call.options.items() if name not in ("rows", "columns")}
        of_pooled = of_pooled.contiguous(memory_format=memory_format(call.channels_last))
        plan, (of_pooled, rois) = self._gradient.prepare((of_pooled, call.rois), {**options, **of_maps})
        descriptor = plan.descriptor()
        descriptor.features_gradient, descriptor.rois = of_pooled.data_ptr(), rois.data_ptr()
        if kept[0] is not None:
            descriptor.argmax = kept[0].data_ptr()
        sizes = (of_maps["images"], plan.sizes["channels"], of_maps["height"], of_maps["width"])
        of_features = torch.empty(sizes, dtype=plan.elements, device=plan.device,
                                  memory_format=memory_format(call.channels_last))
        descriptor.maps_gradient = of_features.data_ptr()
        self._gradient.run(plan, descriptor, None)
        return (of_features,)


_POOL = _Roi("roi_pool", argmax=True)
_ALIGN = _Roi("roi_align", argmax=False)


def roi_pool(features: torch.Tensor, rois: Rois, output_size: Union[int, Tuple[int, int]],
             spatial_scale: float = 1.0) -> torch.Tensor:
    """RoI max pooling (Girshick, ICCV 2015): of each bin the largest feature; of a bin without cells 0.

    Arguments and result are those of torchvision.ops.roi_pool, and the module's.

    spatial_scale  cells of the maps a unit of the boxes
    """
    return _POOL(features, rois, output_size, {"spatial_scale": spatial_scale})


def roi_align(features: torch.Tensor, rois: Rois, output_size: Union[int, Tuple[int, int]], spatial_scale: float = 1.0,
              sampling_ratio: int = -1, aligned: bool = False) -> torch.Tensor:
    """RoIAlign (He et al., ICCV 2017): of each bin the mean of samples that are interpolated between cells.

    Arguments and result are those of torchvision.ops.roi_align, and the module's.

    spatial_scale   cells of the maps a unit of the boxes
    sampling_ratio  samples of a bin along each axis; 0 or less: one a cell, as many as the bin is large, at most 4096
    aligned         whether half a cell is subtracted from the boxes' corners, as newer detectors have it
    """
    if isinstance(sampling_ratio, int) and sampling_ratio < 0:
        sampling_ratio = 0
    return _ALIGN(features, rois, output_size,
                  {"spatial_scale": spatial_scale, "sampling_ratio": sampling_ratio, "aligned": aligned})
