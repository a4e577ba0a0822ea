"""How long OpenMP's threads spin: what libgomp says that it found in its environment."""
import os
import re
import subprocess
import unittest

from tyto_process import TYTO

LOADER = "/lib64/ld-linux-x86-64.so.2"
DEFAULT = "300000"  # libgomp's own


def spin_counts(*command, **variables):
    """Of every start of the command."""
    environment = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    environment.update(variables, OMP_DISPLAY_ENV="verbose")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=True)
    return re.findall(r"GOMP_SPINCOUNT = '(\d+)'", done.stderr)


class SpinCount(unittest.TestCase):
    COMPUTES = ("info", "--device", "cpu")

    def test_a_command_that_computes_starts_once_more_with_a_short_one(self):
        self.assertEqual(spin_counts(TYTO, *self.COMPUTES), [DEFAULT, "1000"])

    def test_other_commands_start_once(self):
        self.assertEqual(spin_counts(TYTO, "--version"), [DEFAULT])

    def test_the_users_own_wins(self):
        self.assertEqual(spin_counts(TYTO, *self.COMPUTES, GOMP_SPINCOUNT="777"), ["777"])

    def test_the_users_waiting_policy_wins(self):
        self.assertEqual(spin_counts(TYTO, *self.COMPUTES, OMP_WAIT_POLICY="passive"), ["0"])

    @unittest.skipUnless(os.path.exists(LOADER), "no dynamic loader there")
    def test_the_loader_is_not_started_in_the_commands_place(self):
        self.assertEqual(spin_counts(LOADER, TYTO, *self.COMPUTES), [DEFAULT])


if __name__ == "__main__":
    unittest.main()
