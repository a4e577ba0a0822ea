"""A loss of the C library as a function of PyTorch's tensors that autograd knows."""
import numbers
from typing import Mapping, Optional, Sequence

import torch

from .._autograd import first_derivative
from .._compile import eager
from .._errors import ArgumentError, reason, shown
from .._library import Library
from .._operation import Argument, Operation, flag

LOSSES = Library("losses")


def named(**constants: str) -> Mapping[str, int]:
    """Names of an option's choices, as `choice` takes them, of the header's constants."""
    return {name: LOSSES.constants[constant] for name, constant in constants.items()}


class _Attach(torch.autograd.Function):
    """A value that was computed together with its gradients, for autograd."""

    @staticmethod
    def forward(ctx, computed, *inputs):  # inputs: those whose gradients were computed
        ctx.name, value, gradients, ctx.values = computed
        ctx.save_for_backward(*inputs, *gradients)
        return value

    @staticmethod
    def backward(ctx, of_value):
        saved = ctx.saved_tensors
        inputs = saved[:len(ctx.values)]
        found = []
        for of, gradient in zip(ctx.values, saved[len(ctx.values):]):
            gradient = gradient * (of_value if of is None else of_value[of])  # a number: the gradient's type stays
            found.append(first_derivative(ctx.name, gradient, *inputs))
        return (None, *found)


class Loss:
    """tyto_<name> of the C library.

    arguments    the tensors, in the order of a call
    gradients    of those that have them: argument -> the descriptor's field of its gradient
    values       None: the value is a number; else how many stand in `value`
    gradient_of  of several values: which one each gradient is of
    choices      of options that are called by names, their numbers
    called       the Python function's name, where it is not the C function's
    """

    def __init__(self, name: str, *arguments: Argument, gradients: Mapping[str, str], values: Optional[int] = None,
                 gradient_of: Optional[Sequence[int]] = None, choices: Mapping[str, Mapping[str, int]] = {},
                 called: Optional[str] = None):
        self.name = called or name
        self.operation = Operation(LOSSES, name, *arguments, choices=choices, value=() if values is None else (values,), called=called)
        names = [argument.name for argument in arguments]
        self._fields = names
        # Where in the arguments, the descriptor's field, and of which value.
        self._gradients = [(names.index(argument), field, of) for (argument, field), of in
                           zip(gradients.items(), gradient_of or [None if values is None else 0] * len(gradients))]

    @eager
    def __call__(self, tensors: Sequence[Optional[torch.Tensor]], options: Mapping[str, object], check: Optional[bool]) -> torch.Tensor:
        """The value: a number, or [values]; float64 of float64 and float32 of the others."""
        operation = self.operation
        plan, ready = operation.prepare(tensors, options)
        descriptor = plan.descriptor()
        for name, tensor in zip(self._fields, ready):
            if tensor is not None:
                setattr(descriptor, name, tensor.data_ptr())
        value = torch.empty_like(plan.value)
        descriptor.value = value.data_ptr()
        inputs, gradients, values = [], [], []
        if torch.is_grad_enabled():
            for place, field, of in self._gradients:
                tensor = ready[place]
                if tensor is not None and tensor.requires_grad:
                    gradient = torch.empty_like(tensor)
                    setattr(descriptor, field, gradient.data_ptr())
                    inputs.append(tensor)
                    gradients.append(gradient)
                    values.append(of)
        operation.run(plan, descriptor, check)
        return _Attach.apply((self.name, value, gradients, values), *inputs) if inputs else value


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


def learned(module: str, *, device=None, dtype=None, unit: bool = False, **sizes: int) -> torch.nn.Parameter:
    """A parameter of these sizes for a module to learn, normally distributed; unit: its rows are brought to unit length.
    ArgumentError of sizes, device or dtype that make none."""
    unit = flag(module, "normalize", unit)
    for name, size in sizes.items():
        if not isinstance(size, numbers.Integral) or isinstance(size, bool) or size < 1:
            raise ArgumentError("usage", f"{module}: {name} cannot be {shown(size)}; it is an integer of at least 1")
    try:
        values = torch.randn(*sizes.values(), device=device, dtype=dtype)
        return torch.nn.Parameter(torch.nn.functional.normalize(values) if unit else values)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:  # as PyTorch refuses devices, types and sizes
        raise ArgumentError("usage", f"{module}: no parameter {list(sizes.values())} on device {shown(device)} of dtype "
                            f"{shown(dtype)}: {reason(error)[:200]}") from None
