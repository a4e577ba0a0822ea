"""The losses of detectors, called by ctypes, against autograd in float64 on random inputs; see detector_references.py."""
import unittest

import numpy as np
import torch

import detector_references as references
from loss_case import KINDS, LossCase
from by_ctypes import call
from detector_references import corners

BATCH, PRIORS, CAPACITY, CLASSES = 4, 130, 5, 7
REALS = ("TYTO_DOUBLE", "TYTO_FLOAT")


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

    def check_multibox(self, reference, priors, classes=None, loss="multibox_loss", more=None, how=None, **given):
        """how: the reference's options."""
        classes = self.classes if classes is None else classes
        self.check(loss, lambda **inputs: reference(classes=classes, counts=self.counts, **inputs, **(how or {})),
                   {**self.inputs(), **(more or {})}, reals={"prior_boxes": priors, "boxes": self.boxes},
                   box_classes=classes, box_counts=self.counts, **self.sizes, **given)

    def test_multibox_as_ssd_pytorch(self):
        self.check_multibox(references.ssd_pytorch, self.priors)

    def test_multibox_as_the_fork(self):
        self.check_multibox(references.ssd_pytorch, self.priors, how={"for_hard": 20}, normalizer="TYTO_POSITIVES_OR_ONE",
                            negatives_for_hard=20)

    def test_multibox_as_bubbliiiing(self):
        priors = corners(torch.from_numpy(self.priors)).numpy()
        self.check_multibox(references.bubbliiiing, priors, prior_corners=1, match="TYTO_MATCH_BEST_PRIOR_OF_UNMATCHED",
                            mining="TYTO_MINE_BUBBLIIIING", normalizer="TYTO_POSITIVES_OR_ONE_AN_IMAGE", least_probability=1e-7,
                            negatives_for_hard=100)

    def test_multibox_as_torchvision(self):
        priors = corners(torch.from_numpy(self.priors)).numpy()
        self.check_multibox(references.torchvision, priors, self.classes + 1, prior_corners=1, first_label=0,
                            mining="TYTO_MINE_TORCHVISION", normalizer="TYTO_POSITIVES_OR_ONE")

    def test_multibox_distillation(self):
        teacher = {"teacher_locations": (self.normal(BATCH, PRIORS, 4), None), "teacher_logits": (self.normal(BATCH, PRIORS, CLASSES), None)}
        for temperature, margin, weights, plain in ((1, 0, (1.5, 1), False), (3, 0.7, (2, 0.5), False), (2, 0.1, (1, 1), True)):
            self.check_multibox(references.distillation, self.priors, loss="multibox_distillation_loss", more=teacher,
                                how={"temperature": temperature, "margin": margin, "weights": weights, "plain": plain},
                                temperature=float(temperature), margin=margin, background_weight=weights[0], foreground_weight=weights[1])

    # --- Faster R-CNN ---

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
                want, wanted = references.anchor_targets(a, b[i, :n], s[i], priorities[i], 16, 0.6)
                self.assertEqual(labels[i].tolist(), want.tolist(), f"image {i}, {kind}")
                self.near(locations[i], wanted, KINDS[kind], f"anchor_targets, image {i}, {kind}")

    def test_proposal_targets(self):
        regions = np.stack([corners(torch.from_numpy(self.priors)).numpy()] * BATCH) + self.normal(BATCH, PRIORS, 4, scale=0.01)
        regions[:, :CAPACITY] = self.boxes + self.normal(BATCH, CAPACITY, 4, scale=0.01)
        counts = np.array([130, 60, 130, 3], np.int32)
        priorities = self.random.integers(0, 1000, (BATCH, PRIORS + CAPACITY)).astype(np.uint32)
        samples = 16
        for kind in REALS:
            r, b = (x.astype(np.float64 if kind == "TYTO_DOUBLE" else np.float32) for x in (regions, self.boxes))
            rois, locations = np.zeros((BATCH, samples, 4), r.dtype), np.zeros((BATCH, samples, 4), r.dtype)
            labels, found = np.zeros((BATCH, samples), np.int32), np.zeros(BATCH, np.int32)
            call("proposal_targets", regions=r, region_counts=counts, boxes=b, box_classes=self.classes, box_counts=self.counts, rois=rois,
                 labels=labels, locations=locations, counts=found, priorities=priorities, elements=kind, batch=BATCH,
                 region_capacity=PRIORS, capacity=CAPACITY, samples=samples)
            r, b = r.astype(np.float64), b.astype(np.float64)
            for i, n in enumerate(self.counts):
                order = np.concatenate((priorities[i, :counts[i]], priorities[i, PRIORS:PRIORS + n]))
                rows, want, wanted = references.proposal_targets(r[i, :counts[i]], b[i, :n], self.classes[i], order, samples)
                taken = len(rows)
                self.assertEqual(found[i], taken)
                self.assertEqual(labels[i].tolist(), [*want, *[-1] * (samples - taken)], f"image {i}, {kind}")
                self.near(rois[i, :taken], rows, KINDS[kind], f"proposal_targets, image {i}, {kind}")
                self.near(locations[i, :taken], wanted, KINDS[kind], f"proposal_targets, image {i}, {kind}")

    def test_faster_rcnn_loss(self):
        anchors, rois = 60, 20
        anchor_labels = self.random.integers(-1, 2, anchors).astype(np.int32)
        roi_labels = np.concatenate((self.random.integers(0, CLASSES, rois - 2), [-1, -1])).astype(np.int32)
        self.check("faster_rcnn_loss", lambda **inputs: references.faster_rcnn(anchor_labels=anchor_labels, roi_labels=roi_labels, **inputs),
                   {"anchor_locations": (self.normal(anchors, 4), "anchor_locations_gradient"),
                    "anchor_logits": (self.normal(anchors, 2), "anchor_logits_gradient"),
                    "roi_locations": (self.normal(rois, CLASSES, 4), "roi_locations_gradient"),
                    "roi_logits": (self.normal(rois, CLASSES), "roi_logits_gradient")},
                   reals={"anchor_targets": self.normal(anchors, 4), "roi_targets": self.normal(rois, 4)},
                   anchor_labels=anchor_labels, roi_labels=roi_labels, anchors=anchors, rois=rois, classes=CLASSES)


if __name__ == "__main__":
    unittest.main()
