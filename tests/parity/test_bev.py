"""Networks that see from above against PyTorch: rigs of one to eight cameras, several calibrations in a batch."""
import unittest

import numpy as np
import torch

import reference_bev as bev
import reference_networks as ref
from network_case import NetworkCase
from parity_case import in_float64, lower_precisions
from tyto_process import DEVICE, tyto

on_the_cpu = unittest.skipIf(DEVICE, "says nothing of a device")

IMAGE = 64, 96
# An eighth of the channels, near the car. Its grid is not square, and has two levels, which truncation fills from below.
NARROW = {"bounds": ((-12, 12, 1), (-8, 8, 1), (-1, 3, 2)), "depths": (4, 12, 1), "image": IMAGE, "features": 8, "divisor": 8}


class BirdsEyeView(NetworkCase):
    rig = {}  # of the samples of the network that was made last

    @classmethod
    def inputs(cls, x):
        return {"images": x.numpy(), **{name: matrices.numpy() for name, matrices in cls.rig.items()}}

    def build(self, cameras=6, yaws=(0.0, 2.5), **size):
        """A model of that rig, and images for it."""
        model = bev.LiftSplatShoot(**size)
        image = size.get("image", (128, 352))
        model.rig = type(self).rig = bev.rigs(cameras, image, yaws)
        x = self.input((cameras * len(yaws), 3, *image))
        return ref.randomise(model, seed=3, images=x), x

    def judge(self, model, x, *options):
        exact = in_float64(model, x)
        with torch.no_grad():
            want = model(x)
        got = self.run_tyto(x, *options)
        self.assertEqual(set(got), set(want))
        self.compare_in_float64(got, want, exact)
        return got, want, exact

    @on_the_cpu
    def test_full_size_as_its_training_saves_it(self):
        model, x = self.build()
        state = model.state_dict()
        self.assertEqual(len(state), 488)
        self.assertEqual(sum(p.numel() for p in model.parameters() if p.requires_grad), 14_291_918)
        self.convert(state)
        got, want, _ = self.judge(model, x)
        self.compare(got, want)
        self.assertEqual(got["map"].shape, (2, 1, 200, 200))
        self.assertGreater(np.count_nonzero(got["pooled"].any(1)), 2 * 7000)  # of bev.md's 7,268 cells a sample

    def test_six_cameras_in_every_precision(self):
        model, x = self.build(classes=4, **NARROW)
        self.convert(model.state_dict(), legacy=True)
        exact = self.judge(model, x)[2]
        for precision in lower_precisions():
            self.assertIsNotNone(self.check_lower_precision(precision, model, x, exact))

    def test_one_camera(self):
        model, x = self.build(cameras=1, **NARROW)
        self.convert({f"module.{name}": tensor for name, tensor in model.state_dict().items()}, "--set", "cameras=1")
        self.judge(model, x)

    def test_eight_cameras_on_a_wide_grid(self):
        """Of a file for six."""
        bounds = ((-30, 30, 0.5), (-20, 20, 0.5), (-10, 10, 20))
        if DEVICE:
            bounds = ((-32, 16, 1), (-8, 8, 0.5), (-10, 10, 20))
        model, x = self.build(cameras=8, yaws=(-1.5,), **{**NARROW, "bounds": bounds, "depths": (4, 20, 1)})
        self.convert(model.state_dict())
        self.judge(model, x, "--set", "cameras=8")
        message = self.try_tyto(x, expect=1)
        self.assertIn("'images'", message)

    def test_neighbours_and_their_calibrations_change_nothing(self):
        model, x = self.build(yaws=(0.0, 3.0, 40.0), **NARROW)
        self.convert(model.state_dict())
        straight = self.run_tyto(x)
        order = [2, 0, 1]
        type(self).rig = {name: matrices[order] for name, matrices in self.rig.items()}
        shuffled = self.run_tyto(x.unflatten(0, (3, 6))[order].flatten(0, 1))
        for name, value in straight.items():
            np.testing.assert_array_equal(shuffled[name], value[order])

    @on_the_cpu
    def test_what_is_no_grid_is_named(self):
        model, _ = self.build(**NARROW)
        state = model.state_dict()
        nan = float("nan")
        broken = {
            "'dx', a cell's sides, is [1, 0, 2]": {"dx": torch.tensor([1.0, 0, 2])},
            "'dx'": {"dx": torch.tensor([1.0, nan, 2])},
            "'nx', the numbers of cells, is [24, 12, 2]": {"nx": torch.tensor([24, 12, 2])},
            "'nx', the numbers of cells, is [24, 0, 2]": {"nx": torch.tensor([24, 0, 2])},
            "not [any, 24, 7, 7]": {"nx": torch.tensor([24, 16, 3])},  # what the grid's encoder reads
            "'bx'": {"bx": torch.tensor([nan, 0, 0])},
            "'frustum' does not hold": {"frustum": state["frustum"].flip(0)},
        }
        for message, change in broken.items():
            torch.save({**state, **change}, self.path("broken.pt"))
            said = tyto("convert", self.path("broken.pt"), "-o", self.path("broken.safetensors"), expect=1)[1]
            self.assertIn(message, said)
            self.assertIn("lift_splat_shoot", said)


if __name__ == "__main__":
    unittest.main()
