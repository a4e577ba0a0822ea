"""An operator of the C libraries as a function of PyTorch's tensors that autograd knows."""
import functools
from typing import Optional, Sequence, Tuple

import torch

from .._autograd import first_derivative
from .._compile import eager
from .._errors import ArgumentError, Error, reason


def told(name: str, error: Exception) -> Error:
    """What is raised where PyTorch refuses an operator's arguments."""
    if isinstance(error, (Error, torch.cuda.OutOfMemoryError)):
        return error
    if "alloc" in str(error) or isinstance(error, MemoryError):
        return Error("memory", f"{name}: {reason(error)}")
    return ArgumentError("usage", f"{name}: PyTorch refuses its arguments: {reason(error)[:500]}")


def telling(name: str):
    """Of a function: what PyTorch refuses is said in its name."""

    def decorated(function):
        @functools.wraps(function)
        def call(*arguments):
            try:
                return function(*arguments)
            except Exception as error:
                raise told(name, error) from None

        return call

    return decorated


class Operator:
    """A C function and the one of its gradient. What they trust each other with never leaves autograd."""

    name: str

    def prepare(self, *arguments):
        """What a call is, and the tensors that gradients go to, as the C function takes them. ArgumentError."""
        raise NotImplementedError

    def forward(self, call, inputs: Sequence[Optional[torch.Tensor]], trained: bool) -> Tuple[torch.Tensor, tuple]:
        """The result, and where `trained` the tensors that its gradient needs."""
        raise NotImplementedError

    def backward(self, call, kept: Sequence[Optional[torch.Tensor]], of_result: torch.Tensor, wanted: Sequence[bool]):
        """Gradients of the inputs, None of those that are not wanted."""
        raise NotImplementedError

    @eager
    def __call__(self, *arguments) -> torch.Tensor:
        try:
            call, inputs = self.prepare(*arguments)
            if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in inputs):
                return _Apply.apply(self, call, *inputs)
            return self.forward(call, inputs, False)[0]
        except Exception as error:
            raise told(self.name, error) from None


class _Apply(torch.autograd.Function):
    @staticmethod
    def forward(ctx, operator, call, *inputs):
        result, kept = operator.forward(call, inputs, True)
        ctx.save_for_backward(*kept)
        ctx.operator, ctx.call = operator, call
        return result

    @staticmethod
    def backward(ctx, of_result):
        kept = ctx.saved_tensors
        gradients = ctx.operator.backward(ctx.call, kept, of_result, ctx.needs_input_grad[2:])
        by = [of_result, *[t for t in kept if t is not None and t.requires_grad]]
        return (None, None, *[g if g is None else first_derivative(ctx.operator.name, g, *by) for g in gradients])
