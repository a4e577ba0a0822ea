"""Calls every function and module of tyto.losses with garbage in each place. Says what it is about to do, so that whoever reads
knows what ended the process, and what came out that is not tyto's."""
import os
import resource
import sys
import warnings

import torch

import garbage
import loss_samples
import tyto


class Calls:
    def __init__(self):
        self.made = self.returned = 0

    def call(self, what: str, function, *arguments, **options) -> None:
        os.write(1, f"call {what}\n".encode(errors="replace"))
        self.made += 1
        try:
            self._differentiated(function(*arguments, **options))
            self.returned += 1
        except tyto.Error as error:
            text = str(error)
            if not text or len(text) > 1000:
                os.write(1, f"wrong {what}: a message of {len(text)} characters\n".encode(errors="replace"))
        except Exception as error:
            os.write(1, f"wrong {what}: {type(error).__name__}: {str(error).splitlines()[:1]}\n".encode(errors="replace"))

    @staticmethod
    def _differentiated(result) -> None:
        for value in result if isinstance(result, tuple) else (result,):
            if value.requires_grad and not value.is_leaf:
                value.backward(retain_graph=True)

    def function(self, name: str, function) -> None:
        good, needed = loss_samples.arguments(function), loss_samples.needed(function)
        for place, parameter in enumerate(loss_samples.positional(function)):
            kinds = [*garbage.few(), *(garbage.tensors(good[place]) if good[place] is not None else ())]
            for what, make in kinds:
                self.call(f"{name}({parameter}: {what})", function, *good[:place], make(), *good[place + 1:], **needed)
        for option in loss_samples.options(function):
            for what, make in garbage.options():
                self.call(f"{name}({option}={what})", function, *good, **{**needed, option: make()})

    def module(self, name: str, kind: type) -> None:
        def made_and_called(**options):
            module = loss_samples.module_of(kind, **options)
            return module(*loss_samples.arguments_of(module))

        own = [*loss_samples.positional(kind), *loss_samples.options(kind)]
        for option in own:
            # What a module does itself is to make parameters, of what has these names; a function is given the rest.
            kinds = garbage.options if option in ("classes", "width", "device", "dtype", "normalize", "centers") else garbage.few
            for what, make in kinds():
                self.call(f"{name}({option}={what})", made_and_called, **{option: make()})


def limited() -> None:
    """What is taken on the word of a stride fails here as it would on any machine, and does not push others out of memory."""
    warnings.simplefilter("ignore")
    torch.manual_seed(18)
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**31, used + 2**31))


def main() -> None:
    limited()
    calls = Calls()
    for name, function in loss_samples.functions().items():
        calls.function(name, function)
    for name, kind in loss_samples.modules().items():
        calls.module(name, kind)
    print(f"done {calls.made} calls, {calls.returned} returned")


if __name__ == "__main__":
    sys.exit(main())
