"""bench/predict's model on launches worked out by hand."""
import importlib.machinery
import importlib.util
import pathlib
import sys
import unittest

PATH = pathlib.Path(__file__).resolve().parents[2] / "bench" / "predict"
loader = importlib.machinery.SourceFileLoader("predict", str(PATH))
sys.dont_write_bytecode = True
predict = importlib.util.module_from_spec(importlib.util.spec_from_loader("predict", loader))
sys.modules["predict"] = predict
loader.exec_module(predict)

A100, H100, RTX_4090, *_ = predict.GPUS


def launch(**numbers):
    idle = dict.fromkeys(("global_requests", "sectors", "distinct_bytes", "shared_requests", "wavefronts", "atomics",
                          "most_atomics_on_one_address", "half_products", "tf32_products", "operations", "exponentials"), 0)
    return {**idle, "blocks": 108, "threads": 128, **numbers}


class Predict(unittest.TestCase):
    def check(self, gpu, seconds, bound, **numbers):
        found, by, _ = predict.predict(gpu, launch(**numbers), registers=64, shared=0)
        self.assertEqual(by, bound)
        self.assertAlmostEqual(found / seconds, 1, delta=1e-9)

    def test_a_launch_costs_its_floor(self):
        self.check(A100, 2.5e-6, "launch")

    def test_products_on_tensor_cores(self):
        clocks = 1e6
        self.check(A100, clocks / 1.41e9, "tensor cores", half_products=108 * 1024 * clocks)
        self.check(A100, clocks / 1.41e9, "tensor cores", tf32_products=108 * 512 * clocks)
        self.check(RTX_4090, clocks / 2.52e9, "tensor cores", half_products=108 * 256 * clocks)

    def test_scalar_operations_and_exponentials(self):
        clocks = 1e6
        self.check(A100, clocks / 1.41e9, "FP32", operations=108 * 64 * clocks)
        self.check(H100, clocks / 1.98e9, "FP32", operations=108 * 128 * clocks)
        self.check(H100, clocks / 1.98e9, "exponentials", exponentials=108 * 16 * clocks)

    def test_multiprocessors_without_a_block_do_nothing(self):
        clocks = 1e6
        self.check(A100, clocks / 1.41e9, "tensor cores", half_products=3 * 1024 * clocks, blocks=3)
        self.check(A100, 2 * clocks / 1.41e9, "tensor cores", half_products=2 * 108 * 1024 * clocks, blocks=10**6)

    def test_a_block_that_does_not_fit_is_said(self):
        self.assertEqual(predict.predict(A100, launch(), registers=64, shared=200 << 10)[:2], (None, "does not fit"))


if __name__ == "__main__":
    unittest.main()
