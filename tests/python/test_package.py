"""The package as such: what it imports, its command, and what it says of itself."""
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import tyto
from tyto._library import NATIVE

TREE = Path(__file__).resolve().parents[2]


def python(*arguments, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, **options)


class Package(unittest.TestCase):
    def test_import_brings_no_pytorch_and_no_numpy(self):
        said = python("-c", "import sys, tyto; print(sorted({'numpy', 'pandas', 'torch'} & set(sys.modules)))")
        self.assertEqual((said.stdout, said.stderr), ("[]\n", ""))

    def test_every_public_name_is_there_and_documented(self):
        for name in tyto.__all__:
            self.assertTrue(getattr(tyto, name).__doc__, name)
        self.assertEqual(tyto.__all__, sorted(tyto.__all__))
        self.assertEqual([name for name in dir(tyto) if not name.startswith("_")], tyto.__all__)

    def test_a_name_that_is_not_there_is_an_attribute_error(self):
        with self.assertRaisesRegex(AttributeError, "no attribute 'nothing'"):
            tyto.nothing

    def test_it_is_typed(self):
        self.assertTrue((Path(tyto.__file__).parent / "py.typed").exists())

    def test_headers_are_those_of_the_c_interface(self):
        carried = sorted(os.listdir(os.path.join(NATIVE, "include")))
        self.assertEqual(carried, sorted(path.name for path in (TREE / "include").glob("*.h")))


class Command(unittest.TestCase):
    def test_python_m_tyto_is_the_command(self):
        command = subprocess.run([os.path.join(NATIVE, "tyto"), "info", "--json"], stdout=subprocess.PIPE, text=True, check=True)
        self.assertEqual(python("-m", "tyto", "info", "--json").stdout, command.stdout)

    def test_its_exit_code_and_message_are_the_commands(self):
        said = python("-m", "tyto", "detetc", "--threads=1")
        self.assertEqual((said.returncode, said.stdout), (2, ""))
        self.assertIn("tyto: there is no command 'detetc'", said.stderr)

    def test_its_version_is_the_projects(self):
        project = (TREE / "CMakeLists.txt").read_text()
        version = re.search((TREE / "pyproject.toml").read_text().split("regex = '")[1].split("'")[0], project)["value"]
        self.assertEqual(python("-m", "tyto", "--version").stdout, version + "\n")

    def instead(self, script: str, *arguments: str) -> subprocess.Popen:
        """Python as the command's process, where a script stands in for the command."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        command = Path(folder.name) / "tyto"
        if script:
            command.write_text("#!/bin/sh\n" + script)
            command.chmod(0o755)
        start = f"import tyto.__main__ as command; command.NATIVE = {folder.name!r}; command.main()"
        return subprocess.Popen([sys.executable, "-c", start, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_arguments_arrive_as_they_are(self):
        arguments = ["--set", "a=b c", "", "*", "-q", "zwölf", "new\nline"]
        out, _ = self.instead(r"printf '<%s>' "'"$@"', *arguments).communicate(timeout=60)
        self.assertEqual(out, "".join(f"<{argument}>" for argument in arguments))

    def test_signals_are_the_commands_own(self):
        process = self.instead("echo $$; grep SigIgn /proc/$$/status; exec sleep 60")
        self.assertEqual(int(process.stdout.readline()), process.pid, "it became the command: no second process")
        ignored = int(process.stdout.readline().split()[1], 16)
        for number in signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ:
            self.assertFalse(ignored >> (number - 1) & 1, number.name)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, -signal.SIGINT)

    def test_a_command_that_is_missing_is_a_sentence(self):
        process = self.instead("")
        _, message = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1)
        self.assertRegex(message, r"^tyto: .*/tyto: No such file or directory; install tyto again\n$")


if __name__ == "__main__":
    unittest.main()
