"""Where a call runs: the CPU, or a CUDA device in line with PyTorch's own kernels."""
import ctypes
import functools
from ctypes import addressof
from typing import Optional, Tuple

import torch

from ._library import BAD_ARGUMENT, ERROR, OK, SCRATCH, SMALL, Function, Library


class DeviceCalls:
    """Calls on one device, without Python's lock."""

    def run(self, function: Function, descriptor, workspace_bytes: int, check: Optional[bool]) -> Optional[Tuple[int, str]]:
        """None, or the code of a fault of the inputs' values and its text; other faults are raised."""
        raise NotImplementedError


class _Cpu(DeviceCalls):
    def run(self, function, descriptor, workspace_bytes, check):
        scratch = SCRATCH
        if workspace_bytes <= SMALL:
            code = function.call(addressof(descriptor), scratch.small_address, workspace_bytes, None, scratch.error, ERROR)
        else:
            workspace = torch.empty(workspace_bytes, dtype=torch.uint8)
            code = function.call(addressof(descriptor), workspace.data_ptr(), workspace_bytes, None, scratch.error, ERROR)
        if code == OK:
            return None
        if code == BAD_ARGUMENT:  # some need more memory for more threads, of which there may be more than when the plan was made
            text = scratch.error.value
            needed = function.workspace_bytes(descriptor)
            if needed > workspace_bytes:
                return self.run(function, descriptor, needed, check)
            scratch.error.value = text
        return function.fault(code)


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
            code = function.call(addressof(descriptor), workspace.data_ptr(), workspace_bytes, stream, SCRATCH.error, ERROR)
            if code != OK:
                return function.fault(code)
            return None if status is None else _described(int(status.item()))


def _described(status: int) -> Optional[Tuple[int, str]]:
    code = _describe_status()(status & (2**64 - 1), SCRATCH.error, ERROR)
    return None if code == OK else (code, SCRATCH.error.value.decode())


@functools.lru_cache(maxsize=None)
def _describe_status():
    function = Library("losses").dll.tyto_losses_describe_status
    function.argtypes = [ctypes.c_uint64, ctypes.c_char_p, ctypes.c_size_t]
    return function


_CPU = _Cpu()


def calls_on(device: torch.device) -> DeviceCalls:
    return _CPU if device.type == "cpu" else _Cuda(device)
