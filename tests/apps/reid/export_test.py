"""numpy and scipy read what export_features wrote. Usage: export_test.py EXPORT_SAMPLE"""

import os
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import scipy.io

SAMPLE = sys.argv.pop(1)


def expected(rows, width):
    """features, labels and cameras of sample_set()"""
    i = np.arange(rows)
    features = (100 * i[:, None] + np.arange(width)).astype(np.float32)
    return features, i // 2 - 1, i % 6


class ExportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.output = subprocess.run([SAMPLE, cls.folder.name], check=True, capture_output=True, text=True).stdout

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def check(self, arrays, prefix, rows, width):
        features, labels, cameras = expected(rows, width)
        self.assertEqual(arrays[prefix + "_f"].dtype, np.float32)
        np.testing.assert_array_equal(arrays[prefix + "_f"], features)
        np.testing.assert_array_equal(np.ravel(arrays[prefix + "_label"]), labels)
        np.testing.assert_array_equal(np.ravel(arrays[prefix + "_cam"]), cameras)

    def test_numpy_reads_the_npz_file(self):
        with np.load(self.path("first.npz")) as arrays:
            self.assertEqual(len(arrays.files), 9)
            self.check(arrays, "query", 3, 4)
            self.check(arrays, "gallery", 5, 4)
            self.check(arrays, "mquery", 2, 4)
            self.assertEqual(arrays["gallery_label"].shape, (5,))
        with np.load(self.path("gallery.npz")) as arrays:
            self.assertEqual(len(arrays.files), 3)
            self.check(arrays, "gallery", 30, 7)

    def test_scipy_reads_the_mat_file(self):
        arrays = scipy.io.loadmat(self.path("first.mat"))
        self.check(arrays, "query", 3, 4)
        self.check(arrays, "gallery", 5, 4)
        self.check(arrays, "mquery", 2, 4)
        self.assertEqual(arrays["gallery_label"].shape, (1, 5))
        self.assertEqual(arrays["gallery_cam"].dtype, np.int64)
        self.check(scipy.io.loadmat(self.path("gallery.mat")), "gallery", 30, 7)

    def test_another_matrix_is_called_by_its_name(self):
        for arrays in (np.load(self.path("two.npz")), scipy.io.loadmat(self.path("two.mat"))):
            self.check(arrays, "query", 3, 4)
            pool = -np.arange(5)[:, None] - np.arange(8)
            np.testing.assert_array_equal(arrays["gallery_f_pool"], pool.astype(np.float32))

    def test_equal_features_give_equal_bytes(self):
        for kind in ("npz", "mat"):
            with open(self.path("first." + kind), "rb") as first, open(self.path("second." + kind), "rb") as second:
                self.assertEqual(first.read(), second.read(), kind)

    def test_errors_name_the_file_and_leave_nothing_behind(self):
        large, npz, mat = self.output.splitlines()
        self.assertIn("large.mat", large)
        self.assertIn("--format npz", large)
        self.assertIn("folder.npz", npz)
        self.assertIn("folder.mat", mat)
        self.assertEqual(
            sorted(os.listdir(self.folder.name)),
            ["first.mat", "first.npz", "gallery.mat", "gallery.npz", "second.mat", "second.npz", "two.mat",
             "two.npz"],
        )


if __name__ == "__main__":
    unittest.main()
