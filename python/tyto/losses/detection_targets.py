"""What Faster R-CNN's two stages learn from: samples of anchors and of proposed regions, with their labels and offsets.

Common to both: boxes are float64 or float32 (halves become float32), all of one type; coordinates x1 y1 x2 y2; results have no
gradients. Of more candidates than are wanted those of the smallest (priority, index) are taken, priorities being random numbers of
`seed`, the same ones for the same seed, on CPU and CUDA; give another one a step, or priorities of your own.
check: whether values that are not finite, classes out of range and, if True, boxes without width or height are an ArgumentError.
None: on the CPU the first two are; on CUDA, where True waits for the device, none is, and no loss takes such an image's labels."""
from typing import NamedTuple, Optional, Sequence, Tuple, Union

import torch

from .._compile import eager
from .._errors import ArgumentError, shown
from .._operation import Operation, elements, integers
from ._loss import LOSSES
from ._objects import PerImage, on_device, padded, padded_objects

_BOXES = elements("boxes", "batch", "capacity", 4, together=4)
_COUNTS = integers("box_counts", "batch", optional=True)

_ANCHORS = Operation(LOSSES, "anchor_targets", elements("anchor_boxes", "anchors", 4, together=4), _BOXES, _COUNTS,
                     elements("image_sizes", "batch", 2), integers("priorities", "batch", "anchors", optional=True), halves="reals")
_PROPOSALS = Operation(LOSSES, "proposal_targets", elements("regions", "batch", "region_capacity", "region_stride", together=4),
                       integers("region_counts", "batch", optional=True), _BOXES, integers("box_classes", "batch", "capacity"),
                       _COUNTS, integers("priorities", "batch", "candidates", optional=True), halves="reals")


def _bits(priorities):
    """uint32 as int32 of the same bits, of whichever type holds them."""
    if isinstance(priorities, torch.Tensor):
        if priorities.dtype == torch.int64:
            return priorities.to(torch.int32)  # modulo 2^32
        if priorities.dtype == getattr(torch, "uint32", None):
            return priorities.view(torch.int32)
    return priorities


def _described(operation: Operation, tensors, options, seed: Optional[int]):
    """A plan, and a descriptor with inputs and seed, which is no part of a plan, being another one a step."""
    name = operation.name
    if (seed is None) == (tensors[-1] is None):
        raise ArgumentError("usage", f"{name}: one of seed and priorities is due, another one a step")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**64):
        raise ArgumentError("usage", f"{name}: seed cannot be {shown(seed)}; it is an integer in [0, 2^64)")
    plan, ready = operation.prepare(tensors, options)
    descriptor = plan.descriptor()
    for argument, tensor in zip(operation.arguments, ready):
        if tensor is not None:
            setattr(descriptor, argument.name, tensor.data_ptr())
    descriptor.seed = seed or 0
    return plan, descriptor, ready


class AnchorTargets(NamedTuple):
    """labels [batch, anchors], int32: 1, 0, -1 ignored; locations [batch, anchors, 4]: y, x, log height, log width from every
    anchor within the image to its object."""

    labels: torch.Tensor
    locations: torch.Tensor


@eager
def _anchor_targets(tensors, options, seed, check):
    with torch.no_grad():
        plan, descriptor, _ready = _described(_ANCHORS, tensors, options, seed)
        batch, anchors = plan.sizes["batch"], plan.sizes["anchors"]
        found = AnchorTargets(torch.empty(batch, anchors, dtype=torch.int32, device=plan.device),
                              torch.empty(batch, anchors, 4, dtype=plan.real, device=plan.device))
        descriptor.labels, descriptor.locations = [tensor.data_ptr() for tensor in found]
        _ANCHORS.run(plan, descriptor, check)
    return found


def anchor_targets(anchor_boxes: torch.Tensor, boxes: PerImage, image_sizes: Union[torch.Tensor, Sequence[Tuple[float, float]]],
                   box_counts: Optional[torch.Tensor] = None, *, seed: Optional[int] = None,
                   priorities: Optional[torch.Tensor] = None, samples: int = 256, positive_share: float = 0.5,
                   positive_iou: float = 0.7, negative_iou: float = 0.3, check: Optional[bool] = None) -> AnchorTargets:
    """What a region proposal network should say of its anchors: chainercv's and simple-faster-rcnn-pytorch's AnchorTargetCreator,
    for a batch of images.

    An anchor within the image is positive where its IoU with some object equals the best that this object has, or is at least
    positive_iou; else negative where its best IoU is below negative_iou. Of the positive at most samples * positive_share stay, of
    the negative as many as then are left of `samples`; all others are ignored.

    anchor_boxes  [anchors, 4]          the same for every image; batch * anchors < 2^31
    boxes         [batch, capacity, 4]  of the objects; or a list of [objects, 4]
    image_sizes   [batch, 2]            height, width in the anchors' unit; or a list of such pairs
    box_counts    [batch]               of tensors: the first so many places are taken; None: all
    seed          in [0, 2^64)
    priorities    [batch, anchors]      instead of a seed: int64 in [0, 2^32), or int32 of the same 32 bits
    """
    name = _ANCHORS.name
    boxes, box_counts = padded(name, "boxes", boxes, box_counts, "box_counts", anchor_boxes)
    if isinstance(image_sizes, (list, tuple)) and isinstance(anchor_boxes, torch.Tensor):
        try:
            real = torch.float64 if anchor_boxes.dtype == torch.float64 else torch.float32
            image_sizes = on_device(image_sizes, real, anchor_boxes.device).view(len(image_sizes), 2)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            raise ArgumentError("usage", f"{name}: image_sizes is no list of pairs of numbers, height and width") from None
    options = {"samples": samples, "positive_share": positive_share, "positive_iou": positive_iou, "negative_iou": negative_iou}
    return _anchor_targets((anchor_boxes, boxes, box_counts, image_sizes, _bits(priorities)), options, seed, check)


class ProposalTargets(NamedTuple):
    """rois [batch, samples, 4], the positive, then the negative; labels [batch, samples], int32, -1 beyond counts; locations
    [batch, samples, 4]: y, x, log height, log width, normalised; counts [batch], int32."""

    rois: torch.Tensor
    labels: torch.Tensor
    locations: torch.Tensor
    counts: torch.Tensor


@eager
def _proposal_targets(tensors, options, seed, check):
    with torch.no_grad():
        plan, descriptor, _ready = _described(_PROPOSALS, tensors, options, seed)
        candidates = plan.sizes["region_capacity"] + plan.sizes["capacity"]
        if plan.sizes.get("candidates", candidates) != candidates:
            raise ArgumentError("shape", f"{_PROPOSALS.name}: priorities is {list(tensors[-1].shape)}, whose dimension 1 is not "
                                f"{candidates}: regions has {plan.sizes['region_capacity']} rows, boxes {plan.sizes['capacity']}")
        batch, samples = plan.sizes["batch"], descriptor.samples
        found = ProposalTargets(torch.empty(batch, samples, 4, dtype=plan.real, device=plan.device),
                                torch.empty(batch, samples, dtype=torch.int32, device=plan.device),
                                torch.empty(batch, samples, 4, dtype=plan.real, device=plan.device),
                                torch.empty(batch, dtype=torch.int32, device=plan.device))
        descriptor.rois, descriptor.labels, descriptor.locations, descriptor.counts = [tensor.data_ptr() for tensor in found]
        _PROPOSALS.run(plan, descriptor, check)
    return found


def proposal_targets(regions: PerImage, boxes: PerImage, box_classes: PerImage, region_counts: Optional[torch.Tensor] = None,
                     box_counts: Optional[torch.Tensor] = None, *, seed: Optional[int] = None,
                     priorities: Optional[torch.Tensor] = None, samples: int = 128, positive_share: float = 0.25,
                     positive_iou: float = 0.5, negative_below: float = 0.5, negative_from: float = 0,
                     mean: Sequence[float] = (0, 0, 0, 0), deviation: Sequence[float] = (0.1, 0.1, 0.2, 0.2),
                     check: Optional[bool] = None) -> ProposalTargets:
    """Regions for the second stage to learn from: simple-faster-rcnn-pytorch's ProposalTargetCreator, for a batch of images.
    Objects join the regions, behind them.

    A region whose best IoU with an object is at least positive_iou is positive; its label is the object's class plus 1. One whose
    best is below negative_below and at least negative_from is negative, label 0. Of the positive at most samples * positive_share
    are taken, of the negative as many as then are left of `samples`.

    regions        [batch, region_capacity, 4 or more]   of a row x1 y1 x2 y2 are the first; or a list of [regions, 4 or more]
    boxes          [batch, capacity, 4]                  of the objects; or a list of [objects, 4]
    box_classes    [batch, capacity]                     at least 0; or a list of [objects]
    region_counts  [batch]                               of tensors: the first so many rows are taken; None: all; so box_counts
    seed           in [0, 2^64)
    priorities     [batch, region_capacity + capacity]   instead of a seed: int64 in [0, 2^32), or int32 of the same 32 bits
    samples        at most 1024 on CUDA
    mean           of y, x, log height, log width, which is subtracted of locations before they are divided by deviation
    """
    name = _PROPOSALS.name
    regions, region_counts = padded(name, "regions", regions, region_counts, "region_counts", boxes, (None,))
    boxes, box_classes, box_counts = padded_objects(name, boxes, box_classes, box_counts, regions)
    options = {"samples": samples, "positive_share": positive_share, "positive_iou": positive_iou, "negative_below": negative_below,
               "negative_from": negative_from, "mean": mean, "deviation": deviation}
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    return _proposal_targets((regions, region_counts, boxes, box_classes, box_counts, _bits(priorities)), options, seed, check)
