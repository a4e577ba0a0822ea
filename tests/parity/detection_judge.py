"""Says whether two lists of detections may differ, given how far their raw heads may lie apart.

Post-processing is a chain of comparisons: score with threshold, score with score, overlap with threshold. This module runs
it in float64 with intervals instead of numbers. A comparison whose intervals overlap may go either way; what depends on it
may be found or not. Everything else must be found, or must not be.
"""
import math
from dataclasses import dataclass

import numpy as np

UNIT = 2.0**-24  # float32's unit roundoff
# Rounded operations on both sides of a comparison that a corner has behind it: anchor, decoding, and the way into the pixels
# of an image and back.
CORNER_STEPS = 24


@dataclass
class Rule:
    """A project's post-processing, of boxes in pixels of a network input of `size` x `size`. 0: no limit."""

    size: int
    score_threshold: float
    iou_threshold: float
    top_k: int = 0
    max_per_class: int = 0
    max_detections: int = 0
    sigmoid: bool = False
    clip: str = "never"  # "before" suppression, "after" it (and what has no area left goes), "never"
    max_log_size: float = math.inf
    # torchvision suppresses up to 1000 candidates at once, having moved class c by c * (size + 1): the sums are rounded.
    moves_classes: bool = False


@dataclass
class Candidates:
    """Boxes that may be found. certain: found whatever the rounding."""

    boxes: np.ndarray  # [n, 4]
    corner_errors: np.ndarray
    low: np.ndarray  # bounds of the score
    high: np.ndarray
    labels: np.ndarray
    certain: np.ndarray

    def pick(self, index):
        return Candidates(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


def joined(parts):
    return Candidates(*(np.concatenate([getattr(part, name) for part in parts]) for name in Candidates.__dataclass_fields__))


def decode(rule, anchors, locations, location_error):
    """Boxes [P, 4] and how far a corner may lie off, [P]. anchors [P, 4]: centre and size, in pixels."""
    shift, grow = 0.1 * locations[:, :2], np.minimum(0.2 * locations[:, 2:], rule.max_log_size)
    centre = anchors[:, :2] + shift * anchors[:, 2:]
    size = anchors[:, 2:] * np.exp(grow)
    rounding = CORNER_STEPS * UNIT * (anchors[:, :2] + np.abs(shift) * anchors[:, 2:] + size * (1 + np.abs(grow)))
    raw = 0.1 * location_error * (anchors[:, 2:] + size)
    boxes = np.concatenate((centre - size / 2, centre + size / 2), 1)
    return boxes.clip(0, rule.size) if rule.clip == "before" else boxes, (rounding + raw).max(1)


def score_bounds(rule, logits, logit_error):
    """Lowest and highest scores [P, C]. A logit off by e moves a sigmoid by at most e of itself, a softmax by 2 e."""
    top = logits.max(1, keepdims=True)
    powers = np.exp(logits - top)
    scores = 1 / (1 + np.exp(-logits)) if rule.sigmoid else powers / powers.sum(1, keepdims=True)
    steps = 8 + (np.abs(logits) if rule.sigmoid else top - logits + logits.shape[1])
    relative = (1 if rule.sigmoid else 2) * logit_error + 2 * UNIT * steps
    return scores * (1 - relative), scores * (1 + relative)


def overlap_bounds(box, box_error, boxes, errors):
    """Lowest and highest intersections over union of one box with others: areas whose sides are off by twice a corner's
    error."""
    def area_with_error(corners, error):
        sides = np.maximum(corners[..., 2:] - corners[..., :2], 0)
        return sides.prod(-1), 2 * error * sides.sum(-1) + 4 * error**2

    area, area_error = area_with_error(box, box_error)
    areas, area_errors = area_with_error(boxes, errors)
    error = np.maximum(box_error, errors)
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    inter = np.maximum(sides, 0).prod(1)
    most = np.maximum(sides + 2 * error[:, None], 0).prod(1)
    least = np.maximum(sides - 2 * error[:, None], 0).prod(1)
    union, union_error = area + areas - inter, area_error + area_errors + most - least
    lowest = least / np.maximum(union + union_error, 1e-30)
    return lowest * (1 - 4 * UNIT), most / np.maximum(union - union_error, 1e-30) * (1 + 4 * UNIT)


def above(values, limits):
    """How many of the values are greater than each limit."""
    return len(values) - np.searchsorted(np.sort(values), limits, side="right")


def best(found, most):
    """Those that may be among the `most` best; certain are those that must be."""
    if most == 0 or len(found.low) == 0:
        return found
    surely_ahead = above(found.low[found.certain], found.high)
    maybe_ahead = above(found.high, np.nextafter(found.low, -math.inf)) - 1
    found.certain = found.certain & (maybe_ahead < most)
    return found.pick(surely_ahead < most)


def suppress(rule, found):
    """Greedy suppression within a class."""
    found = found.pick(np.argsort(-(found.low + found.high), kind="stable"))
    errors = found.corner_errors
    if rule.moves_classes:
        errors = errors + UNIT * (found.labels + 1) * (rule.size + 1)
    may_stay, stays = np.ones(len(found.low), bool), found.certain.copy()
    for i in range(len(may_stay)):
        if rule.max_per_class and (stays[:i] & (found.low[:i] > found.high[i])).sum() >= rule.max_per_class:
            may_stay[i] = stays[i] = False
            continue
        lowest, highest = overlap_bounds(found.boxes[i], errors[i], found.boxes, errors)
        may_stay[i] = not (stays[:i] & (found.low[:i] > found.high[i]) & (lowest[:i] > rule.iou_threshold)).any()
        rivals = may_stay & (found.high >= found.low[i]) & (highest > rule.iou_threshold)
        rivals[i] = False
        stays[i] &= may_stay[i] and not rivals.any()
    found.certain = stays
    return found.pick(may_stay)


def clip_after(rule, found):
    inside = (np.minimum(found.boxes[:, 2:], rule.size) - np.maximum(found.boxes[:, :2], 0)).min(1)
    found.certain = found.certain & (inside > 2 * found.corner_errors)
    found.boxes = found.boxes.clip(0, rule.size)
    return found.pick(inside > -2 * found.corner_errors)


def select(rule, boxes, errors, low, high, floor):
    """The Candidates that may score more than `floor`, before the limit on an image's detections."""
    classes = []
    for label in range(1, low.shape[1]):
        at = np.flatnonzero(high[:, label] > max(rule.score_threshold, floor))
        found = Candidates(boxes[at], errors[at], low[at, label], high[at, label], np.full(len(at), label),
                           low[at, label] > rule.score_threshold)
        classes.append(best(suppress(rule, best(found, rule.top_k)), rule.max_per_class))
    found = joined(classes)
    return clip_after(rule, found) if rule.clip == "after" else found


def judge(rule, anchors, locations, logits, location_error=0.0, logit_error=0.0):
    """The Candidates of one image. The errors: how far the other side's raw heads may lie from these."""
    locations, logits = np.float64(locations), np.float64(logits)
    boxes, errors = decode(rule, np.float64(anchors), locations, location_error)
    low, high = score_bounds(rule, logits, logit_error)
    found = None
    if rule.max_detections:  # most candidates score too little to be among the best: try without them
        floor = np.sort(low[:, 1:], axis=None)[::-1][: 5 * rule.max_detections].min()
        found = select(rule, boxes, errors, low, high, floor)
        if (found.certain & (found.low > floor)).sum() < rule.max_detections:
            found = None
    if found is None:
        found = select(rule, boxes, errors, low, high, 0)
    return best(found, rule.max_detections)


def objections(found, rows):
    """What is wrong with the rows [n, 6] of one image: sentences, none if the Candidates allow them."""
    wrong, free = [], np.ones(len(found.low), bool)
    order = [(-score, label) for score, label in rows[:, 4:].tolist()]
    if order != sorted(order):
        wrong.append("the rows are not ordered by falling score, then by class")
    for row in np.float64(rows):
        distance = np.abs(found.boxes - row[:4]).max(1)
        fits = free & (found.labels == row[5]) & (found.low <= row[4]) & (row[4] <= found.high) & (distance <= found.corner_errors)
        if fits.any():
            free[np.argmin(np.where(fits, distance, np.inf))] = False
        else:
            wrong.append(f"{row} should not have been found")
    missing = free & found.certain
    wrong += [f"{box} of class {label} is missing" for box, label in zip(found.boxes[missing], found.labels[missing])]
    return wrong
