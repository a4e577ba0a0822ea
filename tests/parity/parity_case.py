"""What the comparisons with PyTorch share: a checkpoint becomes a model file, a model file runs, outputs are compared."""
import copy
import functools
import json
import os
import tempfile
import unittest

import numpy as np
import torch

from lower_precision import PRECISIONS, in_precision
from tyto_process import load_tensors, save_tensors, tyto

# Largest difference over the output's largest value. A convolution sums K products in another order than PyTorch: the
# difference grows with sqrt(K) * 2^-24 a layer (K up to 4608: 4e-6) and averages out over the layers; Winograd's
# transforms multiply it by about five (Lavin and Gray, CVPR 2016).
FP32_DIRECT = 2e-5
FP32_WINOGRAD = 1e-4

# In a lower precision tyto and PyTorch round the same numbers, but sum in another order, so that many a rounding falls the
# other way: two draws from one distribution of errors, whose RMS agree as far as their numbers tell. The ratio of the RMS of
# two times n independent numbers deviates by 1 / sqrt(n) from 1. The smallest output has 256; they share the roundings of the
# layers before, so they count as 100 here: four standard deviations are 0.4. Less error than that is wrong as well: something
# was not rounded. The largest error is what the network magnifies most: thrice, as in fp32.
LIKE_RMS = 1.4
LIKE_LARGEST = 3.0


# Models of more than 100 MB are compared at their full width by scripts/test-large alone.
LARGE = bool(os.environ.get("TYTO_LARGE"))


def is_compared(model):
    """At its full width, in this run."""
    return LARGE or sum(tensor.nbytes for tensor in map(np.asarray, model.state_dict().values())) <= 100e6


def in_float64(model, x):
    with torch.no_grad():
        return {name: value.numpy() for name, value in copy.deepcopy(model).double()(x.double()).items()}


def run_in_precision(model, precision, x, on_cpu=False):
    with torch.no_grad():
        return {name: value.numpy() for name, value in in_precision(model, precision, on_cpu)(x).items()}


def errors_alike(ours, pytorch, exact):
    """Whether two results in one precision are as far from the exact one, and a sentence with the numbers."""
    errors = [np.abs(side - exact) for side in (ours, pytorch)]
    largest, reference = (error.max() / np.abs(exact).max() for error in errors)
    rms = np.divide(*(np.sqrt(np.mean(error**2)) for error in errors))
    alike = 1 / LIKE_RMS < rms < LIKE_RMS and largest < LIKE_LARGEST * reference
    return bool(alike), f"{largest:.1e}, PyTorch {reference:.1e}, ratio of their RMS {rms:.2f}"


@functools.cache
def device():
    return json.loads(tyto("info", "--json")[0])


def lower_precisions():
    """Those that the device computes in beside fp32."""
    return [precision for precision in PRECISIONS if precision in device()["precisions"].split(", ")]


class ParityCase(unittest.TestCase):
    """The tests of a class share a folder; `model` names a model file there."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        cls.tolerances = {}  # of the model files that are there

    def setUp(self):
        torch.manual_seed(0)

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder, name)

    @classmethod
    def convert(cls, state_dict, *options, legacy=False, model="model.safetensors"):
        torch.save(state_dict, cls.path("net.pth"), _use_new_zipfile_serialization=not legacy)
        tyto("convert", cls.path("net.pth"), "-o", cls.path(model), *options)
        os.remove(cls.path("net.pth"))
        cls.tolerances.pop(model, None)

    @classmethod
    def inputs(cls, x):
        """What a network takes, by name."""
        return {"input": x.numpy()}

    @classmethod
    def try_tyto(cls, x, *options, model="model.safetensors", expect=0):
        """What `tyto run` says on standard error."""
        save_tensors(cls.path("in.safetensors"), cls.inputs(x))
        paths = cls.path(model), "--input", cls.path("in.safetensors"), "--output", cls.path("out.safetensors")
        return tyto("run", *paths, *options, expect=expect)[1]

    @classmethod
    def run_tyto(cls, x, *options, model="model.safetensors"):
        cls.try_tyto(x, *options, model=model)
        return load_tensors(cls.path("out.safetensors"))

    @classmethod
    def plan(cls, *options, model="model.safetensors"):
        return json.loads(tyto("inspect", cls.path(model), "--plan", "--json", *options)[0])

    @classmethod
    def tolerance(cls, model="model.safetensors"):
        if model not in cls.tolerances:
            winograd = any("wino" in step["algorithm"] for step in cls.plan(model=model)["steps"])
            cls.tolerances[model] = FP32_WINOGRAD if winograd else FP32_DIRECT
        return cls.tolerances[model]

    def check_lower_precision(self, precision, model, x, exact, file="model.safetensors", options=()):
        """tyto's outputs, compared with those of PyTorch's network in this precision by how far each is from `exact`; None
        where that overflows: there tyto must fail."""
        want = run_in_precision(model, precision, x, on_cpu=device()["device"] == "cpu")
        if not all(np.isfinite(value).all() for value in want.values()):
            message = self.try_tyto(x, "--precision", precision, *options, model=file, expect=1)
            self.assertRegex(message, "layer '.*': .* values exceed 65504")
            return None
        got = self.run_tyto(x, "--precision", precision, *options, model=file)
        for name, truth in exact.items():
            self.assertEqual(got[name].shape, truth.shape)
            alike, numbers = errors_alike(got[name], want[name], truth)
            print(f"  {self.id().split('.', 1)[-1]} {precision} {name}: {numbers}")
            self.assertTrue(alike, f"{precision} {name}: {numbers}")
        return got

    def compare(self, got, want, model="model.safetensors"):
        """Every tensor of `want` against tyto's of the same name."""
        limit = self.tolerance(model)
        for name, reference in want.items():
            reference = reference.numpy()
            self.assertEqual(got[name].shape, reference.shape)
            error = np.abs(got[name] - reference).max() / np.abs(reference).max()
            print(f"  {self.id().split('.', 1)[-1]} {name} {list(reference.shape)}: {error:.1e}")
            self.assertLess(error, limit, name)
