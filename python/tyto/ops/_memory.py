"""How tensors lie in memory."""
from typing import Optional

import torch

from .._errors import ArgumentError


def rows_apart(tensor: torch.Tensor, dims: int = 1) -> Optional[int]:
    """Elements from one row to the next, where all rows are dense, stand in order and equally far apart; else None.

    dims: how many of the last dimensions are a row"""
    sizes, strides = tensor.shape, tensor.stride()
    width = 1
    for size, stride in zip(sizes[:-dims - 1:-1], strides[:-dims - 1:-1]):
        if size > 1 and stride != width:
            return None
        width *= max(size, 1)
    apart, rows = None, 1
    for size, stride in zip(sizes[-dims - 1::-1], strides[-dims - 1::-1]):
        if size == 1:
            continue
        if apart is None:
            apart = stride
        elif stride != apart * rows:
            return None
        rows *= size
    return width if apart is None else apart if apart >= width else None


def check_memory(operation: str, name: str, tensor: torch.Tensor) -> None:
    """ArgumentError of a tensor that PyTorch would read where nothing is."""
    if tensor.device.type != "meta" and tensor.layout == torch.strided and tensor.numel() and not tensor.data_ptr():
        raise ArgumentError("usage", f"{operation}: {name} has lost its memory")


def empty_as(tensor: torch.Tensor) -> torch.Tensor:
    """A new tensor with the same strides, gaps between rows included."""
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=tensor.device)


def is_channels_last(maps) -> bool:
    """Whether these are maps [images, channels, height, width] that have their channels last in memory, and not first as well."""
    return (isinstance(maps, torch.Tensor) and maps.layout == torch.strided and maps.dim() == 4 and not maps.is_contiguous()
            and maps.is_contiguous(memory_format=torch.channels_last))


def memory_format(channels_last: bool) -> torch.memory_format:
    return torch.channels_last if channels_last else torch.contiguous_format
