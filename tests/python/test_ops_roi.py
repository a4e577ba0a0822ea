"""tyto.ops' pooling of regions against torchvision.ops, values and gradients."""
import unittest

import torch
import torchvision

import tyto
from tyto import ops

IMAGES, CHANNELS, HEIGHT, WIDTH = 2, 5, 9, 12
SCALE = 0.25
# roi_align of float32 against float32: a bin is the mean of samples of four products each, in torchvision's order or another. Of
# halves the last bit that is stored, which the reference, computed in float32, does not lose.
ALIGN = {torch.float32: 16 * 2**-24, torch.float16: 2**-11 + 16 * 2**-24, torch.bfloat16: 2**-8 + 16 * 2**-24}
# A gradient of float32 is a sum over regions that share a cell, in another order than torchvision's; that of halves is rounded once.
SUM = {torch.float32: 64 * 2**-24, torch.float16: 2**-11 + 64 * 2**-24, torch.bfloat16: 2**-8 + 64 * 2**-24}


class OpsRoi(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(18)
        self.features = torch.randn(IMAGES, CHANNELS, HEIGHT, WIDTH)
        corners = torch.rand(6, 2, 2) * torch.tensor([WIDTH, HEIGHT]) / SCALE
        boxes = torch.cat([corners.amin(1), corners.amax(1)], 1)
        boxes = torch.cat([boxes, torch.tensor([[4.0, 4, 4, 4],  # a point
                                                [-30, -20, 20, 30],  # beyond the map
                                                [500, 500, 600, 600],  # outside of it
                                                [30, 20, 10, 5]])])  # turned
        self.rois = torch.cat([torch.randint(0, IMAGES, (len(boxes), 1)).float(), boxes], 1)

    def both(self, name, features, rois, *arguments):
        """Ours and torchvision's in float32, and the gradients of both."""
        ours = features.detach().requires_grad_()
        theirs = features.detach().float().contiguous().requires_grad_()
        got = getattr(ops, name)(ours, rois, *arguments)
        want = getattr(torchvision.ops, name)(theirs, rois, *arguments)
        upstream = torch.randn_like(want).to(got.dtype)
        got.backward(upstream)
        want.backward(upstream.float())
        return got.detach(), want.detach(), ours.grad, theirs.grad

    def near(self, got, want, tolerance, dtype):
        self.assertEqual((got.shape, got.dtype), (want.shape, dtype))
        self.assertLessEqual((got.float() - want).abs().max().item(), tolerance * want.abs().max().item())

    def test_roi_pool_has_torchvisions_values_and_gradients(self):
        for size, scale, dtype in ((3, 2), SCALE, torch.float32), (7, SCALE / 2, torch.float16), ((1, 4), SCALE, torch.bfloat16):
            with self.subTest(size=size, dtype=dtype):
                got, want, gradient, theirs = self.both("roi_pool", self.features.to(dtype), self.rois, size, scale)
                self.assertTrue(torch.equal(got.float(), want))
                self.near(gradient, theirs, SUM[dtype], dtype)

    def test_roi_pool_takes_the_first_of_equal_features(self):
        features = (self.features * 0.7).round()
        got, want, gradient, theirs = self.both("roi_pool", features, self.rois, 2, SCALE)
        self.assertTrue(torch.equal(got, want))
        self.near(gradient, theirs, SUM[torch.float32], torch.float32)

    def test_roi_align_has_torchvisions_values_and_gradients(self):
        for dtype, ratio, aligned in ((torch.float32, -1, False), (torch.float32, 0, True), (torch.float32, 2, False),
                                      (torch.float32, 3, True), (torch.float16, 2, True), (torch.bfloat16, -1, True)):
            with self.subTest(dtype=dtype, ratio=ratio, aligned=aligned):
                got, want, gradient, theirs = self.both("roi_align", self.features.to(dtype), self.rois, (3, 2), SCALE, ratio, aligned)
                self.near(got, want, ALIGN[dtype], dtype)
                self.near(gradient, theirs, SUM[dtype], dtype)

    def test_channels_last_maps_are_taken_as_they_lie(self):
        last = self.features.contiguous(memory_format=torch.channels_last)
        for pool in ops.roi._POOL, ops.roi._ALIGN:
            self.assertEqual(pool.prepare(last, self.rois, 2, {})[1][0].data_ptr(), last.data_ptr())
        for name in "roi_pool", "roi_align":
            first = self.both(name, self.features, self.rois, 3, SCALE)
            got, want, gradient, theirs = self.both(name, last, self.rois, 3, SCALE)
            self.assertTrue(got.is_contiguous(memory_format=torch.channels_last) and not got.is_contiguous())
            self.assertTrue(torch.equal(got, first[0]))
            self.near(gradient, theirs, SUM[torch.float32], torch.float32)

    def test_other_strides_and_types_of_boxes_do_not_matter(self):
        wide = self.features.repeat_interleave(2, 3)[..., ::2]
        self.assertFalse(wide.is_contiguous())
        for name in "roi_pool", "roi_align":
            pool = getattr(ops, name)
            want = pool(self.features, self.rois, 2, SCALE)
            self.assertTrue(torch.equal(pool(wide, self.rois, 2, SCALE), want))
            self.assertTrue(torch.equal(pool(self.features, self.rois.double().t().contiguous().t(), 2, SCALE), want))

    def test_boxes_come_as_a_list_of_images(self):
        for name in "roi_pool", "roi_align":
            pool = getattr(ops, name)
            boxes = [self.rois[self.rois[:, 0] == image, 1:] for image in range(IMAGES)]
            want = getattr(torchvision.ops, name)(self.features, boxes, 2, SCALE)
            self.near(pool(self.features, boxes, 2, SCALE), want, ALIGN[torch.float32], torch.float32)
            self.assertEqual(list(pool(self.features, [boxes[0][:0]] * IMAGES, 2).shape), [0, CHANNELS, 2, 2])
            self.assertEqual(list(pool(self.features[:0], [], 2).shape), [0, CHANNELS, 2, 2])

    def test_a_region_of_no_image_or_of_nan_is_empty(self):
        rois = self.rois[:5].clone()
        rois[0, 0], rois[1, 0], rois[2, 3], rois[3, 0] = -1, IMAGES, float("nan"), float("nan")
        for name in "roi_pool", "roi_align":
            features = self.features.clone().requires_grad_()
            pooled = getattr(ops, name)(features, rois, 2, SCALE)
            self.assertEqual(pooled[:4].abs().sum().item(), 0)
            alone = self.features.clone().requires_grad_()
            self.assertTrue(torch.equal(pooled[4:], getattr(ops, name)(alone, rois[4:], 2, SCALE)))
            pooled.sum().backward()
            getattr(ops, name)(alone, rois[4:], 2, SCALE).sum().backward()
            self.assertTrue(torch.equal(features.grad, alone.grad))

    def test_no_regions_are_no_features_and_a_gradient_of_zeros(self):
        for name in "roi_pool", "roi_align":
            features = self.features.clone().requires_grad_()
            pooled = getattr(ops, name)(features, self.rois[:0], (3, 2))
            self.assertEqual(list(pooled.shape), [0, CHANNELS, 3, 2])
            pooled.sum().backward()
            self.assertTrue(torch.equal(features.grad, torch.zeros_like(features)))

    def test_boxes_have_no_gradient(self):
        for name in "roi_pool", "roi_align":
            pooled = getattr(ops, name)(self.features, self.rois.clone().requires_grad_(), 2, SCALE)
            self.assertFalse(pooled.requires_grad)

    def test_second_derivatives_are_refused_where_they_are_taken(self):
        for name in "roi_pool", "roi_align":
            features = self.features.clone().requires_grad_()
            pooled = getattr(ops, name)(features, self.rois, 2, SCALE)
            first, = torch.autograd.grad(pooled.square().sum(), features, create_graph=True)
            with self.assertRaisesRegex(tyto.Error, f"{name} has no second derivatives"):
                first.sum().backward()

    def test_messages_name_the_argument(self):
        for name in "roi_pool", "roi_align":
            for arguments, text in [((self.features.double(), self.rois, 2), "features is of torch.float64, not of float32"),
                                    ((self.features[0], self.rois, 2), r"features is .*, not \[images, channels, height, width\]"),
                                    ((self.features, self.rois[:, 1:], 2), "rois is .*, whose dimension 1 is not 5"),
                                    ((self.features, [self.rois[:, 1:]], 2), "rois is a list of 1, features are of 2 images"),
                                    ((self.features, [self.rois, 3], 2), r"rois\[0\] is \[10, 5\], not \[regions, 4\]"),
                                    ((self.features, [self.rois[:, 1:], 3], 2), r"rois\[1\] is int"),
                                    ((self.features, None, 2), "rois is no torch.Tensor"),
                                    ((self.features, self.rois, (2, 2, 2)), "output_size cannot be"),
                                    ((self.features, self.rois, 0), "rows"),
                                    ((self.features, self.rois, -1), "rows"),
                                    ((self.features, self.rois, "ab"), "rows cannot be 'a'"),
                                    ((self.features, self.rois, 2, float("nan")), "spatial_scale"),
                                    ((self.features, self.rois, 2, "wide"), "spatial_scale cannot be 'wide'")]:
                with self.assertRaisesRegex(tyto.ArgumentError, f"{name}: .*{text}"):
                    getattr(ops, name)(*arguments)
        with self.assertRaisesRegex(tyto.ArgumentError, "roi_align: sampling_ratio cannot be 1.5"):
            ops.roi_align(self.features, self.rois, 2, 1.0, 1.5)


if __name__ == "__main__":
    unittest.main()
