"""The losses of detectors, called by ctypes, against autograd in float64 on random inputs: torchvision's SSD judges itself, the others
are what the projects do, written for torch."""
import types
import unittest

import numpy as np
import torch
import torch.nn.functional as F
from torchvision.models.detection import _utils
from torchvision.models.detection.ssd import SSD
from torchvision.ops import box_iou

from loss_case import KINDS, LossCase
from by_ctypes import call

BATCH, PRIORS, CAPACITY, CLASSES = 4, 130, 5, 7
VARIANCE = torch.tensor([0.1, 0.1, 0.2, 0.2], dtype=torch.float64)
REALS = ("TYTO_DOUBLE", "TYTO_FLOAT")


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


def mined(logits, labels, for_hard):
    """ssd.pytorch's hard negatives, or for_hard of an image that has none."""
    loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels).detach()
    loss[labels > 0] = 0
    ranks = loss.argsort(1, descending=True).argsort(1)
    count = (3 * (labels > 0).sum(1, keepdim=True)).clamp(max=labels.shape[1] - 1)
    return ranks < torch.where(count == 0, torch.full_like(count, for_hard), count)


class DetectorLosses(LossCase):
    def setUp(self):
        super().setUp()
        centre = self.random.uniform(0.1, 0.9, (PRIORS, 2))
        self.priors = np.concatenate((centre, self.random.uniform(0.1, 0.4, (PRIORS, 2))), 1)
        first = self.random.uniform(0, 0.6, (BATCH, CAPACITY, 2))
        self.boxes = np.concatenate((first, first + self.random.uniform(0.1, 0.4, (BATCH, CAPACITY, 2))), 2)
        self.classes = self.random.integers(0, CLASSES - 1, (BATCH, CAPACITY)).astype(np.int32)
        self.counts = np.array([5, 0, 1, 3], np.int32)
        self.sizes = {"batch": BATCH, "priors": PRIORS, "classes": CLASSES, "capacity": CAPACITY}

    def inputs(self):
        return {"locations": (self.normal(BATCH, PRIORS, 4), "locations_gradient"),
                "logits": (self.normal(BATCH, PRIORS, CLASSES, scale=2), "logits_gradient")}

    def matched(self, match, boxes, priors):
        found = [match(b[:n], torch.from_numpy(c[:n]).long(), priors) for b, c, n in zip(boxes, self.classes, self.counts)]
        return [torch.stack(part) for part in zip(*found)]

    def check_multibox(self, reference, priors, classes=None, loss="multibox_loss", more=None, **given):
        self.check(loss, reference, {**self.inputs(), **(more or {})}, reals={"prior_boxes": priors, "boxes": self.boxes},
                   box_classes=self.classes if classes is None else classes, box_counts=self.counts, **self.sizes, **given)

    def ssd(self, locations, logits, prior_boxes, boxes, for_hard):
        labels, targets = self.matched(match_ssd, boxes, prior_boxes)
        positive = labels > 0
        taken = positive | mined(logits, labels, for_hard)
        count = positive.sum()
        location = F.smooth_l1_loss(locations[positive], targets[positive], reduction="sum") / count
        confidence = F.cross_entropy(logits[taken], labels[taken], reduction="sum") / count
        return [location, confidence, count], location + confidence

    def test_multibox_as_ssd_pytorch(self):
        self.check_multibox(lambda **a: self.ssd(**a, for_hard=0), self.priors)

    def test_multibox_as_the_fork(self):
        self.check_multibox(lambda **a: self.ssd(**a, for_hard=20), self.priors, normalizer="TYTO_POSITIVES_OR_ONE", negatives_for_hard=20)

    def test_multibox_as_bubbliiiing(self):
        def reference(locations, logits, prior_boxes, boxes):
            labels, targets = self.matched(match_bubbliiiing, boxes, prior_boxes)
            positive = labels > 0
            p = logits.softmax(2)
            losses = -p.gather(2, labels[..., None])[..., 0].clamp(min=1e-7).log()
            count = positive.sum(1)
            negatives = int(torch.minimum(3 * count, PRIORS - count).sum())
            rank = (p[..., 1:].sum(2) * ~positive).flatten().detach()
            hard = rank.topk(negatives)[1]
            divisor = count.clamp(min=1).sum()
            location = F.smooth_l1_loss(locations[positive], targets[positive], reduction="sum") / divisor
            confidence = (losses[positive].sum() + losses.flatten()[hard].sum()) / divisor
            return [location, confidence, divisor], location + confidence
        priors = corners(torch.from_numpy(self.priors)).numpy()
        self.check_multibox(reference, priors, prior_corners=1, match="TYTO_MATCH_BEST_PRIOR_OF_UNMATCHED", mining="TYTO_MINE_BUBBLIIIING",
                            normalizer="TYTO_POSITIVES_OR_ONE_AN_IMAGE", least_probability=1e-7, negatives_for_hard=100)

    def test_multibox_as_torchvision(self):
        def reference(locations, logits, prior_boxes, boxes):
            model = types.SimpleNamespace(box_coder=_utils.BoxCoder(weights=(10.0, 10.0, 5.0, 5.0)), neg_to_pos_ratio=3)
            matcher = _utils.SSDMatcher(0.5)
            targets = [{"boxes": b[:n], "labels": torch.from_numpy(c[:n]).long() + 1} for b, c, n in zip(boxes, self.classes, self.counts)]
            matches = [matcher(box_iou(t["boxes"], prior_boxes)) if len(t["boxes"]) else torch.full((PRIORS,), -1) for t in targets]
            losses = SSD.compute_loss(model, targets, {"bbox_regression": locations, "cls_logits": logits}, [prior_boxes] * BATCH, matches)
            location, confidence = losses["bbox_regression"], losses["classification"]
            return [location, confidence, sum((m >= 0).sum() for m in matches)], location + confidence
        priors = corners(torch.from_numpy(self.priors)).numpy()
        self.check_multibox(reference, priors, self.classes + 1, prior_corners=1, first_label=0, mining="TYTO_MINE_TORCHVISION",
                            normalizer="TYTO_POSITIVES_OR_ONE")

    def test_multibox_distillation(self):
        def reference(locations, logits, prior_boxes, boxes, teacher_locations, teacher_logits, temperature, margin, weights, plain=False):
            labels, targets = self.matched(match_ssd, boxes, prior_boxes)
            positive = labels > 0
            taken = positive | mined(logits, labels, 100)
            z, t, count = logits[taken], teacher_logits[taken], positive.sum().clamp(min=1)
            p, q = F.softmax(t / temperature, 1), F.softmax(z / temperature, 1)
            if plain:
                soft = F.kl_div(q.log(), p, reduction="sum")
            else:
                w = torch.full((CLASSES,), weights[1], dtype=torch.float64)
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
        teacher = {"teacher_locations": (self.normal(BATCH, PRIORS, 4), None), "teacher_logits": (self.normal(BATCH, PRIORS, CLASSES), None)}
        for temperature, margin, weights, plain in ((1, 0, (1.5, 1), False), (3, 0.7, (2, 0.5), False), (2, 0.1, (1, 1), True)):
            self.check_multibox(lambda **a: reference(**a, temperature=temperature, margin=margin, weights=weights, plain=plain), self.priors,
                                loss="multibox_distillation_loss", more=teacher, temperature=float(temperature), margin=margin,
                                background_weight=weights[0], foreground_weight=weights[1])

    # --- Faster R-CNN ---

    def chosen(self, candidates, priorities, count):
        """The `count` of the smallest (priority, index)."""
        return candidates[np.lexsort((candidates, priorities[candidates]))][:max(count, 0)]

    def loc(self, boxes, objects):
        """chainercv's bbox2loc."""
        found = offsets(torch.from_numpy(objects), centred(torch.from_numpy(boxes))).numpy()
        return found[:, [1, 0, 3, 2]]

    def test_anchor_targets(self):
        anchors = corners(torch.from_numpy(self.priors)).numpy()
        priorities = self.random.integers(0, 1000, (BATCH, PRIORS)).astype(np.uint32)
        sizes = np.array([[1, 1], [0.9, 1], [1, 0.8], [1.1, 1.1]])
        for kind in REALS:
            a, b, s = (x.astype(np.float64 if kind == "TYTO_DOUBLE" else np.float32) for x in (anchors, self.boxes, sizes))
            labels, locations = np.zeros((BATCH, PRIORS), np.int32), np.zeros((BATCH, PRIORS, 4), a.dtype)
            call("anchor_targets", anchor_boxes=a, boxes=b, image_sizes=s, box_counts=self.counts, priorities=priorities, labels=labels,
                 locations=locations, elements=kind, batch=BATCH, anchors=PRIORS, capacity=CAPACITY, samples=16, positive_iou=0.6)
            a, b, s = (x.astype(np.float64) for x in (a, b, s))
            for i, n in enumerate(self.counts):
                inside = np.where((a[:, :2] >= 0).all(1) & (a[:, 2] <= s[i, 1]) & (a[:, 3] <= s[i, 0]))[0]
                want, wanted = np.full(PRIORS, -1), np.zeros((PRIORS, 4))
                want[inside] = 0
                if n:
                    iou = box_iou(torch.from_numpy(a[inside]), torch.from_numpy(b[i, :n])).numpy()
                    best = iou.max(1)
                    want[inside] = np.where((iou == iou.max(0)).any(1) | (best >= 0.6), 1, np.where(best < 0.3, 0, -1))
                    wanted[inside] = self.loc(a[inside], b[i, iou.argmax(1)])
                for label, count in ((1, lambda: 8), (0, lambda: 16 - (want == 1).sum())):
                    candidates = np.where(want == label)[0]
                    keep = self.chosen(candidates, priorities[i], count())
                    want[np.setdiff1d(candidates, keep)] = -1
                self.assertEqual(labels[i].tolist(), want.tolist(), f"image {i}, {kind}")
                self.near(locations[i], wanted, KINDS[kind], f"anchor_targets, image {i}, {kind}")

    def test_proposal_targets(self):
        regions = np.stack([corners(torch.from_numpy(self.priors)).numpy()] * BATCH) + self.normal(BATCH, PRIORS, 4, scale=0.01)
        regions[:, :CAPACITY] = self.boxes + self.normal(BATCH, CAPACITY, 4, scale=0.01)
        counts = np.array([130, 60, 130, 3], np.int32)
        priorities = self.random.integers(0, 1000, (BATCH, PRIORS + CAPACITY)).astype(np.uint32)
        samples, deviation = 16, np.array([0.1, 0.1, 0.2, 0.2])
        for kind in REALS:
            r, b = (x.astype(np.float64 if kind == "TYTO_DOUBLE" else np.float32) for x in (regions, self.boxes))
            rois, locations = np.zeros((BATCH, samples, 4), r.dtype), np.zeros((BATCH, samples, 4), r.dtype)
            labels, found = np.zeros((BATCH, samples), np.int32), np.zeros(BATCH, np.int32)
            call("proposal_targets", regions=r, region_counts=counts, boxes=b, box_classes=self.classes, box_counts=self.counts, rois=rois,
                 labels=labels, locations=locations, counts=found, priorities=priorities, elements=kind, batch=BATCH,
                 region_capacity=PRIORS, capacity=CAPACITY, samples=samples)
            r, b = r.astype(np.float64), b.astype(np.float64)
            for i, n in enumerate(self.counts):
                rows = np.concatenate((r[i, :counts[i]], b[i, :n]))
                order = np.concatenate((priorities[i, :counts[i]], priorities[i, PRIORS:PRIORS + n]))
                iou = box_iou(torch.from_numpy(rows), torch.from_numpy(b[i, :n])).numpy() if n else np.zeros((len(rows), 1))
                best, owner = iou.max(1), iou.argmax(1)
                positive = np.sort(self.chosen(np.where(best >= 0.5)[0], order, 4))
                negative = np.sort(self.chosen(np.where(best < 0.5)[0], order, samples - len(positive)))
                taken = np.concatenate((positive, negative))
                self.assertEqual(found[i], len(taken))
                want = np.concatenate((self.classes[i][owner[positive]] + 1, np.zeros(len(negative)), np.full(samples - len(taken), -1)))
                self.assertEqual(labels[i].tolist(), want.tolist(), f"image {i}, {kind}")
                self.near(rois[i, :len(taken)], rows[taken], KINDS[kind], f"proposal_targets, image {i}, {kind}")
                wanted = self.loc(rows[taken], b[i, owner[taken]]) / deviation if n else np.zeros((len(taken), 4))
                self.near(locations[i, :len(taken)], wanted, KINDS[kind], f"proposal_targets, image {i}, {kind}")

    def test_faster_rcnn_loss(self):
        anchors, rois = 60, 20
        anchor_labels = self.random.integers(-1, 2, anchors).astype(np.int32)
        roi_labels = np.concatenate((self.random.integers(0, CLASSES, rois - 2), [-1, -1])).astype(np.int32)

        def smooth(d, sigma):
            return torch.where(d.abs() < 1 / sigma ** 2, sigma ** 2 * d ** 2 / 2, d.abs() - 0.5 / sigma ** 2).sum()

        def reference(anchor_locations, anchor_logits, roi_locations, roi_logits, anchor_targets, roi_targets):
            terms = []
            for locations, logits, labels, targets, sigma in (
                    (anchor_locations, anchor_logits, anchor_labels, anchor_targets, 3),
                    (roi_locations, roi_logits, roi_labels, roi_targets, 1)):
                y = torch.from_numpy(labels).long()
                if locations.dim() == 3:
                    locations = locations[torch.arange(len(y)), y.clamp(min=0)]
                terms += [smooth((locations - targets)[y > 0], sigma) / (y >= 0).sum(), F.cross_entropy(logits, y, ignore_index=-1)]
            return [sum(terms), *terms], sum(terms)
        self.check("faster_rcnn_loss", reference,
                   {"anchor_locations": (self.normal(anchors, 4), "anchor_locations_gradient"),
                    "anchor_logits": (self.normal(anchors, 2), "anchor_logits_gradient"),
                    "roi_locations": (self.normal(rois, CLASSES, 4), "roi_locations_gradient"),
                    "roi_logits": (self.normal(rois, CLASSES), "roi_logits_gradient")},
                   reals={"anchor_targets": self.normal(anchors, 4), "roi_targets": self.normal(rois, 4)},
                   anchor_labels=anchor_labels, roi_labels=roi_labels, anchors=anchors, rois=rois, classes=CLASSES)


if __name__ == "__main__":
    unittest.main()
