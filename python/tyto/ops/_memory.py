"""How tensors lie in memory."""
from typing import Optional

import torch


def rows_apart(tensor: torch.Tensor) -> Optional[int]:
    """Elements from one row, of the last dimension, to the next, where all rows stand in order and equally far apart; else None."""
    *sizes, width = tensor.shape
    *strides, step = tensor.stride()
    if width > 1 and step != 1:
        return None
    apart, rows = None, 1
    for size, stride in zip(reversed(sizes), reversed(strides)):
        if size == 1:
            continue
        if apart is None:
            apart = stride
        elif stride != apart * rows:
            return None
        rows *= size
    return max(width, 1) if apart is None else apart if apart >= max(width, 1) else None


def empty_as(tensor: torch.Tensor) -> torch.Tensor:
    """A new tensor with the same strides, gaps between rows included."""
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=tensor.device)
