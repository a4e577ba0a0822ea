"""No call of tyto.ops with any argument ends the process, and what is raised is tyto's."""
import os
import re
import subprocess
import sys
import unittest

import op_samples

CALLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ops_garbage_calls.py")


class OpsGarbage(unittest.TestCase):
    def test_every_function_with_garbage_in_every_place(self):
        run = subprocess.run([sys.executable, "-X", "faulthandler", CALLS], capture_output=True, text=True, errors="replace",
                             check=False, timeout=300)
        lines = run.stdout.splitlines()
        self.assertEqual(run.returncode, 0, f"{lines[-1:]} ended the process: {run.stderr[-2000:]}")
        wrong = [line for line in lines if line.startswith("wrong ")]
        self.assertEqual(wrong, [], f"{len(wrong)} of {lines[-1]}")
        called = {line.split("(")[0] for line in lines}
        for name in op_samples.functions():
            self.assertIn(f"call {name}", called)
        calls, returned = (int(number) for number in re.findall(r"\d+", lines[-1]))
        self.assertGreater(returned, calls // 20)
        self.assertLess(returned, calls // 2)

    def test_what_python_itself_refuses_is_a_type_error(self):
        for name, function in op_samples.functions().items():
            with self.subTest(name):
                good, given = op_samples.arguments(name)
                self.assertRaises(TypeError, function)
                self.assertRaises(TypeError, function, *good, **given, nonsense=1)


if __name__ == "__main__":
    unittest.main()
