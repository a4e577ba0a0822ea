"""Whatever is given to a call of inference, it has a result, or raises tyto.Error with a sentence; nothing crashes, and afterwards all
works as before."""
import unittest

import numpy as np
import torch

import garbage
import tyto
from inference_case import InferenceCase


class InferenceGarbage(InferenceCase):
    def try_all(self, name, call, made):
        """call(value) of each value. Returns how many it took."""
        taken = 0
        for what, make in made:
            with self.subTest(f"{name}: {what}"):
                try:
                    value = make()
                except Exception:  # not in this PyTorch
                    continue
                try:
                    call(value)
                    taken += 1
                except tyto.Error as error:
                    self.assertTrue(str(error))
                    self.assertNotIn("unexpected", str(error))
                    self.assertIn(error.kind, ("usage", "file", "format", "shape", "unsupported", "memory", "device"))
        return taken

    def test_options_of_an_extractor(self):
        for name in "device", "threads", "precision", "batch", "flip", "scales", "set", "memory_limit":
            self.try_all(name, lambda value, name=name: tyto.FeatureExtractor(self.file, **{"device": "cpu", name: value}).close(),
                         garbage.options())
        self.assertEqual(self.try_all("model", tyto.FeatureExtractor, garbage.options()), 0)

    def test_options_of_a_plan_and_its_run(self):
        x = np.zeros((1, 3, 64, 32), np.float32)
        for name in "device", "threads", "precision", "outputs", "set", "memory_limit":
            self.try_all(name, lambda value, name=name: tyto.Plan(self.file, **{"device": "cpu", name: value}).run({"input": x}),
                         garbage.options())
        plan = tyto.Plan(self.file, device="cpu")
        self.try_all("inputs", plan.run, garbage.options())
        self.try_all("input", lambda value: plan.run({"input": value}), garbage.options())
        self.try_all("name", lambda value: plan.run({value: x}), [made for made in garbage.options() if hashable(made[1])])
        self.try_all("tensor", lambda value: plan.run({"input": value}), garbage.tensors(torch.zeros(1, 3, 64, 32)))
        self.assertTrue(np.isfinite(plan.run({"input": x})["features"]).all())

    def test_images(self):
        extractor = tyto.FeatureExtractor(self.file, device="cpu", batch=2)
        want = extractor.extract(self.paths[:2])
        good = torch.from_numpy(tyto.read_image(self.paths[0]))
        self.try_all("images", extractor.extract, garbage.options())
        self.try_all("image", lambda value: extractor.extract([value]), garbage.options())
        self.assertGreater(self.try_all("tensor", extractor.extract, garbage.tensors(good)), 5)
        self.try_all("batch", extractor.extract, garbage.tensors(torch.stack([good, good])))
        for name in "decoders", "exif_orientation":
            self.try_all(name, lambda value, name=name: extractor.extract(self.paths[:1], **{name: value}), garbage.options())
        self.try_all("root", extractor.folder, garbage.options())
        for name in "progress", "on_error", "decoders", "exif_orientation":
            self.try_all(name, lambda value, name=name: extractor.folder(self.pictures, **{name: value}).close(), garbage.options())
        self.assertTrue(np.array_equal(extractor.extract(self.paths[:2]), want))

    def test_files(self):
        self.assertEqual(self.try_all("path", tyto.Model, garbage.options()), 0)
        self.assertEqual(self.try_all("image", tyto.read_image, garbage.options()), 0)
        self.assertEqual(self.try_all("checkpoint", lambda value: tyto.convert(value, self.path("none")), garbage.options()), 0)
        for name in "network", "key", "prefix", "set", "preprocess", "classes", "allow_unused":
            self.try_all(name, lambda value, name=name: tyto.convert(self.checkpoint, self.path("some"), **{name: value}),
                         garbage.options())
        self.try_all("verify", lambda value: tyto.Model(self.file, verify=value), garbage.options())


def hashable(make):
    try:
        hash(make())
        return True
    except Exception:
        return False


if __name__ == "__main__":
    unittest.main()
