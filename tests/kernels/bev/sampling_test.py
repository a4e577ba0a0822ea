"""grid_sample, homography warp and projection gather against PyTorch. Usage: sampling_test.py SAMPLING_PIPE"""

import itertools
import subprocess
import sys
import unittest

import numpy as np
import torch
import torch.nn.functional as F

INTERPOLATIONS = ["nearest", "bilinear", "bicubic"]
PADDINGS = ["zeros", "border", "reflection"]
EPSILON = 2.0 ** -24


class Pipe:
    def __init__(self, executable):
        self.process = subprocess.Popen([executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, command, arrays, *shapes):
        self.process.stdin.write((command + "\n").encode())
        for a in arrays:
            self.process.stdin.write(np.ascontiguousarray(a, np.float32).tobytes())
        self.process.stdin.flush()
        got = [torch.from_numpy(np.frombuffer(self.process.stdout.read(4 * int(np.prod(s))), np.float32).reshape(s).copy())
               for s in shapes]
        return got[0] if len(got) == 1 else got

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()


def sample(x, grid, interpolation, padding, corners):
    n, c, h, w = x.shape
    out = grid.shape[1:3]
    command = f"sample {INTERPOLATIONS.index(interpolation)} {PADDINGS.index(padding)} {int(corners)} {n} {c} {h} {w} {out[0]} {out[1]}"
    return PIPE.ask(command, [x, grid], (n, c, *out))


class GridSample(unittest.TestCase):
    def rules(self):
        return itertools.product(INTERPOLATIONS, PADDINGS, [False, True])

    def test_equals_torch_near_and_far_from_the_map(self):
        random = torch.Generator().manual_seed(1)
        for shape, out in [((2, 3, 5, 7), (4, 9)), ((1, 2, 1, 1), (3, 3)), ((1, 1, 6, 1), (2, 70))]:
            x = torch.randn(shape, generator=random)
            grid = 2 * torch.randn((shape[0], *out, 2), generator=random)
            for interpolation, padding, corners in self.rules():
                want = F.grid_sample(x, grid, interpolation, padding, corners)
                got = sample(x, grid, interpolation, padding, corners)
                with self.subTest(shape=shape, rule=(interpolation, padding, corners)):
                    if interpolation == "nearest":
                        self.assertTrue(torch.equal(got, want))
                    else:
                        # A position of up to 32 cells is folded with four roundings on either side and two axes, where cells
                        # differ by up to 8, a cubic's slope twice as much; then 20 roundings of sums below 12.
                        self.assertLess((got - want).abs().max(), (2 * 2 * 4 * 32 * 16 + 2 * 20 * 12) * EPSILON)

    def test_nearest_cells_are_torchs_at_halves(self):
        x = torch.arange(64.0).reshape(1, 1, 8, 8)
        for corners, padding in itertools.product([False, True], PADDINGS):
            at = torch.linspace(-1.3, 1.3, 27 * 5)
            exact = (torch.arange(-1, 17) * 0.5) * 2 / 7 - 1 if corners else (torch.arange(-1, 17) * 0.5 + 0.5) / 4 - 1
            at = torch.cat([at, exact])
            grid = torch.stack(torch.meshgrid(at, at, indexing="ij"), -1)[None]
            self.assertTrue(torch.equal(sample(x, grid, "nearest", padding, corners),
                                        F.grid_sample(x, grid, "nearest", padding, corners)))

    def test_what_is_not_finite_is_torchs(self):
        x = torch.randn((1, 2, 4, 6), generator=torch.Generator().manual_seed(2))
        bad = torch.tensor([float("nan"), float("inf"), -float("inf"), 1e37, -1e37, 3e9])
        good = torch.full_like(bad, 0.1)
        grid = torch.stack([torch.stack([bad, good], -1), torch.stack([good, bad], -1)])[None]
        for interpolation, padding, corners in self.rules():
            if padding == "reflection":
                continue  # of finite ones torch's devices keep different remainders
            want = F.grid_sample(x, grid, interpolation, padding, corners)
            if (interpolation, padding) == ("bilinear", "zeros"):
                want = want.nan_to_num(0)  # torch on CUDA
            got = sample(x, grid, interpolation, padding, corners)
            with self.subTest(rule=(interpolation, padding, corners)):
                self.assertTrue(torch.equal(torch.isnan(got), torch.isnan(want)))
                torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5, equal_nan=True)


def warp(x, homographies, coordinates, out, interpolation="bilinear", padding="zeros"):
    n, c, h, w = x.shape
    command = f"warp {coordinates} {INTERPOLATIONS.index(interpolation)} {PADDINGS.index(padding)} {n} {c} {h} {w} {out[0]} {out[1]}"
    return PIPE.ask(command, [x, homographies], (n, c, *out))


class HomographyWarp(unittest.TestCase):
    def setUp(self):
        random = torch.Generator().manual_seed(3)
        self.x = torch.randn((2, 3, 7, 9), generator=random)
        self.h = torch.eye(3) + 0.2 * torch.randn((2, 3, 3), generator=random)

    def test_is_affine_grid_and_grid_sample(self):
        for corners in [False, True]:
            h = self.h.clone()
            h[:, 2] = torch.tensor([0.0, 0, 1])
            want = F.grid_sample(self.x, F.affine_grid(h[:, :2], [2, 3, 5, 6], corners), "bilinear", "zeros", corners)
            got = warp(self.x, h, 1 if corners else 2, (5, 6))
            self.assertLess((got - want).abs().max(), 2000 * EPSILON)

    def test_divides_by_w(self):
        for coordinates, corners in [(1, True), (2, False)]:
            base = F.affine_grid(torch.eye(3)[:2].repeat(2, 1, 1), [2, 3, 5, 6], corners)
            points = torch.cat([base, torch.ones((2, 5, 6, 1))], -1).double() @ self.h.double().transpose(1, 2)[:, None]
            want = F.grid_sample(self.x.double(), points[..., :2] / points[..., 2:], "bilinear", "border", corners)
            got = warp(self.x, self.h, coordinates, (5, 6), padding="border")
            self.assertLess((got - want).abs().max(), 1e-3)

    def test_pixels_are_grid_samples_with_corners(self):
        rows, columns = torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing="ij")
        points = torch.stack([columns, rows, torch.ones_like(rows)], -1) @ self.h.transpose(1, 2)[:, None]
        pixel = points[..., :2] / points[..., 2:]
        want = F.grid_sample(self.x, pixel / torch.tensor([4.0, 3.0]) - 1, "bilinear", "zeros", True)
        self.assertLess((warp(self.x, self.h, 0, (5, 6)) - want).abs().max(), 1e-3)


class ProjectionGather(unittest.TestCase):
    """Written as the networks' programs are."""

    def setUp(self):
        random = torch.Generator().manual_seed(4)
        self.cameras, self.points, c, self.height, self.width = 4, 500, 6, 10, 16
        self.maps = torch.randn((self.cameras, c, self.height, self.width), generator=random)
        self.places = torch.randn((self.points, 3), generator=random) * torch.tensor([9.0, 9.0, 2.0])
        self.intrinsics = torch.tensor([[60.0, 0, 32], [0, 60, 20], [0, 0, 1]]).repeat(self.cameras, 1, 1)
        yaw = torch.arange(self.cameras) * 1.5
        self.poses = torch.zeros((self.cameras, 4, 4))
        self.poses[:, 0, 0], self.poses[:, 0, 2], self.poses[:, 1, 0], self.poses[:, 1, 2] = yaw.sin(), yaw.cos(), -yaw.cos(), yaw.sin()
        self.poses[:, 2, 1] = -1
        self.poses[:, 3, 3] = 1
        self.poses[:, :3, 3] = torch.randn((self.cameras, 3), generator=random)
        self.weights = torch.rand((self.points, self.cameras), generator=random)
        camera = self.poses.double().inverse()[:, :3] @ torch.cat([self.places, torch.ones((self.points, 1))], 1).double().T
        self.uvd = (self.intrinsics.double() @ camera).transpose(1, 2)  # [cameras, points, 3]

    def ask(self, sampling, reduction, bounds, depth, shift, stride):
        c = self.maps.shape[1]
        command = f"gather {sampling} {reduction} {bounds} {depth} {shift} 40 64 {stride} {self.cameras} {c} {self.height} {self.width} {self.points}"
        return PIPE.ask(command, [self.intrinsics, self.poses, self.places, self.maps.permute(0, 2, 3, 1), self.weights],
                        (self.points, c), (self.points,))

    def clear_of_halves(self, cell):
        """Points that no float error moves into another cell."""
        return ((cell - cell.floor() - 0.5).abs() > 1e-3).all(-1).all(0)

    def test_is_fast_bevs_and_m2bevs(self):
        cell = self.uvd[..., :2] / self.uvd[..., 2:] / 4
        x, y = cell.round().long().unbind(-1)
        valid = (x >= 0) & (y >= 0) & (x < self.width) & (y < self.height) & (self.uvd[..., 2] > 0)
        volume, total = torch.zeros((self.points, self.maps.shape[1])), torch.zeros((self.points, self.maps.shape[1]))
        for k in range(self.cameras):
            found = self.maps[k, :, y[k, valid[k]], x[k, valid[k]]].T
            volume[valid[k]] = found
            total[valid[k]] += found
        clear = self.clear_of_halves(cell)
        self.assertGreater(clear.float().mean(), 0.9)
        rows, counts = self.ask(0, 3, 3, 0, 0, 4)
        self.assertTrue(torch.equal(counts[clear], valid.sum(0)[clear].float()))
        self.assertTrue(torch.equal(rows[clear], volume[clear]))
        rows, _ = self.ask(0, 1, 3, 0, 0, 4)
        self.assertLess((rows - total / valid.sum(0).clamp(min=1)[:, None])[clear].abs().max(), 64 * EPSILON)

    def sampled(self, mask, at):
        """[cameras, points, c]"""
        found = F.grid_sample(self.maps.double(), at[:, :, None], align_corners=False)[..., 0].transpose(1, 2)
        return found.nan_to_num() * mask[..., None]

    def test_is_vector_map_nets(self):
        at = ((self.uvd[..., :2] / self.uvd[..., 2:] + 1e-9) / torch.tensor([64, 40]) - 0.5) * 2
        mask = (self.uvd[..., 2] > 1e-9) & (at.abs() < 1).all(-1)
        want = self.sampled(mask, at).sum(0) / mask.sum(0).clamp(min=1)[:, None]
        rows, counts = self.ask(2, 1, 0, 1e-9, 1e-9, 0)
        self.assertTrue(torch.equal(counts, mask.sum(0).float()))
        self.assertLess((rows - want).abs().max(), 1e-3)

    def test_is_detr3ds(self):
        depth = self.uvd[..., 2:]
        at = (self.uvd[..., :2] / depth.clamp(min=1e-5) / torch.tensor([64, 40]) - 0.5) * 2
        mask = (depth[..., 0] > 1e-5) & (at > -1).all(-1) & (at < 1).all(-1)
        want = (self.sampled(mask, at) * self.weights.T[..., None]).sum(0)
        rows, _ = self.ask(2, 4, 0, 1e-5, 0, 0)
        self.assertLess((rows - want).abs().max(), 1e-3)


if __name__ == "__main__":
    PIPE = Pipe(sys.argv.pop(1))
    passed = unittest.main(exit=False).result.wasSuccessful()
    sys.exit(PIPE.close() if passed else 1)
