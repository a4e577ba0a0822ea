"""What a call of the Python package costs beyond the C call, on eight rows: 20 us are allowed.

    PYTHONPATH=build/python /usr/bin/python3 bench/python_calls.py

Each case is timed in rounds of a hundred calls, of which the fastest counts: the machine may have other work. `C` is the same
descriptor, filled beforehand, through ctypes, less an empty call through ctypes. `PyTorch` is its own cross entropy on the same rows,
for which it has no gradient yet."""
import argparse
import ctypes
import functools
import time

import torch

from tyto import losses
from tyto._library import ERROR, SCRATCH
from tyto._operation import Operation
from tyto.losses import _loss

ROWS, WIDTH, CLASSES = 8, 64, 16


def microseconds(call, rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        begin = time.perf_counter()
        for _ in range(100):
            call()
        best = min(best, time.perf_counter() - begin)
    return best * 1e4


class Recorder:
    """The last C call that was made, to be made again."""

    def __enter__(self):
        self._run = Operation.run

        def run(operation, plan, descriptor, check):
            workspace = torch.empty(max(plan.workspace_bytes, 1), dtype=torch.uint8)
            function = operation._function
            arguments = (ctypes.addressof(descriptor), workspace.data_ptr(), plan.workspace_bytes, None, SCRATCH.error, ERROR)
            self.call = functools.partial(function.call, *arguments)
            self._run(operation, plan, descriptor, check)
            self._kept = descriptor, workspace

        Operation.run = run
        return self

    def __exit__(self, *_):
        Operation.run = self._run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    torch.manual_seed(18)
    features = torch.randn(ROWS, WIDTH, requires_grad=True)
    logits = torch.randn(ROWS, CLASSES, requires_grad=True)
    labels = torch.arange(ROWS) // 2
    modalities = torch.arange(ROWS) % 2
    cases = {
        "circle_loss": lambda: losses.circle_loss(features, labels),
        "triplet_loss": lambda: losses.triplet_loss(features, labels),
        "cross_entropy": lambda: losses.cross_entropy(logits, labels),
        "cmdc_loss": lambda: losses.cmdc_loss(features, labels, modalities),
        "hetero_center_loss": lambda: losses.hetero_center_loss(features, labels, modalities),
    }
    defaults = _loss.LOSSES.dll.tyto_circle_loss_defaults
    empty = microseconds(lambda: defaults(None, 0), rounds)
    print(f"{'us a call':24}{'C':>8}{'Python':>8}{'over C':>8}{'without gradient':>18}")
    for name, case in cases.items():
        with Recorder() as recorder:
            kept = case()  # with the arrays of the call
            c = microseconds(recorder.call, rounds) - empty
        del kept
        python = microseconds(case, rounds)
        with torch.no_grad():
            bare = microseconds(case, rounds)
        print(f"{name:24}{c:8.1f}{python:8.1f}{python - c:8.1f}{bare:18.1f}")
    print(f"{'PyTorch cross_entropy':32}{microseconds(lambda: torch.nn.functional.cross_entropy(logits, labels), rounds):8.1f}")


if __name__ == "__main__":
    main()
