"""What losses and operators tell autograd."""
import torch

from ._errors import Error


class _NoSecondDerivative(torch.autograd.Function):
    """Passes first derivatives on, and says what is missing where they are derived again."""

    @staticmethod
    def forward(ctx, name, gradient, *inputs):
        ctx.name = name
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx, *_):
        raise Error("unsupported", f"{ctx.name} has no second derivatives; call backward() without create_graph, or "
                    "compute this term with PyTorch's own operators")


def first_derivative(name: str, gradient: torch.Tensor, *inputs: torch.Tensor) -> torch.Tensor:
    """A gradient with respect to `inputs` that backward() returns: where a graph of it is made, deriving it again is refused."""
    return _NoSecondDerivative.apply(name, gradient, *inputs) if torch.is_grad_enabled() else gradient
