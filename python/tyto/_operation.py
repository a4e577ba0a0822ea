"""A C function on PyTorch's tensors: arguments are checked, the descriptor is filled, faults are raised.

What a call needs beyond pointers depends on shapes, types, device and options alone, and is kept: a training loop's second step
finds it made."""
import array
import ctypes
import functools
import itertools
import numbers
from dataclasses import dataclass
from typing import Callable, Mapping, Optional, Sequence, Tuple

import torch

from ._device import DeviceCalls, calls_on
from ._errors import ArgumentError, Error, reason, shown
from ._library import DEGENERATE_BOX, Function, Library

_ELEMENTS = {torch.float64: "TYTO_DOUBLE", torch.float32: "TYTO_FLOAT", torch.float16: "TYTO_HALF", torch.bfloat16: "TYTO_BFLOAT16"}
_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
_FEW = 256
_MOST_PLANS = 512  # of an operation; loops over more shapes than that make them anew


@dataclass(frozen=True)
class Argument:
    """What an operation takes at one place. A dimension is a number, or the name of the descriptor's field that holds it.

    kind: "elements", of the type of all inputs; "real", float64 with float64 and float32 with the others; "float32"; "int32", which
    all integers become.
    together: how many of its elements CUDA's kernels load at once, to which the first is aligned.
    strided: it is left as it lies in memory; who calls sees to that."""

    name: str
    dims: tuple
    kind: str = "elements"
    optional: bool = False
    together: int = 1
    strided: bool = False


def elements(name: str, *dims, optional: bool = False, together: int = 1, strided: bool = False) -> Argument:
    return Argument(name, dims, "elements", optional, together, strided)


def reals(name: str, *dims, optional: bool = False, together: int = 1) -> Argument:
    return Argument(name, dims, "real", optional, together)


def floats(name: str, *dims, optional: bool = False) -> Argument:
    return Argument(name, dims, "float32", optional)


def integers(name: str, *dims, optional: bool = False) -> Argument:
    return Argument(name, dims, "int32", optional)


@dataclass(frozen=True)
class Plan:
    """What calls of the same shapes, types, device and options share."""

    descriptor: Callable[[], ctypes.Structure]  # makes one, to be filled with pointers
    workspace_bytes: int
    sizes: Mapping[str, int]
    device: torch.device
    calls: DeviceCalls
    elements: torch.dtype  # of inputs and gradients
    real: torch.dtype  # of values
    types: Sequence[Optional[torch.dtype]]  # that the arguments have to have
    together: Optional[Sequence[int]]  # of the arguments; None: any address does
    value: Optional[torch.Tensor]  # of the shape, type and device that a value has; empty_like() is quicker than to tell them


try:
    torch.is_autocast_enabled("cpu")
except TypeError:  # PyTorch before 2.4

    def _autocasts() -> bool:
        return torch.is_autocast_enabled() or torch.is_autocast_cpu_enabled()

    def autocast_type(device: torch.device) -> Optional[torch.dtype]:
        """What PyTorch's matrix products compute in on a device; None without autocast."""
        if device.type == "cuda":
            return torch.get_autocast_gpu_dtype() if torch.is_autocast_enabled() else None
        return torch.get_autocast_cpu_dtype() if torch.is_autocast_cpu_enabled() else None
else:

    def _autocasts() -> bool:
        return torch.is_autocast_enabled("cuda") or torch.is_autocast_enabled("cpu")

    def autocast_type(device: torch.device) -> Optional[torch.dtype]:
        """What PyTorch's matrix products compute in on a device; None without autocast."""
        return torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else None


def int32_of(tensor: torch.Tensor) -> torch.Tensor:
    """Integers as 32 bits; what does not fit becomes -2^31, which no operation takes for a label or a count."""
    if tensor.dtype == torch.int64:
        tensor = tensor.clamp(-2**31, 2**31)  # of which the last wraps around
    return tensor.to(torch.int32)


class _FewIntegers(array.array):
    """The labels of a small batch, which PyTorch would bring to 32 bits by two operators that cost more than a loss of eight rows."""

    def data_ptr(self) -> int:
        return self.buffer_info()[0]


class Operation:
    """tyto_<name> of a library.

    halves: what becomes of float16: "native", or "float32" where a gradient of halves would lose what loss scaling saves, or "reals"
    where bfloat16 becomes float32, too.
    autocast: what becomes of halves under autocast: "float32", as of PyTorch's own losses, or "native", of who has cast them.
    choices: of options that are called by names, their numbers.
    doubles: whether it computes in float64.
    value: the shape of the value that calls have, of the type "real".
    called: the Python function's name, where it is not the C function's."""

    def __init__(self, library: Library, name: str, *arguments: Argument, halves: str = "float32", autocast: str = "float32",
                 choices: Mapping[str, Mapping[str, int]] = {}, doubles: bool = True, value: Optional[Tuple[int, ...]] = None,
                 called: Optional[str] = None):
        self.name = called or name
        self.arguments = arguments
        self.halves = halves
        self.autocast = autocast
        self.doubles = doubles
        self._choices = choices
        self._value = value
        self._function: Function = library.function(name, called)
        self._plans: dict = {}

    def prepare(self, tensors: Sequence[Optional[torch.Tensor]], options: Mapping[str, object]):
        """Plan and tensors, of the arguments in their order: of the types that the call takes, and dense but for those that are
        `strided`. ArgumentError."""
        autocasts = _autocasts()
        try:
            key = (autocasts, *options.values(), *[t if t is None else (t.shape, t.dtype, t.device, t.layout) for t in tensors])
            plan = self._plans.get(key)
        except Exception:  # no tensors, no hashable options: _plan tells which
            key = plan = None
        if plan is None:
            plan = self._plan(tensors, options, autocasts)
            if key is not None:
                if len(self._plans) >= _MOST_PLANS:
                    self._plans.clear()
                self._plans[key] = plan
        ready = [t if t is None or (t.dtype is dtype and t.is_contiguous() and not t.is_neg()) else self._ready(argument, t, dtype)
                 for argument, t, dtype in zip(self.arguments, tensors, plan.types)]
        if plan.together is not None:
            ready = [t if t is None else _aligned(t, count) for t, count in zip(ready, plan.together)]
        return plan, ready

    def run(self, plan: Plan, descriptor, check: Optional[bool]) -> None:
        """check: whether inputs' values that are out of range or not finite are raised. None: on the CPU, where it costs nothing;
        on CUDA True waits for the device."""
        if check is not None:
            check = flag(self.name, "check", check)
        fault = plan.calls.run(self._function, descriptor, plan.workspace_bytes, check)
        if fault is not None and (check or (check is None and fault[0] != DEGENERATE_BOX)):
            raise self._function.error(*fault)

    def _plan(self, tensors, options, autocasts) -> Plan:
        sizes, of = {}, {}  # and what each size is of, for messages
        floats_of = {}
        device = None
        for argument, tensor in zip(self.arguments, tensors):
            if tensor is None and argument.optional:
                continue
            try:
                self.check(argument, tensor)
            except ArgumentError:
                raise
            except Exception as error:  # a parameter that has no shape yet, or somebody's subclass
                raise ArgumentError("usage", f"{self.name}: {argument.name} cannot be read: {reason(error)}") from None
            if device is None:
                device, first = tensor.device, argument.name
            elif tensor.device != device:
                raise ArgumentError("usage", f"{self.name}: {argument.name} is on {tensor.device}, {first} on {device}; "
                                    "bring them to one device")
            for dim, (name, size) in enumerate(zip(argument.dims, tensor.shape)):
                expected = name if isinstance(name, int) else sizes.setdefault(name, size)
                if size != expected:
                    why = f"{of[name]} has {expected} {name}" if name in of else f"{name} are due there"
                    raise ArgumentError("shape", f"{self.name}: {argument.name} is {list(tensor.shape)}, whose dimension {dim} is "
                                        f"not {expected}: {why}")
                if not isinstance(name, int):
                    of.setdefault(name, argument.name)
            if argument.kind == "elements":
                floats_of[argument.name] = tensor.dtype
        element = self._element_type(floats_of, autocasts)
        real = torch.float64 if element == torch.float64 else torch.float32
        kinds = {"elements": element, "real": real, "float32": torch.float32, "int32": torch.int32}
        descriptor = self._function.defaults()
        constants = self._function.constants
        descriptor.elements = constants[_ELEMENTS[element]]
        descriptor.device = constants["TYTO_ON_CUDA" if device.type == "cuda" else "TYTO_ON_CPU"]
        for name, size in sizes.items():
            setattr(descriptor, name, size)
        for name, value in options.items():
            self._set_option(descriptor, name, value)
        new = functools.partial(self._function.descriptor.from_buffer_copy, bytes(descriptor))
        return Plan(new, self._function.workspace_bytes(descriptor), sizes, device, calls_on(device), element, real,
                    [None if t is None else kinds[a.kind] for a, t in zip(self.arguments, tensors)], self._together(device),
                    None if self._value is None else torch.empty(self._value, dtype=real, device=device))

    def _together(self, device: torch.device) -> Optional[Sequence[int]]:
        counts = [argument.together for argument in self.arguments]
        return counts if device.type == "cuda" and max(counts) > 1 else None

    def check(self, argument: Argument, tensor) -> None:
        def refuse(kind, what):
            raise ArgumentError(kind, f"{self.name}: {argument.name} {what}")

        if not isinstance(tensor, torch.Tensor):
            refuse("usage", f"is no torch.Tensor, but {type(tensor).__name__}")
        if tensor.layout != torch.strided or tensor.device.type not in ("cpu", "cuda"):
            refuse("usage", f"is {tensor.layout} on {tensor.device}; dense tensors on a CPU or a CUDA device are taken")
        if argument.kind == "int32":
            if tensor.dtype not in _INTEGERS:
                refuse("usage", f"is of {tensor.dtype}, not of integers")
        elif tensor.dtype not in _ELEMENTS or (tensor.dtype == torch.float64 and argument.kind == "elements" and not self.doubles):
            refuse("usage", f"is of {tensor.dtype}, not of {'float64, ' if self.doubles else ''}float32, float16 or bfloat16")
        if len(tensor.shape) != len(argument.dims):
            refuse("shape", f"is {list(tensor.shape)}, not [{', '.join(str(dim) for dim in argument.dims)}]")

    def _element_type(self, floats_of: Mapping[str, torch.dtype], autocasts: bool) -> torch.dtype:
        if autocasts and self.autocast == "float32":
            floats_of = {name: torch.float64 if dtype == torch.float64 else torch.float32 for name, dtype in floats_of.items()}
        elif self.halves != "native":
            halves = (torch.float16,) if self.halves == "float32" else (torch.float16, torch.bfloat16)
            floats_of = {name: torch.float32 if dtype in halves else dtype for name, dtype in floats_of.items()}
        first, *others = floats_of.items() or [("", torch.float32)]
        for name, dtype in others:
            if dtype != first[1]:
                raise ArgumentError("usage", f"{self.name}: {name} is of {dtype}, {first[0]} of {first[1]}; bring them to one type")
        return first[1]

    def _ready(self, argument: Argument, tensor: torch.Tensor, dtype: torch.dtype):
        try:
            if dtype == torch.int32 and not tensor.is_cuda and tensor.numel() <= _FEW:
                try:
                    return _FewIntegers("i", tensor.flatten().tolist())
                except OverflowError:
                    pass
            if not tensor.data_ptr() and tensor.numel():
                raise ArgumentError("usage", f"{self.name}: {argument.name} has lost its memory")  # PyTorch would read it
            if tensor.dtype != dtype:
                tensor = int32_of(tensor) if dtype == torch.int32 else tensor.to(dtype)
            if tensor.is_neg():
                tensor = tensor.resolve_neg()
            return tensor if argument.strided or tensor.is_contiguous() else tensor.contiguous()
        except (Error, torch.cuda.OutOfMemoryError):
            raise
        except RuntimeError as error:
            raise Error("memory", f"{self.name}: {argument.name} {list(tensor.shape)} cannot be had as dense {dtype}: "
                        f"{reason(error)}") from None

    def _set_option(self, descriptor, name: str, value) -> None:
        kind = self._function.types[name]
        if name in self._choices:
            value = choice(self.name, name, value, self._choices[name])
        try:
            if isinstance(kind, type) and issubclass(kind, ctypes.Array):
                values = [_number(v, kind._type_) for v in itertools.islice(value, kind._length_ + 1)]
                if len(values) != kind._length_:
                    raise ValueError
                value = kind(*values)
            else:
                value = _number(value, kind)
            setattr(descriptor, name, value)
            if isinstance(value, int) and getattr(descriptor, name) != value:
                raise OverflowError
        except Exception:  # whatever somebody's type raises
            raise ArgumentError("usage", f"{self.name}: {name} cannot be {shown(value)}") from None


def _number(value, kind):
    if not (isinstance(value, numbers.Real) or type(value).__module__ == "numpy" and value.shape == ()):
        raise TypeError  # text, which float() takes; a tensor, which may change under the plan that is kept
    if kind is ctypes.c_double:
        return float(value)
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    return int(value)


def _aligned(tensor: torch.Tensor, together: int) -> torch.Tensor:
    return tensor.clone() if tensor.data_ptr() % (together * tensor.element_size()) else tensor


def flag(operation: str, name: str, value) -> bool:
    """True or False, of NumPy too. ArgumentError of what else may pass for one."""
    if value is True or value is False:
        return value
    if type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise ArgumentError("usage", f"{operation}: {name} cannot be {shown(value)}; it is True or False")


def choice(operation: str, name: str, value, choices: Mapping[str, int]) -> int:
    """The number of a named option. ArgumentError lists the names."""
    try:
        return choices[value]
    except Exception:  # no key, or none of a dictionary's
        raise ArgumentError("usage", f"{operation}: {name} cannot be {shown(value)}; it is one of {', '.join(choices)}") from None
