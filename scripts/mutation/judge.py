"""Builds a mutant into private copies of the kernels' test executables, and runs the tests that must see it.

The build directory says how: the commands are its own, with the mutant's folder before all others in which
headers are looked for.
"""
import collections
import dataclasses
import os
import pathlib
import re
import resource
import shlex
import signal
import subprocess
import tempfile
import time

TESTS = "tests/kernels/cuda"
SCHEDULES = ("forward", "reverse", "shuffled:1", "shuffled:2", "warp-ahead:3")
# The instrument first: it sees what the first schedule sees, and races and overruns besides.
TRIALS = [("kernels_instrumented_test", ""), *(("kernels_emulated_test", schedule) for schedule in SCHEDULES)]
HANGS_AFTER = 5  # seconds of computing, and twice what the tests take without a mutant

# What kernels/emulation says (block.cpp, warp.cpp, runtime/memory.cpp, instrument/), and what we call it.
KINDS = [("race", r"no barrier between them|blocks have no order"),
         ("unwritten memory", r"that nothing wrote"),
         ("out of bounds", r"where there is no buffer|bytes \d+ (?:before|into|past)|past the end of|"
                           r"before the start of|beyond the ends of|emulated device: .* touches"),
         ("barrier", r"divergent barrier|nothing can run any more"),
         ("mask", r"which its own mask|with mask|which its mask does not name")]


class DoesNotCompile(Exception):
    pass


@dataclasses.dataclass
class Outcome:
    by: str  # the test that saw it, and how; empty: it survives
    seconds: float


class Judge:
    def __init__(self, root, build):
        self.root, self.build = root, build
        self.folder = tempfile.TemporaryDirectory(prefix="mutants-")
        self.prefixes = {}  # precompiled headers of a test executable
        self.commands = {test: build_commands(build, test) for test in dict(TRIALS)}
        self.seconds = collections.defaultdict(dict)  # that a source's tests compute in a trial, unmutated
        self.sources = {path.relative_to(root).as_posix() for path in (root / "kernels").rglob("*.cu")}
        self.includes = {path.relative_to(root).as_posix(): includes_of(path)
                         for path in (root / "kernels").rglob("*") if path.suffix in (".h", ".cuh", ".cu")}
        self.tests = {path: includes_of(path) for path in (root / TESTS).glob("*_test.cpp")}

    def judge(self, file, text):
        """Whether the tests see that the file has this text."""
        begin = time.monotonic()
        for source in self.sources_with(file):
            if by := self._judge_source(source, file, text):
                return Outcome(by, time.monotonic() - begin)
        return Outcome("", time.monotonic() - begin)

    def sources_with(self, file):
        """The .cu files that a file is part of; the smallest first, because they compile fastest."""
        reached, new = set(), {file}
        while new:
            reached |= new
            new = {path for path, includes in self.includes.items() if includes & new} - reached
        return sorted(reached & self.sources, key=lambda source: (self.root / source).stat().st_size)

    def filter_of(self, source):
        """The tests of a .cu file: those that include a header of its folder, as it does. No profiles."""
        folder = os.path.dirname(source) + "/"
        own = {include for include in self.includes[source] if include.startswith(folder)}
        declared = "".join(path.read_text() for path, includes in self.tests.items() if own & includes)
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
                limit = int(HANGS_AFTER + 2 * self.seconds[source][trial])
                if by := self._run(built[test], source, schedule, limit):
                    return by
        return ""

    def _expect_unharmed(self, source, trial):
        """Built the same way without a mutant, the source passes. Its time is the measure of what hangs."""
        test, schedule = trial
        with tempfile.TemporaryDirectory(prefix="unharmed-") as folder:
            write(folder, source, (self.root / source).read_text())
            executable = self._build(test, source, source, folder)
            begin = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            if by := self._run(executable, source, schedule, resource.RLIM_INFINITY):
                raise SystemExit(f"mutate-kernels: {source} fails without any mutant: {by}")
            self.seconds[source][trial] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - begin

    def _build(self, test, source, file, folder):
        """Compiles the .cu file with the mutant in place, and links the test executable anew."""
        origin, mutant_object, executable = str(self.root / source), f"{folder}/{test}.o", f"{folder}/{test}"
        command = next(command for command in self.commands[test] if "-c" in command and origin in command)
        test_object = output_of(command)
        words, forced = compiler_words(command)
        if test not in self.prefixes:
            self.prefixes[test] = self._precompile(test, words, forced)
        self._call([*words, "-include", self.prefixes[test], "-iquote", folder, "-o", mutant_object,
                    "-c", f"{folder}/{file}" if source == file else origin])

        linker = self.commands[test][-1]
        linker = [executable if word == output_of(linker) else word for word in linker if word != test_object]
        # Before the other objects: of an inline function that several hold, the linker takes the first.
        linker.insert(next(i for i, word in enumerate(linker) if word.endswith(".o")), mutant_object)
        self._call(linker)
        return executable

    def _precompile(self, test, words, forced):
        """The headers that do not change: most of a small file's compilation."""
        standard = {name for path, includes in self.includes.items() if path in self.sources
                    for name in re.findall(r"^#include (<.*>)", (self.root / path).read_text(), re.MULTILINE)}
        prefix = pathlib.Path(self.folder.name, test, "prefix.h")
        names = [*(f'"{name}"' for name in forced), '"kernels/common/cuda.h"', *sorted(standard)]
        write(prefix.parent, prefix.name, "".join(f"#include {name}\n" for name in names))
        self._call([*words, "-x", "c++-header", "-o", f"{prefix}.gch", "-c", str(prefix)])
        return str(prefix)

    def _call(self, command):
        done = subprocess.run(command, cwd=self.build, capture_output=True, text=True,
                              env={**os.environ, "CCACHE_DISABLE": "1"})
        if done.returncode != 0:
            raise DoesNotCompile(done.stderr)

    def _run(self, executable, source, schedule, limit):
        """What the tests see, in words; empty where they pass."""
        command = [executable, f"--gtest_filter={self.filter_of(source)}", "--gtest_break_on_failure"]
        environment = {**os.environ, **({"TYTO_SCHEDULE": schedule} if schedule else {})}
        with tempfile.TemporaryFile() as output:
            code = subprocess.run(command, cwd=self.build, env=environment, stdout=output, stderr=output,
                                  preexec_fn=lambda: limit_computing(limit)).returncode
            output.seek(0)
            said = output.read(1 << 20).decode(errors="replace")
        return "" if code == 0 else f"{seen(code, said)}, {schedule or 'instrumented'}"


def limit_computing(seconds):
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))


def seen(code, said):
    """The first test that failed, and how."""
    started = re.findall(r"^\[ RUN      \] (\S+)", said, re.MULTILINE)
    test = started[-1] if started else "the start"
    if code == -signal.SIGXCPU:
        return f"{test}: hangs"
    for kind, words in KINDS:
        if re.search(words, said):
            return f"{test}: {kind}"
    return f"{test}: {'wrong result' if code == -signal.SIGTRAP else 'crashes'}"  # gtest breaks by a trap


def includes_of(path):
    return set(re.findall(r'^#include "(kernels/[^"]+)"', path.read_text(), re.MULTILINE))


def write(folder, file, text):
    path = pathlib.Path(folder, file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def build_commands(build, test):
    """All that ninja would call to build a test executable, words of a command each; the last one links."""
    cache = dict(re.findall(r"^(\w+):\w+=(.*)$", (build / "CMakeCache.txt").read_text(), re.MULTILINE))
    if cache["CMAKE_GENERATOR"] != "Ninja":
        raise SystemExit(f"mutate-kernels: {build} was not made for Ninja")
    listed = subprocess.run([cache["CMAKE_MAKE_PROGRAM"], "-t", "commands", test], cwd=build,
                            capture_output=True, text=True)
    commands = [[word for word in shlex.split(line) if word not in (":", "&&")]
                for line in listed.stdout.splitlines()]
    if not commands or not (build / output_of(commands[-1])).exists():
        raise SystemExit(f"mutate-kernels: {build} holds no {test}; build it first")
    return commands


def output_of(command):
    return command[command.index("-o") + 1]


def compiler_words(command):
    """A compiler's command less its files and warnings, and the headers that it is made to include."""
    kept, forced, words = [], [], iter(command)
    for word in words:
        if word == "-include":
            forced.append(next(words))
        elif word in ("-MF", "-MT", "-o", "-c"):
            next(words)
        elif word != "-MD":
            kept.append(word)
    return [*kept, "-w"], forced  # -w: what is broken may well look so
