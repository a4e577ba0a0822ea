"""Losses on pairs of a batch against PyTorch's own operations in float64 (tests/c_interface/loss_references.py)."""
import functools
import unittest

import torch

import loss_references as references
from judged_case import JudgedCase
from tyto import ArgumentError, losses

ROWS, WIDTH, CLASSES = 16, 11, 4

# The function, its options, the reference with the same. Defaults are left out where they are meant.
CASES = [
    (losses.circle_loss, {}, references.circle),
    (losses.circle_loss, {"margin": 0.4, "gamma": 8}, functools.partial(references.circle, margin=0.4, gamma=8)),
    (losses.triplet_loss, {}, references.triplet),
    (losses.triplet_loss, {"margin": 0.2, "epsilon": 0.3}, functools.partial(references.triplet, margin=0.2, epsilon=0.3)),
    (losses.triplet_loss, {"margin": 0.2, "mined": False}, functools.partial(references.triplet, margin=0.2, epsilon=None)),
    (losses.contrastive_loss, {}, references.contrastive),
    (losses.contrastive_loss, {"positive_margin": 0.5, "negative_margin": 1.3},
     functools.partial(references.contrastive, most=0.5, least=1.3)),
    (losses.lifted_loss, {}, references.lifted),
    (losses.lifted_loss, {"positive_margin": 0.4, "negative_margin": 1.3},
     functools.partial(references.lifted, most=0.4, least=1.3)),
    (losses.instance_loss, {"gamma": 8}, functools.partial(references.instance, gamma=8)),
    (losses.instance_loss, {"gamma": 8, "added_length": 0.5, "by_identity": True},
     functools.partial(references.instance, gamma=8, added_length=0.5, by_identity=True)),
    (losses.batch_hard_triplet_loss, {}, references.batch_hard_triplet),
    (losses.batch_hard_triplet_loss, {"margin": 1.5}, functools.partial(references.batch_hard_triplet, margin=1.5)),
    (losses.weighted_regularized_triplet_loss, {}, references.weighted_regularized_triplet),
]
MODULES = {
    losses.circle_loss: losses.CircleLoss,
    losses.triplet_loss: losses.TripletLoss,
    losses.contrastive_loss: losses.ContrastiveLoss,
    losses.lifted_loss: losses.LiftedLoss,
    losses.instance_loss: losses.InstanceLoss,
    losses.batch_hard_triplet_loss: losses.BatchHardTripletLoss,
    losses.weighted_regularized_triplet_loss: losses.WeightedRegularizedTripletLoss,
}
WITHOUT_ROWS = {losses.instance_loss: float("nan"), losses.weighted_regularized_triplet_loss: float("nan")}  # else 0


class MetricLosses(JudgedCase):
    def setUp(self):
        super().setUp()
        self.labels = torch.from_numpy(self.random.permutation(ROWS)) % CLASSES
        # Apart from 0, so that pairs of all kinds are near enough to count.
        self.features = torch.from_numpy(self.normal(ROWS, WIDTH) + 0.5)

    def leaf(self):
        return self.features.clone().requires_grad_()

    def gradient(self, function, features, *arguments, **options):
        return torch.autograd.grad(function(features, *arguments, **options), features)[0]

    def test_values_and_gradients_are_those_of_autograd_in_float64(self):
        for function, options, reference in CASES:
            def ours(features):
                value = function(features, self.labels, **options)
                return [value], value

            def theirs(features):
                value = reference(features, self.labels)
                return [value], value

            self.judge(f"{function.__name__} {options}", ours, theirs, {"features": self.features.numpy()})

    def test_gradients_are_those_of_differences(self):
        for function, options, _ in CASES:
            if function is losses.circle_loss:
                continue  # no gradient goes through the weights of its pairs
            with self.subTest(f"{function.__name__} {options}"):
                self.assertTrue(torch.autograd.gradcheck(lambda f: function(f, self.labels, **options), self.leaf()))

    def test_strides_and_the_type_of_labels_do_not_matter(self):
        wide = torch.zeros(WIDTH, ROWS, 2, dtype=torch.float64)
        wide[:, :, 1] = self.features.T
        for function, options, _ in CASES:
            with self.subTest(f"{function.__name__} {options}"):
                want = self.gradient(function, self.leaf(), self.labels, **options)
                strided = wide[:, :, 1].T.detach().requires_grad_()
                self.assertFalse(strided.is_contiguous())
                self.assertTrue(torch.equal(self.gradient(function, strided, self.labels, **options), want))
                for dtype in torch.uint8, torch.int8, torch.int16, torch.int32:
                    labels = torch.stack([self.labels, self.labels], 1).to(dtype)[:, 1]
                    self.assertTrue(torch.equal(self.gradient(function, self.leaf(), labels, **options), want), dtype)

    def test_batches_without_rows_or_pairs(self):
        for function in MODULES:
            with self.subTest(function.__name__):
                features = torch.zeros(0, WIDTH, requires_grad=True)
                value = function(features, torch.zeros(0, dtype=torch.int64))
                value.backward()
                self.near(value.item(), WITHOUT_ROWS.get(function, 0), 0, "value")
                self.assertEqual(features.grad.shape, features.shape)
                one = self.features[:1].detach().requires_grad_()
                value = function(one, self.labels[:1])
                value.backward()
                self.assertTrue(value.isfinite() and one.grad.isfinite().all())

    def test_faults_of_values_are_raised_in_the_sentence_of_the_library(self):
        for function in MODULES:
            with self.subTest(function.__name__):
                features, labels = self.features.clone(), self.labels.clone()
                for bad in float("nan"), float("inf"), -float("inf"):
                    features[5, 3] = bad
                    with self.assertRaisesRegex(ArgumentError, f"^{function.__name__}: features: row 5 .*not finite"):
                        function(features, self.labels)
                self.assertTrue(function(features, self.labels, check=False).isnan())
                for bad in -1, -2**31, 2**31, 2**40, -2**40:
                    labels[7] = bad
                    with self.assertRaisesRegex(ArgumentError, f"^{function.__name__}: labels?: row 7 .*out of range"):
                        function(self.features, labels)
                self.assertTrue(function(self.features, labels, check=False).isnan())

    def test_options_out_of_range_are_raised(self):
        for function, option, values in [(losses.instance_loss, "gamma", (-1, 257)),
                                         (losses.instance_loss, "added_length", (-1e-9,)),
                                         (losses.instance_loss, "by_identity", (2, "yes", 0.5)),
                                         (losses.triplet_loss, "mined", (-1, 2, None)),
                                         (losses.triplet_loss, "epsilon", (float("inf"),))]:
            for value in values:
                with self.assertRaisesRegex(ArgumentError, f"^{function.__name__}: {option}"):
                    function(self.features, self.labels, **{option: value})

    def test_modules_are_their_functions(self):
        for function, options, _ in CASES:
            with self.subTest(f"{function.__name__} {options}"):
                module = MODULES[function](**options)
                self.assertEqual(list(module.parameters()), [])
                got, want = self.leaf(), self.leaf()
                value = module(got, self.labels)
                value.backward()
                function(want, self.labels, **options).backward()
                self.assertTrue(torch.equal(got.grad, want.grad))
                for name, option in options.items():
                    self.assertIn(f"{name}={option!r}", repr(module))


if __name__ == "__main__":
    unittest.main()
