"""tyto.ops' bird's-eye-view pooling: the index against a projection of every point, the pooling and its gradients against lift,
index_add and autograd in float64."""
import copy
import itertools
import pickle
import unittest

import torch

import tyto
from tyto import ops

SAMPLES, CAMERAS, BINS, HEIGHT, WIDTH = 2, 3, 5, 4, 3
GRID, LOWER, STEP = (4, 6, 2), (-8.0, -9.0, -4.0), (4.0, 3.0, 4.0)
IMAGE = 64, 96
# Of the largest element. float32 rounds a sum of some 40 products 40 times, and what enters them twice; of halves the last bit
# that is stored, which a gradient loses in itself and in what it is a product of.
NEAR = {torch.float64: 1e-13, torch.float32: 64 * 2**-24, torch.float16: 2 * 2**-11, torch.bfloat16: 2 * 2**-8}


class OpsBev(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(18)
        self.intrinsics = torch.tensor([[80.0, 0, 50], [0, 80, 30], [0, 0, 1]], dtype=torch.float64).repeat(SAMPLES, CAMERAS, 1, 1)
        yaw = torch.rand(SAMPLES, CAMERAS, dtype=torch.float64) * 6
        zero, one = torch.zeros_like(yaw), torch.ones_like(yaw)
        to_grid = torch.stack([yaw.sin(), zero, yaw.cos(), zero, -yaw.cos(), zero, yaw.sin(), zero, zero, -one, zero, one * 1.5,
                               zero, zero, zero, one], -1)
        self.camera_to_grid = to_grid.view(SAMPLES, CAMERAS, 4, 4)
        augmentation = torch.tensor([[0.9, 0.02, 3], [0, 1.1, -2], [0, 0, 1]], dtype=torch.float64)
        self.augmentation = augmentation.repeat(SAMPLES, CAMERAS, 1, 1)

    def index(self, *matrices, **options):
        return ops.bev_index(*(matrices or (self.intrinsics, self.camera_to_grid, self.augmentation)),
                             **{**dict(bins=BINS, height=HEIGHT, width=WIDTH, image_size=IMAGE, first_depth=1, depth_step=1.5,
                                       grid=GRID, lower=LOWER, step=STEP), **options})

    def cells(self, axes="xy", rounding="truncate"):
        """[samples, cameras, bins, height, width]: a point's cell as its projection says, -1 outside."""
        double = torch.float64
        depth = (1 + 1.5 * torch.arange(BINS, dtype=double))[:, None, None].expand(BINS, HEIGHT, WIDTH)
        v = torch.linspace(0, IMAGE[0] - 1, HEIGHT, dtype=double)[:, None]
        u = torch.linspace(0, IMAGE[1] - 1, WIDTH, dtype=double)
        rays = torch.stack([u * depth, v * depth, depth], -1)
        back = self.camera_to_grid[..., :3, :3] @ self.intrinsics.inverse() @ self.augmentation.inverse()
        points = torch.einsum("scij,dhwj->scdhwi", back, rays) + self.camera_to_grid[:, :, None, None, None, :3, 3]
        at = (points - torch.tensor(LOWER, dtype=double)) / torch.tensor(STEP, dtype=double)
        at = at.trunc() if rounding == "truncate" else at.floor()
        inside = ((at >= 0) & (at < torch.tensor(GRID))).all(-1)
        x, y, z = at.long().unbind(-1)
        cells = (x * GRID[1] + y) * GRID[2] + z if axes == "xy" else (y * GRID[0] + x) * GRID[2] + z
        return cells.masked_fill(~inside, -1)

    def maps(self, channels, dtype, logits):
        depth = torch.randn(SAMPLES, CAMERAS, BINS, HEIGHT, WIDTH, dtype=torch.float64)
        features = torch.randn(SAMPLES, CAMERAS, channels, HEIGHT, WIDTH, dtype=torch.float64)
        return [t.to(dtype) for t in (depth if logits else depth.abs(), features)]

    def reference(self, depth, features, logits, reduction, axes="xy"):
        """[samples, levels * channels, rows, columns] by lift and index_add."""
        weights = depth.softmax(2) if logits else depth
        lifted = (weights[:, :, None] * features[:, :, :, None]).permute(0, 1, 3, 4, 5, 2).flatten(1, 4)
        rows, columns = GRID[:2] if axes == "xy" else GRID[1::-1]
        grids = []
        for points, cells in zip(lifted, self.cells(axes).flatten(1)):
            points, cells = points[cells >= 0], cells[cells >= 0]
            count = rows * columns * GRID[2]
            empty = torch.zeros(count, points.shape[1], dtype=points.dtype)
            if reduction == "max":
                grid = torch.stack([points[cells == c].amax(0) if (cells == c).any() else empty[c] for c in range(count)])
            else:
                grid = empty.index_add(0, cells, points)
                if reduction == "mean":
                    grid = grid / torch.bincount(cells, minlength=count).clamp(min=1)[:, None]
            grids.append(grid.view(rows, columns, -1).permute(2, 0, 1))
        return torch.stack(grids)

    def near(self, got, want, dtype):
        self.assertEqual((got.shape, got.dtype), (want.shape, dtype))
        self.assertLessEqual((got.double() - want).abs().max().item(), NEAR[dtype] * want.abs().max().item())

    def check(self, depth, features, index, logits, reduction, axes="xy"):
        depth, features = depth.detach().requires_grad_(), features.detach().requires_grad_()
        doubles = [t.detach().double().requires_grad_() for t in (depth, features)]
        got, want = ops.bev_pool(depth, features, index, logits=logits, reduction=reduction), \
            self.reference(*doubles, logits, reduction, axes)
        self.near(got, want, depth.dtype)
        upstream = torch.randn(want.shape, dtype=torch.float64).to(depth.dtype)
        got.backward(upstream)
        want.backward(upstream.double())
        for tensor, double in zip((depth, features), doubles):
            self.near(tensor.grad, double.grad, depth.dtype)
        return got

    def test_pooling_and_gradients_are_those_of_lift_and_index_add(self):
        index = self.index()
        self.assertGreater((self.cells() >= 0).double().mean().item(), 0.3)
        for dtype, logits, reduction in itertools.product(NEAR, (True, False), ("sum", "mean", "max")):
            if reduction == "max" and dtype in (torch.float16, torch.bfloat16):
                continue  # of halves, products tie, and which of them torch follows is its own affair
            with self.subTest(dtype=dtype, logits=logits, reduction=reduction):
                self.check(*self.maps(7, dtype, logits), index, logits, reduction)

    def test_axes_and_rounding(self):
        self.check(*self.maps(3, torch.float64, True), self.index(axes="yx"), True, "sum", "yx")
        floor = ops.bev_pool(*self.maps(1, torch.float64, False), self.index(rounding="floor"), logits=False)
        self.assertEqual((floor != 0).sum().item(), sum(len(cells[cells >= 0].unique()) for cells in self.cells(rounding="floor")))

    def test_channels_last_maps_are_taken_as_they_lie(self):
        whole = torch.randn(SAMPLES * CAMERAS, BINS + 8 + 1, HEIGHT, WIDTH).to(memory_format=torch.channels_last)
        maps = whole.unflatten(0, (SAMPLES, CAMERAS))
        depth, features = maps[:, :, :BINS], maps[:, :, BINS:-1]
        (_, (taken_depth, taken_features)) = ops.bev._POOL.prepare(depth, features, self.index(), {"logits": True, "reduction": "sum"})
        self.assertEqual((taken_depth.data_ptr(), taken_features.data_ptr()), (depth.data_ptr(), features.data_ptr()))
        got = self.check(depth, features, self.index(), True, "sum")
        self.assertTrue(got.is_contiguous(memory_format=torch.channels_last))
        self.assertTrue(torch.equal(got, ops.bev_pool(depth.contiguous(), features.contiguous(), self.index())))

    def test_gradients_reach_a_map_that_holds_both(self):
        for memory in torch.contiguous_format, torch.channels_last:
            whole = torch.randn(SAMPLES * CAMERAS, BINS + 4, HEIGHT, WIDTH, dtype=torch.float64)
            whole = whole.to(memory_format=memory).requires_grad_()
            double = whole.detach().clone().requires_grad_()
            for tensor, pool in ((whole, lambda d, f: ops.bev_pool(d, f, self.index())),
                                 (double, lambda d, f: self.reference(d, f, True, "sum"))):
                maps = tensor.unflatten(0, (SAMPLES, CAMERAS))
                pool(maps[:, :, :BINS], maps[:, :, BINS:]).square().sum().backward()
            self.near(whole.grad, double.grad, torch.float64)

    def test_other_strides_are_brought_in_order(self):
        depth, features = self.maps(4, torch.float64, True)
        want = ops.bev_pool(depth, features, self.index())
        for other in (lambda t: t.repeat_interleave(2, -1)[..., ::2], lambda t: t.transpose(0, 1).contiguous().transpose(0, 1)):
            self.assertFalse(other(depth).is_contiguous())
            self.assertTrue(torch.equal(ops.bev_pool(other(depth), other(features), self.index()), want))
        one = features[:, :, :, :1, :1].expand(features.shape)
        self.assertTrue(torch.equal(ops.bev_pool(depth, one, self.index()), ops.bev_pool(depth, one.contiguous(), self.index())))

    def test_only_the_gradient_that_is_wanted_is_computed(self):
        depth, features = self.maps(4, torch.float64, True)
        ops.bev_pool(depth, features.requires_grad_(), self.index()).sum().backward()
        self.assertIsNone(depth.grad)
        self.assertGreater(features.grad.abs().sum().item(), 0)

    def test_autocast_computes_in_float32(self):
        depth, features = self.maps(4, torch.bfloat16, True)
        features = features.requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            out = ops.bev_pool(depth, features, self.index())
            out.sum().backward()
        self.assertEqual((out.dtype, features.grad.dtype), (torch.float32, torch.bfloat16))
        self.assertTrue(torch.equal(out, ops.bev_pool(depth.float(), features.detach().float(), self.index())))

    def test_halves_have_gradients_under_autocast_whose_forward_had_none(self):
        depth, features = self.maps(4, torch.bfloat16, True)
        a, b = features.clone().requires_grad_(), features.clone().requires_grad_()
        ops.bev_pool(depth, a, self.index()).sum().backward()
        out = ops.bev_pool(depth, b, self.index()).sum()
        with torch.autocast("cpu", torch.bfloat16):
            out.backward()
        self.assertTrue(torch.equal(a.grad, b.grad))

    def test_second_derivatives_are_refused_where_they_are_taken(self):
        depth, features = self.maps(4, torch.float64, True)
        out = ops.bev_pool(depth.requires_grad_(), features, self.index())
        first, = torch.autograd.grad(out.sum(), depth, create_graph=True)
        with self.assertRaisesRegex(tyto.Error, "bev_pool has no second derivatives"):
            first.sum().backward()

    def test_a_camera_without_an_inverse_is_raised_unless_check_is_off(self):
        self.intrinsics[1, 2] = 0
        with self.assertRaisesRegex(ValueError, "bev_index: .*camera 2 of sample 1 have no inverse"):
            self.index()
        index = self.index(check=False)
        weights = torch.zeros(SAMPLES, CAMERAS, BINS, HEIGHT, WIDTH)
        weights[1, 2] = 1
        self.assertEqual(ops.bev_pool(weights, torch.ones(SAMPLES, CAMERAS, 1, HEIGHT, WIDTH), index, logits=False).sum().item(), 0)

    def test_float32_matrices_and_geometry(self):
        for in_float in False, True:
            matrices = [t.float() for t in (self.intrinsics, self.camera_to_grid, self.augmentation)]
            index = self.index(*matrices, in_float=in_float)
            ones = torch.ones(SAMPLES, CAMERAS, BINS, HEIGHT, WIDTH), torch.ones(SAMPLES, CAMERAS, 1, HEIGHT, WIDTH)
            points = ops.bev_pool(*ones, index, logits=False).sum().item()
            self.assertLessEqual(abs(points - (self.cells() >= 0).sum().item()), 2)  # points beside the outermost faces
        with self.assertRaisesRegex(ValueError, "in_float"):
            self.index(in_float=True)

    def test_no_samples_are_no_maps(self):
        index = self.index(*[t[:0] for t in (self.intrinsics, self.camera_to_grid)])
        for memory in (0, 1, 2, 3, 4), (0, 1, 3, 4, 2):
            sizes = (0, CAMERAS, 6, HEIGHT, WIDTH)
            features = torch.zeros([sizes[m] for m in memory]).permute(*[memory.index(d) for d in range(5)])
            out = ops.bev_pool(torch.zeros(0, CAMERAS, BINS, HEIGHT, WIDTH), features.requires_grad_(), index)
            out.sum().backward()
            self.assertEqual(list(out.shape), [0, 6 * GRID[2], *GRID[:2]])

    def test_an_index_is_of_bev_index_and_for_its_sizes(self):
        depth, features = self.maps(4, torch.float64, True)
        index = self.index()
        for other in pickle.loads(pickle.dumps(index)), copy.deepcopy(index), index.to("cpu"):
            self.assertTrue(torch.equal(ops.bev_pool(depth, features, other), ops.bev_pool(depth, features, index)))
        self.assertIn("bins=5", repr(index))
        with self.assertRaisesRegex(tyto.ArgumentError, "bev_index"):
            ops.BevIndex(depth)
        for device in torch.float16, int, "x":
            with self.assertRaisesRegex(tyto.ArgumentError, "BevIndex.to: device cannot be"):
                index.to(device)
        for arguments, text in [((depth, features, depth), "index is no BevIndex, but Tensor"),
                                ((depth[:, :, :4], features, index), "depth has 4 bins, the index is of 5"),
                                ((depth[:1], features[:1], index), "depth has 1 samples, the index is of 2"),
                                ((depth, features[0], index), r"features is .*, not \[samples, cameras, channels, height, width\]"),
                                ((depth, features.float(), index), "features is of torch.float32, depth of torch.float64"),
                                ((depth, features[..., :2], index), "features .*, whose dimension 4 is not 3: depth has 3 width"),
                                ((depth, features[:, :, :0], index), "channels")]:
            with self.assertRaisesRegex(tyto.ArgumentError, "bev_pool: .*" + text):
                ops.bev_pool(*arguments)
        with self.assertRaisesRegex(tyto.ArgumentError, "bev_pool: reduction cannot be 'median'; it is one of sum, mean, max"):
            ops.bev_pool(depth, features, index, reduction="median")
        with self.assertRaisesRegex(tyto.ArgumentError, "bev_index: grid cannot be .4, 6."):
            self.index(grid=(4, 6))
        with self.assertRaisesRegex(tyto.ArgumentError, "bev_index: intrinsics is of torch.float16"):
            self.index(self.intrinsics.half(), self.camera_to_grid)
        with self.assertRaisesRegex(tyto.ArgumentError, "bev_index: image_size cannot be 128"):
            self.index(image_size=128)
        with self.assertRaisesRegex(tyto.ArgumentError, "bev_index: .*step"):
            self.index(step=(1, 0, 1))


if __name__ == "__main__":
    unittest.main()
