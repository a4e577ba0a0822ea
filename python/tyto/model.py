"""Model files."""
import ctypes
import json
import os
import tempfile
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from . import _seam
from ._errors import ArgumentError
from .conversion import Path, convert

_open = _seam.function("model_open", ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(_seam.OBJECT))


@dataclass(frozen=True)
class InputInfo:
    """What a network takes for each of N samples."""

    name: str
    type: str  # "F32" or "I32"
    shape: Optional[Tuple[int, ...]]  # for a sample; of images None: see preprocessing
    images: int  # images a sample, which stand one after another; 0: numbers
    preprocessing: Optional[Dict[str, Any]]  # of images: how they are resized and normalised
    counted: bool  # a sample may have fewer rows than shape[0]: an input NAME.count, I32 [N], says how many
    steady: bool  # the same from run to run more often than not: calibrations


@dataclass(frozen=True)
class ModelInfo:
    """What a model file says of its network."""

    network: str  # "ft_net"
    task: str  # "classify", "embed", "detect", "bev", "raw", or "" in files of format 1
    options: Dict[str, str]  # what the tensors' shapes cannot tell: {"stride": "1"}
    inputs: List[InputInfo]
    outputs: List[str]
    state: Dict[str, str]  # inputs that are an output of the run before: {input: output}
    class_names: List[str]
    grid: Optional[Dict[str, Any]]  # of bird's-eye views: where the map lies, in metres
    source_sha256: str  # of the checkpoint's bytes
    identity: str  # SHA-256 of the tensors' bytes


def _info(said: Dict[str, Any]) -> ModelInfo:
    inputs = []
    for name, of in said["inputs"].items():
        rule = of.get("preprocessing")
        inputs.append(InputInfo(name=name, type=of.get("type", "F32"), shape=tuple(of["shape"]) if "shape" in of else None,
                                images=of.get("images", 1) if rule else 0, preprocessing=rule, counted=of.get("counted", False),
                                steady=of.get("steady", False)))
    return ModelInfo(**{**said, "inputs": inputs, "outputs": list(said["outputs"])})


class Model:
    """A trained network in a model file, which `tyto convert`, convert() and Model.from_checkpoint() make. It does not change, and
    threads may share it; the tensors stay in the file, which stays open, until something runs them.

    path    the model file
    verify  whether the tensors' bytes are read and compared with their SHA-256, as the command does

    Error: the file is missing ("file"), damaged or no model file ("format"), or of a newer format ("unsupported").
    """

    info: ModelInfo
    path: str

    def __init__(self, path: Path, *, verify: bool = True):
        encoded = _seam.path_of(path, "path")
        options = _seam.options_of("Model", verify=verify)
        self._object, said = _seam.made("model", lambda model: _open(encoded, options, model))
        self.info = _info(json.loads(said))
        self.path = os.fsdecode(encoded)

    @classmethod
    def from_checkpoint(cls, checkpoint: Path, output: Optional[Path] = None, **options) -> "Model":
        """Converts a PyTorch checkpoint and opens the model file.

        output   where that is kept; None: a temporary one that is gone as soon as it is open
        options  those of convert()
        """
        if output is not None:
            convert(checkpoint, output, **options)
            return cls(output, verify=False)
        with tempfile.TemporaryDirectory(prefix="tyto-") as folder:
            path = os.path.join(folder, "model.safetensors")
            convert(checkpoint, path, **options)
            return cls(path, verify=False)

    def run(self, inputs: Mapping[str, Any], **options) -> Dict[str, np.ndarray]:
        """Runs the network once on raw tensors: Plan(self, **options).run(inputs). Make a Plan to run it again and again."""
        from .plan import Plan
        with Plan(self, **options) as plan:
            return plan.run(inputs)

    def close(self) -> None:
        """Closes the file. What was made of the model goes on."""
        self._object.close()

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<tyto.Model {self.path!r}: {self.info.network}{', closed' if self._object.closed else ''}>"


def number_of(model: Any, what: str) -> Tuple[Model, int]:
    """A model, or the file of one, which is opened, for the seam. what: who asks, for messages."""
    if isinstance(model, (str, os.PathLike)):
        model = Model(model)
    if not isinstance(model, Model):
        raise ArgumentError("usage", f"{what}: model is no tyto.Model and no path, but {type(model).__name__}")
    return model, model._object.number
