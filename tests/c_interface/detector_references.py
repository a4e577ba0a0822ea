"""The losses of detectors and their targets in float64: torchvision's SSD is itself, the others are what the projects do, written for
torch. boxes [batch, capacity, 4], classes [batch, capacity], counts [batch]. Losses give their terms and what is differentiated."""
import types

import numpy as np
import torch
import torch.nn.functional as F
from torchvision.models.detection import _utils
from torchvision.models.detection.ssd import SSD
from torchvision.ops import box_iou

VARIANCE = torch.tensor([0.1, 0.1, 0.2, 0.2], dtype=torch.float64)


def corners(boxes):
    return torch.cat((boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2), 1)


def centred(boxes):
    return torch.cat(((boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]), 1)


def offsets(objects, priors):
    """x, y, log width, log height of corner boxes from centred priors."""
    objects = centred(objects)
    return torch.cat(((objects[:, :2] - priors[:, :2]) / priors[:, 2:], (objects[:, 2:] / priors[:, 2:]).log()), 1)


def match_ssd(objects, classes, priors):
    """ssd.pytorch's match(): labels and targets."""
    if len(objects) == 0:
        return torch.zeros(len(priors), dtype=torch.long), torch.zeros(len(priors), 4, dtype=torch.float64)
    overlaps = box_iou(objects, corners(priors))
    best, owner = overlaps.max(0)
    for j, prior in enumerate(overlaps.argmax(1)):
        best[prior], owner[prior] = 2, j
    return torch.where(best < 0.5, torch.zeros_like(owner), classes[owner] + 1), offsets(objects[owner], priors) / VARIANCE


def match_bubbliiiing(objects, classes, priors):
    """assign_boxes(), of corner priors."""
    labels, targets = torch.zeros(len(priors), dtype=torch.long), torch.zeros(len(priors), 4, dtype=torch.float64)
    if len(objects) == 0:
        return labels, targets
    overlaps = box_iou(objects, priors)
    assigned = torch.zeros_like(overlaps)
    for j, row in enumerate(overlaps):
        mask = row > 0.5
        if not mask.any():
            mask[row.argmax()] = True
        assigned[j, mask] = row[mask]
    best, owner = assigned.max(0)
    found = best > 0
    labels[found] = classes[owner[found]] + 1
    targets[found] = (offsets(objects[owner], centred(priors)) / VARIANCE)[found]
    return labels, targets


def matched(match, boxes, classes, counts, priors):
    found = [match(b[:n], torch.as_tensor(c[:n]).long(), priors) for b, c, n in zip(boxes, classes, counts)]
    return [torch.stack(part) for part in zip(*found)]


def mined(logits, labels, for_hard):
    """ssd.pytorch's hard negatives, or for_hard of an image that has none."""
    loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels).detach()
    loss[labels > 0] = 0
    ranks = loss.argsort(1, descending=True).argsort(1)
    count = (3 * (labels > 0).sum(1, keepdim=True)).clamp(max=labels.shape[1] - 1)
    return ranks < torch.where(count == 0, torch.full_like(count, for_hard), count)


def ssd_pytorch(locations, logits, prior_boxes, boxes, classes, counts, for_hard=0, least=0):
    """for_hard, and at `least` 1 in the divisor: the fork's."""
    labels, targets = matched(match_ssd, boxes, classes, counts, prior_boxes)
    positive = labels > 0
    taken = positive | mined(logits, labels, for_hard)
    count = positive.sum().clamp(min=least)
    location = F.smooth_l1_loss(locations[positive], targets[positive], reduction="sum") / count
    confidence = F.cross_entropy(logits[taken], labels[taken], reduction="sum") / count
    return [location, confidence, count], location + confidence


def bubbliiiing(locations, logits, prior_boxes, boxes, classes, counts):
    """Of corner priors; without negatives of a batch that has no object."""
    labels, targets = matched(match_bubbliiiing, boxes, classes, counts, prior_boxes)
    positive = labels > 0
    p = logits.softmax(2)
    losses = -p.gather(2, labels[..., None])[..., 0].clamp(min=1e-7).log()
    count = positive.sum(1)
    negatives = int(torch.minimum(3 * count, labels.shape[1] - count).sum())
    rank = (p[..., 1:].sum(2) * ~positive).flatten().detach()
    hard = rank.topk(negatives)[1]
    divisor = count.clamp(min=1).sum()
    location = F.smooth_l1_loss(locations[positive], targets[positive], reduction="sum") / divisor
    confidence = (losses[positive].sum() + losses.flatten()[hard].sum()) / divisor
    return [location, confidence, divisor], location + confidence


def torchvision(locations, logits, prior_boxes, boxes, classes, counts):
    """Of corner priors; its classes are labels."""
    model = types.SimpleNamespace(box_coder=_utils.BoxCoder(weights=(10.0, 10.0, 5.0, 5.0)), neg_to_pos_ratio=3)
    matcher = _utils.SSDMatcher(0.5)
    targets = [{"boxes": b[:n], "labels": torch.as_tensor(y[:n]).long()} for b, y, n in zip(boxes, classes, counts)]
    matches = [matcher(box_iou(t["boxes"], prior_boxes)) if len(t["boxes"]) else torch.full(prior_boxes.shape[:1], -1) for t in targets]
    outputs = {"bbox_regression": locations, "cls_logits": logits}
    losses = SSD.compute_loss(model, targets, outputs, [prior_boxes] * len(targets), matches)
    location, confidence = losses["bbox_regression"], losses["classification"]
    return [location, confidence, sum((m >= 0).sum() for m in matches)], location + confidence


def distillation(locations, logits, prior_boxes, boxes, classes, counts, teacher_locations, teacher_logits, temperature=1, margin=0,
                 weights=(1.5, 1), plain=False):
    """plain: by torch's KLDivLoss."""
    labels, targets = matched(match_ssd, boxes, classes, counts, prior_boxes)
    positive = labels > 0
    taken = positive | mined(logits, labels, 100)
    z, t, count = logits[taken], teacher_logits[taken], positive.sum().clamp(min=1)
    p, q = F.softmax(t / temperature, 1), F.softmax(z / temperature, 1)
    if plain:
        soft = F.kl_div(q.log(), p, reduction="sum")
    else:
        w = torch.full((logits.shape[2],), weights[1], dtype=torch.float64)
        w[0] = weights[0]
        soft = (w * (p + 1e-5) * ((p + 1e-5) / (q + 1e-5)).log()).sum()
    soft = soft * temperature ** 2 / count
    confidence = F.cross_entropy(z, labels[taken], reduction="sum") / count
    ours = (locations - targets)[positive].square().sum(1)
    theirs = (teacher_locations - targets)[positive].square().sum(1)
    l2 = ours[ours + margin > theirs].sum() / count
    location = F.smooth_l1_loss(locations[positive], targets[positive], reduction="sum") / count
    total = 0.3 * soft + 0.7 * confidence + 0.5 * l2 + location
    return [total, soft, confidence, l2, location], total


# --- Faster R-CNN ---


def chosen(candidates, priorities, count):
    """The `count` of the smallest (priority, index)."""
    return candidates[np.lexsort((candidates, priorities[candidates]))][:max(count, 0)]


def loc(boxes, objects):
    """chainercv's bbox2loc."""
    found = offsets(torch.from_numpy(objects), centred(torch.from_numpy(boxes))).numpy()
    return found[:, [1, 0, 3, 2]]


def anchor_targets(anchors, objects, size, priorities, samples, positive_iou):
    """Labels and locations of one image."""
    labels, locations = np.full(len(anchors), -1), np.zeros((len(anchors), 4))
    inside = np.where((anchors[:, :2] >= 0).all(1) & (anchors[:, 2] <= size[1]) & (anchors[:, 3] <= size[0]))[0]
    labels[inside] = 0
    if len(objects):
        iou = box_iou(torch.from_numpy(anchors[inside]), torch.from_numpy(objects)).numpy()
        best = iou.max(1)
        labels[inside] = np.where((iou == iou.max(0)).any(1) | (best >= positive_iou), 1, np.where(best < 0.3, 0, -1))
        locations[inside] = loc(anchors[inside], objects[iou.argmax(1)])
    for label, count in ((1, lambda: samples // 2), (0, lambda: samples - (labels == 1).sum())):
        candidates = np.where(labels == label)[0]
        labels[np.setdiff1d(candidates, chosen(candidates, priorities, count()))] = -1
    return labels, locations


def proposal_targets(regions, objects, classes, priorities, samples):
    """RoIs, labels and locations of one image; priorities of the regions, then of the objects."""
    rows = np.concatenate((regions, objects))
    iou = box_iou(torch.from_numpy(rows), torch.from_numpy(objects)).numpy() if len(objects) else np.zeros((len(rows), 1))
    best, owner = iou.max(1), iou.argmax(1)
    positive = np.sort(chosen(np.where(best >= 0.5)[0], priorities, samples // 4))
    negative = np.sort(chosen(np.where(best < 0.5)[0], priorities, samples - len(positive)))
    taken = np.concatenate((positive, negative))
    labels = np.concatenate((classes[owner[positive]] + 1, np.zeros(len(negative))))
    locations = loc(rows[taken], objects[owner[taken]]) / VARIANCE.numpy() if len(objects) else np.zeros((len(taken), 4))
    return rows[taken], labels, locations


def faster_rcnn(anchor_locations, anchor_logits, anchor_labels, anchor_targets, roi_locations, roi_logits, roi_labels, roi_targets):
    def smooth(d, sigma):
        return torch.where(d.abs() < 1 / sigma ** 2, sigma ** 2 * d ** 2 / 2, d.abs() - 0.5 / sigma ** 2).sum()

    terms = []
    for locations, logits, labels, targets, sigma in ((anchor_locations, anchor_logits, anchor_labels, anchor_targets, 3),
                                                      (roi_locations, roi_logits, roi_labels, roi_targets, 1)):
        y = torch.as_tensor(labels).long()
        if locations.dim() == 3:
            locations = locations[torch.arange(len(y)), y.clamp(min=0)]
        terms += [smooth((locations - targets)[y > 0], sigma) / (y >= 0).sum(), F.cross_entropy(logits, y, ignore_index=-1)]
    return [sum(terms), *terms], sum(terms)
