"""Times tyto's kernels beside PyTorch's, in turns, and prints one table. scripts/bench-kernels runs it; --help tells its options."""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

from compare_peers import install
from turns import HERE


class Kernels:
    """tyto_bench; a process a turn."""

    def __init__(self, options, folder):
        self.options, self.out = options, f"{folder}/out.json"
        self.peaks = []
        # As the command waits at barriers, see README.md.
        self.environment = {"GOMP_SPINCOUNT": "1000", **os.environ}

    def run(self, cases, *more):
        command = [self.options.tyto_bench, f"--threads={self.options.threads}",
                   f"--benchmark_filter=^({'|'.join(cases)})/cpu", *self.peaks, *more]
        subprocess.run(command, check=True, capture_output=True, env=self.environment)

    def measure(self, case):
        """(median microseconds, the share of the bound)"""
        self.run([case], f"--benchmark_out={self.out}", "--benchmark_out_format=json", f"--benchmark_min_time={self.options.seconds}")
        with open(self.out, encoding="utf-8") as file:
            found = json.load(file)
        row, = found["benchmarks"]
        if not self.peaks:
            self.peaks = [f"--cpu_peaks={row['copy_GB/s'] * 1e9},{row['peak_Gop/s'] * 1e9}"]
            print(f"A copy moves {row['copy_GB/s']:.1f} GB/s, a large product does {row['peak_Gop/s']:.0f} Gop/s.\n")
        return row["median_us"], row["of_bound"]


class Peers:
    """PyTorch, in a process that waits between its turns."""

    def __init__(self, options, folder):
        self.options = options
        self.process = subprocess.Popen([options.python, f"{HERE}/kernel_peers.py", folder, str(options.threads)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        about = self.answer()
        self.version, self.cases = about["version"], about["cases"]

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"bench-kernels: PyTorch ended with {self.process.wait()}")
        return json.loads(line)

    def measure(self, case, mode):
        """{mode: microseconds}, of all modes for None"""
        self.process.stdin.write(json.dumps({"case": case, "mode": mode, "seconds": self.options.seconds}) + "\n")
        self.process.stdin.flush()
        found = self.answer()
        for of, how in found["differs"].items():
            print(f"bench-kernels: {case} is not the same in PyTorch{of and ', ' + of}: {how}", file=sys.stderr)
        return found["us"]


def microseconds(value):
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def row(kernels, peers, case, rounds):
    mode, ours, theirs, shares = None, [], [], []
    for _ in range(rounds):
        time, share = kernels.measure(case)
        ours.append(time)
        shares.append(share)
        found = peers.measure(case, mode)
        mode = min(found, key=found.get)
        theirs.append(found[mode])
    ratios = [b / a for a, b in zip(ours, theirs)]
    return (f"| {case} | {microseconds(statistics.median(ours))} | {statistics.median(shares):.2f} | "
            f"{microseconds(statistics.median(theirs))}{f' ({mode})' if mode else ''} | "
            f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f}) |")


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench-kernels", description="Times tyto's kernels on this CPU beside PyTorch and "
                                     "torchvision, in turns and on the same arrays, and prints one table: medians of microseconds a "
                                     "call, the share of the bound that tyto reaches (bench/kernels/main.cpp), and PyTorch's time over "
                                     "tyto's with the rounds' extremes.")
    parser.add_argument("--filter", default="", help="a regular expression that names cases; all without it")
    parser.add_argument("--rounds", type=int, default=5, help="everyone's turns; the median counts (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.1, help="of a turn (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="of everyone (%(default)s)")
    parser.add_argument("--tyto_bench", default="build/bench/tyto_bench", help=argparse.SUPPRESS)
    parser.add_argument("--python", default=".venv/bin/python", help=argparse.SUPPRESS)  # with the peers
    options = parser.parse_args()
    if not install(options.python, "pytorch"):
        sys.exit(1)
    with tempfile.TemporaryDirectory() as folder:
        kernels = Kernels(options, folder)
        peers = Peers(options, folder)
        cases = [case for case in peers.cases if re.search(options.filter, case)]
        if not cases:
            sys.exit(f"bench-kernels: no case has a name like '{options.filter}'; there are\n  " + "\n  ".join(peers.cases))
        kernels.run(cases, f"--save={folder}")
        for i, case in enumerate(cases):
            line = row(kernels, peers, case, options.rounds)
            if i == 0:
                print("| case | tyto us | of bound | PyTorch us | ratio |\n|---|---|---|---|---|", flush=True)
            print(line, flush=True)
    print(f"\n{peers.version}, {options.threads} threads each; medians of {options.rounds} rounds; ratio: PyTorch's time over "
          "tyto's, and the rounds' extremes")


if __name__ == "__main__":
    main()
