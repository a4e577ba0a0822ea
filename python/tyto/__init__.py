"""tyto in Python: losses and operators with gradients for PyTorch, and inference.

    tyto.losses    value and gradient of detection's and re-identification's losses; of PyTorch's tensors
    tyto.ops       attention, RoI pooling, NMS and bird's-eye-view pooling with gradients; of PyTorch's tensors
    tyto.Model, tyto.convert                 model files, and PyTorch checkpoints that become some
    tyto.FeatureExtractor, tyto.Plan         images to feature vectors; raw tensors in and out
    tyto.Detector, tyto.BevSegmenter         images to labelled boxes; images of calibrated rigs to maps of the ground
    tyto.read_image                          an image file's pixels
    tyto.Error     what is raised; tyto.ArgumentError of arguments, which is a ValueError, too
"""
import importlib
from typing import TYPE_CHECKING

from ._errors import ArgumentError, Error
from ._process import get_num_threads, set_num_threads

if TYPE_CHECKING:
    from . import losses, ops
    from .bev_segmenter import BevRun, BevSegmenter, read_samples
    from .conversion import Conversion, convert
    from .detector import DetectionRun, Detector
    from .feature_extractor import Feature, FeatureExtractor, FeatureRun, Features
    from .images import read_image
    from .model import InputInfo, Model, ModelInfo
    from .plan import Plan
    from .results import BevGrid, BevMap, BevSample, Camera, Detections

_MODULES = ("losses", "ops")  # which import PyTorch, so that inference does without
_MODULE_OF = {  # which import NumPy
    "BevGrid": "results",
    "BevMap": "results",
    "BevRun": "bev_segmenter",
    "BevSample": "results",
    "BevSegmenter": "bev_segmenter",
    "Camera": "results",
    "Conversion": "conversion",
    "DetectionRun": "detector",
    "Detections": "results",
    "Detector": "detector",
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
    "read_samples": "bev_segmenter",
}

__all__ = [
    "ArgumentError",
    "BevGrid",
    "BevMap",
    "BevRun",
    "BevSample",
    "BevSegmenter",
    "Camera",
    "Conversion",
    "DetectionRun",
    "Detections",
    "Detector",
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
    "read_samples",
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
