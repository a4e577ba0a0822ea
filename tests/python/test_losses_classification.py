"""Losses of classifiers against PyTorch's own, and against its operations in float64 (tests/c_interface/loss_references.py)."""
import math
import unittest

import torch
import torch.nn.functional as F

import loss_references as references
from judged_case import JudgedCase
from near_case import KINDS
from tyto import ArgumentError, losses

ROWS, WIDTH, CLASSES, PARTS = 12, 9, 5, 3
METHODS = [("arc_face", 28.6 * math.pi / 180, 64), ("arc_face", 2.0, 16), ("cos_face", 0.35, 64), ("sphere_face", 4, 1),
           ("sphere_face", 3, 8)]


class ClassificationCase(JudgedCase):
    def setUp(self):
        super().setUp()
        self.labels = torch.from_numpy(self.random.permutation(ROWS)) % CLASSES
        self.logits = torch.from_numpy(self.normal(ROWS, CLASSES, scale=3))

    def leaves(self, *tensors, dtype=torch.float64):
        return [tensor.detach().clone().to(dtype).requires_grad_() for tensor in tensors]

    def check(self, what, ours, reference, *tensors):
        """Value and gradients of functions of the tensors, of each type, beside float64's."""
        def termed(function):
            def call(**inputs):
                value = function(*inputs.values())
                return [value], value
            return call
        inputs = {str(place): tensor.numpy() for place, tensor in enumerate(tensors)}
        self.judge(what, termed(ours), termed(reference), inputs)

    def check_wanted_alone(self, function, *tensors):
        """The gradient of one input is the same when none is wanted of the other."""
        both = self.leaves(*tensors)
        function(*both).backward()
        for alone in range(len(tensors)):
            some = [tensor.detach() for tensor in both]
            some[alone].requires_grad_()
            function(*some).backward()
            self.assertTrue(torch.equal(some[alone].grad, both[alone].grad))
            self.assertTrue(all(tensor.grad is None for place, tensor in enumerate(some) if place != alone))


class CrossEntropy(ClassificationCase):
    OPTIONS = [{}, {"label_smoothing": 0.1}, {"label_smoothing": 1}, {"ignore_index": 2},
               {"ignore_index": 2, "label_smoothing": 0.3}]

    def test_is_pytorchs_own(self):
        for options in self.OPTIONS:
            self.check(f"{options}", lambda logits: losses.cross_entropy(logits, self.labels, **options),
                       lambda logits: F.cross_entropy(logits, self.labels, **options), self.logits)

    def test_ignored_labels_may_be_negative_and_their_logits_anything(self):
        self.labels[3] = -100
        for dtype in torch.int64, torch.int32, torch.int16, torch.int8:
            self.check(f"{dtype}", lambda logits: losses.cross_entropy(logits, self.labels.to(dtype), ignore_index=-100),
                       lambda logits: F.cross_entropy(logits, self.labels), self.logits)
        ignored, = self.leaves(self.logits)
        with torch.no_grad():
            ignored[3] = float("nan")
        losses.cross_entropy(ignored, self.labels, ignore_index=-100).backward()
        self.assertTrue((ignored.grad[3] == 0).all() and ignored.grad.isfinite().all())

    def test_labels_of_minus_one_hundred_are_out_of_range_unless_they_are_ignored(self):
        self.labels[3] = -100
        with self.assertRaisesRegex(ArgumentError, "cross_entropy: label.*row 3 "):
            losses.cross_entropy(self.logits, self.labels)

    def test_nothing_but_ignored_rows_is_nan_as_in_pytorch(self):
        labels = torch.full((ROWS,), 2)
        self.assertTrue(losses.cross_entropy(self.logits, labels, ignore_index=2).isnan())
        self.assertTrue(F.cross_entropy(self.logits, labels, ignore_index=2).isnan())

    def test_parts_are_summed(self):
        parts = torch.from_numpy(self.normal(PARTS, ROWS, CLASSES, scale=3))
        for options in self.OPTIONS:
            self.check(f"{options}", lambda logits: losses.cross_entropy(logits, self.labels, **options),
                       lambda logits: references.cross_entropy(logits, self.labels, **options), parts)
        one, two = self.leaves(self.logits[None], self.logits)
        for logits in one, two:
            losses.cross_entropy(logits, self.labels).backward()
        self.assertTrue(torch.equal(one.grad[0], two.grad))

    def test_strides_do_not_matter(self):
        parts = torch.from_numpy(self.normal(ROWS, PARTS, CLASSES))
        strided, dense = self.leaves(parts, parts.transpose(0, 1).contiguous())
        losses.cross_entropy(strided.transpose(0, 1), self.labels).backward()
        losses.cross_entropy(dense, self.labels).backward()
        self.assertTrue(torch.equal(strided.grad.transpose(0, 1), dense.grad))
        column = self.logits[:, :1].expand(ROWS, CLASSES)  # of stride 0
        self.assertAlmostEqual(losses.cross_entropy(column, self.labels).item(), math.log(CLASSES), 12)

    def test_autocast_is_pytorchs_own(self):
        weight, = self.leaves(torch.from_numpy(self.normal(WIDTH, CLASSES)), dtype=torch.float32)
        features = torch.from_numpy(self.normal(ROWS, WIDTH)).float()
        found = []
        for cross_entropy in losses.cross_entropy, F.cross_entropy:
            with torch.autocast("cpu", torch.bfloat16):
                logits = features @ weight
                self.assertEqual(logits.dtype, torch.bfloat16)
                value = cross_entropy(logits if cross_entropy is losses.cross_entropy else logits.float(), self.labels)
            self.assertEqual(value.dtype, torch.float32)
            found.append((value.item(), torch.autograd.grad(value, weight)[0]))
        self.near(found[0][0], found[1][0], KINDS["TYTO_FLOAT"], "value")
        self.near(found[0][1], found[1][1], KINDS["TYTO_BFLOAT16"], "gradient")

    def test_gradient_is_that_of_differences(self):
        for options in self.OPTIONS:
            logits, = self.leaves(self.logits)
            self.assertTrue(torch.autograd.gradcheck(lambda x: losses.cross_entropy(x, self.labels, **options), logits))

    def test_without_rows_it_is_nan(self):
        logits = torch.zeros(0, CLASSES, requires_grad=True)
        value = losses.cross_entropy(logits, self.labels[:0])
        value.backward()
        self.assertTrue(value.isnan())
        self.assertEqual(logits.grad.shape, logits.shape)

    def test_faults_are_raised(self):
        for bad in CLASSES, -1, 2**31, 2**40, -2**40:
            labels = self.labels.clone()
            labels[4] = bad
            with self.assertRaisesRegex(ArgumentError, "^cross_entropy: label.*row 4 .*out of range"):
                losses.cross_entropy(self.logits, labels)
            self.assertTrue(losses.cross_entropy(self.logits, labels, check=False).isnan())
        for bad in math.nan, math.inf, -math.inf:
            logits = self.logits.clone()
            logits[6, 1] = bad
            with self.assertRaisesRegex(ArgumentError, "^cross_entropy: logits: row 6 .*not finite"):
                losses.cross_entropy(logits, self.labels)
        for smoothing in -0.1, 1.1, float("nan"), None, "much":
            with self.assertRaisesRegex(ArgumentError, "^cross_entropy: .*smoothing"):
                losses.cross_entropy(self.logits, self.labels, label_smoothing=smoothing)
        for index in 2**31, 0.5, "none":
            with self.assertRaisesRegex(ArgumentError, "^cross_entropy: ignored_label"):
                losses.cross_entropy(self.logits, self.labels, ignore_index=index)

    def test_module_is_the_function(self):
        module = losses.CrossEntropy(label_smoothing=0.1, ignore_index=2)
        want = losses.cross_entropy(self.logits, self.labels, label_smoothing=0.1, ignore_index=2)
        self.assertEqual(module(self.logits, self.labels), want)
        self.assertIn("label_smoothing=0.1, ignore_index=2", repr(module))


class MarginSoftmax(ClassificationCase):
    def setUp(self):
        super().setUp()
        self.features = torch.from_numpy(self.normal(ROWS, WIDTH))
        self.weights = torch.from_numpy(self.normal(WIDTH, CLASSES))

    def test_values_and_gradients_are_those_of_autograd_in_float64(self):
        for method, margin, scale in METHODS:
            options = {"method": method, "margin": margin, "logit_scale": scale}
            self.check(f"{method} {margin}", lambda f, w: losses.margin_softmax(f, self.labels, w, **options),
                       lambda f, w: references.margin_softmax(f, self.labels, w, method, margin, scale), self.features, self.weights)

    def test_margin_and_scale_follow_the_method(self):
        for method, margin, scale in METHODS[0], METHODS[2], METHODS[3]:
            got = losses.margin_softmax(self.features, self.labels, self.weights, method=method)
            want = losses.margin_softmax(self.features, self.labels, self.weights, method=method, margin=margin, logit_scale=scale)
            self.assertAlmostEqual(got.item(), want.item(), 12)

    def test_gradients_are_those_of_differences(self):
        for method, margin, scale in METHODS:
            leaves = self.leaves(self.features, self.weights)
            options = {"method": method, "margin": margin, "logit_scale": min(scale, 8)}
            self.assertTrue(torch.autograd.gradcheck(lambda f, w: losses.margin_softmax(f, self.labels, w, **options), leaves))

    def test_one_gradient_alone_is_the_same(self):
        self.check_wanted_alone(lambda f, w: losses.margin_softmax(f, self.labels, w), self.features, self.weights)

    def test_strides_do_not_matter(self):
        columns, rows = self.leaves(self.weights, self.weights.T.contiguous())
        losses.margin_softmax(self.features, self.labels, columns).backward()
        losses.margin_softmax(self.features, self.labels, rows.T).backward()
        self.assertTrue(torch.equal(columns.grad, rows.grad.T))

    def test_types_have_to_agree_but_for_float16(self):
        with self.assertRaisesRegex(ArgumentError, "weights is of torch.bfloat16, features of torch.float64; bring"):
            losses.margin_softmax(self.features, self.labels, self.weights.bfloat16())
        half, single = self.leaves(self.features, dtype=torch.float16) + self.leaves(self.weights, dtype=torch.float32)
        losses.margin_softmax(half, self.labels, single).backward()
        self.assertEqual((half.grad.dtype, single.grad.dtype), (torch.float16, torch.float32))
        with torch.autocast("cpu", torch.bfloat16):
            losses.margin_softmax(self.features.bfloat16(), self.labels, single)

    def test_without_rows_it_is_nan(self):
        features, weights = self.leaves(self.features[:0], self.weights)
        value = losses.margin_softmax(features, self.labels[:0], weights)
        value.backward()
        self.assertTrue(value.isnan())
        self.assertEqual((features.grad.shape, weights.grad.shape), (features.shape, weights.shape))

    def test_faults_are_raised(self):
        for method in "ArcFace", None, 0, ["arc_face"]:
            with self.assertRaisesRegex(ArgumentError, "margin_softmax: method cannot be .*arc_face, cos_face, sphere_face"):
                losses.margin_softmax(self.features, self.labels, self.weights, method=method)
        for method, margin in ("arc_face", 4), ("arc_face", -0.1), ("sphere_face", 1.5), ("sphere_face", 0), ("cos_face", math.nan):
            with self.assertRaisesRegex(ArgumentError, "^margin_softmax: margin"):
                losses.margin_softmax(self.features, self.labels, self.weights, method=method, margin=margin)
        with self.assertRaisesRegex(ArgumentError, r"^margin_softmax: weights is \[5, 9\], whose dimension 0 is not 9"):
            losses.margin_softmax(self.features, self.labels, self.weights.T)
        self.weights[2, 3] = math.inf
        with self.assertRaisesRegex(ArgumentError, "^margin_softmax: .*3 .*not finite"):
            losses.margin_softmax(self.features, self.labels, self.weights)
        self.labels[1] = CLASSES
        with self.assertRaisesRegex(ArgumentError, "^margin_softmax: label.*row 1 .*out of range"):
            losses.margin_softmax(self.features, self.labels, torch.ones_like(self.weights))

    def test_module_learns_weights(self):
        torch.manual_seed(18)
        module = losses.MarginSoftmax(WIDTH, CLASSES, method="cos_face", logit_scale=8, dtype=torch.float64)
        self.assertEqual([(name, tuple(p.shape)) for name, p in module.named_parameters()], [("weights", (WIDTH, CLASSES))])
        self.assertEqual(module(self.features, self.labels), losses.margin_softmax(
            self.features, self.labels, module.weights.detach(), method="cos_face", logit_scale=8))
        optimizer, values = torch.optim.SGD(module.parameters(), lr=0.5), []
        for _ in range(20):
            optimizer.zero_grad()
            loss = module(self.features, self.labels)
            loss.backward()
            optimizer.step()
            values.append(loss.item())
        self.assertLess(values[-1], 0.5 * values[0])
        self.assertEqual(module.half()(self.features.half(), self.labels).dtype, torch.float32)

    def test_module_refuses_what_makes_no_weights(self):
        for arguments, options in [((0, 3), {}), (("9", 3), {}), ((9, 2.5), {}), ((9, True), {}), ((9, 3), {"dtype": torch.int64}),
                                   ((9, 3), {"device": "nowhere"}), ((2**62, 2**62), {})]:
            with self.assertRaisesRegex(ArgumentError, "^MarginSoftmax: "):
                losses.MarginSoftmax(*arguments, **options)
        with self.assertRaisesRegex(ArgumentError, "method"):
            losses.MarginSoftmax(9, 3, method="margin")


class SymmetricKL(ClassificationCase):
    def setUp(self):
        super().setUp()
        self.second = torch.from_numpy(self.normal(ROWS, CLASSES, scale=2))

    def test_values_and_gradients_are_those_of_autograd_in_float64(self):
        self.check("symmetric_kl", losses.symmetric_kl, references.symmetric_kl, self.logits, self.second)

    def test_gradients_are_those_of_differences(self):
        self.assertTrue(torch.autograd.gradcheck(losses.symmetric_kl, self.leaves(self.logits, self.second)))

    def test_one_gradient_alone_is_the_same(self):
        self.check_wanted_alone(losses.symmetric_kl, self.logits, self.second)

    def test_the_same_tensor_twice_has_one_gradient(self):
        logits, = self.leaves(self.logits)
        value = losses.symmetric_kl(logits, logits)
        value.backward()
        # Equal rows differ by nothing but roundings.
        self.assertLess(abs(value.item()) + logits.grad.abs().max().item(), 1e-14)

    def test_without_rows_it_is_nan(self):
        self.assertTrue(losses.symmetric_kl(self.logits[:0], self.second[:0]).isnan())

    def test_faults_are_raised(self):
        self.second[2, 0] = math.nan
        with self.assertRaisesRegex(ArgumentError, "^symmetric_kl: .*row 2 .*not finite"):
            losses.symmetric_kl(self.logits, self.second)
        with self.assertRaisesRegex(ArgumentError, r"^symmetric_kl: second is \[12, 4\], whose dimension 1 is not 5"):
            losses.symmetric_kl(self.logits, self.second[:, :4])

    def test_module_is_the_function(self):
        self.assertEqual(losses.SymmetricKL()(self.logits, self.second), losses.symmetric_kl(self.logits, self.second))


if __name__ == "__main__":
    unittest.main()
