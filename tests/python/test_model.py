"""Checkpoints to model files, model files, raw tensors through networks, pictures' pixels."""
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import numpy as np
import torch
from PIL import Image

import tyto
from inference_case import InferenceCase
from tyto import _seam
from tyto_process import load_tensors, save_tensors


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Models(InferenceCase):
    def test_convert_writes_the_commands_bytes(self):
        self.command("convert", self.checkpoint, "-o", self.path("theirs"), "--set", "stride=1", "--preprocess", "size=[64,32]")
        found = tyto.convert(self.checkpoint, self.path("ours"), set={"stride": 1}, preprocess={"size": [64, 32]})
        self.assertEqual(read(self.path("ours")), read(self.path("theirs")))
        self.assertEqual((found.network, found.options["stride"], found.model), ("ft_net", "1", self.path("ours")))
        self.assertIn("model.conv1.weight", found.used)

    def test_class_names_come_as_a_list_or_a_file(self):
        names = ["cat", "dog", "Wal\u00fcl"]
        with open(self.path("names.txt"), "w", encoding="utf-8") as file:
            file.write("\n".join(names))
        for classes in names, tuple(names), self.path("names.txt"):
            tyto.convert(self.checkpoint, self.path("named"), classes=classes)
            self.assertEqual(tyto.Model(self.path("named")).info.class_names, names)
        with self.assertRaisesRegex(tyto.Error, "none.txt"):
            tyto.convert(self.checkpoint, self.path("none"), classes=self.path("none.txt"))

    def test_a_model_says_what_it_is(self):
        with tyto.Model(self.file) as model:
            self.assertEqual((model.info.network, model.info.task), ("ft_net", "embed"))
            (taken,) = model.info.inputs
            self.assertEqual((taken.name, taken.images, taken.preprocessing["size"]), ("input", 1, [64, 32]))
            self.assertIn("features", model.info.outputs)
            self.assertEqual(len(model.info.identity), 64)

    def test_from_checkpoint_leaves_nothing_behind(self):
        before = set(os.listdir(tempfile.gettempdir()))
        model = tyto.Model.from_checkpoint(self.checkpoint, preprocess={"size": [32, 16]})
        self.assertEqual(model.info.inputs[0].preprocessing["size"], [32, 16])
        self.assertEqual({name for name in set(os.listdir(tempfile.gettempdir())) - before if name.startswith("tyto-")}, set())
        x = np.zeros((1, 3, 32, 16), np.float32)
        kept = tyto.Model.from_checkpoint(self.checkpoint, self.path("kept"), preprocess={"size": [32, 16]})
        self.assertTrue(np.array_equal(model.run({"input": x})["features"], kept.run({"input": x})["features"]))
        self.assertTrue(os.path.exists(self.path("kept")))

    def test_damage_is_found_where_it_is_looked_for(self):
        data = bytearray(read(self.file))
        data[-1] ^= 1
        with open(self.path("flipped"), "wb") as file:
            file.write(data)
        with open(self.path("cut"), "wb") as file:
            file.write(data[:1000])
        tyto.Model(self.path("flipped"), verify=False).close()
        for name, kind in ("flipped", "format"), ("cut", "format"), ("nowhere", "file"):
            with self.assertRaisesRegex(tyto.Error, name) as raised:
                tyto.Model(self.path(name))
            self.assertEqual(raised.exception.kind, kind)

    def test_a_closed_model_is_a_sentence(self):
        model = tyto.Model(self.file)
        model.close()
        model.close()
        self.assertIn("closed", repr(model))
        for use in (lambda: tyto.Plan(model), lambda: tyto.FeatureExtractor(model), lambda: model.run({})):
            with self.assertRaisesRegex(tyto.ArgumentError, "this model was closed; make another"):
                use()

    def test_numbers_that_are_no_object_are_a_sentence(self):
        run = _seam.function("plan_run", _seam.OBJECT, _seam.ctypes.c_void_p, _seam.ctypes.c_int32)
        with tyto.Model(self.file) as model:
            for number in 0, 2**64 - 1, model._object.number:
                with self.assertRaisesRegex(tyto.ArgumentError, "this plan was closed"):
                    run(number, None, 0)

    def test_arguments_that_make_no_sense_are_refused(self):
        class Odd:
            def __fspath__(self):
                return 3

        for garbage in None, 3, b"\0", "", "a\0b", [], Odd(), object(), "\ud800":
            with self.assertRaises(tyto.Error):
                tyto.Model(garbage)
            with self.assertRaises(tyto.Error):
                tyto.convert(garbage, self.path("none"))
            with self.assertRaises(tyto.Error):
                tyto.read_image(garbage)
            with self.assertRaises(tyto.Error):
                tyto.Plan(garbage)
        loop = []
        loop.append(loop)
        for name in "network", "key", "prefix", "set", "preprocess", "classes", "allow_unused":
            for value in 3.5, object(), loop, {"a": object()}, {3: {}}, float("nan"), [None], np.zeros(2):
                with self.assertRaises(tyto.Error, msg=f"{name}={value}"):
                    tyto.convert(self.checkpoint, self.path("none"), **{name: value})
        self.assertFalse(os.path.exists(self.path("none")))

    def test_ctrl_c_ends_a_conversion(self):
        stop = _seam.ctypes.c_int32(1)
        call = _seam.function("convert", *[_seam.ctypes.c_char_p] * 3, _seam.ctypes.c_void_p)
        with self.assertRaises(KeyboardInterrupt):
            call(self.checkpoint.encode(), self.path("none").encode(), b"{}", _seam.ctypes.byref(stop))
        self.assertFalse(os.path.exists(self.path("none")))

        def call_in_c(stop):
            os.kill(os.getpid(), signal.SIGINT)
            while not stop.value:
                time.sleep(0.001)
            ended.set()

        ended = threading.Event()
        with self.assertRaises(KeyboardInterrupt):
            _seam.interruptible(call_in_c)
        self.assertTrue(ended.wait(10))

    def test_importing_tyto_loads_neither_pytorch_nor_numpy_nor_the_library(self):
        code = ("import sys, tyto; print([m for m in ('torch', 'numpy') if m in sys.modules], "
                "'libtyto_python' in open('/proc/self/maps').read())")
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        self.assertEqual(said.strip(), "[] False")
        code = "import sys, tyto; tyto.FeatureExtractor, tyto.Plan; print('torch' in sys.modules)"
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        self.assertEqual(said.strip(), "False")

    def test_pixels_are_those_of_the_decoder_that_is_matched(self):
        for path in self.paths:
            with Image.open(path) as picture:
                self.assertTrue(np.array_equal(tyto.read_image(path), np.asarray(picture.convert("RGB"))), path)
        with self.assertRaisesRegex(tyto.Error, "ft_net.pth: not an image") as raised:
            tyto.read_image(self.checkpoint)
        self.assertEqual(raised.exception.kind, "format")

    def test_exif_turns_pictures_where_it_is_asked_for(self):
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(np.zeros((8, 24, 3), np.uint8)).save(self.path("turned.jpg"), exif=exif)
        self.assertEqual(tyto.read_image(self.path("turned.jpg")).shape, (8, 24, 3))
        self.assertEqual(tyto.read_image(self.path("turned.jpg"), exif_orientation=True).shape, (24, 8, 3))


class Plans(InferenceCase):
    def setUp(self):
        self.plan = tyto.Plan(self.file, device="cpu")
        self.addCleanup(self.plan.close)
        self.x = np.random.default_rng(0).standard_normal((2, 3, 64, 32)).astype(np.float32)

    def test_a_run_has_the_commands_bits(self):
        save_tensors(self.path("in"), {"input": self.x})
        self.command("run", self.file, "--input", self.path("in"), "--output", self.path("out"))
        ours, theirs = self.plan.run({"input": self.x}), load_tensors(self.path("out"))
        self.assertEqual(ours.keys(), theirs.keys())
        for name, values in theirs.items():
            self.assertTrue(np.array_equal(ours[name], values), name)

    def test_types_and_strides_do_not_matter(self):
        want = self.plan.run({"input": self.x})["features"]
        wide = np.zeros((2, 3, 64, 64), np.float32)
        wide[..., ::2] = self.x
        for same in self.x.astype(np.float64), wide[..., ::2], torch.from_numpy(self.x).requires_grad_(), self.x.tolist():
            self.assertTrue(np.array_equal(self.plan.run({"input": same})["features"], want))

    def test_new_shapes_make_a_new_plan(self):
        one = self.plan.run({"input": self.x[:1]})["features"]
        self.assertEqual(one.shape[0], 1)
        self.assertTrue(np.array_equal(tyto.Model(self.file).run({"input": self.x[:1]}, device="cpu")["features"], one))

    def test_only_the_outputs_that_are_asked_for_are_computed(self):
        with tyto.Plan(self.file, outputs=["features"]) as plan:
            self.assertEqual(list(plan.run({"input": self.x})), ["features"])

    def test_what_does_not_fit_is_named(self):
        for inputs, kind, text in [({}, "usage", "input"), ({"input": self.x, "more": self.x}, "usage", "more"),
                                   ({"input": self.x[0]}, "shape", "input"), ({"input": self.x.astype("c8")}, "usage", "complex64"),
                                   ({"input": self.x.astype(int)}, "usage", "'input' is I64"), ({"input": "text"}, "usage", "<U4"),
                                   ({"input": None}, "usage", "object"), ({3: self.x}, "usage", "3 is no input's name"),
                                   ({"input": np.zeros((0, 3, 64, 32))}, "shape", "input"), ([self.x], "usage", "no mapping"),
                                   ({"input": [[1], [2, 3]]}, "usage", "input"), ({"in\0put": self.x}, "usage", "no input's name")]:
            with self.assertRaisesRegex(tyto.Error, text) as raised:
                self.plan.run(inputs)
            self.assertEqual(raised.exception.kind, kind, text)
        for options in {"device": "gpu"}, {"device": 3}, {"threads": -1}, {"threads": 1.5}, {"precision": "fp8"}, {"outputs": ["none"]}, \
                {"set": {"none": 1}}, {"set": 3}, {"memory_limit": -1}, {"memory_limit": 2**70}, {"memory_limit": 1}:
            with self.assertRaises(tyto.Error, msg=str(options)):
                tyto.Plan(self.file, **options).run({"input": self.x})

    def test_a_closed_plan_is_a_sentence(self):
        self.plan.close()
        with self.assertRaisesRegex(ValueError, "this plan was closed"):
            self.plan.run({"input": self.x})


if __name__ == "__main__":
    unittest.main()
