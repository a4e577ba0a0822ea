"""Where a call runs: the CPU, or a CUDA device in line with PyTorch's own kernels."""
import ctypes
import functools
from typing import Optional, Tuple

import torch

from ._library import SCRATCH, Function, Library


class DeviceCalls:
    """Calls on one device."""

    def run(self, function: Function, descriptor, workspace_bytes: int, check: Optional[bool]) -> Tuple[int, str]:
        """The code of a fault of the inputs' values, or OK, and its text; other faults are raised."""
        raise NotImplementedError


class _Cpu(DeviceCalls):
    def run(self, function, descriptor, workspace_bytes, check):
        if workspace_bytes <= len(SCRATCH.small):
            return function.call(descriptor, SCRATCH.small_address, workspace_bytes, None)
        workspace = torch.empty(workspace_bytes, dtype=torch.uint8)
        return function.call(descriptor, workspace.data_ptr(), workspace_bytes, None)


class _Cuda(DeviceCalls):
    """On PyTorch's current stream of the device, and with workspaces of its allocator."""

    def __init__(self, device: torch.device):
        self._device = device

    def run(self, function, descriptor, workspace_bytes, check):
        with torch.cuda.device(self._device):
            # A word that faults raise; none unless it is asked for, because reading it waits for the device.
            status = torch.zeros(1, dtype=torch.int64, device=self._device) if check and "status" in function.types else None
            if status is not None:
                descriptor.status = status.data_ptr()
            workspace = torch.empty(workspace_bytes, dtype=torch.uint8, device=self._device)
            stream = torch.cuda.current_stream(self._device).cuda_stream
            outcome = function.call(descriptor, workspace.data_ptr(), workspace_bytes, stream)
            return outcome if status is None else _described(int(status.item()))


def _described(status: int) -> Tuple[int, str]:
    text = ctypes.create_string_buffer(256)
    return _describe_status()(status & (2**64 - 1), text, len(text)), text.value.decode()


@functools.lru_cache(maxsize=None)
def _describe_status():
    function = Library("losses").dll.tyto_losses_describe_status
    function.argtypes = [ctypes.c_uint64, ctypes.c_char_p, ctypes.c_size_t]
    return function


_CPU = _Cpu()


def calls_on(device: torch.device) -> DeviceCalls:
    return _CPU if device.type == "cpu" else _Cuda(device)
