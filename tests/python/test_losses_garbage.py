"""No call of tyto.losses with any argument ends the process, and what is raised is tyto's."""
import os
import re
import subprocess
import sys
import unittest

import loss_samples

CALLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "losses_garbage_calls.py")


class LossesGarbage(unittest.TestCase):
    def test_every_function_and_module_with_garbage_in_every_place(self):
        try:  # it takes five seconds of a core, which others may be using
            run = subprocess.run([sys.executable, "-X", "faulthandler", CALLS], capture_output=True, check=False, timeout=1200)
        except subprocess.TimeoutExpired as expired:
            self.fail(f"no end of {(expired.output or b'').splitlines()[-1:]}")
        lines = run.stdout.decode(errors="replace").splitlines()
        self.assertEqual(run.returncode, 0, f"{lines[-1:]} ended the process: {run.stderr.decode(errors='replace')[-2000:]}")
        wrong = [line for line in lines if line.startswith("wrong ")]
        self.assertEqual(wrong, [], f"{len(wrong)} of {lines[-1]}")
        called = {line.split("(")[0] for line in lines}
        for name in [*loss_samples.functions(), *loss_samples.modules()]:
            self.assertIn(f"call {name}", called)
        # Some garbage is none: other types of numbers, strides, rows alone.
        calls, returned = (int(number) for number in re.findall(r"\d+", lines[-1]))
        self.assertGreater(returned, calls // 10)
        self.assertLess(returned, calls // 2)

    def test_what_python_itself_refuses_is_a_type_error(self):
        for name, function in loss_samples.functions().items():
            with self.subTest(name):
                good = loss_samples.arguments(function)
                self.assertRaises(TypeError, function)
                self.assertRaises(TypeError, function, *good, *good)
                self.assertRaises(TypeError, function, *good, nonsense=1)
        for name, kind in loss_samples.modules().items():
            with self.subTest(name):
                self.assertRaises(TypeError, loss_samples.module_of, kind, nonsense=1)


if __name__ == "__main__":
    unittest.main()
