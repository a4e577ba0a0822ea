"""Losses as functions of PyTorch's tensors, and as modules.

Value and gradient come from one call of tyto's C library, the same bits in every call; on CUDA it starts kernels on PyTorch's current
stream and waits for nothing."""
from .metric import CircleLoss, circle_loss

__all__ = ["CircleLoss", "circle_loss"]
