"""Builds a mutant into private copies of the kernels' test executables, and runs the tests that must see it."""
import collections
import dataclasses
import os
import pathlib
import re
import resource
import tempfile
import time

from mutation import runner
from mutation.builder import Builder, compiler_words, output_of, write

TESTS = "tests/kernels"
SCHEDULES = ("forward", "reverse", "shuffled:1", "shuffled:2", "warp-ahead:3")
# The instrument first: it sees what the first schedule sees, and races and overruns besides.
TRIALS = [("kernels_instrumented_test", ""), *(("kernels_emulated_test", schedule) for schedule in SCHEDULES)]


@dataclasses.dataclass
class Outcome:
    by: str  # the test that saw it, and how; empty: it survives
    seconds: float


class Judge:
    def __init__(self, root, build):
        self.root, self.builder = root, Builder(root, build)
        self.folder = tempfile.TemporaryDirectory(prefix="mutants-")
        self.prefixes = {}  # precompiled headers of a test executable
        self.seconds = collections.defaultdict(dict)  # that a source's tests compute in a trial, unmutated
        self.sources = {path.relative_to(root).as_posix() for path in (root / "kernels").rglob("*.cu")}
        self.includes = {path.relative_to(root).as_posix(): includes_of(path)
                         for path in (root / "kernels").rglob("*") if path.suffix in (".h", ".cuh", ".cu")}
        self.tests = {path: includes_of(path) for path in (root / TESTS).glob("*/*_cuda_test.cpp")}
        self.reached = {path: self._reached_from(path) for path in self.tests}

    def judge(self, file, text):
        """Whether the tests see that the file has this text."""
        begin = time.monotonic()
        for source in self.sources_with(file):
            if by := self._judge_source(source, file, text):
                return Outcome(by, time.monotonic() - begin)
        return Outcome("", time.monotonic() - begin)

    def sources_with(self, file):
        """The .cu files that a file is part of; those first that include it themselves, and of these the smallest, because they compile
        fastest."""
        reached, new = set(), {file}
        while new:
            reached |= new
            new = {path for path, includes in self.includes.items() if includes & new} - reached
        return sorted(reached & self.sources, key=lambda source: (file != source and file not in self.includes[source],
                                                                  (self.root / source).stat().st_size))

    def _reached_from(self, test):
        """What a test includes, also by way of the headers beside the tests and of the kernels'."""
        found, new = set(), includes_of(test)
        while new:
            found |= new
            new = {include for path in new for include in self._includes_of_header(path)} - found
        return found

    def _includes_of_header(self, path):
        beside_tests = self.root / "tests" / path
        return includes_of(beside_tests) if beside_tests.exists() else self.includes.get(path, set())

    def tests_of(self, source):
        """Those that reach a .cu file's contract, the header of its name; of what only other .cu files know, their tests; without a
        contract, those that include a header of its folder, as it does, if only by way of another."""
        contract = os.path.splitext(source)[0] + ".h"
        if contract in self.includes:
            if tests := {path for path, reached in self.reached.items() if contract in reached}:
                return tests
            users = [other for other in self.sources_with(contract) if other != source]
            if tests := {test for other in users if os.path.splitext(other)[0] + ".h" != contract for test in self.tests_of(other)}:
                return tests
        folder, own, tests = os.path.dirname(source) + "/", {source}, set()
        while own and not tests:
            own = {include for path in own for include in self.includes.get(path, ()) if include.startswith(folder)}
            tests = {path for path, includes in self.tests.items() if own & includes}
        return tests

    def filter_of(self, source):
        """The suites of a .cu file's tests. No profiles."""
        declared = "".join(path.read_text() for path in sorted(self.tests_of(source)))
        suites = {f"{suite}/*" if typed else f"{suite}.*"
                  for typed, suite in re.findall(r"^(TYPED_)?TEST(?:_F)?\((\w+)", declared, re.MULTILINE)}
        suites.discard("Profile.*")
        if not suites:
            raise SystemExit(f"mutate-kernels: {source} has no tests")
        return ":".join(sorted(suites))

    def _judge_source(self, source, file, text):
        with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
            write(folder, file, text)
            built = {}
            for trial in TRIALS:
                test, schedule = trial
                if trial not in self.seconds[source]:
                    self._expect_unharmed(source, trial)
                if test not in built:
                    built[test] = self._build(test, source, file, folder)
                limit = int(runner.HANGS_AFTER + 2 * self.seconds[source][trial])
                if by := self._run(built[test], source, schedule, limit):
                    return by
        return ""

    def _expect_unharmed(self, source, trial):
        """The build's own tests of the source pass. Their time is the measure of what hangs."""
        test, schedule = trial
        begin = runner.computing()
        executable = self.builder.build / self.builder.path_of(test)
        if by := self._run(executable, source, schedule, resource.RLIM_INFINITY):
            raise SystemExit(f"mutate-kernels: {source} fails without any mutant: {by}")
        self.seconds[source][trial] = runner.computing() - begin

    def _build(self, test, source, file, folder):
        """Compiles the .cu file with the mutant in place, and links the test executable anew."""
        origin, mutant_object, executable = str(self.root / source), f"{folder}/{test}.o", f"{folder}/{test}"
        command = next(command for command in self.builder.commands(test)
                       if "-c" in command and origin in command)
        words, forced = compiler_words(command)
        if test not in self.prefixes:
            self.prefixes[test] = self._precompile(test, words, forced)
        self.builder.call([*words, "-include", self.prefixes[test], "-iquote", folder, "-o", mutant_object,
                           "-c", f"{folder}/{file}" if source == file else origin])
        return self.builder.link(test, {output_of(command): mutant_object}, executable)

    def _precompile(self, test, words, forced):
        """The headers that do not change: most of a small file's compilation."""
        standard = {name for path, includes in self.includes.items() if path in self.sources
                    for name in re.findall(r"^#include (<.*>)", (self.root / path).read_text(), re.MULTILINE)}
        prefix = pathlib.Path(self.folder.name, test, "prefix.h")
        names = [*(f'"{name}"' for name in forced), '"kernels/common/cuda.h"', *sorted(standard)]
        write(prefix.parent, prefix.name, "".join(f"#include {name}\n" for name in names))
        self.builder.call([*words, "-x", "c++-header", "-o", f"{prefix}.gch", "-c", str(prefix)])
        return str(prefix)

    def _run(self, executable, source, schedule, limit):
        """What the tests see, in words; empty where they pass."""
        by = runner.run(executable, self.filter_of(source), self.builder.build, limit, schedule)
        return by and f"{by}, {schedule or 'instrumented'}"


def includes_of(path):
    return set(re.findall(r'^#include "(kernels/[^"]+)"', path.read_text(), re.MULTILINE))
