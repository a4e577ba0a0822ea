"""A network that takes images of two sizes, points, a table and what its last run gave: converted, shown and run.

TYTO is a program whose registry has it (tests/support/several_inputs.cpp).
"""
import json
import unittest

import numpy as np
import torch
from torch.nn.functional import conv2d

from parity_case import lower_precisions
from tyto_process import load_tensors, save_tensors, tyto
from workplace import Workplace, header

F32 = 2.0**-24
# Half a unit in the last place of what a precision multiplies and keeps; a tensor core may cut off tf32's instead of rounding.
UNIT = {"fp32": F32, "tf32": 2.0**-10, "fp16": 2.0**-11, "bf16": 2.0**-8}
TYPE = {"fp32": "F32", "tf32": "F32", "fp16": "F16", "bf16": "BF16"}
PRODUCTS = 27  # of a 3x3 convolution of an image
SAMPLES, VIEWS = 2, 2


def weights():
    generator = torch.Generator().manual_seed(5)
    shapes = {"photo.weight": (8, 3, 3, 3), "photo.bias": (8,), "cameras.weight": (8, 3, 3, 3), "cameras.bias": (8,),
              "lift.weight": (5, 6), "lift.bias": (5,)}
    return {name: torch.randn(shape, generator=generator) * 0.3 for name, shape in shapes.items()}


def sample_inputs():
    random = np.random.default_rng(6)
    points = random.standard_normal((SAMPLES, 4, 6)).astype(np.float32)
    points[0, 0, 0] = 1266.417  # a focal length in pixels, which fp16 and bf16 would round
    table = random.integers(-5, 5, (SAMPLES, 5, 3), dtype=np.int32)
    table[1, 4] = (2**24 + 1, 2**31 - 1, -(2**31))
    return {"photo": random.standard_normal((SAMPLES, 3, 16, 12)).astype(np.float32),
            "cameras": random.standard_normal((SAMPLES * VIEWS, 3, 9, 7)).astype(np.float32),
            "points": points, "table": table, "table.count": np.array([3, 5], np.int32),
            "before": random.standard_normal((SAMPLES, 4, 5)).astype(np.float32)}


class Inputs(Workplace):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.weights = weights()
        torch.save(cls.weights, cls.at("several.pth"))
        cls.several = cls.at("several.safetensors")
        tyto("convert", cls.at("several.pth"), "-o", cls.several)

    def results(self, inputs, *options):
        save_tensors(self.at("in"), inputs)
        tyto("run", self.several, "--input", self.at("in"), "--output", self.at("out"), *options)
        return load_tensors(self.at("out")), {k: v["dtype"] for k, v in header(self.at("out")).items() if k != "__metadata__"}

    def convolved(self, name, x):
        """relu(conv(x)) in float64, and the sum of its products' sizes."""
        w, b, x = (t.double() for t in (self.weights[name + ".weight"], self.weights[name + ".bias"], torch.tensor(x)))
        return (conv2d(x, w, b, padding=1).relu().numpy(), conv2d(x.abs(), w.abs(), b.abs(), padding=1).numpy())

    def lifted(self, inputs):
        w, b = (self.weights["lift." + part].double().numpy() for part in ("weight", "bias"))
        points, before = (inputs[name].astype(np.float64) for name in ("points", "before"))
        return (points @ w.T + b + before, np.abs(points) @ np.abs(w.T) + np.abs(b) + np.abs(before))

    def assert_within(self, got, want, bound, about):
        self.assertEqual(got.shape, want.shape, about)
        self.assertLessEqual((np.abs(got - want) / bound).max(), 1, about)

    def test_every_precision_computes_what_pytorch_does(self):
        inputs = sample_inputs()
        for precision in ("fp32", *lower_precisions()):
            got, types = self.results(inputs, "--precision", precision)
            self.assertEqual(types["map"], TYPE[precision])
            self.assertEqual((types["lifted"], types["rows"], types["rows.count"]), ("F32", "I32", "I32"), precision)
            # Both factors are rounded, and the result; fp32 rounds each sum.
            unit = UNIT[precision] * (PRODUCTS if precision == "fp32" else 1)
            want, size = self.convolved("photo", inputs["photo"])
            self.assert_within(got["map"], want, 1.05 * unit * (2 * size + want), precision)
            want, size = self.convolved("cameras", inputs["cameras"])
            bound = (2 * size + want).mean((2, 3)) + want.mean((2, 3))
            self.assert_within(got["seen"], want.mean((2, 3)), 1.05 * unit * bound, precision)
            want, size = self.lifted(inputs)
            self.assert_within(got["lifted"], want, 8 * F32 * size, precision)
            np.testing.assert_array_equal(got["rows"], inputs["table"])
            np.testing.assert_array_equal(got["rows.count"], inputs["table.count"])

    def test_other_types_of_numbers_are_converted_where_they_fit(self):
        inputs = sample_inputs()
        want, _ = self.results(inputs)
        inputs["points"] = inputs["points"].astype(np.float64)
        for name in ("table", "table.count"):
            inputs[name] = inputs[name].astype(np.int64)
        got, _ = self.results(inputs)
        for name, values in want.items():
            np.testing.assert_array_equal(got[name], values)

    def test_what_the_file_lacks_or_has_besides_is_said_in_a_sentence(self):
        good = sample_inputs()
        beyond = good["table"].astype(np.int64)
        beyond[0, 1, 2] = 5_000_000_000
        cases = [
            ({"points": None}, "'points', F32 [N, 4, 6], is missing"),
            ({"table.count": None}, "'table.count', I32 [N], is missing"),
            ({"before": None}, "'before'"),
            ({"radar": good["points"]}, "no input 'radar'; it has before, cameras, photo, points, table, table.count"),
            ({"points": good["points"][:, :, :5]}, "'points' as F32 [N, 4, 6], not [2, 4, 5]"),
            ({"points": good["points"][:1]}, "'points' holds 1 samples"),
            ({"cameras": good["cameras"][:3]}, "'cameras' as images [N * 2, 3, H, W], not [3, 3, 9, 7]"),
            ({"photo": good["photo"][:, :1]}, "'photo' as images [N, 3, H, W]"),
            ({"table": good["table"][:, :4]}, "'table' as I32 [N, 5, 3]"),
            ({"table.count": np.zeros((2, 1), np.int32)}, "'table.count' as I32 [N]"),
            ({"table.count": np.array([6, 0], np.int32)}, "'table.count' holds 6"),
            ({"table.count": np.array([0, -1], np.int32)}, "'table.count' holds -1"),
            ({"table": beyond}, "'table' holds 5000000000"),
            ({"table": good["table"].astype(np.float32)}, "'table' is F32, but the network takes I32"),
            ({"points": good["points"].astype(np.int64)}, "'points' is I64, but the network takes F32"),
            ({"photo": good["photo"].astype(np.uint8)}, "'photo' is U8")]
        for changes, message in cases:
            inputs = {name: values for name, values in {**good, **changes}.items() if values is not None}
            save_tensors(self.at("wrong"), inputs)
            said = self.fails("run", self.several, "--input", self.at("wrong"), "--output", self.at("none"))
            self.assertIn(self.at("wrong"), said)
            self.assertIn(message, said)
        self.assert_nothing_half("none")

    def test_runs_on_noise(self):
        found = json.loads(tyto("run", self.several, "--batch", 3, "--repeat", 1, "--json")[0])
        self.assertEqual(found["outputs"], {"lifted": [3, 4, 5], "map": [3, 8, 16, 12], "rows": [3, 5, 3], "rows.count": [3],
                                            "seen": [6, 8]})

    def test_the_model_file_says_what_goes_in_and_comes_out(self):
        tyto("convert", self.at("several.pth"), "-o", self.at("changed"), "--preprocess", "cameras.size=[8,10]", "--set", "rows=7")
        found = json.loads(tyto("inspect", self.at("changed"), "--json")[0])
        rules = {name: found["inputs"][name].pop("preprocessing") for name in ("photo", "cameras")}
        self.assertEqual((rules["photo"]["size"], rules["cameras"]["size"]), ([16, 12], [8, 10]))
        self.assertEqual(found["inputs"], {"photo": {"images": 1}, "cameras": {"images": 2},
                                           "points": {"type": "F32", "shape": [4, 6]},
                                           "table": {"type": "I32", "shape": [7, 3], "counted": True},
                                           "before": {"type": "F32", "shape": [4, 5]}})
        self.assertEqual(found["outputs"], {"map": {"type": "activations"}, "seen": {"type": "activations"},
                                            "lifted": {"type": "F32"}, "rows": {"type": "I32", "count": "rows.count"}})
        self.assertEqual((found["task"], found["state"]), ("raw", {"before": "lifted"}))

    def test_a_rule_is_changed_of_an_input_that_there_is(self):
        for change in ("size=[8,8]", "radar.size=[8,8]", "points.size=[8,8]"):
            said = self.fails("convert", self.at("several.pth"), "-o", self.at("none"), "--preprocess", change, code=2)
            self.assertIn(change, said)
            self.assertIn("photo, cameras", said)

    def test_commands_of_single_images_refuse_it(self):
        images = self.make_images("images", ["0001_c1s1_0.png"], width=16, height=32)
        for command in (("extract", self.several, "--gallery", images, "-o", self.at("none")),
                        ("detect", self.several, images, "-o", self.at("none"))):
            said = self.fails(*command)
            self.assertIn("state from run to run", said)
            self.assertIn(self.several, said)


if __name__ == "__main__":
    unittest.main()
