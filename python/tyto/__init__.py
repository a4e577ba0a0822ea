"""tyto in Python: losses and operators with gradients for PyTorch, and inference.

    tyto.losses    value and gradient of detection's and re-identification's losses; of PyTorch's tensors
    tyto.ops       attention, RoI pooling, NMS and bird's-eye-view pooling with gradients; of PyTorch's tensors
    tyto.Error     what is raised; tyto.ArgumentError of arguments, which is a ValueError, too
"""
import importlib
from typing import TYPE_CHECKING

from ._errors import ArgumentError, Error
from ._process import get_num_threads, set_num_threads

if TYPE_CHECKING:
    from . import losses, ops

_MODULES = ("losses", "ops")  # which import PyTorch, so that inference does without

__all__ = [
    "ArgumentError",
    "Error",
    "get_num_threads",
    "losses",
    "ops",
    "set_num_threads",
]


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
