"""What each project makes of raw heads: rows [n, 6] of x1, y1, x2, y2 (pixels of the network's input), score, label.

All in float32 and in the projects' own order of operations. Each takes one image: locations [P, 4], logits [P, C].
"""
import functools
import itertools
import math

import numpy as np
import torch
from torch.nn import functional as F
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import nms


def rows(boxes, scores, labels):
    """Sorted by falling score; equal scores by class, then in the order given."""
    table = torch.cat((boxes, scores[:, None], labels[:, None].float()), 1).numpy()
    return table[np.lexsort((np.arange(len(table)), table[:, 5], -table[:, 4]))]


# --- torchvision -------------------------------------------------------------------------------------------------------


@functools.cache
def torchvision_anchors(detector, size):
    """[P, 4] corners, by the detector's own generator."""
    image = torch.zeros((1, 3, size, size))
    with torch.no_grad():
        features = list(detector.backbone(image).values())
    return detector.anchor_generator(ImageList(image, [(size, size)]), features)[0]


def torchvision_detections(detector, anchors, size, locations, logits):
    heads = {"bbox_regression": locations[None], "cls_logits": logits[None]}
    (found,) = detector.postprocess_detections(heads, [anchors], [(size, size)])
    return rows(found["boxes"], found["scores"], found["labels"])


# --- ssd.pytorch: layers/functions/prior_box.py, layers/box_utils.py, layers/functions/detection.py -----------------------

VOC_SIZES = ((30, 60, 111, 162, 213, 264), (60, 111, 162, 213, 264, 315))
COCO_SIZES = ((21, 45, 99, 153, 207, 261), (45, 99, 153, 207, 261, 315))
VARIANCE = (0.1, 0.2)


def ssd_pytorch_priors(sizes=VOC_SIZES):
    """[8732, 4]: cx, cy, w, h as parts of the image, clipped to 0..1 in that form."""
    priors = []
    ratios = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))
    for cells, step, low, high, others in zip((38, 19, 10, 5, 3, 1), (8, 16, 32, 64, 100, 300), *sizes, ratios):
        for i, j in itertools.product(range(cells), repeat=2):
            cx, cy = (j + 0.5) * step / 300, (i + 0.5) * step / 300
            small, between = low / 300, math.sqrt(low / 300 * (high / 300))
            priors += [(cx, cy, small, small), (cx, cy, between, between)]
            for ratio in others:
                long, short = small * math.sqrt(ratio), small / math.sqrt(ratio)
                priors += [(cx, cy, long, short), (cx, cy, short, long)]
    return torch.tensor(priors).clamp(0, 1)


def ssd_pytorch_decode(locations, priors):
    centres = priors[:, :2] + locations[:, :2] * VARIANCE[0] * priors[:, 2:]
    sizes = priors[:, 2:] * torch.exp(locations[:, 2:] * VARIANCE[1])
    corners = centres - sizes / 2
    return torch.cat((corners, corners + sizes), 1)


def ssd_pytorch_suppress(boxes, scores, overlap, top_k):
    """Indices of the kept boxes, best first. IoU <= overlap stays, so that NaN goes."""
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order = torch.sort(scores, descending=True, stable=True)[1][:top_k]
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        low = torch.maximum(boxes[order, :2], boxes[best, :2])
        high = torch.minimum(boxes[order, 2:], boxes[best, 2:])
        inter = (high - low).clamp(min=0).prod(1)
        union = (area[order] - inter) + area[best]
        order = order[inter / union <= overlap]
    return torch.stack(kept)


def ssd_pytorch_detections(priors, locations, logits, threshold=0.01, overlap=0.45, top_k=200):
    """Detect.forward. Its closing "best 200 of all classes" fills a copy: nothing is cut (detection.md, 2.3)."""
    boxes = ssd_pytorch_decode(locations, priors)
    scores = F.softmax(logits, -1)
    found = [(torch.zeros((0, 4)), torch.zeros(0), torch.zeros(0))]
    for label in range(1, logits.shape[1]):
        mask = scores[:, label] > threshold
        if mask.any():
            class_boxes, class_scores = boxes[mask], scores[mask, label]
            kept = ssd_pytorch_suppress(class_boxes, class_scores, overlap, top_k)
            found.append((class_boxes[kept], class_scores[kept], torch.full((len(kept),), float(label))))
    boxes, scores, labels = (torch.cat(parts) for parts in zip(*found))
    return rows(boxes * 300, scores, labels)


# --- bubbliiiing's ssd-pytorch: ssd.pytorch's network, with anchors and suppression of its own ------------------------------


def bubbliiiing_anchors():
    """[8732, 4]: x1, y1, x2, y2 as parts of the image, to which they are clipped; centres divide it evenly."""
    anchors = []
    for cells, low, high, long in zip((38, 19, 10, 5, 3, 1), *VOC_SIZES, ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))):
        sizes = [(low, low), (math.sqrt(low * high),) * 2]
        for ratio in long:
            wide = low * math.sqrt(ratio), low / math.sqrt(ratio)
            sizes += [wide, wide[::-1]]
        half = np.array(sizes) / 2 / 300
        y, x = np.meshgrid(*[(np.arange(cells) + 0.5) / cells] * 2, indexing="ij")
        centres = np.stack((x, y), -1).reshape(-1, 1, 2)
        anchors.append(np.concatenate((centres - half, centres + half), 2).reshape(-1, 4))
    return torch.tensor(np.concatenate(anchors).clip(0, 1), dtype=torch.float32)


def bubbliiiing_detections(anchors, locations, logits, threshold=0.5, overlap=0.45):
    sizes = anchors[:, 2:] - anchors[:, :2]
    centres = 0.5 * (anchors[:, 2:] + anchors[:, :2]) + locations[:, :2] * VARIANCE[0] * sizes
    half = 0.5 * sizes * torch.exp(locations[:, 2:] * VARIANCE[1])
    boxes = torch.cat((centres - half, centres + half), 1).clamp(0, 1)
    scores = F.softmax(logits, -1)
    found = []
    for label in range(1, logits.shape[1]):
        at = torch.nonzero(scores[:, label] > threshold)[:, 0]
        kept = at[nms(boxes[at], scores[at, label], overlap)]
        found.append((boxes[kept] * 300, scores[kept, label], torch.full((len(kept),), float(label))))
    return rows(*(torch.cat(parts) for parts in zip(*found)))


# --- TensorFlow's object detection API: the nodes MultipleGridAnchorGenerator, Postprocessor/Decode, NonMaxSuppressionV3,
# SortByField and ClipToWindow of a frozen SSDLite graph ----------------------------------------------------------------

TENSORFLOW_CELLS = (19, 10, 5, 3, 2, 1)  # of a 300x300 input
TENSORFLOW_SCALES = (0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0)


def tensorflow_anchors(cells=TENSORFLOW_CELLS):
    """[P, 4]: ymin, xmin, ymax, xmax as parts of the image."""
    anchors = []
    for k, count in enumerate(cells):
        scale, following = TENSORFLOW_SCALES[k : k + 2]
        if k == 0:
            kinds = ((0.1, 1.0), (scale, 2.0), (scale, 0.5))
        else:
            kinds = (*((scale, ratio) for ratio in (1.0, 2.0, 0.5, 3.0, 0.3333)), (math.sqrt(scale * following), 1.0))
        scales, roots = np.float32([kind[0] for kind in kinds]), np.sqrt(np.float32([kind[1] for kind in kinds]))
        half = np.stack((scales / roots, scales * roots), 1) * np.float32(0.5)  # [kinds, 2]: y, x
        stride = np.float32(1) / np.float32(count)
        centres = np.arange(count, dtype=np.float32) * stride + np.float32(0.5) * stride
        grid = np.stack(np.meshgrid(centres, centres, indexing="ij"), -1).reshape(-1, 1, 2)
        anchors.append(np.concatenate((grid - half, grid + half), 2).reshape(-1, 4))
    return np.concatenate(anchors)


def tensorflow_decode(encodings, anchors):
    """encodings, anchors and result in y, x order."""
    size = anchors[:, 2:] - anchors[:, :2]
    centre = anchors[:, :2] + size / np.float32(2)
    centre = encodings[:, :2] / np.float32(10) * size + centre
    size = np.exp(encodings[:, 2:] / np.float32(5)) * size
    return np.concatenate((centre - size / np.float32(2), centre + size / np.float32(2)), 1)


def tensorflow_overlaps(box, others):
    """NonMaxSuppressionV3's IOU: corners in either order, nothing where an area is not positive."""
    low, high = np.minimum(others[:, :2], others[:, 2:]), np.maximum(others[:, :2], others[:, 2:])
    box_low, box_high = np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:])
    area, box_area = (high - low).prod(1), (box_high - box_low).prod()
    inter = np.maximum(np.minimum(high, box_high) - np.maximum(low, box_low), 0).prod(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((area <= 0) | (box_area <= 0), 0, inter / (area + box_area - inter))


def tensorflow_suppress(boxes, scores, threshold, overlap, most):
    kept = np.zeros(0, np.int64)
    for index in np.argsort(-scores, kind="stable"):
        if len(kept) == most or not scores[index] > threshold:
            break
        if not (tensorflow_overlaps(boxes[index], boxes[kept]) > np.float32(overlap)).any():
            kept = np.append(kept, index)
    return kept


def tensorflow_detections(anchors, locations, logits, size=300, threshold=1e-8, overlap=0.6, per_class=100, total=100):
    """locations in tyto's x, y order, as the import permutes them."""
    boxes = tensorflow_decode(locations.numpy()[:, [1, 0, 3, 2]], anchors)
    scores = (1 / (1 + torch.exp(-logits))).numpy()
    found = []
    for label in range(1, logits.shape[1]):
        kept = tensorflow_suppress(boxes, scores[:, label], threshold, overlap, per_class)
        found += [(*boxes[index], scores[index, label], label) for index in kept]
    table = np.float32(found).reshape(-1, 6)
    table = table[np.argsort(-table[:, 4], kind="stable")]  # SortByField
    table[:, :4] = table[:, :4].clip(0, 1)  # ClipToWindow
    table = table[(table[:, 2] - table[:, 0]) * (table[:, 3] - table[:, 1]) > 0][:total]
    table[:, :4] = table[:, [1, 0, 3, 2]] * np.float32(size)
    return table
