"""Where a call runs: the CPU, or a CUDA device with PyTorch's current stream."""
import contextlib
import ctypes
import functools
from typing import Optional

import torch

from ._library import Library


class _Cpu:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def stream(self) -> Optional[int]:
        return None

    def status(self, check: Optional[bool]):
        return None  # the call itself returns a code


class _Cuda(_Cpu):
    """Kernels start on PyTorch's current stream of the device, so that they stand in line with PyTorch's own."""

    def __init__(self, device: torch.device):
        self._device = device
        self._guard = torch.cuda.device(device)

    def __enter__(self):
        self._guard.__enter__()
        return self

    def __exit__(self, *exception):
        return self._guard.__exit__(*exception)

    def stream(self) -> int:
        return torch.cuda.current_stream(self._device).cuda_stream

    def status(self, check: Optional[bool]) -> Optional[torch.Tensor]:
        """A word that faults raise; none unless they are asked for, because reading it waits for the device."""
        return torch.zeros(1, dtype=torch.int64, device=self._device) if check else None

    def describe(self, status: torch.Tensor):
        """The code of the fault in a status word, and its text."""
        word = int(status.item()) & (2**64 - 1)
        text = ctypes.create_string_buffer(256)
        code = _describe()(word, text, len(text))
        return code, text.value.decode()


@functools.lru_cache(maxsize=None)
def _describe():
    function = Library("losses").dll.tyto_losses_describe_status
    function.argtypes = [ctypes.c_uint64, ctypes.c_char_p, ctypes.c_size_t]
    return function


_CPU = _Cpu()


def device_of(device: torch.device) -> contextlib.AbstractContextManager:
    return _CPU if device.type == "cpu" else _Cuda(device)
