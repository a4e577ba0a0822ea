"""Non-maximum suppression that stays on its device: results have as many rows as there may be, and a count beside them.

Of each list of candidates the box of the best score stays, and those that overlap it by more than a threshold (intersection over
union) go. Boxes are x1, y1, x2, y2, in any unit; float32, bfloat16 or float16, computed with in float32. Boxes that are not finite
and scores of NaN or -infinity are no candidates."""
from dataclasses import dataclass
from typing import List, Optional

import torch

from .._compile import eager
from .._errors import ArgumentError, shown
from .._operation import Operation, elements, flag, integers
from ._memory import check_memory
from ._operator import telling
from ._operators import OPERATORS, TYPES

_RULES = {name: OPERATORS.constants[f"TYTO_OPERATORS_{name.upper()}"] for name in ("greater", "greater_equal")}


@dataclass(frozen=True)
class Kept:
    """Boxes that stay.

    indices  [rows], int64: their numbers by score falling, and of equal ones by number rising; -1 behind the last
    count    [], int32: how many there are"""

    indices: torch.Tensor
    count: torch.Tensor

    def trim(self) -> torch.Tensor:
        """The numbers alone, [count]. Waits for the device."""
        return self.indices[:int(self.count)]


@dataclass(frozen=True)
class Detections:
    """Boxes that stay of a batch of images, by score falling, then class, then number.

    boxes    [images, rows, 4], float32; 0 behind the last
    scores   [images, rows], float32; 0 behind the last
    labels   [images, rows], int64: the row of the scores; -1 behind the last
    indices  [images, rows], int64: the box's number; -1 behind the last
    count    [images], int32: how many there are"""

    boxes: torch.Tensor
    scores: torch.Tensor
    labels: torch.Tensor
    indices: torch.Tensor
    count: torch.Tensor

    def trim(self) -> List["Detections"]:
        """Those of each image, without rows behind the last. Waits for the device."""
        return [Detections(*[t[image, :count] for t in (self.boxes, self.scores, self.labels, self.indices)], self.count[image])
                for image, count in enumerate(self.count.tolist())]


def _operation(called: str, *arguments) -> Operation:
    return Operation(OPERATORS, "nms", *arguments, choices={"rule": _RULES}, called=called, **TYPES)


_NMS = _operation("nms", elements("boxes", "count", 4), elements("scores", "count"))
_BATCHED = _operation("batched_nms", elements("boxes", "count", 4), elements("scores", "count"), integers("idxs", "count"))
_MULTICLASS = _operation("multiclass_nms", elements("boxes", "batch", "count", 4), elements("scores", "batch", "classes", "count"),
                         integers("counts", "batch", optional=True))


def _run(operation, plan, boxes, scores, counts, images, capacity):
    """Detections [images, rows, 6], kept [images, rows] and found [images] of the C function."""
    descriptor = plan.descriptor()
    descriptor.boxes, descriptor.scores = boxes.data_ptr(), scores.data_ptr()
    if counts is not None:
        descriptor.counts = counts.data_ptr()
    detections = torch.empty((images, capacity, 6), dtype=torch.float32, device=plan.device)
    kept = torch.empty((images, capacity), dtype=torch.int32, device=plan.device)
    found = torch.empty(images, dtype=torch.int32, device=plan.device)
    descriptor.detections, descriptor.kept, descriptor.found = detections.data_ptr(), kept.data_ptr(), found.data_ptr()
    operation.run(plan, descriptor, None)
    return detections, kept, found


def _count(boxes) -> int:
    return len(boxes) if isinstance(boxes, torch.Tensor) and boxes.dim() else 0


@eager
@telling("nms")
def _nms(boxes, scores, iou_threshold, rule):
    options = {"batch": 1, "classes": 1, "capacity": _count(boxes), "iou_threshold": iou_threshold, "rule": rule}
    plan, (boxes, scores) = _NMS.prepare((boxes, scores), options)
    _, kept, found = _run(_NMS, plan, boxes, scores, None, 1, options["capacity"])
    return Kept(kept[0].long(), found[0])


def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float, *, rule: str = "greater") -> Kept:
    """Boxes [n, 4] with scores [n] that stay: nms(...).trim() is torchvision.ops.nms(...).

    iou_threshold  0..1
    rule           an overlap that is too much is "greater" than the threshold, or "greater_equal" (chainercv)
    """
    return _nms(boxes, scores, iou_threshold, rule)


@eager
@telling("batched_nms")
def _batched_nms(boxes, scores, idxs, iou_threshold, classes, rule):
    options = {"batch": 1, "classes": 1 if classes is None else classes, "capacity": _count(boxes), "max_detections": _count(boxes),
               "iou_threshold": iou_threshold, "rule": rule}  # of all classes together a box is in one
    plan, ready = _BATCHED.prepare((boxes, scores, idxs), options)
    check_memory("batched_nms", "idxs", idxs)  # which PyTorch reads below
    check_memory("batched_nms", "scores", scores)
    if classes is None and len(idxs):
        known, idxs = idxs.unique(return_inverse=True)
        options["classes"] = len(known)
        plan, ready = _BATCHED.prepare((boxes, scores, idxs), options)
    boxes, scores, _ = ready
    labels = torch.arange(int(options["classes"]), dtype=torch.int64, device=plan.device)
    by_class = torch.where(idxs == labels[:, None], scores, scores.new_full((), float("-inf")))
    _, kept, found = _run(_BATCHED, plan, boxes, by_class, None, 1, options["capacity"])
    return Kept(kept[0].long(), found[0])


def batched_nms(boxes: torch.Tensor, scores: torch.Tensor, idxs: torch.Tensor, iou_threshold: float, *,
                classes: Optional[int] = None, rule: str = "greater") -> Kept:
    """Boxes [n, 4] with scores [n] that stay, where boxes of different classes do not suppress each other:
    batched_nms(...).trim() is torchvision.ops.batched_nms(...).

    idxs           [n]  a box's class, or its image or level
    iou_threshold  0..1
    classes        how many; a box whose class is not below that is no candidate. None: as many as there are, for which the device
                   is waited for
    rule           as of nms()
    """
    return _batched_nms(boxes, scores, idxs, iou_threshold, classes, rule)


@eager
@telling("multiclass_nms")
def _multiclass_nms(boxes, scores, counts, options):
    capacity = 0
    if all(isinstance(t, torch.Tensor) and t.dim() == 3 for t in (boxes, scores)):
        classes, count = scores.shape[1], boxes.shape[1]
        lists, candidates = (1, classes * count) if options["agnostic"] else (classes, count)
        limits = [options[name] or candidates for name in ("top_k", "max_per_class")]
        capacity = lists * min(candidates, *limits)
        capacity = min(capacity, options["max_detections"] or capacity)
    plan, (boxes, scores, counts) = _MULTICLASS.prepare((boxes, scores, counts), {**options, "capacity": capacity})
    detections, kept, found = _run(_MULTICLASS, plan, boxes, scores, counts, plan.sizes["batch"], capacity)
    labels = (detections[..., 5].long() - 1).clamp_(min=-1)  # the library counts them from 1, and from -1
    return Detections(detections[..., :4], detections[..., 4], labels, kept.long(), found)


def _limit(name: str, value: Optional[int]) -> int:
    if value is None:
        return 0
    if not isinstance(value, int) or value < 1:
        raise ArgumentError("usage", f"multiclass_nms: {name} cannot be {shown(value)}; it is 1 or more, or None")
    return value


def multiclass_nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float, *, score_threshold: float = float("-inf"),
                   counts: Optional[torch.Tensor] = None, top_k: Optional[int] = None, max_per_class: Optional[int] = None,
                   max_detections: Optional[int] = None, agnostic: bool = False, rule: str = "greater") -> Detections:
    """Detections of a batch of images: all classes of all of them in one call, which waits for nothing.

    boxes            [images, n, 4]
    scores           [images, classes, n]
    iou_threshold    0..1
    score_threshold  a box that scores this or less is no candidate
    counts           [images]  how many boxes there are, the first of each image; None: all
    top_k            candidates of a list, the best; None: all
    max_per_class    of a list, after suppression; None: all
    max_detections   of an image; None: all
    agnostic         whether boxes of different classes suppress each other, too, so that a list is an image's, and not a class's
    rule             as of nms()
    """
    options = {"iou_threshold": iou_threshold, "score_threshold": score_threshold,
               "agnostic": flag("multiclass_nms", "agnostic", agnostic), "rule": rule}
    for name, value in ("top_k", top_k), ("max_per_class", max_per_class), ("max_detections", max_detections):
        options[name] = _limit(name, value)
    return _multiclass_nms(boxes, scores, counts, options)
