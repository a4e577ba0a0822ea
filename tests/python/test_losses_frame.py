"""What all losses have in common: types, strides, autocast, faults, second derivatives."""
import unittest

import torch

import tyto
from tyto.losses import CircleLoss, circle_loss


class LossesFrame(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(18)
        self.features = torch.randn(8, 5, dtype=torch.float64)
        self.labels = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])

    def test_gradient_follows_what_comes_after_the_loss(self):
        features = self.features.requires_grad_()
        once, = torch.autograd.grad(circle_loss(features, self.labels), features)
        thrice, = torch.autograd.grad(circle_loss(features, self.labels) * 3, features)
        self.assertTrue(torch.equal(thrice, once * 3))

    def test_strides_do_not_matter(self):
        wide = torch.zeros(8, 10, dtype=torch.float64)
        wide[:, ::2] = self.features
        labels = torch.stack([self.labels, self.labels], 1)[:, 0]
        a = wide[:, ::2].requires_grad_()
        self.assertFalse(a.is_contiguous() or labels.is_contiguous())
        b = self.features.clone().requires_grad_()
        circle_loss(a, labels).backward()
        circle_loss(b, self.labels).backward()
        self.assertTrue(torch.equal(a.grad, b.grad))

    def test_halves_compute_on_float32_and_have_gradients_of_their_own_type(self):
        half = self.features.half().requires_grad_()
        single = half.detach().float().requires_grad_()
        value = circle_loss(half, self.labels)
        value.backward()
        circle_loss(single, self.labels).backward()
        self.assertEqual((value.dtype, half.grad.dtype), (torch.float32, torch.float16))
        self.assertTrue(torch.equal(half.grad, single.grad.half()))

    def test_bfloat16_is_taken_as_it_is(self):
        features = self.features.bfloat16().requires_grad_()
        value = circle_loss(features, self.labels)
        (value * 3).backward()
        double = features.detach().double().requires_grad_()
        circle_loss(double, self.labels).backward()
        self.assertEqual((value.dtype, features.grad.dtype), (torch.float32, torch.bfloat16))
        # Two roundings to 8 bits, and those of float32 before them, of numbers as large as gamma.
        self.assertLess((features.grad.double() - 3 * double.grad).abs().max().item(), 2**-7 * 3 * double.grad.abs().max().item())

    def test_a_small_gradient_of_halves_survives_until_the_loss_scale(self):
        half = self.features.half().requires_grad_()
        (circle_loss(half, self.labels) * 1e-9 * 1e9).backward()
        self.assertGreater(half.grad.abs().max().item(), 0)

    def test_autocast_computes_in_float32(self):
        features = self.features.bfloat16().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            value = circle_loss(features, self.labels)
        value.backward()
        single = features.detach().float()
        self.assertEqual(value.item(), circle_loss(single, self.labels).item())
        self.assertEqual(features.grad.dtype, torch.bfloat16)

    def test_second_derivatives_are_refused_where_they_are_taken(self):
        features = self.features.requires_grad_()
        first, = torch.autograd.grad(circle_loss(features, self.labels), features, create_graph=True)
        with self.assertRaisesRegex(tyto.Error, "circle_loss has no second derivatives"):
            first.sum().backward()

    def test_faults_of_values_are_raised_unless_check_is_off(self):
        bad = self.features.clone()
        bad[3, 2] = float("nan")
        with self.assertRaisesRegex(ValueError, "circle_loss: .*row 3 .*not finite"):
            circle_loss(bad, self.labels)
        self.assertTrue(circle_loss(bad, self.labels, check=False).isnan())
        with self.assertRaisesRegex(ValueError, "row 1"):
            circle_loss(self.features, torch.tensor([0, -1, 1, 1, 2, 2, 3, 3]))

    def test_a_label_beyond_32_bits_is_out_of_range(self):
        labels = self.labels.clone()
        labels[2] = 2**32 + 1
        with self.assertRaisesRegex(ValueError, "row 2"):
            circle_loss(self.features, labels)

    def test_messages_name_the_argument(self):
        for arguments, text in [((self.features, self.labels[:7]), r"labels is \[7\], whose dimension 0 is not 8: features has 8 rows"),
                                ((self.features[0], self.labels), r"features is \[5\], not \[rows, width\]"),
                                ((self.features, self.labels.float()), "labels is of torch.float32, not of integers"),
                                ((self.labels, self.labels), "features is of torch.int64"),
                                ((self.features.tolist(), self.labels), "features is no torch.Tensor, but list"),
                                ((self.features.to_sparse(), self.labels), "features is torch.sparse_coo"),
                                ((self.features.to("meta"), self.labels), "features is torch.strided on meta")]:
            with self.assertRaisesRegex(tyto.ArgumentError, "circle_loss: " + text):
                circle_loss(*arguments)
        for margin in "wide", None, float("nan"), [1], torch.ones(2):
            with self.assertRaisesRegex(tyto.ArgumentError, "circle_loss: margin"):
                circle_loss(self.features, self.labels, margin=margin)

    @unittest.skipUnless(hasattr(torch, "compile"), "this PyTorch has no torch.compile")
    def test_compiled_code_has_the_same_bits(self):
        def step(features):
            return circle_loss(features * 2, self.labels) + features.sum()

        a, b = (self.features.clone().requires_grad_() for _ in range(2))
        values = step(a), torch.compile(step, backend="aot_eager")(b)
        for value in values:
            value.backward()
        self.assertEqual(*[value.item() for value in values])
        self.assertTrue(torch.equal(a.grad, b.grad))

    def test_a_module_has_its_options(self):
        loss = CircleLoss(margin=0.4)
        self.assertEqual(loss(self.features, self.labels), circle_loss(self.features, self.labels, margin=0.4))
        self.assertIn("margin=0.4", repr(loss))


if __name__ == "__main__":
    unittest.main()
