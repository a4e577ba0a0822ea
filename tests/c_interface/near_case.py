"""How far values and gradients may be from PyTorch's float64."""
import unittest

import numpy as np

# The type's name: how far of the largest element. Roundings of the inputs do not count, which the reference shares. Of float, 3e-5:
# circle's gamma of 32 and ArcFace's 64 multiply 2^-24 before an exponential. Of halves the last bit that is stored.
KINDS = {"TYTO_DOUBLE": 1e-10, "TYTO_FLOAT": 3e-5, "TYTO_HALF": 6e-4, "TYTO_BFLOAT16": 5e-3}


class NearCase(unittest.TestCase):
    def setUp(self):
        self.random = np.random.default_rng(16)

    def normal(self, *shape, scale=1.0):
        return self.random.standard_normal(shape) * scale

    def near(self, got, want, tolerance, what):
        got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
        self.assertEqual(got.shape, want.shape, what)
        self.assertTrue(np.array_equal(np.isfinite(got), np.isfinite(want)), f"{what}: {got} is not {want}")
        off = np.abs(got - want)[np.isfinite(want)].max(initial=0)
        self.assertLessEqual(off, tolerance * max(np.abs(want[np.isfinite(want)]).max(initial=0), 1e-3), what)
