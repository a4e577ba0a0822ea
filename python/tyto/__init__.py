"""tyto in Python: losses and operators with gradients for PyTorch, and inference.

    tyto.losses    value and gradient of detection's and re-identification's losses; of PyTorch's tensors
    tyto.ops       attention, RoI pooling, NMS and bird's-eye-view pooling with gradients; of PyTorch's tensors
    tyto.Model, tyto.convert                 model files, and PyTorch checkpoints that become some
    tyto.FeatureExtractor, tyto.Plan         images to feature vectors; raw tensors in and out
    tyto.read_image                          an image file's pixels
    tyto.Error     what is raised; tyto.ArgumentError of arguments, which is a ValueError, too
"""
import importlib
from typing import TYPE_CHECKING

from ._errors import ArgumentError, Error
from ._process import get_num_threads, set_num_threads

if TYPE_CHECKING:
    from . import losses, ops
    from .conversion import Conversion, convert
    from .feature_extractor import Feature, FeatureExtractor, FeatureRun, Features
    from .images import read_image
    from .model import InputInfo, Model, ModelInfo
    from .plan import Plan

_MODULES = ("losses", "ops")  # which import PyTorch, so that inference does without
_MODULE_OF = {  # which import NumPy
    "Conversion": "conversion",
    "Feature": "feature_extractor",
    "FeatureExtractor": "feature_extractor",
    "FeatureRun": "feature_extractor",
    "Features": "feature_extractor",
    "InputInfo": "model",
    "Model": "model",
    "ModelInfo": "model",
    "Plan": "plan",
    "convert": "conversion",
    "read_image": "images",
}

__all__ = [
    "ArgumentError",
    "Conversion",
    "Error",
    "Feature",
    "FeatureExtractor",
    "FeatureRun",
    "Features",
    "InputInfo",
    "Model",
    "ModelInfo",
    "Plan",
    "convert",
    "get_num_threads",
    "losses",
    "ops",
    "read_image",
    "set_num_threads",
]


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
