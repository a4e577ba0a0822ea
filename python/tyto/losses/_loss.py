"""A loss of the C library as a function of PyTorch's tensors that autograd knows."""
from typing import Mapping, Optional, Sequence

import torch

from .._autograd import first_derivative
from .._compile import eager
from .._errors import ArgumentError
from .._library import Library
from .._operation import Argument, Operation

LOSSES = Library("losses")


def named(**constants: str) -> Mapping[str, int]:
    """Names of an option's choices, as `choice` takes them, of the header's constants."""
    return {name: LOSSES.constants[constant] for name, constant in constants.items()}


class _Apply(torch.autograd.Function):
    @staticmethod
    def forward(ctx, loss, plan, tensors, check, wanted, *inputs):  # inputs: those of `tensors` that have gradients
        value, gradients = loss.compute(plan, tensors, check, wanted)
        ctx.save_for_backward(*inputs, *[g for g in gradients if g is not None])
        ctx.loss, ctx.wanted = loss, wanted
        return value

    @staticmethod
    def backward(ctx, of_value):
        inputs, gradients = ctx.saved_tensors[:len(ctx.wanted)], iter(ctx.saved_tensors[len(ctx.wanted):])
        found = []
        for wanted, index in zip(ctx.wanted, ctx.loss.gradient_of):
            if not wanted:
                found.append(None)
                continue
            gradient = next(gradients)
            by = of_value if index is None else of_value[index]
            gradient = gradient * by  # of its own type, `by` being a number
            found.append(first_derivative(ctx.loss.name, gradient, *inputs))
        return (None, None, None, None, None, *found)


class Loss:
    """tyto_<name> of the C library.

    arguments    the tensors, in the order of a call
    gradients    of those that have them: argument -> the descriptor's field of its gradient
    values       None: the value is a number; else how many stand in `value`
    gradient_of  of several values: which one each gradient is of
    called       the Python function's name, where it is not the C function's
    """

    def __init__(self, name: str, *arguments: Argument, gradients: Mapping[str, str], values: Optional[int] = None,
                 gradient_of: Optional[Sequence[int]] = None, called: Optional[str] = None):
        self.name = called or name
        self.operation = Operation(LOSSES, name, *arguments, called=called)
        self.values = values
        self.gradient_of = gradient_of or ([None] * len(gradients) if values is None else [0] * len(gradients))
        names = [argument.name for argument in arguments]
        self._fields = names
        self._gradients = [(names.index(argument), field) for argument, field in gradients.items()]

    @eager
    def __call__(self, tensors: Sequence[Optional[torch.Tensor]], options: Mapping[str, object], check: Optional[bool]) -> torch.Tensor:
        """The value: a number, or [values]; float64 of float64 and float32 of the others."""
        plan, ready = self.operation.prepare(tensors, options)
        inputs = [ready[place] for place, _ in self._gradients]
        wanted = tuple(t is not None and t.requires_grad for t in inputs)
        if True not in wanted or not torch.is_grad_enabled():
            return self.compute(plan, ready, check, (False,) * len(wanted))[0]
        return _Apply.apply(self, plan, ready, check, wanted, *inputs)

    def compute(self, plan, tensors, check, wanted):
        """The value, and the gradients that are wanted."""
        descriptor = self.operation.descriptor(plan)
        for name, tensor in zip(self._fields, tensors):
            if tensor is not None:
                setattr(descriptor, name, tensor.data_ptr())
        value = torch.empty(() if self.values is None else self.values, dtype=plan.real, device=plan.device)
        descriptor.value = value.data_ptr()
        gradients = []
        for (place, field), want in zip(self._gradients, wanted):
            gradient = torch.empty_like(tensors[place]) if want else None
            if want:
                setattr(descriptor, field, gradient.data_ptr())
            gradients.append(gradient)
        self.operation.run(plan, descriptor, check)
        return value, gradients


class LossModule(torch.nn.Module):
    """A loss with its options."""

    def __init__(self, function, **options):
        super().__init__()
        self._function = function
        self._options = options

    def forward(self, *tensors):
        return self._function(*tensors, **self._options)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self._options.items())


def learned(module: str, shape: Mapping[str, int], device=None, dtype=None) -> torch.nn.Parameter:
    """A parameter for a module to learn, of normally distributed values. ArgumentError of sizes, device or dtype that make none."""
    for name, size in shape.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ArgumentError("usage", f"{module}: {name} cannot be {size!r}; it is 1 or more")
    try:
        return torch.nn.Parameter(torch.randn(*shape.values(), device=device, dtype=dtype))
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise ArgumentError("usage", f"{module}: no parameter [{', '.join(shape)}] of {list(shape.values())} on device {device!r}, "
                            f"dtype {dtype!r}: {str(error).splitlines()[0]}") from None
