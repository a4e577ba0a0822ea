"""RoIPool, RoIAlign and the choice of levels against torchvision. Usage: roi_test.py ROI_PIPE"""

import itertools
import subprocess
import sys
import unittest
import warnings

import numpy as np
import torch
import torchvision
from torchvision.ops import poolers

warnings.filterwarnings("ignore")


class Pipe:
    def __init__(self, executable):
        self.process = subprocess.Popen([executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, command, arrays, results):
        """`results`: a (shape, dtype) each."""
        self.process.stdin.write((command + "\n").encode() + b"".join(a.tobytes() for a in arrays))
        self.process.stdin.flush()
        got = []
        for shape, dtype in results:
            count = int(np.prod(shape)) * np.dtype(dtype).itemsize
            got.append(np.frombuffer(self.process.stdout.read(count), dtype).reshape(shape))
        return got

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()


def regions(rng, count, height, width):
    """Within the image, across its edge, beside it, with exchanged corners, points, whole halves."""
    x, y = rng.uniform(0, width, (count, 2)), rng.uniform(0, height, (count, 2))
    x.sort(1), y.sort(1)
    boxes = np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], 1)
    boxes[1::7, [0, 2]] += width / 2
    boxes[2::7, [1, 3]] -= height
    boxes[3::7] = boxes[3::7][:, [2, 3, 0, 1]]
    boxes[4::7] = boxes[4::7][:, [0, 1, 0, 1]]
    boxes[5::7] = np.round(boxes[5::7] / 8) * 8
    return boxes.astype(np.float32)


class Case:
    def __init__(self, seed, shape, count, bins, scale):
        rng = np.random.default_rng(seed)
        n, _, height, width = shape
        self.map = rng.normal(size=shape).astype(np.float32)
        self.rows = np.stack([regions(rng, count, height / scale, width / scale) for _ in range(n)])
        self.gradient = rng.normal(size=(n * count, shape[1], *bins)).astype(np.float32)
        self.command = f"1 {scale} {n} {shape[1]} {height} {width} {count} {bins[0]} {bins[1]}"
        self.arrays = [self.map, self.rows, self.gradient]
        self.shapes = [(self.gradient.shape, np.float32), (shape, np.float32)]

    def rois(self, dtype):
        return [torch.from_numpy(rows.copy()).to(dtype) for rows in self.rows]


class RegionKernels(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pipe = Pipe(EXECUTABLE)

    @classmethod
    def tearDownClass(cls):
        assert cls.pipe.close() == 0

    def test_roi_pool_equals_torchvision(self):
        for seed, (bins, scale) in enumerate([((7, 7), 1 / 16), ((2, 3), 1 / 16), ((1, 1), 0.25), ((3, 5), 0.37)]):
            case = Case(seed, (2, 6, 19, 27), 40, bins, scale)
            argmax = (case.gradient.shape, np.int32)
            features, places, gradient = self.pipe.ask("pool " + case.command, case.arrays, [case.shapes[0], argmax, case.shapes[1]])
            map = torch.from_numpy(case.map).requires_grad_()
            rois = poolers._convert_to_roi_format(case.rois(torch.float32))
            expected, argmax = torch.ops.torchvision.roi_pool(map, rois, scale, *bins)
            self.assertTrue(np.array_equal(features, expected.detach().numpy()))
            self.assertTrue(np.array_equal(places, argmax.numpy()))
            # In doubles a bin might have other cells. On a CPU torchvision adds in the order that is promised here.
            expected.backward(torch.from_numpy(case.gradient))
            self.assertTrue(np.array_equal(gradient, map.grad.numpy()))

    def test_roi_align_equals_torchvision(self):
        settings = itertools.product([1, 2, 3, 0], [False, True], [((7, 7), 1 / 16), ((2, 3), 0.25)])
        for seed, (ratio, aligned, (bins, scale)) in enumerate(settings):
            case = Case(seed, (2, 6, 19, 27), 40, bins, scale)
            command = f"align {case.command} {ratio} {int(aligned)}"
            features, gradient = self.pipe.ask(command, case.arrays, case.shapes)
            arguments = dict(output_size=bins, spatial_scale=scale, sampling_ratio=ratio or -1, aligned=aligned)
            expected = torchvision.ops.roi_align(torch.from_numpy(case.map), case.rois(torch.float32), **arguments)
            self.assertTrue(np.array_equal(features, expected.numpy()), (ratio, aligned, bins))
            # Autograd in doubles: of the gradient, and of its absolute values.
            sums = []
            for upstream in (case.gradient, np.abs(case.gradient)):
                map = torch.from_numpy(case.map).double().requires_grad_()
                align = torchvision.ops.roi_align(map, case.rois(torch.float64), **arguments)
                align.backward(torch.from_numpy(upstream).double())
                sums.append(map.grad.numpy())
            # A place on the map, at most 40, has up to four roundings along each axis and a weight changes by as much;
            # a weight and a share have four more. A sum has at most a term a sample around the cell: of 40 regions'
            # bins of one cell 9 samples in 4 cells.
            places, terms = 2 * 4 * 40, 4 + 40 * 9 * 4
            bound = 2.0**-24 * (terms * sums[1] + places * sums[1].max())
            self.assertTrue((np.abs(gradient - sums[0]) <= bound).all(), (ratio, aligned, bins))

    def test_levels_are_those_of_torch(self):
        for first, count in [(2, 4), (5, 1), (5, 2), (3, 3)]:
            sides = []
            for k in range(-3, 4):
                # Around every border: the areas of boxes one cell high, one float apart.
                area = np.float32((224 * 2.0**k) ** 2)
                bits = np.frombuffer(area.tobytes(), np.int32)[0] + np.arange(-120, 60, dtype=np.int32)
                sides.append(bits.view(np.float32))
            rng = np.random.default_rng(first)
            sides.append(np.exp(rng.uniform(-5, 15, 2000)).astype(np.float32))
            sides.append(np.float32([0, 1, -1, np.inf, np.nan, 3e38]))
            sides = np.concatenate(sides)
            boxes = np.stack([np.zeros_like(sides), np.zeros_like(sides), sides, np.ones_like(sides)], 1)
            got = self.pipe.ask(f"levels {count} {2.0 ** -first} {len(boxes)}", [boxes], [((len(boxes),), np.int32)])[0]
            mapper = poolers.LevelMapper(first, first + count - 1)
            expected = mapper([torch.from_numpy(boxes)]).numpy()
            expected = np.where((expected < 0) | (expected >= count), -1, expected)  # of a NaN: no level's
            if count == 1:
                expected = np.where(np.isnan(sides), -1, 0)
            differing = np.flatnonzero(got != expected)
            self.assertEqual(len(differing), 0, [(float(sides[i]), got[i], expected[i]) for i in differing[:5]])


if __name__ == "__main__":
    EXECUTABLE = sys.argv.pop(1)
    unittest.main()
