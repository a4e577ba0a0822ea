"""PyTorch checkpoints to model files."""
import ctypes
import json
import os
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

from . import _seam

Path = Union[str, "os.PathLike[str]"]

_convert = _seam.function("convert", ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)


@dataclass(frozen=True)
class Conversion:
    """What convert() found in a checkpoint, and what it decided."""

    model: str  # the model file
    network: str  # "ft_net"
    task: str  # "classify", "embed", "detect", "bev" or "raw"
    options: Dict[str, str]  # the network's
    decisions: Dict[str, Dict[str, str]]  # options that were left open: {"value": ..., "reason": ...}
    inputs: Dict[str, Any]  # as `tyto convert --json` prints them: preprocessing rules, types, shapes
    outputs: Dict[str, Any]
    identity: str  # SHA-256 of the tensors
    key: str  # where in the checkpoint its tensors are, and what stands before their names
    prefix: str
    wrappers: List[str]
    used: List[str] = field(repr=False)  # names of tensors
    ignored: List[str] = field(repr=False)  # that running does not need
    unused: List[str] = field(repr=False)  # unknown
    outside: List[str] = field(repr=False)  # without the prefix


def convert(checkpoint: Path, output: Path, *, network: Optional[str] = None, key: Optional[str] = None, prefix: Optional[str] = None,
            set: Optional[Mapping[str, Any]] = None, preprocess: Optional[Mapping[str, Any]] = None,
            classes: Union[None, Path, Sequence[str]] = None, allow_unused: bool = False) -> Conversion:
    """Makes a model file of a PyTorch checkpoint, as `tyto convert` does. No code of the checkpoint runs.

    checkpoint    a .pth, .pt, .tar or .safetensors file
    output        the model file; it appears when it is whole
    network       where the tensors do not tell it
    key, prefix   where in the checkpoint the tensors are, if there are several networks: "model_ema"; what stands before their names
    set           options of the network: {"stride": 1}
    preprocess    keys of the preprocessing rule: {"size": [384, 128], "resize": "pil-bilinear"}; of one of several inputs of images
                  {"NAME.size": ...}
    classes       names of the classes, or a text file with a name a line
    allow_unused  converts although tensors are left over

    Error: the checkpoint cannot be read ("file", "format"), or several networks fit it, or none, and the sentence says which come near
    ("format"). ArgumentError: there is no such network, key, prefix, option or rule.
    """
    names_in_file = isinstance(classes, (str, os.PathLike))
    options = _seam.options_of("convert", network=network, key=key, prefix=prefix, set=set, preprocess=preprocess,
                               classes=None if names_in_file else classes, classes_file=classes if names_in_file else None,
                               allow_unused=allow_unused)
    checkpoint, output = _seam.path_of(checkpoint, "checkpoint"), _seam.path_of(output, "output")
    said = _seam.interruptible(lambda stop: _convert(checkpoint, output, options, ctypes.byref(stop)))
    return Conversion(**json.loads(said))
