"""Features of images in memory, in files and in folders: the command's bits, whichever way they came."""
import gc
import io
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import unittest
from unittest import mock

import numpy as np
import torch
from PIL import Image

import tyto
from inference_case import InferenceCase
from tyto_process import load_tensors

INTERRUPTED = """
import os, signal, sys, threading, tyto
extractor = tyto.FeatureExtractor(sys.argv[1], device="cpu", batch=2)
before = len(os.listdir("/proc/self/task"))
run = extractor.folder([sys.argv[2]] * 300, progress=False)
seen = 0
try:
    for feature in run:
        seen += 1
        if seen == 4:
            threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT)).start()
except KeyboardInterrupt:
    print("interrupted", seen < 300 * 7)
while threading.active_count() > 1:
    pass
print("threads", len(os.listdir("/proc/self/task")) - before)
print(len(extractor.extract(run.paths[:3])))
"""


class FeatureExtractor(InferenceCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.extractor = tyto.FeatureExtractor(cls.file, device="cpu", batch=3)
        cls.paths = cls.extractor.folder(cls.pictures).paths
        cls.want = cls.extractor.extract(cls.paths)

    def check_against_the_command(self, model, found, *options):
        self.command("extract", model, "--gallery", self.pictures, "-o", self.path("theirs"), *options)
        theirs = load_tensors(self.path("theirs"))["gallery.features"]
        rows = sorted(range(len(found.names)), key=lambda i: found.names[i])  # the file's order, bytewise
        self.assertEqual(len(rows), len(self.paths))
        self.assertTrue(np.array_equal(found.features[rows], theirs))

    def test_a_folder_has_the_commands_bits(self):
        for options, arguments in [({}, ()), ({"flip": False, "scales": (1, 1.1)}, ("--no-flip", "--multi-scale", "1,1.1"))]:
            with tyto.FeatureExtractor(self.file, device="cpu", batch=3, **options) as extractor:
                self.check_against_the_command(self.file, extractor.folder_features(self.pictures), "--batch", 3, *arguments)

    def test_where_sizes_vary_the_command_is_met_in_order_and_bits(self):
        varying = self.path("varying")
        tyto.convert(self.checkpoint, varying, preprocess={"fit": "shorter-side", "shorter_side": 32})
        with tyto.FeatureExtractor(varying, device="cpu", batch=2) as extractor:
            found = extractor.folder_features(self.pictures)
            self.assertEqual(found.paths, self.paths)
            self.check_against_the_command(varying, found, "--batch", 2)

    def test_features_are_those_of_the_network(self):
        from torchvision.transforms import functional
        rows = []
        for path in self.paths:
            with Image.open(path) as picture:
                x = functional.to_tensor(functional.resize(picture.convert("RGB"), [64, 32], self.resize()))
            x = functional.normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])[None].double()
            with torch.no_grad():
                network = self.network.double()
                feature = network(x)["features"] + network(x.flip(3))["features"]
            rows.append((feature / feature.norm())[0].numpy())
        # 50 layers of sums of up to 576 products in float32: some sqrt(50 * 576) roundings of 6e-8, and resizing's 8 bits are equal.
        np.testing.assert_allclose(self.want, np.stack(rows), atol=1e-5)

    def resize(self):
        from torchvision.transforms import InterpolationMode
        kernel = self.extractor.model.info.inputs[0].preprocessing["resize"]
        return {"pil-bicubic": InterpolationMode.BICUBIC, "pil-bilinear": InterpolationMode.BILINEAR}[kernel]

    def test_images_in_memory_have_the_bits_of_their_files(self):
        arrays = [tyto.read_image(path) for path in self.paths]
        wide = [np.zeros((a.shape[0], a.shape[1] * 2, 3), np.uint8) for a in arrays]
        for w, a in zip(wide, arrays):
            w[:, ::2] = a
        ways = {"arrays": arrays, "tensors": [torch.from_numpy(a) for a in arrays], "every other column": [w[:, ::2] for w in wide],
                "upside down": [np.ascontiguousarray(a[::-1])[::-1] for a in arrays], "read only": [frozen(a) for a in arrays],
                "columns of columns": [np.asfortranarray(a) for a in arrays], "a generator": (a for a in arrays),
                "pictures": [Image.open(path) for path in self.paths], "mixed": [*arrays[:3], *self.paths[3:]]}
        for way, images in ways.items():
            self.assertTrue(np.array_equal(self.extractor.extract(images), self.want), way)

    def test_a_batch_and_an_image_alone_are_taken(self):
        array = tyto.read_image(self.paths[0])
        batch = np.stack([array] * 5)
        for images, count in (batch, 5), (torch.from_numpy(batch), 5), (array, 1), (self.paths[0], 1), (Image.fromarray(array), 1), ([], 0):
            features = self.extractor.extract(images)
            self.assertEqual((features.shape, features.dtype), ((count, self.extractor.dimensions), np.float32))
            self.assertTrue((features == self.want[0]).all())

    def test_a_folder_is_iterated_in_order_with_names_below_it(self):
        with self.extractor.folder(self.pictures) as run:
            self.assertEqual(len(run), len(self.paths))
            found = list(run)
        self.assertEqual([f.name for f in found], [os.path.relpath(path, self.pictures) for path in self.paths])
        self.assertTrue(np.array_equal([f.feature for f in found], self.want))
        some = self.extractor.folder_features([self.paths[3], os.path.join(self.pictures, "b"), self.paths[0]])
        self.assertEqual(some.paths, [self.paths[3], *(p for p in self.paths if "/b/" in p), self.paths[0]])
        self.assertEqual(some.names, some.paths)

    def test_what_cannot_be_read_is_skipped_or_raised(self):
        bad = self.path("bad.jpg")
        with open(bad, "wb") as file:
            file.write(b"\xff\xd8\xff nonsense")
        video = self.path("clip.mp4")
        open(video, "wb").close()
        missing = self.path("missing.png")
        os.symlink(self.path("nowhere"), missing)
        inputs = [self.paths[0], bad, missing, video, self.paths[1]]
        found = self.extractor.folder_features(inputs, on_error="skip")
        self.assertTrue(np.array_equal(found.features, self.want[:2]))
        self.assertEqual(len(found.skipped), 3)
        for path in bad, missing, video:
            self.assertTrue(any(sentence.startswith(path + ": ") for sentence in found.skipped), path)
        for path, kind in (bad, "format"), (missing, "file"), (video, "format"):
            for call in lambda: self.extractor.folder_features([self.paths[0], path]), lambda: self.extractor.extract([path]):
                with self.assertRaisesRegex(tyto.Error, path) as raised:
                    call()
                self.assertEqual(raised.exception.kind, kind)
        nothing = self.extractor.folder_features([bad], on_error="skip")
        self.assertEqual((nothing.features.shape, len(nothing.skipped)), ((0, self.extractor.dimensions), 1))
        with self.assertRaisesRegex(tyto.Error, "no such file or folder"):
            self.extractor.folder(self.path("nowhere"))

    def test_one_run_at_a_time(self):
        run = self.extractor.folder(self.pictures)
        next(run)
        for other in lambda: self.extractor.extract(self.paths[:1]), lambda: self.extractor.folder(self.pictures):
            with self.assertRaisesRegex(tyto.ArgumentError, "in the midst of other images"):
                other()
        run.close()
        self.assertEqual(list(run), [])
        self.assertTrue(np.array_equal(self.extractor.extract(self.paths), self.want))
        next(self.extractor.folder(self.pictures))  # and is forgotten
        gc.collect()
        self.assertTrue(np.array_equal(self.extractor.extract(self.paths), self.want))

    def test_threads_wait_for_each_other(self):
        found = {}
        threads = [threading.Thread(target=lambda i=i: found.update({i: self.extractor.extract(self.paths[i:])})) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i in range(4):
            self.assertTrue(np.array_equal(found[i], self.want[i:]))

    def test_progress_is_told(self):
        told = []
        self.extractor.folder_features(self.pictures, progress=lambda *of: told.append(of))
        self.assertEqual(told[-1], (len(self.paths),) * 2)
        self.assertEqual(told, sorted(told))
        for progress, drawn in (True, f"{len(self.paths)}/{len(self.paths)}"), (None, ""), (False, ""):
            with mock.patch("sys.stderr", io.StringIO()) as stderr:
                self.extractor.folder_features(self.pictures, progress=progress)
            self.assertIn(drawn, stderr.getvalue())
            self.assertEqual(bool(drawn), bool(stderr.getvalue()))

        def fail(done, total):
            raise ZeroDivisionError

        with self.assertRaises(ZeroDivisionError):
            self.extractor.folder_features(self.pictures, progress=fail)
        self.assertEqual(len(self.extractor.extract(self.paths[0])), 1)

    def test_features_become_a_table(self):
        found = self.extractor.folder_features(self.pictures)
        table = found.to_pandas()
        self.assertEqual(list(table.index), found.names)
        self.assertTrue(np.array_equal(table.to_numpy(), self.want))
        self.assertTrue(np.array_equal(found.matrix("features"), self.want))
        with self.assertRaisesRegex(ValueError, "no matrix 'pool'; there is features"):
            found.matrix("pool")

    def test_ctrl_c_ends_a_run_and_its_threads(self):
        done = subprocess.run([sys.executable, "-c", INTERRUPTED, self.file, self.pictures], capture_output=True, text=True, timeout=60,
                              preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
        self.assertEqual(done.stdout.split("\n"), ["interrupted True", "threads 0", "3", ""], done.stderr)

    def test_a_forked_process_refuses_its_parents_objects_and_makes_its_own(self):
        started = self.extractor.folder(self.pictures)
        next(started)
        IN_A_FORK.update(extractor=self.extractor, started=started, file=self.file, paths=self.paths)
        with multiprocessing.get_context("fork").Pool(1) as pool:
            said = pool.apply_async(in_a_fork).get(60)
        IN_A_FORK.clear()
        started.close()
        refusal = "this extractor was made before this process was forked"
        self.assertTrue(said[0].startswith(refusal), said[0])
        self.assertIn("was made before this process was forked", said[1])
        self.assertIn("threads=2: this process was forked, and has one", said[2])
        self.assertTrue(np.array_equal(said[3], self.want))

    def test_a_closed_extractor_is_a_sentence_and_a_closed_model_none(self):
        model = tyto.Model(self.file)
        extractor = tyto.FeatureExtractor(model, device="cpu", batch=3)
        model.close()
        self.assertTrue(np.array_equal(extractor.extract(self.paths), self.want))
        run = extractor.folder(self.pictures)
        next(run)
        extractor.close()
        self.assertEqual(len(list(run)), len(self.paths) - 1)
        for use in (lambda: extractor.extract(self.paths), lambda: extractor.folder(self.pictures)):
            with self.assertRaisesRegex(tyto.ArgumentError, "this extractor was closed; make another"):
                use()

    def test_images_that_are_none_are_named(self):
        good = np.zeros((4, 4, 3), np.uint8)
        huge = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (2**40, 2, 3))
        for bad, text in [(good.astype(np.float32), r"image 1 is float32 \[4, 4, 3\]; uint8"), (good[..., :1], r"\[4, 4, 1\]"),
                          (good[0], r"\[4, 3\]"), (good[:0], "1 to 2\\^28 pixels"), (huge, "1 to 2\\^28 pixels"), (3, "but int"),
                          (None, "but NoneType"), (object(), "but object"), (torch.zeros(4, 4, 3, device="meta"), "image 1"),
                          (torch.zeros(4, 4, 3), "float32"), (torch.zeros(3, requires_grad=True), "image 1"),
                          ([good], "but list"), ("a\0b", "cannot be"), (Odd(), "gives no array: no")]:
            with self.assertRaisesRegex(tyto.Error, text):
                self.extractor.extract([good, bad])
        for garbage in None, 3, object(), np.zeros(3), np.zeros((2, 4, 4, 3)), Odd(), {1: 2}:
            with self.assertRaises(tyto.Error):
                self.extractor.extract(garbage)
        self.assertTrue(np.array_equal(self.extractor.extract(self.paths), self.want))

    def test_options_that_make_no_sense_are_refused(self):
        for name, values in {"device": ["gpu", 3, "cuda:99"], "threads": [-1, 1.5, "two", 2**40], "precision": ["fp8", 3], "flip": ["yes", 2],
                             "batch": [0, -1, 2**31, 1.5, True, "8"], "scales": [[], [0], [-1], ["a"], 3, [float("nan")], [1e9]],
                             "set": [{"none": 1}, 3, {3: object()}], "memory_limit": [-1, "2X", 1]}.items():
            for value in values:
                with self.assertRaises(tyto.Error, msg=f"{name}={value!r}"):
                    tyto.FeatureExtractor(self.file, **{"device": "cpu", name: value})
        for name, values in {"progress": [3, "yes"], "on_error": ["ignore", None, []], "decoders": [-1, "2", 2**40, 1.5],
                             "exif_orientation": [1, "yes"]}.items():
            for value in values:
                with self.assertRaises(tyto.Error, msg=f"{name}={value!r}"):
                    self.extractor.folder(self.pictures, **{name: value})
        for root in None, 3, [3], [None], "", b"\0", object():
            with self.assertRaises(tyto.Error):
                self.extractor.folder(root)

    def test_what_lives_here_is_not_sent_to_other_processes(self):
        for one in self.extractor, self.extractor.model, tyto.Plan(self.file):
            with self.assertRaisesRegex(tyto.ArgumentError, "cannot be sent to another process; make it there"):
                pickle.dumps(one)

    def test_numbers_of_numpy_are_numbers(self):
        with tyto.FeatureExtractor(self.file, device="cpu", batch=np.int64(3), scales=np.array([1.0]), threads=np.int32(1)) as extractor:
            self.assertTrue(np.array_equal(extractor.extract(self.paths), self.want))


class Odd:
    def __array__(self, *_, **__):
        raise RuntimeError("no")


def frozen(array):
    array = array.copy()
    array.flags.writeable = False
    return array


IN_A_FORK = {}


def in_a_fork():
    extractor, started, file, paths = IN_A_FORK.values()
    said = []
    for use in (lambda: extractor.extract(paths), lambda: list(started), lambda: tyto.FeatureExtractor(file, device="cpu", threads=2)):
        try:
            said.append(str(use()))
        except tyto.ArgumentError as error:
            said.append(str(error))
    said.append(tyto.FeatureExtractor(file, device="cpu", batch=3).extract(paths))
    return said


if __name__ == "__main__":
    unittest.main()
