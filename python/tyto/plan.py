"""Networks on raw tensors."""
import ctypes
import json
from typing import Any, Dict, Mapping, Optional, Sequence, Union

import numpy as np

from . import _seam
from ._engine import engine_options, tell
from ._errors import ArgumentError, Error, reason, shown
from .conversion import Path
from .model import Model, number_of

_open = _seam.function("plan_open", _seam.OBJECT, ctypes.c_char_p, ctypes.POINTER(_seam.OBJECT))
_run = _seam.function("plan_run", _seam.OBJECT, ctypes.POINTER(_seam.Tensor), ctypes.c_int32)
_output = _seam.function("plan_output", _seam.OBJECT, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)

_NAMES = {np.dtype(np.float32): b"F32", np.dtype(np.float64): b"F64", np.dtype(np.float16): b"F16", np.dtype(np.int64): b"I64",
          np.dtype(np.int32): b"I32"}


class Plan:
    """A network compiled for one device: raw tensors in and out, as `tyto run` has them.

    model         a Model, or the path of a model file
    device        "auto" (the first GPU that tyto can use, else the CPU), "cpu", "cuda", "cuda:1"; "cuda:0,1": several, in turn
    threads       of the CPU; 0: one a core
    precision     "fp32"; "bf16" (GPU, or a CPU with AVX512_BF16 or AMX); "tf32", "fp16" (GPU)
    outputs       the outputs to compute; none: all that the network names
    set           options of the network in place of the model file's: {"score_threshold": 0.3}
    memory_limit  bytes for weights, activations and workspaces; 0: none

    Error: the device is not there ("device"), or lacks the precision ("unsupported"). ArgumentError: an option makes no sense.
    """

    def __init__(self, model: Union[Model, Path], *, device: str = "auto", threads: int = 0, precision: str = "fp32",
                 outputs: Sequence[str] = (), set: Optional[Mapping[str, Any]] = None, memory_limit: int = 0):
        options = _seam.options_of("Plan", **engine_options("Plan", device, threads, memory_limit), precision=precision,
                                   outputs=outputs, set=set)
        self.model, of_model = number_of(model, "Plan")
        self._object, text = _seam.made("plan", lambda plan: _open(of_model, options, plan))
        said = json.loads(text)
        tell(said)
        self.device: str = said["device"]  # "cpu" or "cuda"

    def run(self, inputs: Mapping[str, Any]) -> Dict[str, np.ndarray]:
        """The network's outputs by name, of N samples: float32 and int32, and float16 where the precision is.

        inputs  an array for each input that `tyto inspect MODEL` lists: images [N * images, 3, H, W], preprocessed; numbers float32
                [N, ...]; tables int32 and their NAME.count [N]. float64 and float16 become float32, other integers int32

        The first run with new shapes plans, which takes longer. ArgumentError names an input that is missing or not there, of another
        shape or type, or an integer that does not fit. Error: a limit of memory ("memory").
        """
        if not isinstance(inputs, Mapping):
            raise ArgumentError("usage", f"run: inputs are no mapping of names to arrays, but {type(inputs).__name__}")
        arrays = {name: self._array(name, value) for name, value in inputs.items()}
        shapes = [(ctypes.c_int64 * array.ndim)(*array.shape) for array in arrays.values()]
        tensors = (_seam.Tensor * len(arrays))()
        for tensor, shape, (name, array) in zip(tensors, shapes, arrays.items()):
            tensor.name, tensor.type = name.encode(), _NAMES[array.dtype]
            tensor.values, tensor.shape, tensor.rank = array.ctypes.data, shape, array.ndim
        with self._object.lock:
            said = json.loads(_run(self._object.number, tensors, len(arrays)))
            outputs = {}
            for name, kind, shape in said["outputs"]:
                values = outputs[name] = np.empty(shape, _seam.TYPES[kind])
                _output(self._object.number, name.encode(), values.ctypes.data, values.nbytes)
            return outputs

    @staticmethod
    def _array(name: Any, value: Any) -> np.ndarray:
        if not isinstance(name, str) or not name.isprintable():
            raise ArgumentError("usage", f"run: {shown(name)} is no input's name")
        try:
            array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
        except Exception as error:  # whatever a stranger's protocol raises
            raise ArgumentError("usage", f"run: '{name}' of type {type(value).__name__} is no array: {reason(error)}") from None
        if array.dtype.kind in "iu" and array.dtype.itemsize < 8:
            array = array.astype(np.int32 if array.dtype.itemsize < 4 else np.int64)
        if array.dtype not in _NAMES:
            raise ArgumentError("usage", f"run: '{name}' is {array.dtype}, but networks take floats and integers")
        try:
            return np.ascontiguousarray(array).reshape(array.shape)
        except MemoryError:
            raise Error("memory", f"run: '{name}' of {list(array.shape)} does not fit into memory") from None

    def close(self) -> None:
        self._object.close()

    def __enter__(self) -> "Plan":
        return self

    def __exit__(self, *_) -> None:
        self.close()
