"""What a call of the Python package costs beyond the C call, on eight rows: 20 us are allowed.

    PYTHONPATH=build/python /usr/bin/python3 bench/python_calls.py

Each case is timed in rounds of a hundred calls, of which the fastest counts: the machine may have other work. An autograd.Function of
PyTorch's that does nothing stands below: what a gradient costs before tyto does anything."""
import argparse
import time

import torch

from tyto import losses
from tyto._operation import Operation

ROWS, WIDTH, CLASSES = 8, 64, 16


def microseconds(call, rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        begin = time.perf_counter()
        for _ in range(100):
            call()
        best = min(best, time.perf_counter() - begin)
    return best * 1e4


class Empty(torch.autograd.Function):
    @staticmethod
    def forward(ctx, features):
        ctx.save_for_backward(features)
        return torch.empty(())

    @staticmethod
    def backward(ctx, _):
        return None


def in_the_call(case, rounds: int) -> float:
    """The C function's own microseconds in a call from Python, less those of taking the time."""
    run, best = Operation.run, [float("inf")]

    def timed(operation, plan, descriptor, check):
        function, call = operation._function, operation._function.call

        def measured(*arguments):
            begin = time.perf_counter_ns()
            code = call(*arguments)
            spent[0] += time.perf_counter_ns() - begin
            return code

        function.call = measured
        try:
            run(operation, plan, descriptor, check)
        finally:
            function.call = call

    Operation.run = timed
    try:
        for _ in range(rounds):
            spent = [0]
            for _ in range(100):
                case()
            best[0] = min(best[0], spent[0] / 1e5)
    finally:
        Operation.run = run
    begin = time.perf_counter_ns()
    for _ in range(10000):
        time.perf_counter_ns()
    return best[0] - (time.perf_counter_ns() - begin) / 1e7


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
    print(f"{'us a call':24}{'Python':>8}{'of it C':>9}{'over C':>8}   without gradient:{'over C':>8}")
    for name, case in cases.items():
        python, c = microseconds(case, rounds), in_the_call(case, rounds)
        with torch.no_grad():
            bare = microseconds(case, rounds) - in_the_call(case, rounds)
        print(f"{name:24}{python:8.1f}{c:9.1f}{python - c:8.1f}{bare:28.1f}")
    print(f"{'an empty Function':24}{microseconds(lambda: Empty.apply(features), rounds):8.1f}")
    print(f"{'PyTorch cross_entropy':24}{microseconds(lambda: torch.nn.functional.cross_entropy(logits, labels), rounds):8.1f}")


if __name__ == "__main__":
    main()
