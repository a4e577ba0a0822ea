"""Runs a test executable that may hang or crash, and says in words what its tests saw."""
import os
import re
import resource
import signal
import subprocess
import tempfile

HANGS_AFTER = 5  # seconds of computing, and twice what the tests take without a mutant

# What emulation says (block.cpp, warp.cpp, runtime/, instrument/), and what we call it.
KINDS = [("race", r"no barrier between them|blocks have no order|neither waits for the other|and does not wait for it"),
         ("unwritten memory", r"that nothing wrote|what nothing has written"),
         ("out of bounds", r"where there is no buffer|bytes \d+ (?:before|into|past)|past the end of|"
                           r"before the start of|beyond the ends of|emulated device: .* touches"),
         ("barrier", r"divergent barrier|nothing can run any more"),
         ("mask", r"which its own mask|with mask|which its mask does not name"),
         ("released memory", r"is released")]


def run(executable, tests, folder, limit, schedule="", stop="--gtest_break_on_failure"):
    """What the tests see, in words; empty where they pass. stop: at the first failure, or after the first test that
    fails ("--gtest_fail_fast"), which has then said all that it saw."""
    command = [executable, f"--gtest_filter={tests}", stop]
    environment = {"OMP_NUM_THREADS": "1", **os.environ, **({"TYTO_SCHEDULE": schedule} if schedule else {})}
    with tempfile.TemporaryFile() as output:
        code = subprocess.run(command, cwd=folder, env=environment, stdout=output, stderr=output,
                              preexec_fn=lambda: limit_computing(limit)).returncode
        output.seek(0)
        said = output.read(1 << 20).decode(errors="replace")
    return "" if code == 0 else seen(code, said)


def computing():
    """Seconds that the programs so far computed."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime


def limit_computing(seconds):
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))


def seen(code, said):
    """The first test that failed, and how."""
    tests = re.findall(r"^\[  FAILED  \] ([^\s,]+)", said, re.MULTILINE)
    tests += reversed(re.findall(r"^\[ RUN      \] (\S+)", said, re.MULTILINE))
    test = tests[0] if tests else "the start"
    if code == -signal.SIGXCPU:
        return f"{test}: hangs"
    for kind, words in KINDS:
        if re.search(words, said):
            return f"{test}: {kind}"
    return f"{test}: {'wrong result' if code in (1, -signal.SIGTRAP) else 'crashes'}"  # gtest breaks by a trap
