"""Operators as functions of PyTorch's tensors, with gradients.

Each is a call of tyto's C libraries, the same bits in every call; on CUDA it starts kernels on PyTorch's current stream and waits
for nothing."""
from .bev import BevIndex, bev_index, bev_pool

__all__ = ["BevIndex", "bev_index", "bev_pool"]
