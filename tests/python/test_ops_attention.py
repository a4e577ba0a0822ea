"""tyto.ops' attention against a softmax in float64, and against PyTorch's own where it has one."""
import itertools
import math
import unittest

import torch

import tyto
from tyto import ops
from tyto.ops.attention import _ATTENTION

BATCH, HEADS, QUERIES, KEYS, DEPTH, WIDTH = 2, 3, 7, 5, 8, 6
# Of the largest element, or of 1, about what is summed, where the sum cancels. Scores are sums of DEPTH products, and enter an
# exponential: some DEPTH roundings of their size, about 3, and a gradient adds QUERIES * HEADS of those. Of halves the last bit that
# is stored; their gradients have that of y_gradient, too.
NEAR = {torch.float32: 128 * 2**-24, torch.float16: 2 * 2**-11, torch.bfloat16: 2 * 2**-8}


def reference(q, k, v, bias=None, mask=None, scale=None):
    scores = q @ k.transpose(-2, -1) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if bias is not None:
        scores = scores + bias
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return scores.softmax(-1).nan_to_num() @ v


class OpsCase(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(18)

    def near(self, got, want, dtype):
        self.assertEqual((got.shape, got.dtype), (want.shape, dtype))
        self.assertLessEqual((got.double() - want).abs().max().item(), NEAR[dtype] * max(want.abs().max().item(), 1))

    def check(self, function, reference, inputs, dtype):
        """Value and gradients of `inputs`; of a reference in float64 of the same numbers."""
        inputs = [t.detach().requires_grad_() for t in inputs]
        doubles = [t.detach().double().requires_grad_() for t in inputs]
        got, want = function(*inputs), reference(*doubles)
        self.near(got, want, dtype)
        upstream = torch.randn(want.shape).to(dtype)
        for name, t, found, expected in zip("abcde", inputs, torch.autograd.grad(got, inputs, upstream),
                                            torch.autograd.grad(want, doubles, upstream.double())):
            with self.subTest(gradient=name):
                self.near(found, expected, t.dtype)
        return got


class OpsAttention(OpsCase):
    def inputs(self, dtype=torch.float32, by_token=False):
        sizes = (QUERIES, DEPTH), (KEYS, DEPTH), (KEYS, WIDTH)
        if by_token:
            return [torch.randn(BATCH, t, HEADS, s).to(dtype).transpose(1, 2) for t, s in sizes]
        return [torch.randn(BATCH, HEADS, t, s).to(dtype) for t, s in sizes]

    def test_values_and_gradients_are_those_of_a_softmax(self):
        for dtype, by_token in itertools.product(NEAR, (False, True)):
            with self.subTest(dtype=dtype, by_token=by_token):
                self.check(ops.attention, reference, self.inputs(dtype, by_token), dtype)

    def test_bias_and_mask_broadcast(self):
        for by_token, batch, heads, queries in itertools.product((False, True), (1, BATCH), (1, HEADS), (1, QUERIES)):
            inputs = self.inputs(by_token=by_token)
            bias = torch.randn(batch, heads, queries, KEYS)
            mask = torch.rand(batch, heads, queries, KEYS) < 0.7
            with self.subTest(by_token=by_token, shape=list(bias.shape)):
                self.check(lambda q, k, v, b: ops.attention(q, k, v, bias=b), reference, [*inputs, bias], torch.float32)
                self.check(lambda q, k, v: ops.attention(q, k, v, mask=mask), lambda q, k, v: reference(q, k, v, mask=mask),
                           inputs, torch.float32)
        for shape in (QUERIES, KEYS), (KEYS,), (HEADS, 1, 1), (BATCH, 1, 1, 1):
            with self.subTest(shape=shape):
                mask = torch.rand(shape) < 0.7
                self.check(lambda q, k, v, b: ops.attention(q, k, v, bias=b, mask=mask),
                           lambda q, k, v, b: reference(q, k, v, b, mask), [*self.inputs(), torch.randn(shape)], torch.float32)

    def test_a_mask_of_heads_goes_with_a_bias_of_items(self):
        mask = torch.rand(1, HEADS, QUERIES, KEYS) < 0.7
        bias = torch.randn(BATCH, 1, QUERIES, KEYS)
        for by_token in False, True:
            self.check(lambda q, k, v, b: ops.attention(q, k, v, bias=b, mask=mask),
                       lambda q, k, v, b: reference(q, k, v, b, mask), [*self.inputs(by_token=by_token), bias], torch.float32)

    def test_scale(self):
        self.check(lambda *t: ops.attention(*t, scale=0.2), lambda *t: reference(*t, scale=0.2), self.inputs(), torch.float32)
        with self.assertRaisesRegex(tyto.ArgumentError, "attention: scale cannot be 0"):
            ops.attention(*self.inputs(), scale=0)

    def test_tokens_that_stand_apart_are_not_copied(self):
        q, k, v = torch.randn(BATCH, QUERIES, 3, HEADS, DEPTH).unbind(2)  # as one projection to all three leaves them
        for heads in slice(None), slice(0, 2):
            inputs = [t[:, :, heads].transpose(1, 2) for t in (q, k, v)]
            _, taken = _ATTENTION.prepare(*inputs, None, None, {})
            self.assertEqual([t.data_ptr() for t in taken[:3]], [t.data_ptr() for t in inputs])
            y = self.check(ops.attention, reference, inputs, torch.float32)
            self.assertTrue(y.transpose(1, 2).is_contiguous())
        padded = [torch.randn(BATCH, HEADS, QUERIES, DEPTH + 3)[..., :DEPTH] for _ in range(3)]
        _, taken = _ATTENTION.prepare(*padded, None, None, {})
        self.assertEqual([t.data_ptr() for t in taken[:3]], [t.data_ptr() for t in padded])
        self.assertTrue(self.check(ops.attention, reference, padded, torch.float32).is_contiguous())

    def test_other_strides_are_brought_in_order(self):
        q, k, v = self.inputs()
        want = ops.attention(q, k, v)
        wide = [t.repeat_interleave(2, 3)[..., ::2] for t in (q, k, v)]
        self.assertTrue(torch.equal(ops.attention(*wide), want))
        self.assertTrue(torch.equal(ops.attention(q.transpose(1, 2).contiguous().transpose(1, 2), k, v), want))
        one = k[:1].expand(BATCH, -1, -1, -1)
        self.assertTrue(torch.equal(ops.attention(q, one, v), ops.attention(q, one.contiguous(), v)))

    def test_a_gradient_of_one_number_reaches_all(self):
        q, k, v = (t.requires_grad_() for t in self.inputs())
        ops.attention(q, k, v).sum().backward()  # which arrives expanded
        doubles = [t.detach().double().requires_grad_() for t in (q, k, v)]
        reference(*doubles).sum().backward()
        self.near(v.grad, doubles[2].grad, torch.float32)

    def test_only_the_gradients_that_are_wanted_are_computed(self):
        q, k, v = self.inputs()
        ops.attention(q, k, v.requires_grad_()).sum().backward()
        self.assertIsNone(q.grad)
        self.assertGreater(v.grad.abs().sum().item(), 0)

    def test_a_query_without_keys_gets_zero(self):
        q, k, v = self.inputs()
        mask = torch.ones(QUERIES, KEYS, dtype=torch.bool)
        mask[2] = False
        y = self.check(lambda *t: ops.attention(*t, mask=mask), lambda *t: reference(*t, mask=mask), (q, k, v), torch.float32)
        self.assertEqual(y[:, :, 2].abs().sum().item(), 0)
        none = ops.attention(q.requires_grad_(), k[:, :, :0], v[:, :, :0])
        none.sum().backward()
        self.assertEqual((none.abs().sum().item(), q.grad.abs().sum().item()), (0, 0))
        self.assertEqual(list(ops.attention(q[:0], k[:0], v[:0]).shape), [0, HEADS, QUERIES, WIDTH])
        self.assertEqual(list(ops.attention(q[:, :, :0], k, v).shape), [BATCH, HEADS, 0, WIDTH])

    def test_autocast_computes_in_its_type(self):
        q, k, v = (t.requires_grad_() for t in self.inputs())
        bias = torch.randn(QUERIES, KEYS)
        with torch.autocast("cpu", torch.bfloat16):
            y = ops.attention(q, k, v, bias=bias)
        self.assertEqual(y.dtype, torch.bfloat16)
        self.assertTrue(torch.equal(y, ops.attention(q.bfloat16(), k.bfloat16(), v.bfloat16(), bias=bias.bfloat16())))
        y.sum().backward()
        self.assertEqual(q.grad.dtype, torch.float32)

    @unittest.skipUnless(hasattr(torch.nn.functional, "scaled_dot_product_attention"), "this PyTorch has none of its own")
    def test_is_pytorchs_own(self):
        own = torch.nn.functional.scaled_dot_product_attention
        mask = torch.rand(BATCH, 1, QUERIES, KEYS) < 0.7
        mask[..., 0] = True
        bias = torch.randn(BATCH, HEADS, QUERIES, KEYS)
        for by_token in False, True:
            inputs = self.inputs(by_token=by_token)
            for ours, theirs in (({}, {}), ({"mask": mask}, {"attn_mask": mask}), ({"bias": bias}, {"attn_mask": bias})):
                self.check(lambda *t: ops.attention(*t, **ours),
                           lambda *t: own(*t, **{n: m.double() if m.is_floating_point() else m for n, m in theirs.items()}),
                           inputs, torch.float32)

    def test_second_derivatives_are_refused_where_they_are_taken(self):
        q, k, v = self.inputs()
        first, = torch.autograd.grad(ops.attention(q.requires_grad_(), k, v).sum(), q, create_graph=True)
        with self.assertRaisesRegex(tyto.Error, "attention has no second derivatives"):
            first.sum().backward()

    def test_messages_name_the_argument(self):
        q, k, v = self.inputs()
        mask = torch.ones(QUERIES, KEYS, dtype=torch.bool)
        for arguments, options, text in [((q[0], k, v), {}, r"q is .*, not \[batch, heads, queries, depth\]"),
                                         ((q.double(), k, v), {}, "q is of torch.float64, not of float32"),
                                         ((q, k.half(), v), {}, "k is of torch.float16, q of torch.float32"),
                                         ((q, k[:, :2], v), {}, "k is .*, whose dimension 1 is not 3: q has 3 heads"),
                                         ((q, k[..., :4], v), {}, "k is .*, whose dimension 3 is not 8: q has 8 depth"),
                                         ((q, k, v[:, :, :4]), {}, "v is .*, whose dimension 2 is not 5: k has 5 keys"),
                                         ((q, k, None), {}, "v is no torch.Tensor"),
                                         ((q, k, v), {"mask": mask[:4]}, r"mask is \[4, 5\], which does not broadcast to \[batch"),
                                         ((q, k, v), {"mask": mask.float()}, "mask is of torch.float32, not of torch.bool"),
                                         ((q, k, v), {"bias": [1]}, "bias is no torch.Tensor, but list"),
                                         ((q, k, v), {"bias": mask}, "bias is of torch.bool"),
                                         ((q, k, v), {"bias": torch.ones(1, 1, 1, 1, 1)}, "bias is .* does not broadcast"),
                                         ((q, k, v), {"scale": "wide"}, "scale cannot be 'wide'"),
                                         ((q, k, v), {"scale": float("nan")}, "scale"),
                                         ((q.to("meta"), k, v), {}, "q is torch.strided on meta")]:
            with self.assertRaisesRegex(tyto.ArgumentError, "attention: .*" + text):
                ops.attention(*arguments, **options)


class OpsPositionAttention(OpsCase):
    def inputs(self, dtype=torch.float32):
        q, k = (torch.randn(BATCH, 4, 3, 5).to(dtype) for _ in range(2))
        v, x = (torch.randn(BATCH, 6, 3, 5).to(dtype) for _ in range(2))
        return q, k, v, x, torch.tensor([0.7])

    @staticmethod
    def reference(q, k, v, x, gamma):  # DANet's PAM
        energy = q.flatten(2).transpose(1, 2) @ k.flatten(2)
        return gamma * (v.flatten(2) @ energy.softmax(-1).transpose(1, 2)).view_as(x) + x

    def test_values_and_gradients_are_those_of_the_formula(self):
        for dtype in NEAR:
            for memory in torch.contiguous_format, torch.channels_last:
                with self.subTest(dtype=dtype, memory=memory):
                    *maps, gamma = self.inputs(dtype)
                    maps = [t.contiguous(memory_format=memory) for t in maps]
                    y = self.check(ops.position_attention, self.reference, [*maps, gamma], dtype)
                    self.assertTrue(y.is_contiguous(memory_format=memory))

    def test_maps_of_several_layouts_are_brought_to_one(self):
        q, k, v, x, gamma = self.inputs()
        want = ops.position_attention(q, k, v, x, gamma)
        self.assertTrue(torch.equal(ops.position_attention(q.contiguous(memory_format=torch.channels_last), k, v, x, gamma), want))
        self.assertTrue(torch.equal(ops.position_attention(q, k, v, x.repeat_interleave(2, 3)[..., ::2], gamma), want))

    def test_gamma_of_zero_is_the_identity_and_still_learns(self):
        q, k, v, x, _ = self.inputs()
        gamma = torch.zeros((), dtype=torch.float64, requires_grad=True)
        y = ops.position_attention(q, k, v, x, gamma)
        self.assertTrue(torch.equal(y, x))
        y.backward(torch.ones_like(y))
        double = gamma.detach().clone().requires_grad_()
        self.reference(q.double(), k.double(), v.double(), x.double(), double).sum().backward()
        self.assertEqual((gamma.grad.shape, gamma.grad.dtype), ((), torch.float64))
        self.assertLessEqual(abs(gamma.grad - double.grad).item(), NEAR[torch.float32] * v.abs().sum().item())

    def test_autocast_computes_in_its_type(self):
        q, k, v, x, gamma = self.inputs()
        with torch.autocast("cpu", torch.bfloat16):
            y = ops.position_attention(q, k, v, x.requires_grad_(), gamma.requires_grad_())
        self.assertEqual(y.dtype, torch.bfloat16)
        y.sum().backward()
        self.assertEqual((x.grad.dtype, gamma.grad.dtype), (torch.float32, torch.float32))
        self.assertTrue(torch.equal(x.grad, torch.ones_like(x)))

    def test_only_the_gradients_that_are_wanted_are_computed(self):
        q, k, v, x, gamma = self.inputs()
        ops.position_attention(q, k, v, x.requires_grad_(), gamma).sum().backward()
        self.assertIsNone(gamma.grad)
        self.assertTrue(torch.equal(x.grad, torch.ones_like(x)))

    def test_second_derivatives_are_refused_where_they_are_taken(self):
        q, k, v, x, gamma = self.inputs()
        first, = torch.autograd.grad(ops.position_attention(q, k, v, x, gamma.requires_grad_()).sum(), gamma, create_graph=True)
        with self.assertRaisesRegex(tyto.Error, "position_attention has no second derivatives"):
            first.sum().backward()

    def test_messages_name_the_argument(self):
        q, k, v, x, gamma = self.inputs()
        for arguments, text in [((q.flatten(2), k, v, x, gamma), r"q is .*, not \[batch, depth, height, width\]"),
                                ((q, k, v, x[:, :4], gamma), "x is .*, whose dimension 1 is not 6: v has 6 channels"),
                                ((q, k[..., :4], v, x, gamma), "k is .*, whose dimension 3 is not 5: q has 5 width"),
                                ((q, k, v, x.double(), gamma), "x is of torch.float64"),
                                ((q, k, v, x, 0.5), "gamma is no torch.Tensor, but float"),
                                ((q, k, v, x, torch.ones(2)), "gamma is .*, whose dimension 0 is not 1")]:
            with self.assertRaisesRegex(tyto.ArgumentError, "position_attention: .*" + text):
                ops.position_attention(*arguments)


if __name__ == "__main__":
    unittest.main()
