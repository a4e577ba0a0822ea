"""Host memory in place of a GPU's: within `StandIn` all tensors are on CUDA, as far as tyto can see, and its C libraries, linked to
the emulated kernels, work on what they are given. The package has no part in it."""
import contextlib
import ctypes
from types import SimpleNamespace
from unittest import mock

import torch

from tyto import _device, _library

_DLL = _library.Library("losses").dll
_DLL.emulated_device_wait.restype = ctypes.c_size_t
_DLL.emulated_device_wait.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
_DLL.emulated_device_waits.restype = ctypes.c_int64
_DLL.emulated_device_stream.restype = ctypes.c_void_p
_FACTORIES = ("arange", "empty", "empty_strided", "full", "randn", "tensor", "zeros")


def on_gpu(tensor: torch.Tensor, number: int) -> torch.Tensor:
    """The same tensor, of another GPU than the first."""
    tensor = tensor.detach().clone()
    tensor.gpu = number
    return tensor


class StandIn(contextlib.ExitStack):
    """calls   of each call into C: its function, its stream, and the device whose guard it was in
    asked      the devices whose current stream was asked for
    items      how often a tensor's number was read, which waits for a GPU
    lazy       whether kernels run only when they are waited for, and memory is kept until then; else they run at once"""

    def __init__(self, lazy: bool = False):
        super().__init__()
        self.lazy = lazy
        self.calls, self.asked, self.items = [], [], 0
        self.stream = self.new_stream()
        self._guards, self._kept = [], []

    @staticmethod
    def new_stream() -> int:
        return _DLL.emulated_device_stream()

    @staticmethod
    def waits() -> int:
        """How often the host waited for the emulated device."""
        return _DLL.emulated_device_waits()

    def wait(self) -> None:
        """Does what kernels have been given to do."""
        text = ctypes.create_string_buffer(4096)
        if _DLL.emulated_device_wait(text, len(text)):
            raise AssertionError(text.value.decode())
        self._kept.clear()

    def __enter__(self):
        super().__enter__()

        def patch(owner, name, new):
            self.enter_context(mock.patch.object(owner, name, new))

        patch(torch.Tensor, "device", property(lambda t: torch.device("cuda", getattr(t, "gpu", 0))))
        patch(torch.Tensor, "is_cuda", property(lambda t: True))
        patch(torch.Tensor, "pin_memory", lambda t: t)
        patch(torch.Tensor, "to", self._without_device(torch.Tensor.to))
        patch(torch.Tensor, "item", self._waiting(torch.Tensor.item))
        for name in _FACTORIES:
            patch(torch, name, self._without_device(getattr(torch, name)))
        patch(torch.cuda, "device", self._guard)
        patch(torch.cuda, "current_stream", self._current_stream)
        patch(_device._Cuda, "run", self._recorded(_device._Cuda.run))
        return self

    def _without_device(self, function):
        """A function of torch, for which a GPU is the CPU."""

        def host(device):
            return torch.device("cpu") if isinstance(device, torch.device) and device.type == "cuda" else device

        def call(*arguments, **options):
            made = function(*[host(a) for a in arguments], **{name: host(value) for name, value in options.items()})
            if self.lazy:
                self._kept.append(made)
            return made

        return call

    def _waiting(self, function):
        def item(tensor):
            self.items += 1
            self.wait()
            return function(tensor)

        return item

    def _recorded(self, run):
        def recorded(calls_on, function, descriptor, workspace_bytes, check):
            def call(address, workspace, size, stream, *text):
                self.calls.append(SimpleNamespace(name=function.name, stream=stream, device=self._guards[-1]))
                code = function.call(address, workspace, size, stream, *text)
                if not self.lazy:
                    self.wait()
                return code

            function_on_it = SimpleNamespace(types=function.types, fault=function.fault, call=call)
            return run(calls_on, function_on_it, descriptor, workspace_bytes, check)

        return recorded

    @contextlib.contextmanager
    def _guard(self, device):
        self._guards.append(device)
        try:
            yield
        finally:
            self._guards.pop()

    def _current_stream(self, device):
        self.asked.append(device)
        return SimpleNamespace(cuda_stream=self.stream)
