"""What the comparisons with PyTorch share: a checkpoint becomes a model file, a model file runs, outputs are compared."""
import json
import os
import tempfile
import unittest

import numpy as np
import torch

from tyto_process import load_tensors, save_tensors, tyto

# Largest difference over the output's largest value. A convolution sums K products in another order than PyTorch: the
# difference grows with sqrt(K) * 2^-24 a layer (K up to 4608: 4e-6) and averages out over the layers; Winograd's
# transforms multiply it by about five (Lavin and Gray, CVPR 2016).
FP32_DIRECT = 2e-5
FP32_WINOGRAD = 1e-4


class ParityCase(unittest.TestCase):
    """The tests of a class share a folder; `model` names a model file there."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name

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

    @classmethod
    def run_tyto(cls, x, *options, model="model.safetensors"):
        save_tensors(cls.path("in.safetensors"), {"input": x.numpy()})
        tyto("run", cls.path(model), "--input", cls.path("in.safetensors"), "--output", cls.path("out.safetensors"), *options)
        return load_tensors(cls.path("out.safetensors"))

    @classmethod
    def tolerance(cls, model="model.safetensors"):
        plan = json.loads(tyto("inspect", cls.path(model), "--plan", "--json")[0])
        return FP32_WINOGRAD if any("wino" in s["algorithm"] for s in plan["steps"]) else FP32_DIRECT

    def compare(self, got, want, model="model.safetensors"):
        """Every tensor of `want` against tyto's of the same name."""
        limit = self.tolerance(model)
        for name, reference in want.items():
            reference = reference.numpy()
            self.assertEqual(got[name].shape, reference.shape)
            error = np.abs(got[name] - reference).max() / np.abs(reference).max()
            print(f"  {self.id().split('.', 1)[-1]} {name} {list(reference.shape)}: {error:.1e}")
            self.assertLess(error, limit, name)
