"""Losses of detectors and their targets against PyTorch's own operations in float64 (tests/c_interface/detector_references.py), and
against torchvision's SSD and Faster R-CNN themselves."""
import types
import unittest

import numpy as np
import torch
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.models.detection.roi_heads import fastrcnn_loss

import detector_references as references
from detector_references import corners
from judged_case import TYPES, JudgedCase
from near_case import KINDS
from tyto import ArgumentError, Error, losses
from tyto.losses import detection_targets

BATCH, PRIORS, CAPACITY, CLASSES = 3, 70, 4, 5


class DetectorCase(JudgedCase):
    def setUp(self):
        super().setUp()
        centre = self.random.uniform(0.1, 0.9, (PRIORS, 2))
        self.priors = np.concatenate((centre, self.random.uniform(0.1, 0.4, (PRIORS, 2))), 1)
        self.corners = corners(torch.from_numpy(self.priors)).numpy()
        first = self.random.uniform(0, 0.6, (BATCH, CAPACITY, 2))
        self.boxes = np.concatenate((first, first + self.random.uniform(0.1, 0.4, (BATCH, CAPACITY, 2))), 2)
        self.classes = torch.from_numpy(self.random.integers(0, CLASSES - 1, (BATCH, CAPACITY)))
        self.counts = torch.tensor([4, 0, 2])
        self.predicted = {"locations": self.normal(BATCH, PRIORS, 4), "logits": self.normal(BATCH, PRIORS, CLASSES, scale=2)}
        self.reals = {"prior_boxes": self.priors, "boxes": self.boxes}

    def tensors(self, dtype=torch.float64, corner=False):
        """Arguments of multibox_loss, the first two of them leaves."""
        locations, logits = (torch.from_numpy(values).to(dtype).requires_grad_() for values in self.predicted.values())
        priors, boxes = torch.from_numpy(self.corners if corner else self.priors), torch.from_numpy(self.boxes)
        return [locations, logits, priors, boxes, self.classes, self.counts]

    def lists(self, boxes, classes):
        return [part[:n] for part, n in zip(boxes, self.counts)], [part[:n] for part, n in zip(classes, self.counts)]


class Multibox(DetectorCase):
    def check_multibox(self, judge, priors=None, classes=None, how=None, **options):
        classes = self.classes if classes is None else classes

        def ours(locations, logits, prior_boxes, boxes):
            terms = losses.multibox_loss(locations, logits, prior_boxes, boxes, classes, self.counts, **options)
            return terms, terms.location + 2 * terms.confidence

        def theirs(**inputs):
            terms, _ = judge(classes=classes.numpy(), counts=self.counts, **inputs, **(how or {}))
            return terms, terms[0] + 2 * terms[1]
        self.judge(f"multibox_loss, {options}", ours, theirs, self.predicted,
                   {"prior_boxes": self.priors if priors is None else priors, "boxes": self.boxes})

    def test_values_and_gradients_are_those_of_ssd_pytorch(self):
        self.check_multibox(references.ssd_pytorch)

    def test_values_and_gradients_are_those_of_the_fork(self):
        # Of the image without objects all but some rows are mined, not 100 of 70.
        self.check_multibox(references.ssd_pytorch, how={"for_hard": 100}, reference="fork")
        self.check_multibox(references.ssd_pytorch, how={"for_hard": 20}, normalizer="positives_or_one", negatives_for_hard=20)

    def test_values_and_gradients_are_those_of_bubbliiiing(self):
        self.check_multibox(references.bubbliiiing, self.corners, reference="bubbliiiing")

    def test_values_and_gradients_are_those_of_torchvisions_own_compute_loss(self):
        self.check_multibox(references.torchvision, self.corners, self.classes + 1, reference="torchvision")

    def test_an_option_overrides_the_references(self):
        of_bubbliiiing = {"prior_corners": True, "match": "best_prior_of_unmatched", "mining": "bubbliiiing",
                          "normalizer": "positives_or_one_an_image", "negatives_for_hard": 100, "least_probability": 1e-7}
        self.boxes[0, 1] = self.boxes[0, 0]  # one prior is the best of two objects
        self.classes[0, :2] = torch.tensor([1, 2])
        given = self.tensors(corner=True)
        want = losses.multibox_loss(*given, reference="bubbliiiing")
        self.assertEqual(losses.multibox_loss(*given, **of_bubbliiiing), want)
        for name in of_bubbliiiing:
            default = {"prior_corners": False, "match": "best_prior", "mining": "ssd.pytorch", "normalizer": "positives",
                       "negatives_for_hard": 0, "least_probability": 0.5}[name]
            without = losses.multibox_loss(*given, **{**of_bubbliiiing, name: default})
            # Hard images are mined for nothing here, where the rule is the batch's.
            self.assertEqual(without == want, name == "negatives_for_hard", name)
        for name, value in (("threshold", 0.3), ("variance", [0.2, 0.2, 0.2, 0.2]), ("negatives_per_positive", 1.5)):
            self.assertNotEqual(losses.multibox_loss(*given, reference="bubbliiiing", **{name: value}), want)
        labels = self.classes + 1
        self.assertEqual(losses.multibox_loss(*given[:4], labels, self.counts, reference="bubbliiiing", first_label=0), want)

    def test_gradients_are_those_of_differences(self):
        locations, logits, *rest = self.tensors()
        for reference in "ssd.pytorch", "fork":
            self.assertTrue(torch.autograd.gradcheck(
                lambda a, b: losses.multibox_loss(a, b, *rest, reference=reference)[:2], (locations, logits), fast_mode=True))

    def test_terms_are_added_in_place_and_each_has_its_gradient(self):
        locations, logits, *rest = self.tensors()
        terms = losses.multibox_loss(locations, logits, *rest)
        self.assertFalse(terms.normalizer.requires_grad)
        only, = torch.autograd.grad(terms.location, locations, retain_graph=True)
        self.assertEqual(torch.autograd.grad(terms.location, logits, retain_graph=True)[0].abs().sum(), 0)
        loss = terms.location
        loss += terms.confidence
        loss.backward()
        self.assertTrue(torch.equal(locations.grad, only))
        self.assertGreater(logits.grad.abs().sum(), 0)

    def test_only_what_needs_a_gradient_has_one(self):
        locations, logits, *rest = self.tensors()
        losses.multibox_loss(locations.detach(), logits, *rest).confidence.backward()
        self.assertIsNone(locations.grad)
        with torch.no_grad():
            self.assertFalse(losses.multibox_loss(locations, logits, *rest).location.requires_grad)

    def test_halves_and_autocast_compute_in_float32(self):
        for dtype, autocasts in (torch.float16, False), (torch.bfloat16, True):
            half = self.tensors(dtype)
            single = [half[0].detach().float().requires_grad_(), half[1].detach().float().requires_grad_(), *half[2:]]
            with torch.autocast("cpu", torch.bfloat16, enabled=autocasts):
                terms = losses.multibox_loss(*half)
            (terms.location + terms.confidence).backward()
            want = losses.multibox_loss(*single)
            (want.location + want.confidence).backward()
            self.assertEqual(terms, want)
            for a, b in zip(half[:2], single[:2]):
                self.assertTrue(torch.equal(a.grad, b.grad.to(dtype)))

    def test_lists_of_boxes_are_padded(self):
        for corner, reference in (False, "ssd.pytorch"), (True, "bubbliiiing"):
            *given, boxes, classes, counts = self.tensors(corner=corner)
            want = losses.multibox_loss(*given, boxes, classes, counts, reference=reference)
            self.assertEqual(losses.multibox_loss(*given, *self.lists(boxes, classes), reference=reference), want)
            tuples = (tuple(part) for part in self.lists(boxes.float(), classes.to(torch.uint8)))
            single = losses.multibox_loss(*given, boxes.float(), classes, counts, reference=reference)
            self.assertEqual(losses.multibox_loss(*given, *tuples, reference=reference), single)

    def test_images_without_objects_are_background(self):
        locations, logits, priors, *_ = self.tensors()
        nothing = ([torch.zeros(0, 4)] * BATCH, [torch.zeros(0, dtype=torch.int64)] * BATCH)
        terms = losses.multibox_loss(locations, logits, priors, *nothing)
        self.assertTrue(terms.location.isnan() and terms.confidence.isnan() and terms.normalizer == 0)
        (terms.location + terms.confidence).backward()
        self.assertEqual((locations.grad.abs().sum(), logits.grad.abs().sum()), (0, 0))
        fork = losses.multibox_loss(locations, logits, priors, *nothing, reference="fork")
        labels = torch.zeros(BATCH * PRIORS, dtype=torch.int64)
        background = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels, reduction="sum")
        self.assertEqual((fork.location.item(), fork.normalizer.item()), (0, 1))
        self.near(fork.confidence.item(), background.item(), KINDS["TYTO_DOUBLE"], "100 of 70 rows")
        for reference in "torchvision", "bubbliiiing":
            terms = losses.multibox_loss(locations, logits, priors, *nothing, reference=reference)
            self.assertTrue(terms.location == 0 and terms.confidence.isfinite())

    def test_a_batch_without_images(self):
        locations, logits, priors, *_ = self.tensors()
        for objects in ([], []), (torch.zeros(0, 3, 4), torch.zeros(0, 3, dtype=torch.int64)):
            terms = losses.multibox_loss(locations[:0], logits[:0], priors, *objects, reference="torchvision")
            self.assertEqual([term.item() for term in terms], [0, 0, 1])

    def test_a_degenerate_box_is_an_error_for_those_who_ask(self):
        *given, boxes, classes, counts = self.tensors()
        boxes[2, 1, 2] = boxes[2, 1, 0]
        found = losses.multibox_loss(*given, boxes, classes, counts)
        self.assertEqual(found, losses.multibox_loss(*given, boxes, classes, counts, check=False))
        with self.assertRaisesRegex(ArgumentError, f"^multibox_loss: boxes: row {2 * CAPACITY + 1} "):
            losses.multibox_loss(*given, boxes, classes, counts, check=True)
        boxes[2, 3, 2] = boxes[2, 3, 0]  # a place that is not taken
        boxes[2, 1, 2] += 0.3
        self.assertTrue(losses.multibox_loss(*given, boxes, classes, counts, check=True).location.isfinite())

    def test_faults_of_values_are_raised_unless_check_is_off(self):
        def bad(index, place, value):
            given = [tensor.detach().clone() for tensor in self.tensors()]
            given[index][place] = value
            return given
        nan = float("nan")
        for given, text in [(bad(1, (1, 2, 3), nan), f"logits: row {PRIORS + 2} "), (bad(3, (0, 2, 1), nan), "boxes: row 2 "),
                            (bad(4, (2, 1), CLASSES - 1), f".*row {2 * CAPACITY + 1} .*out of range"),
                            (bad(4, (0, 0), -1), ".*row 0 .*out of range"), (bad(4, (0, 0), 2**40), ".*row 0 .*out of range"),
                            (bad(5, 2, CAPACITY + 1), "boxes: .*out of range"), (bad(5, 1, -1), "boxes: .*out of range"),
                            (bad(5, 1, 2**31 + 2), "boxes: .*out of range")]:
            with self.assertRaisesRegex(ArgumentError, "^multibox_loss: " + text, msg=text):
                losses.multibox_loss(*given)
            terms = losses.multibox_loss(*given, check=False)
            self.assertTrue(terms.location.isnan() and terms.confidence.isnan(), text)

    def test_messages_name_the_argument(self):
        locations, logits, priors, boxes, classes, counts = self.tensors()
        objects = self.lists(boxes, classes)
        both = "boxes is a list, but box_classes is none|box_classes is a list, but boxes is none"
        for arguments, text in [
                ((locations, logits[:, 1:], priors, boxes, classes, counts), r"logits is \[3, 69, 5\], whose dimension 1 is not 70"),
                ((locations[..., 1:], logits, priors, boxes, classes, counts), r"locations is \[3, 70, 3\], whose dimension 2 is not 4"),
                ((locations, logits.float(), priors, boxes, classes, counts), "logits is of torch.float32, locations of torch.float64"),
                ((locations, logits, priors, boxes, classes.float(), counts), "box_classes is of torch.float32, not of integers"),
                ((locations, logits, priors, boxes, classes, counts.tolist()), "box_counts is no torch.Tensor, but list"),
                ((locations, logits, priors, boxes, classes[:2], counts), r"box_classes is \[2, 4\], whose dimension 0 is not 3"),
                ((locations, logits, priors, objects[0], classes), both), ((locations, logits, priors, boxes, objects[1]), both),
                ((locations, logits, priors, *objects, counts), "box_counts is given, but boxes is a list"),
                ((locations, logits, priors, objects[0][:2], objects[1][:2]), r"boxes is \[2, 4, 4\], whose dimension 0 is not 3"),
                ((locations, logits, priors, objects[0], objects[1][:2]), "box_classes has 2 images, boxes 3"),
                ((locations, logits, priors, objects[0], [*objects[1][:2], classes[2]]), r"box_classes\[2\] has 4 classes, boxes\[2\] has 2"),
                ((locations, logits, priors, [boxes[0], torch.zeros(0), boxes[2]], objects[1]), r"boxes\[1\] is \[0\], not \[boxes, 4\]"),
                ((locations, logits, priors, [boxes[0], boxes[1].float(), boxes[2]], objects[1]), r"boxes\[1\] is of torch.float32"),
                ((locations, logits, priors, [boxes[0], boxes[1].to("meta"), boxes[2]], objects[1]), r"boxes\[1\] is on meta"),
                ((locations, logits, priors, [boxes[0], 7, boxes[2]], objects[1]), r"boxes\[1\] is no torch.Tensor, but int"),
                ((locations, logits, priors, objects[0], [[1], [2], [3]]), r"box_classes\[0\] is no torch.Tensor, but list"),
                ((locations, logits, priors, {"boxes": boxes}, classes), "boxes is no torch.Tensor, but dict"),
                ((locations, logits, priors, {"boxes": boxes}, objects[1]), "boxes is neither a torch.Tensor nor a list"),
                ((locations, logits, None, [], []), "prior_boxes is no torch.Tensor, but NoneType")]:
            with self.assertRaisesRegex(ArgumentError, f"^multibox_loss: (?:{text})"):
                losses.multibox_loss(*arguments)
        for options, text in [({"reference": "ssd"}, "reference cannot be 'ssd'; it is one of ssd.pytorch, fork, bubbliiiing"),
                              ({"reference": []}, r"reference cannot be \[\]"), ({"match": 1}, "match cannot be 1; it is one of"),
                              ({"variance": [0.1, 0.1, 0.2]}, "variance cannot be"), ({"variance": 0.1}, "variance cannot be"),
                              ({"variance": (0.1, 0.1, 0, 0.1)}, "variance is 0"), ({"threshold": 1.5}, "threshold is 1.5"),
                              ({"first_label": 2}, "first_label is 2"), ({"negatives_for_hard": -1}, "negatives_for_hard is -1"),
                              ({"negatives_for_hard": 0.5}, "negatives_for_hard cannot be 0.5")]:
            with self.assertRaisesRegex(ArgumentError, "^multibox_loss: " + text):
                losses.multibox_loss(locations, logits, priors, boxes, classes, counts, **options)

    def test_a_module_is_its_function(self):
        given = self.tensors(corner=True)
        options = {"reference": "bubbliiiing", "threshold": 0.4, "variance": [0.1, 0.1, 0.1, 0.1]}
        loss = losses.MultiboxLoss(**options)
        self.assertEqual(loss(*given), losses.multibox_loss(*given, **options))
        self.assertIn("reference='bubbliiiing'", repr(loss))


class Distillation(DetectorCase):
    def setUp(self):
        super().setUp()
        self.teacher = {"teacher_locations": self.normal(BATCH, PRIORS, 4), "teacher_logits": self.normal(BATCH, PRIORS, CLASSES)}

    def arguments(self, dtype=torch.float64):
        locations, logits, *rest = self.tensors(dtype)
        return [locations, logits, *(torch.from_numpy(values).to(dtype) for values in self.teacher.values()), *rest]

    def test_values_and_gradients_are_those_of_autograd_in_float64(self):
        for temperature, margin, weights, plain in ((1, 0, (1.5, 1), False), (3, 0.7, (2, 0.5), False), (2, 0.1, (1, 1), True)):
            def ours(**inputs):
                terms = losses.multibox_distillation(
                    **inputs, box_classes=self.classes, box_counts=self.counts, temperature=temperature, margin=margin,
                    background_weight=weights[0], foreground_weight=weights[1], terms=True)
                return terms, terms.total

            def theirs(**inputs):
                return references.distillation(**inputs, classes=self.classes.numpy(), counts=self.counts, temperature=temperature,
                                               margin=margin, weights=weights, plain=plain)
            inputs = {**self.predicted, **self.teacher}
            self.judge(f"temperature {temperature}", ours, theirs, inputs, self.reals, constant=tuple(self.teacher))

    def test_the_loss_is_a_number_whose_backward_trains_the_student_alone(self):
        given = self.arguments()
        for teacher in given[2:4]:
            teacher.requires_grad_()
        loss = losses.multibox_distillation(*given)
        loss.backward()
        terms = losses.multibox_distillation(*given, terms=True)
        self.assertEqual(loss, terms.total)
        self.assertEqual([term.requires_grad for term in terms], [True, False, False, False, False])
        self.assertEqual([tensor.grad is None for tensor in given[:4]], [False, False, True, True])
        only = losses.multibox_distillation(*given, soft_weight=0, confidence_weight=0, l2_weight=0, location_weight=2)
        self.near(only.item(), 2 * terms.location.item(), KINDS["TYTO_DOUBLE"], "a weight")

    def test_gradients_are_those_of_differences(self):
        locations, logits, *rest = self.arguments()
        for divergence in "kullback_leibler", "cross_entropy":
            self.assertTrue(torch.autograd.gradcheck(
                lambda a, b: losses.multibox_distillation(a, b, *rest, temperature=2, divergence=divergence), (locations, logits),
                fast_mode=True))

    def test_lists_and_a_module(self):
        *given, boxes, classes, counts = self.arguments()
        loss = losses.MultiboxDistillation(temperature=3, terms=True)
        want = losses.multibox_distillation(*given, boxes, classes, counts, temperature=3, terms=True)
        self.assertEqual(loss(*given, boxes, classes, counts), want)
        self.assertEqual(loss(*given, *self.lists(boxes, classes)), want)

    def test_messages_have_the_functions_name(self):
        given = self.arguments()
        for options, text in [({"temperature": 0}, "temperature is 0"), ({"divergence": "l2"}, "divergence cannot be 'l2'"),
                              ({"eps": -1}, "eps is -1"), ({"background_weight": "heavy"}, "background_weight cannot be 'heavy'")]:
            with self.assertRaisesRegex(ArgumentError, "^multibox_distillation: " + text):
                losses.multibox_distillation(*given, **options)
        given[3] = given[3].clone()
        given[3][0] = float("nan")
        with self.assertRaisesRegex(ArgumentError, "^multibox_distillation: .*teacher.*not finite"):
            losses.multibox_distillation(*given)
        first, = torch.autograd.grad(losses.multibox_distillation(*given, check=False), given[0], create_graph=True)
        with self.assertRaisesRegex(Error, "^multibox_distillation has no second derivatives"):
            first.sum().backward()


class FasterRcnn(DetectorCase):
    ANCHORS, ROIS = 60, 20

    def setUp(self):
        super().setUp()
        self.anchor_labels = torch.from_numpy(self.random.integers(-1, 2, self.ANCHORS))
        self.roi_labels = torch.from_numpy(np.concatenate((self.random.integers(0, CLASSES, self.ROIS - 2), [-1, -1])))
        self.stages = {"anchor_locations": self.normal(self.ANCHORS, 4), "anchor_logits": self.normal(self.ANCHORS, 2),
                       "roi_locations": self.normal(self.ROIS, CLASSES, 4), "roi_logits": self.normal(self.ROIS, CLASSES)}
        self.targets = {"anchor_targets": self.normal(self.ANCHORS, 4), "roi_targets": self.normal(self.ROIS, 4)}

    def arguments(self, given, roi_labels=None):
        """Of the function, in its order."""
        roi_labels = self.roi_labels if roi_labels is None else roi_labels
        return (given["anchor_locations"], given["anchor_logits"], self.anchor_labels, given["anchor_targets"],
                given["roi_locations"], given["roi_logits"], roi_labels, given["roi_targets"])

    def loss(self, roi_labels=None, terms=True, anchor_sigma=3, roi_sigma=1, **given):
        return losses.faster_rcnn_loss(*self.arguments(given, roi_labels), terms=terms, anchor_sigma=anchor_sigma, roi_sigma=roi_sigma)

    def given(self, dtype=torch.float64):
        given = {name: torch.from_numpy(values).to(dtype).requires_grad_() for name, values in self.stages.items()}
        return {**given, **{name: torch.from_numpy(values) for name, values in self.targets.items()}}

    def test_values_and_gradients_are_those_of_simple_faster_rcnn_pytorch(self):
        def ours(**given):
            terms = self.loss(**given)
            return terms, terms.total

        def theirs(**given):
            return references.faster_rcnn(anchor_labels=self.anchor_labels, roi_labels=self.roi_labels, **given)
        self.judge("faster_rcnn_loss", ours, theirs, self.stages, self.targets)

    def test_the_second_stage_is_torchvisions_own_fastrcnn_loss(self):
        given = self.given()
        labels = self.roi_labels.clamp(min=0)
        logits, locations = (given[name].detach().clone().requires_grad_() for name in ("roi_logits", "roi_locations"))
        # Its smooth L1 turns at 1 / 9 and is divided by that: sigma 3.
        of_class, of_box = fastrcnn_loss(logits, locations.flatten(1), [labels], [given["roi_targets"]])
        ours = self.loss(roi_labels=labels, roi_sigma=3, **given)
        self.near([ours.roi_class, ours.roi_location], [of_class.item(), of_box.item()], KINDS["TYTO_DOUBLE"], "values")
        ours.total.backward()
        (of_class + of_box).backward()
        self.near(given["roi_logits"].grad, logits.grad, KINDS["TYTO_DOUBLE"], "d logits")
        self.near(given["roi_locations"].grad, locations.grad, KINDS["TYTO_DOUBLE"], "d locations")

    def test_the_first_stages_locations_are_torchvisions_own_rpn_loss(self):
        given, labels = self.given(), self.anchor_labels.double()
        everything = [(labels == label).to(torch.uint8) for label in (1, 0)]
        model = types.SimpleNamespace(fg_bg_sampler=lambda _: [[part] for part in everything])
        locations = given["anchor_locations"].detach().clone().requires_grad_()
        logit = given["anchor_logits"].detach()[:, 1:] - given["anchor_logits"].detach()[:, :1]  # a sigmoid is a softmax of two
        of_class, of_box = RegionProposalNetwork.compute_loss(model, logit, locations, [labels], [given["anchor_targets"]])
        terms = self.loss(**given)
        self.near([terms.anchor_class, terms.anchor_location], [of_class.item(), of_box.item()], KINDS["TYTO_DOUBLE"], "values")
        terms.total.backward()
        of_box.backward()
        self.near(given["anchor_locations"].grad, locations.grad, KINDS["TYTO_DOUBLE"], "d locations")

    def test_the_loss_is_a_number_and_only_its_total_has_a_gradient(self):
        given = self.given()
        self.loss(terms=False, **given).backward()
        terms = self.loss(**given)
        self.assertEqual([term.requires_grad for term in terms], [True, False, False, False, False])
        kept = {name: given[name].grad.clone() for name in self.stages}
        given = self.given()
        given["roi_locations"] = given["roi_locations"].detach()
        self.loss(**given).total.backward()
        self.assertIsNone(given["roi_locations"].grad)
        self.assertTrue(torch.equal(given["roi_logits"].grad, kept["roi_logits"]))

    def test_a_stage_without_rows_is_nan(self):
        given = self.given()
        terms = self.loss(roi_labels=torch.full_like(self.roi_labels, -1), **given)
        self.assertEqual([term.isnan().item() for term in terms], [True, False, False, True, True])

    def test_gradients_are_those_of_differences(self):
        given = self.given()
        leaves = [given[name] for name in self.stages]
        self.assertTrue(torch.autograd.gradcheck(
            lambda *leaves: self.loss(terms=False, **{**given, **dict(zip(self.stages, leaves))}), leaves, fast_mode=True))

    def test_faults_and_a_module(self):
        given = self.given()
        made = losses.FasterRcnnLoss(anchor_sigma=2, terms=True)
        self.assertEqual(made(*self.arguments(given)), self.loss(anchor_sigma=2, **given))
        for bad in CLASSES, -2, -2**31, 2**32:
            labels = self.roi_labels.clone()
            labels[3] = bad
            with self.assertRaisesRegex(ArgumentError, f"^faster_rcnn_loss: .*row {self.ANCHORS + 3} .*out of range"):
                self.loss(roi_labels=labels, **given)
        with self.assertRaisesRegex(ArgumentError, "^faster_rcnn_loss: roi_sigma is 0"):
            self.loss(roi_sigma=0, **given)
        given["roi_locations"] = given["roi_locations"].flatten(1)
        with self.assertRaisesRegex(ArgumentError, r"^faster_rcnn_loss: roi_locations is \[20, 20\], not \[rois, classes, 4\]"):
            self.loss(**given)


class Targets(DetectorCase):
    def priorities(self, *shape):
        """Beyond 2^31, too."""
        return torch.from_numpy(self.random.integers(0, 40, shape)) * (2**32 // 40)

    def test_anchor_targets_are_those_of_anchor_target_creator(self):
        sizes = [(1, 1), (0.9, 1), (1, 0.8)]
        priorities = self.priorities(BATCH, PRIORS)
        for dtype in TYPES:
            anchors, boxes = (torch.from_numpy(values).to(dtype) for values in (self.corners, self.boxes))
            found = losses.anchor_targets(anchors, boxes, sizes, self.counts, priorities=priorities, samples=16, positive_iou=0.5)
            real = torch.float64 if dtype == torch.float64 else torch.float32
            self.assertEqual((found.labels.dtype, found.locations.dtype), (torch.int32, real))
            sizes_of_type = torch.tensor(sizes, dtype=real).double().numpy()
            for i, n in enumerate(self.counts):
                labels, locations = references.anchor_targets(anchors.double().numpy(), boxes[i, :n].double().numpy(),
                                                              sizes_of_type[i], priorities[i].numpy(), 16, 0.5)
                self.assertEqual(found.labels[i].tolist(), labels.tolist(), f"image {i}, {dtype}")
                self.near(found.locations[i], locations, KINDS[TYPES[real]], f"image {i}, {dtype}")
            listed = losses.anchor_targets(anchors, [b[:n] for b, n in zip(boxes, self.counts)], torch.tensor(sizes, dtype=dtype),
                                           priorities=priorities, samples=16, positive_iou=0.5)
            if dtype in (torch.float64, torch.float32):  # halves round the sizes
                self.assertTrue(all(torch.equal(a, b) for a, b in zip(listed, found)))

    def test_proposal_targets_are_those_of_proposal_target_creator(self):
        regions = np.concatenate((np.stack([self.corners] * BATCH), self.normal(BATCH, PRIORS, 2)), 2)  # rows of six, as nms has
        regions[:, :CAPACITY, :4] = self.boxes + self.normal(BATCH, CAPACITY, 4, scale=0.01)
        counts, samples = torch.tensor([PRIORS, 40, 3]), 16
        priorities = self.priorities(BATCH, PRIORS + CAPACITY)
        for dtype in torch.float64, torch.float32:
            r, b = (torch.from_numpy(values).to(dtype) for values in (regions, self.boxes))
            found = losses.proposal_targets(r, b, self.classes, counts, self.counts, priorities=priorities, samples=samples)
            for i, (n, m) in enumerate(zip(counts, self.counts)):
                order = np.concatenate((priorities[i, :n], priorities[i, PRIORS:PRIORS + m]))
                rois, labels, locations = references.proposal_targets(r[i, :n, :4].double().numpy(), b[i, :m].double().numpy(),
                                                                      self.classes[i].numpy(), order, samples)
                taken = len(rois)
                self.assertEqual(found.counts[i], taken)
                self.assertEqual(found.labels[i].tolist(), [*labels, *[-1] * (samples - taken)])
                self.near(found.rois[i, :taken], rois, KINDS[TYPES[dtype]], f"image {i}, {dtype}")
                self.near(found.locations[i, :taken], locations, KINDS[TYPES[dtype]], f"image {i}, {dtype}")
            boxes, classes = self.lists(b, self.classes)
            listed = [losses.proposal_targets([part[:n] for part, n in zip(rows, counts)], boxes, classes, seed=3)
                      for rows in (r, r[..., :4])]
            padded = losses.proposal_targets(r[..., :4], b, self.classes, counts, self.counts, seed=3)
            for other in listed:
                self.assertTrue(all(torch.equal(a, b) for a, b in zip(other, padded)))

    def test_a_seed_draws_the_same_sample_every_time_and_another_one_another(self):
        anchors, boxes = torch.from_numpy(self.corners), torch.from_numpy(self.boxes)

        def drawn(seed):
            return losses.anchor_targets(anchors, boxes, [(1, 1)] * BATCH, self.counts, seed=seed, samples=16).labels
        self.assertTrue(torch.equal(drawn(2**64 - 1), drawn(2**64 - 1)))
        self.assertFalse(torch.equal(drawn(0), drawn(2**63)))
        plans = len(detection_targets._ANCHORS._plans)
        drawn(5)
        self.assertEqual(len(detection_targets._ANCHORS._plans), plans)  # a seed is no part of one

    def test_priorities_are_32_bits_of_either_type(self):
        anchors, boxes = torch.from_numpy(self.corners), torch.from_numpy(self.boxes)
        priorities = self.priorities(BATCH, PRIORS)
        signed = torch.where(priorities >= 2**31, priorities - 2**32, priorities).to(torch.int32)
        types = [priorities, signed]
        if hasattr(torch, "uint32"):
            types.append(signed.view(torch.uint32))
        sizes = [(1, 1)] * BATCH
        found = [losses.anchor_targets(anchors, boxes, sizes, self.counts, priorities=each, samples=8).labels for each in types]
        for other in found[1:]:
            self.assertTrue(torch.equal(other, found[0]))

    def test_what_a_network_proposed_gives_no_gradient(self):
        regions = torch.from_numpy(np.stack([self.corners] * BATCH)).requires_grad_()
        found = losses.proposal_targets(regions, torch.from_numpy(self.boxes), self.classes, None, self.counts, seed=1)
        self.assertFalse(found.rois.requires_grad or found.locations.requires_grad)

    def test_images_without_objects_or_regions(self):
        anchors = torch.from_numpy(self.corners)
        boxes, classes = [torch.zeros(0, 4, dtype=torch.float64)] * 2, [torch.zeros(0, dtype=torch.int64)] * 2
        found = losses.anchor_targets(anchors, boxes, [(1, 1)] * 2, seed=1)
        self.assertTrue((found.labels <= 0).all() and (found.locations == 0).all())
        regions = torch.zeros(2, 0, 4, dtype=torch.float64)
        found = losses.proposal_targets(regions, boxes, classes, seed=1)
        self.assertEqual((found.counts.tolist(), set(found.labels.flatten().tolist())), ([0, 0], {-1}))
        self.assertEqual(losses.anchor_targets(anchors, [], [], seed=1).labels.shape, (0, PRIORS))
        self.assertEqual(losses.proposal_targets([], [], [], seed=1).rois.shape, (0, 128, 4))

    def test_faults_of_values(self):
        anchors, boxes = torch.from_numpy(self.corners), torch.from_numpy(self.boxes)
        boxes[2, 1, 0] = float("nan")
        arguments = anchors, boxes, [(1, 1)] * BATCH, self.counts
        with self.assertRaisesRegex(ArgumentError, f"^anchor_targets: boxes: row {2 * CAPACITY + 1} .*not finite"):
            losses.anchor_targets(*arguments, seed=1)
        found = losses.anchor_targets(*arguments, seed=1, check=False)
        self.assertEqual(set(found.labels[2].tolist()), {-2**31})
        self.assertTrue((found.labels[:2] >= -1).all())
        # A loss of such labels is no number.
        logits = torch.zeros(BATCH * PRIORS, 2, dtype=torch.float64)
        with self.assertRaisesRegex(ArgumentError, "^faster_rcnn_loss: .*out of range"):
            losses.faster_rcnn_loss(found.locations.flatten(0, 1), logits, found.labels.flatten(), found.locations.flatten(0, 1),
                                    torch.zeros(1, 2, 4).double(), torch.zeros(1, 2).double(), torch.zeros(1, dtype=torch.int64),
                                    torch.zeros(1, 4))
        regions = anchors.expand(BATCH, PRIORS, 4)
        boxes[2, 1] = torch.tensor([0.5, 0.5, 0.5, 0.6])
        losses.proposal_targets(regions, boxes, self.classes, None, self.counts, seed=1)
        with self.assertRaisesRegex(ArgumentError, f"^proposal_targets: boxes: row {2 * CAPACITY + 1} "):
            losses.proposal_targets(regions, boxes, self.classes, None, self.counts, seed=1, check=True)
        for counts in torch.tensor([PRIORS + 1, 0, 0]), torch.tensor([0, -5, 0]):
            with self.assertRaisesRegex(ArgumentError, "^proposal_targets: regions of interest: row .* is out of range"):
                losses.proposal_targets(regions, boxes, self.classes, counts, self.counts, seed=1)
            losses.proposal_targets(regions, boxes, self.classes, counts, self.counts, seed=1, check=False)

    def test_messages_name_the_argument(self):
        anchors, boxes = torch.from_numpy(self.corners), torch.from_numpy(self.boxes)
        sizes = [(1, 1)] * BATCH
        for sizes_given, options, text in [
                (sizes, {}, "one of seed and priorities is due"),
                (sizes, {"seed": 1, "priorities": self.priorities(BATCH, PRIORS)}, "one of seed and priorities is due"),
                (sizes, {"seed": -1}, "seed cannot be -1"), (sizes, {"seed": 2**64}, "seed cannot be"),
                (sizes, {"seed": 0.5}, "seed cannot be 0.5"), (sizes, {"seed": True}, "seed cannot be True"),
                (sizes[:2], {"seed": 1}, r"image_sizes is \[2, 2\], whose dimension 0 is not 3"),
                ([(1, 1, 3)] * BATCH, {"seed": 1}, "image_sizes is no list of pairs"),
                (["wide"] * BATCH, {"seed": 1}, "image_sizes is no list of pairs"),
                ((1, 1, 1), {"seed": 1}, "image_sizes is no list of pairs"), (None, {"seed": 1}, "image_sizes is no torch.Tensor"),
                (sizes, {"priorities": self.priorities(BATCH, PRIORS + 1)}, r"priorities is \[3, 71\], whose dimension 1 is not 70"),
                (sizes, {"priorities": torch.zeros(BATCH, PRIORS)}, "priorities is of torch.float32, not of integers"),
                (sizes, {"seed": 1, "samples": -1}, "samples is -1"),
                (sizes, {"seed": 1, "positive_share": 1.5}, "positive_share is 1.5")]:
            with self.assertRaisesRegex(ArgumentError, "^anchor_targets: " + text):
                losses.anchor_targets(anchors, boxes, sizes_given, self.counts, **options)
        regions = anchors.expand(BATCH, PRIORS, 4)
        for arguments, options, text in [
                ((regions, boxes, self.classes), {"priorities": self.priorities(BATCH, PRIORS)}, r"priorities is \[3, 70\], .* is not 74"),
                ((regions[..., :3], boxes, self.classes), {"seed": 1}, "region_stride is 3"),
                ((regions.float(), boxes, self.classes), {"seed": 1}, "boxes is of torch.float64, regions of torch.float32"),
                (([regions[0], regions[1][:, :3]], boxes, self.classes), {"seed": 1}, r"regions\[1\] is \[70, 3\], not \[boxes, 4\]"),
                ((regions, boxes, self.classes), {"seed": 1, "deviation": (1, 1, 1)}, "deviation cannot be"),
                ((regions, boxes, self.classes), {"seed": 1, "deviation": (1, 1, 0, 1)}, "deviation is 0")]:
            with self.assertRaisesRegex(ArgumentError, "^proposal_targets: " + text):
                losses.proposal_targets(*arguments, **options)


if __name__ == "__main__":
    unittest.main()
