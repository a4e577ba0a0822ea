"""Bird's-eye-view pooling, called by ctypes, against torch in float64: the index against a projection of every point, the pooling
and its gradients against lift, index_add and autograd."""
import unittest

import numpy as np
import torch

import by_ctypes
from by_ctypes import call
from loss_case import KINDS, LossCase, doubles, stored

SAMPLES, CAMERAS, BINS, HEIGHT, WIDTH = 2, 3, 9, 4, 5
GRID, LOWER, STEP = [7, 10, 2], [-7.0, -10.0, -4.0], [2.0, 2.0, 4.0]
IMAGE = 64, 96


class Bev(LossCase):
    def setUp(self):
        super().setUp()
        focal = np.array([[80.0, 0, 50], [0, 80, 30], [0, 0, 1]])
        yaws = self.random.uniform(-np.pi, np.pi, (SAMPLES, CAMERAS))
        self.intrinsics = focal + self.normal(SAMPLES, CAMERAS, 3, 3, scale=[[3, 0, 3], [0, 3, 3], [0, 0, 0]])
        self.camera_to_grid = np.zeros((SAMPLES, CAMERAS, 4, 4))
        for place, yaw in np.ndenumerate(yaws):
            forward, left = [np.cos(yaw), np.sin(yaw), 0], [-np.sin(yaw), np.cos(yaw), 0]
            self.camera_to_grid[place][:3, :3] = np.stack([-np.array(left), [0, 0, -1], forward], 1)
            self.camera_to_grid[place][:, 3] = [*self.normal(2), 1.5, 1]
        self.augmentation = np.eye(3) + self.normal(SAMPLES, CAMERAS, 3, 3, scale=[[0.1, 0.02, 3], [0.02, 0.1, 3], [0, 0, 0]])

    def index(self, kind="TYTO_DOUBLE", axes="TYTO_BEV_AXES_XY", **given):
        cells = np.zeros((SAMPLES, CAMERAS, BINS, HEIGHT, WIDTH), np.int32)
        starts = np.zeros((SAMPLES, np.prod(GRID) + 1), np.int32)
        runs = np.zeros(cells.shape, np.int64)
        matrices = {name: stored(values, kind) for name, values in
                    (("intrinsics", self.intrinsics), ("camera_to_grid", self.camera_to_grid), ("image_augmentation", self.augmentation))}
        call("bev_index", elements=kind, **matrices, samples=SAMPLES, cameras=CAMERAS, bins=BINS, height=HEIGHT, width=WIDTH,
             cell_starts=starts, runs=runs, cells=cells, image_height=IMAGE[0], image_width=IMAGE[1], axes=axes, grid=GRID,
             first_depth=1, depth_step=1.5, lower=LOWER, step=STEP, **given)
        return starts, runs, cells

    def cells(self, axes, floor):
        """A point's cell as its projection says."""
        v, u = np.meshgrid(np.linspace(0, IMAGE[0] - 1, HEIGHT), np.linspace(0, IMAGE[1] - 1, WIDTH), indexing="ij")
        depth = 1 + 1.5 * np.arange(BINS)[:, None, None]
        rays = np.stack(np.broadcast_arrays(u * depth, v * depth, np.broadcast_to(depth, (BINS, HEIGHT, WIDTH))), -1)
        back = self.camera_to_grid[..., :3, :3] @ np.linalg.inv(self.intrinsics) @ np.linalg.inv(self.augmentation)
        points = np.einsum("scij,dhwj->scdhwi", back, rays) + self.camera_to_grid[:, :, None, None, None, :3, 3]
        at = (points - LOWER) / STEP
        at = np.floor(at) if floor else np.trunc(at)
        inside = ((at >= 0) & (at < GRID)).all(-1)
        x, y, z = np.moveaxis(at.astype(np.int64), -1, 0)
        cells = (x * GRID[1] + y) * GRID[2] + z if axes == "TYTO_BEV_AXES_XY" else (y * GRID[0] + x) * GRID[2] + z
        return np.where(inside, cells, -1)

    def test_index(self):
        for axes in ("TYTO_BEV_AXES_XY", "TYTO_BEV_AXES_YX"):
            for floor in (0, 1):
                starts, runs, cells = self.index(axes=axes, rounding=floor)
                self.assertTrue(np.array_equal(cells, self.cells(axes, floor)), f"{axes} {floor}")
                self.assertGreater((cells >= 0).mean(), 0.1)
                self.check_runs(starts, runs, cells)
        for given in ({}, {"in_float": 1}):
            starts, runs, cells = self.index("TYTO_FLOAT", **given)
            self.check_runs(starts, runs, cells)
            self.assertLess((cells != self.cells("TYTO_BEV_AXES_XY", 0)).sum(), 4)  # of points beside a cell's face

    def check_runs(self, starts, runs, cells):
        """They name every point inside once, in its cell."""
        for sample in range(SAMPLES):
            found = np.full(cells[sample].shape, -1)
            records = runs[sample].reshape(-1).view(np.dtype([("column", "<i4"), ("first", "<u2"), ("rows", "<u2")]))
            for cell in range(len(starts[sample]) - 1):
                for run in records[starts[sample, cell]:starts[sample, cell + 1]]:
                    rest, column = divmod(int(run["column"]), WIDTH)
                    camera, bin = divmod(rest, BINS)
                    rows = slice(int(run["first"]), int(run["first"]) + int(run["rows"]))
                    self.assertTrue((found[camera, bin, rows, column] == -1).all())
                    found[camera, bin, rows, column] = cell
            self.assertTrue(np.array_equal(found, cells[sample]))

    def pooled(self, depth, features, cells, reduction, logits):
        """[samples, cells, channels] of depth [samples, cameras, bins, height, width]."""
        weights = depth.softmax(2) if logits else depth
        lifted = (weights[..., None] * features[:, :, None]).flatten(1, 4)
        out = []
        for points, cell in zip(lifted, torch.from_numpy(cells.reshape(SAMPLES, -1)).long()):
            kept, cell = points[cell >= 0], cell[cell >= 0]
            empty = torch.zeros(int(np.prod(GRID)), points.shape[1], dtype=torch.float64)
            if reduction == "MAX":
                largest = empty.scatter_reduce(0, cell[:, None].expand_as(kept), kept, "amax", include_self=False)
                out.append(largest)
            else:
                count = torch.bincount(cell, minlength=len(empty)).clamp(min=1)[:, None]
                out.append(empty.index_add(0, cell, kept) / (count if reduction == "MEAN" else 1))
        return torch.stack(out)

    def check_pool(self, kind, reduction, logits, channels, bins_first, channels_first, padding):
        starts, runs, cells = self.index()
        depth, features = self.normal(SAMPLES, CAMERAS, BINS, HEIGHT, WIDTH), self.normal(SAMPLES, CAMERAS, HEIGHT, WIDTH, channels)
        if not logits:
            depth = abs(depth)
        upstream = self.normal(SAMPLES, *GRID, channels)

        def padded(values):
            return np.concatenate([values, np.full((*values.shape[:-1], padding), 5.0)], -1)

        def to_library(values, first):  # of depth
            return values if first else padded(np.moveaxis(values, 2, -1))

        def grid(values):  # [samples, rows, columns, levels, channels] as the library lays it out
            flat = values.reshape(SAMPLES, GRID[0], GRID[1], -1)
            return np.ascontiguousarray(np.moveaxis(flat, -1, 1) if channels_first else flat)

        arrays = {"depth": stored(np.ascontiguousarray(to_library(depth, bins_first)), kind), "features": stored(padded(features), kind)}
        leaf_depth, leaf_features = (torch.from_numpy(doubles(stored(v, kind), kind)).requires_grad_() for v in (depth, features))
        out = np.zeros_like(stored(grid(upstream), kind))
        gradient = stored(grid(upstream), kind)
        winners = np.zeros((SAMPLES, *GRID, channels), np.int32)
        sizes = {"samples": SAMPLES, "cameras": CAMERAS, "bins": BINS, "height": HEIGHT, "width": WIDTH, "channels": channels,
                 "rows": GRID[0], "columns": GRID[1], "levels": GRID[2], "depth_stride": 0 if bins_first else BINS + padding,
                 "feature_stride": channels + padding, "cell_starts": starts, "runs": runs, "elements": kind,
                 "reduction": f"TYTO_BEV_{reduction}", "logits": int(logits),
                 "depth_bins": f"TYTO_BEV_BINS_{'FIRST' if bins_first else 'LAST'}",
                 "layout": f"TYTO_BEV_CHANNELS_{'FIRST' if channels_first else 'LAST'}"}
        what = f"{kind} {reduction} logits {logits} channels {channels} {bins_first} {channels_first}"
        call("bev_pool", **arrays, out=out, winners=winners, **sizes)
        want = self.pooled(leaf_depth, leaf_features, cells, reduction, logits)
        self.near(doubles(out, kind), grid(want.detach().numpy()), KINDS[kind], what)

        got = {name: np.full_like(values, 7) for name, values in arrays.items()}
        call("bev_pool_backward", **arrays, cells=cells, winners=winners, out_gradient=gradient, depth_gradient=got["depth"],
             features_gradient=got["features"], **sizes)
        of_out = torch.from_numpy(doubles(stored(upstream, kind), kind)).view_as(want)
        for name, slope in zip(("depth", "features"), torch.autograd.grad((want * of_out).sum(), (leaf_depth, leaf_features))):
            values = doubles(got[name], kind)
            if name == "depth" and not bins_first:
                values = np.moveaxis(values[..., :BINS], -1, 2)
            if name == "features":
                values = values[..., :channels]
            # A pixel's slopes are sums of channels, and of bins: what is halves comes in rounded, and is rounded once again.
            self.near(values, slope.numpy(), KINDS[kind], f"{what}: d {name}")

    def test_pool_and_its_gradients(self):
        for kind in KINDS:
            for reduction in ("SUM", "MEAN", "MAX"):
                for logits in (True, False):
                    # In halves products of different points tie: which of them torch and the library follow differs.
                    if reduction == "MAX" and logits and kind != "TYTO_DOUBLE":
                        continue
                    self.check_pool(kind, reduction, logits, 16, bins_first=logits, channels_first=not logits, padding=0)
            self.check_pool(kind, "SUM", True, 5, bins_first=False, channels_first=True, padding=3)


class Library(unittest.TestCase):
    def test_exports_what_the_header_declares(self):
        declared, exported = by_ctypes.declared_and_exported()
        self.assertEqual(exported, declared)
        self.assertEqual(len(declared), 3 * len(by_ctypes.STRUCTS) + 1)


if __name__ == "__main__":
    unittest.main()
