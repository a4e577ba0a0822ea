"""Losses around centres against PyTorch's own operations in float64 (tests/c_interface/loss_references.py), and the centres' rule."""
import functools
import unittest

import torch

import loss_references as references
from judged_case import JudgedCase
from tyto import ArgumentError, losses

ROWS, WIDTH, CLASSES = 18, 7, 4

CMDC = [  # the function's options, the reference's
    ({}, {}),
    ({"mining": "hard"}, {"hard": True}),
    ({"centers": "joint"}, {"kind": "joint"}),
    ({"positive_bound": 0.5, "negative_bound": 1.2, "center_weight": 0.7}, {"bounds": (0.5, 1.2), "weight": 0.7}),
    ({"centers": "joint", "center_weight": 1, "normalize": False}, {"kind": "joint", "weight": 1, "normalize": False}),
]
OF_MODALITIES = [(losses.cmdc_loss, ours, functools.partial(references.cmdc, **theirs)) for ours, theirs in CMDC] + [
    (losses.hetero_center_loss, {"distance": distance}, functools.partial(references.hetero_center, distance=distance))
    for distance in ("squared", "absolute", "cosine")] + [
    (losses.hetero_center_loss, {"margin": 0.5}, functools.partial(references.hetero_center, margin=0.5)),
    (losses.hetero_center_triplet_loss, {}, references.hetero_center_triplet),
    (losses.hetero_center_triplet_loss, {"margin": 1.5}, functools.partial(references.hetero_center_triplet, margin=1.5)),
]


class CenterLosses(JudgedCase):
    def setUp(self):
        super().setUp()
        self.labels = torch.from_numpy(self.random.permutation(ROWS)) % CLASSES
        self.modalities = torch.from_numpy(self.random.permutation(ROWS)) % 2
        self.features = self.normal(CLASSES, WIDTH)[self.labels] + self.normal(ROWS, WIDTH, scale=0.5)
        self.logits = self.normal(ROWS, CLASSES)
        self.learned = self.normal(CLASSES, WIDTH, scale=0.3)
        self.about = self.labels, self.modalities

    def leaf(self, dtype=torch.float64):
        return torch.from_numpy(self.features).to(dtype).requires_grad_()

    def one(self, function, *rest, **options):
        """As judge() takes it."""
        def terms(features, **more):
            value = function(features, *rest, *more.values(), **options)
            return [value], value
        return terms

    def test_values_and_gradients_are_those_of_autograd_in_float64(self):
        for function, options, reference in OF_MODALITIES:
            self.judge(f"{function.__name__}, {options}", self.one(function, *self.about, **options), self.one(reference, *self.about),
                       {"features": self.features})

    def test_learned_centers_have_a_gradient_of_their_own(self):
        self.judge("center_loss", self.one(losses.center_loss, self.labels), self.one(references.center, self.labels),
                   {"features": self.features, "centers": self.learned})

        def ours(features, learned):
            value = losses.cmdc_loss(features, self.labels, learned=learned, centers="learned", center_weight=0.5)
            return [value], value

        def theirs(features, learned):
            value = references.cmdc(features, *self.about, kind="learned", weight=0.5, learned=learned)
            return [value], value
        self.judge("cmdc_loss of learned centres", ours, theirs, {"features": self.features, "learned": self.learned})

    def test_identity_and_cmdc(self):
        def ours(features, logits):
            terms = losses.identity_and_cmdc_loss(logits, features, *self.about, terms=True)
            return terms, terms.total

        def theirs(features, logits):
            terms = references.identity_and_cmdc(logits, features, *self.about)
            return terms, terms[0]
        self.judge("identity_and_cmdc_loss", ours, theirs, {"features": self.features, "logits": self.logits})

    def test_gradients_are_those_of_differences(self):
        logits, learned = (torch.from_numpy(values).requires_grad_() for values in (self.logits, self.learned))
        for function, options, _ in OF_MODALITIES:
            self.assertTrue(torch.autograd.gradcheck(lambda f: function(f, *self.about, **options), self.leaf(), fast_mode=True))
        self.assertTrue(torch.autograd.gradcheck(lambda f, c: losses.center_loss(f, self.labels, c, normalize=True),
                                                 (self.leaf(), learned)))
        self.assertTrue(torch.autograd.gradcheck(
            lambda z, f, c: losses.identity_and_cmdc_loss(z, f, self.labels, learned=c, centers="learned", smoothing=0.2, lambda_=2),
            (logits, self.leaf(), learned)))

    def test_the_total_alone_has_a_gradient(self):
        logits, features = torch.from_numpy(self.logits).requires_grad_(), self.leaf()
        terms = losses.identity_and_cmdc_loss(logits, features, *self.about, terms=True)
        total = losses.identity_and_cmdc_loss(logits, features, *self.about)
        self.assertEqual(total, terms.total)
        self.near(terms.total.item(), (terms.identity + 3 * terms.cmdc).item(), 1e-14, "total")
        self.assertEqual([term.requires_grad for term in terms], [True, False, False])
        total += 1  # as loops add up losses in place
        (2 * total).backward()
        twice = features.grad.clone()
        features.grad = None
        terms.total.backward()
        self.assertTrue(torch.equal(twice, 2 * features.grad))

    def test_batches_without_rows(self):
        features, none = torch.zeros(0, WIDTH, requires_grad=True), torch.zeros(0, dtype=torch.int64)
        for function in losses.cmdc_loss, losses.hetero_center_loss, losses.hetero_center_triplet_loss:
            value = function(features, none, none)
            value.backward()
            self.assertEqual((value.item(), features.grad.shape), (0, features.shape), function)
        learned = torch.ones(CLASSES, WIDTH, requires_grad=True)
        losses.center_loss(features, none, learned).backward()
        self.assertEqual(learned.grad.abs().sum(), 0)
        self.assertTrue(losses.identity_and_cmdc_loss(torch.zeros(0, CLASSES), features, none, none).isnan())

    def test_faults_of_values_are_raised_in_the_sentence_of_the_library(self):
        for function in losses.cmdc_loss, losses.hetero_center_loss, losses.hetero_center_triplet_loss:
            features, labels, modalities = torch.from_numpy(self.features.copy()), self.labels.clone(), self.modalities.clone()
            features[5, 3] = float("nan")
            with self.assertRaisesRegex(ArgumentError, f"^{function.__name__}: features: row 5 .*not finite"):
                function(features, labels, modalities)
            self.assertTrue(function(features, labels, modalities, check=False).isnan())
            for at, bads in (labels, (-1, 2**31)), (modalities, (-1, 2, 2**32)):
                for bad in bads:
                    kept, at[7] = at[7].item(), bad
                    with self.assertRaisesRegex(ArgumentError, f"^{function.__name__}: .*row 7 .*out of range"):
                        function(self.leaf(), labels, modalities)
                    self.assertTrue(function(self.leaf(), labels, modalities, check=False).isnan())
                    at[7] = kept
        with self.assertRaisesRegex(ArgumentError, "^center_loss: .*row .*out of range"):
            losses.center_loss(self.leaf(), self.labels, torch.zeros(CLASSES - 1, WIDTH, dtype=torch.float64))

    def test_messages_name_the_argument(self):
        learned = torch.from_numpy(self.learned)
        for arguments, options, text in [
                ((), {"centers": "mine"}, "centers cannot be 'mine'; it is one of modality, joint, learned"),
                ((), {"mining": 1}, "mining cannot be 1; it is one of all, hard"),
                ((), {"centers": "learned"}, "learned is missing, but centers is 'learned'"),
                ((learned,), {}, "learned is given, but centers is 'modality'"),
                ((learned[:, 1:],), {"centers": "learned"}, r"learned is \[4, 6\], whose dimension 1 is not 7: features has 7 width"),
                ((learned.float(),), {"centers": "learned"}, "learned is of torch.float32, features of torch.float64"),
                ((), {"normalize": "no"}, "normalize cannot be 'no'"),
                ((), {"normalize": 2}, "normalize is 2"),
                ((), {"positive_bound": float("inf")}, "positive_bound is inf")]:
            with self.assertRaisesRegex(ArgumentError, "^cmdc_loss: " + text):
                losses.cmdc_loss(self.leaf(), *self.about, *arguments, **options)
        with self.assertRaisesRegex(ArgumentError, "^cmdc_loss: modalities is null"):
            losses.cmdc_loss(self.leaf(), self.labels)
        with self.assertRaisesRegex(ArgumentError, r"^identity_and_cmdc_loss: features is \[17, 7\], .* not 18: logits has 18 rows"):
            losses.identity_and_cmdc_loss(torch.from_numpy(self.logits), self.leaf()[1:], *self.about)
        with self.assertRaisesRegex(ArgumentError, "^hetero_center_loss: distance cannot be None"):
            losses.hetero_center_loss(self.leaf(), *self.about, distance=None)

    def test_modules_are_their_functions(self):
        for loss, function, options in [(losses.CmdcLoss, losses.cmdc_loss, {"mining": "hard"}),
                                        (losses.HeteroCenterLoss, losses.hetero_center_loss, {"distance": "cosine"}),
                                        (losses.HeteroCenterTripletLoss, losses.hetero_center_triplet_loss, {"margin": 1})]:
            made = loss(**options)
            self.assertEqual(made(self.leaf(), *self.about), function(self.leaf(), *self.about, **options))
            self.assertEqual(list(made.parameters()), [])
        logits = torch.from_numpy(self.logits)
        made = losses.IdentityAndCmdcLoss(smoothing=0.3, terms=True)
        self.assertEqual(made(logits, self.leaf(), *self.about),
                         losses.identity_and_cmdc_loss(logits, self.leaf(), *self.about, smoothing=0.3, terms=True))
        self.assertIn("smoothing=0.3", repr(made))

    def test_modules_keep_learned_centers(self):
        logits, features = torch.from_numpy(self.logits).float(), self.leaf(torch.float32)
        center, cmdc, both = (losses.CenterLoss(CLASSES, WIDTH), losses.CmdcLoss(CLASSES, WIDTH, centers="learned"),
                              losses.IdentityAndCmdcLoss(CLASSES, WIDTH, centers="learned"))
        (center(features, self.labels) + cmdc(features, self.labels) + both(logits, features, self.labels)).backward()
        for made, name in (center, "centers"), (cmdc, "learned"), (both, "learned"):
            self.assertEqual(list(made.state_dict()), [name])
            self.assertGreater(getattr(made, name).grad.abs().sum(), 0)
        with self.assertRaisesRegex(ArgumentError, "^CmdcLoss: .*needs classes and width"):
            losses.CmdcLoss(centers="learned")


class UpdateCenters(JudgedCase):
    def setUp(self):
        super().setUp()
        self.labels = torch.from_numpy(self.random.integers(0, CLASSES - 1, ROWS))  # the last class has no row
        self.features = torch.from_numpy(self.normal(ROWS, WIDTH))
        self.centers = torch.from_numpy(self.normal(CLASSES, WIDTH))

    def moved(self, rate=0.5):
        found = self.centers.clone()
        for k in range(CLASSES):
            members = self.features[self.labels == k]
            found[k] -= rate * (found[k] - members).sum(0) / (1 + len(members))
        return found

    def test_centers_follow_in_place(self):
        for rate in 0.5, 0.1:
            centers = self.centers.clone()
            self.assertIs(losses.update_centers(centers, self.features, self.labels, rate=rate), centers)
            self.near(centers, self.moved(rate), 1e-12, "update_centers")

    def test_normalized_features_are_those_of_the_loss(self):
        a, b = self.centers.clone(), self.centers.clone()
        losses.update_centers(a, self.features, self.labels, normalize=True)
        losses.update_centers(b, torch.nn.functional.normalize(self.features), self.labels)
        self.near(a, b, 1e-12, "update_centers")

    def test_centers_of_any_type_strides_and_context_follow(self):
        want = self.moved()
        wide = torch.zeros(WIDTH, 2, CLASSES, dtype=torch.float64)
        strided = wide[:, 1].T
        strided.copy_(self.centers)
        losses.update_centers(strided, self.features, self.labels)
        self.near(strided, want, 1e-12, "strided")
        self.assertEqual(wide[:, 0].abs().sum(), 0)
        for dtype, tolerance in (torch.float32, 3e-6), (torch.float16, 2e-3), (torch.bfloat16, 1.6e-2):  # some last bits
            for autocasts in False, True:
                centers = self.centers.to(dtype)
                with torch.autocast("cpu", torch.bfloat16, enabled=autocasts):
                    losses.update_centers(centers, self.features, self.labels)
                self.near(centers.double(), want, tolerance, f"{dtype}, {autocasts}")

    def test_parameters_follow_without_a_gradient_and_autograd_knows(self):
        loss = losses.CenterLoss(CLASSES, WIDTH, dtype=torch.float64)
        with torch.no_grad():
            loss.centers.copy_(self.centers)
        features = self.features.clone().requires_grad_()
        value = loss(features, self.labels)
        loss.update(features, self.labels)
        self.near(loss.centers.detach(), self.moved(), 1e-12, "update")
        self.assertTrue(loss.centers.is_leaf and loss.centers.grad is None)
        with self.assertRaisesRegex(RuntimeError, "modified by an inplace operation"):
            value.backward()

    def test_after_a_fault_centers_are_as_they_were(self):
        for at, bad in (self.features, float("nan")), (self.labels, CLASSES), (self.labels, -1):
            kept = at[3].clone()
            at[3] = bad
            centers = self.centers.clone()
            with self.assertRaisesRegex(ArgumentError, "^update_centers: .*row 3"):
                losses.update_centers(centers, self.features, self.labels)
            losses.update_centers(centers, self.features, self.labels, check=False)
            self.assertTrue(torch.equal(centers, self.centers))
            at[3] = kept

    def test_messages_name_the_argument(self):
        for arguments, text in [((None, self.features, self.labels), "centers is no torch.Tensor"),
                                ((self.centers, None, self.labels), "features is no torch.Tensor"),
                                ((self.centers.long(), self.features, self.labels), "centers is of torch.int64"),
                                ((self.centers, self.features.long(), self.labels), "features is of torch.int64"),
                                ((self.centers[0], self.features, self.labels), r"centers is \[7\], not \[classes, width\]"),
                                ((self.centers[:0], self.features, self.labels), "classes is 0"),
                                ((self.centers, self.features[:, 1:], self.labels), r"features is \[18, 6\], whose dimension 1")]:
            with self.assertRaisesRegex(ArgumentError, "^update_centers: " + text):
                losses.update_centers(*arguments)


if __name__ == "__main__":
    unittest.main()
