"""Calls every function of tyto.ops with garbage in each place. Says what it is about to do, as losses_garbage_calls does."""
import sys

import torch

import garbage
import op_samples
from losses_garbage_calls import Calls, limited
from tyto import ops


class OpCalls(Calls):
    @staticmethod
    def _differentiated(result) -> None:
        if isinstance(result, torch.Tensor):
            Calls._differentiated(result.sum())
        elif not isinstance(result, ops.BevIndex):
            result.trim()

    def function(self, name: str, function) -> None:
        good, given = op_samples.arguments(name)
        for place, value in enumerate(good):
            kinds = list(garbage.options())
            if isinstance(value, torch.Tensor):
                kinds += garbage.tensors(value)
            for what, make in kinds:
                self.call(f"{name}({place}: {what})", function, *good[:place], make(), *good[place + 1:], **given)
        for option in op_samples.options(function):
            kinds = list(garbage.options())
            if isinstance(given.get(option), torch.Tensor):
                kinds += garbage.tensors(given[option])
            for what, make in kinds:
                self.call(f"{name}({option}={what})", function, *good, **{**given, option: make()})


def main() -> None:
    limited()
    calls = OpCalls()
    for name, function in op_samples.functions().items():
        calls.function(name, function)
    for what, make in garbage.options():
        calls.call(f"BevIndex({what})", ops.BevIndex, make())
        calls.call(f"BevIndex.to({what})", op_samples.bev_index().to, make())
    print(f"done {calls.made} calls, {calls.returned} returned")


if __name__ == "__main__":
    sys.exit(main())
