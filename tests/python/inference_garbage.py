"""Runs inference_garbage_calls.py in a process of its own, so that a crash is a failure."""
import os
import re
import subprocess
import sys

CALLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inference_garbage_calls.py")


def assert_garbage_is_refused(test, *arguments):
    run = subprocess.run([sys.executable, "-X", "faulthandler", CALLS, *arguments], capture_output=True, text=True, errors="replace",
                         check=False, timeout=300)
    lines = run.stdout.splitlines()
    test.assertEqual(run.returncode, 0, f"{lines[-1:]} ended the process: {run.stderr[-2000:]}")
    test.assertEqual([line for line in lines if line.startswith("wrong ")], [], lines[-1])
    test.assertIn("all as before", lines[-1])
    calls, returned = (int(number) for number in re.findall(r"\d+", lines[-1]))
    test.assertGreater(calls, 500)
    test.assertLess(returned, calls // 4)  # some garbage is none
