"""The private seam to tyto itself, libtyto_python.so, by ctypes. python/native/seam.h says what its functions do; modules declare those that
they call with `function`."""
import concurrent.futures
import ctypes
import functools
import itertools
import json
import os
import re
import threading
import weakref
from typing import Any, Callable, List, Mapping, Optional, Tuple

from ._errors import ArgumentError, Error, error_of, shown
from ._library import NATIVE

KINDS = ("usage", "file", "format", "shape", "unsupported", "memory", "device")  # ErrorKind's order
TYPES = {"F32": "float32", "F64": "float64", "F16": "float16", "I64": "int64", "I32": "int32"}  # and NumPy's names
_MOST_ITEMS = 2**16  # of an option's value
_LONG_NUMBER = re.compile(r"(?:^|[\[ ])-?\d{19,}(?:$|[\],])")  # beyond 64 bits, or close to it
_INTERRUPTED = 100
_SPIN_COUNT = "1000"  # see apps/spin_count.cpp

OBJECT = ctypes.c_uint64


class Text(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_void_p), ("size", ctypes.c_size_t)]


class Image(ctypes.Structure):
    _fields_ = [("path", ctypes.c_char_p), ("rgb", ctypes.c_void_p), ("row_bytes", ctypes.c_int64), ("height", ctypes.c_int32),
                ("width", ctypes.c_int32)]


class Tensor(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("type", ctypes.c_char_p), ("values", ctypes.c_void_p),
                ("shape", ctypes.POINTER(ctypes.c_int64)), ("rank", ctypes.c_int32)]


@functools.lru_cache(maxsize=None)
def _dll() -> ctypes.CDLL:
    path = os.path.join(NATIVE, "libtyto_python.so")
    # libgomp reads it as it is loaded; where another library brought it before, its threads wait as they did.
    ours = not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & set(os.environ)
    if ours:
        os.environ["GOMP_SPINCOUNT"] = _SPIN_COUNT
    try:
        dll = ctypes.CDLL(path)
    except OSError as error:
        raise Error("file", f"{path}: {error}; install tyto again") from None
    finally:
        if ours:
            del os.environ["GOMP_SPINCOUNT"]
    dll.tyto_python_free.argtypes = [ctypes.c_void_p]
    dll.tyto_python_free.restype = None
    dll.tyto_python_close.argtypes = [OBJECT]
    dll.tyto_python_close.restype = None
    return dll


class function:
    """tyto_python_<name>. types: of its parameters but `text`, the last. A call returns the text, and raises Error.

    The library is loaded by the first call, so that importing tyto takes no time."""

    def __init__(self, name: str, *types):
        self._name = name
        self._types = types
        self._call = None

    def __call__(self, *arguments) -> str:
        if self._call is None:
            call = getattr(_dll(), "tyto_python_" + self._name)
            call.argtypes = [*self._types, ctypes.POINTER(Text)]
            call.restype = ctypes.c_int32
            self._call = call
        text = Text()
        code = self._call(*arguments, ctypes.byref(text))
        said = ctypes.string_at(text.bytes, text.size).decode("utf-8", "surrogateescape") if text.bytes else ""
        _dll().tyto_python_free(ctypes.byref(text))
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
        if code:
            raise error_of(KINDS[code - 1], said)
        return said


def interruptible(call):
    """call(stop): a call of the seam that looks at an int32 now and then. Ctrl-C ends it there: Python's own handlers wait until a C
    call has returned, so the call has a thread of its own."""
    stop = ctypes.c_int32()
    if threading.current_thread() is not threading.main_thread():
        return call(stop)
    result = concurrent.futures.Future()

    def run():
        try:
            result.set_result(call(stop))
        except BaseException as error:  # Error, or what `stop` makes
            result.set_exception(error)

    thread = threading.Thread(target=run)
    try:
        thread.start()
        return result.result()
    except BaseException:  # Ctrl-C may well come while the thread starts; it ends by itself then
        stop.value = 1
        raise
    finally:
        if thread.is_alive():
            thread.join()


class Object:
    """Something that the seam keeps until it is closed or forgotten. what: "model", for sentences."""

    def __init__(self, what: str, number: int, keeps: Any = None):
        """keeps: what has to live as long."""
        self.lock = threading.Lock()  # for whoever needs several calls in a row
        self._what = what
        self._number: Optional[int] = number
        self._pid = os.getpid()
        self._finalizer = weakref.finalize(self, _close, number, self._pid, keeps)

    @property
    def number(self) -> int:
        """For calls. Error where it was closed, and in a process that was forked from the one that made it."""
        if self._number is None:
            raise error_of("usage", f"this {self._what} was closed; make another")
        if os.getpid() != self._pid:
            raise error_of("usage", f"this {self._what} was made before this process was forked, and its threads are not here; "
                        "make it in the worker, or start workers by spawn")
        return self._number

    @property
    def closed(self) -> bool:
        return self._number is None

    def __reduce__(self):
        raise error_of("usage", f"a {self._what} cannot be sent to another process; make it there")

    def close(self) -> None:
        self._number = None
        self._finalizer()


def made(what: str, make: Callable[[Any], str], keeps: Any = None) -> Tuple[Object, str]:
    """An object, which make(where its number goes) makes, and what that says. Ctrl-C as the call returns leaves nothing open."""
    number = OBJECT()
    try:
        said = make(ctypes.byref(number))
        return Object(what, number.value, keeps), said
    except BaseException:
        if number.value:
            _close(number.value, os.getpid(), keeps)
        raise


def _close(number: int, pid: int, keeps: Any) -> None:
    if os.getpid() == pid:  # a fork's copy has threads that never end
        _dll().tyto_python_close(number)


def path_of(path: Any, what: str) -> bytes:
    """A path for the seam. ArgumentError."""
    try:
        encoded = os.fsencode(path)
    except (TypeError, UnicodeEncodeError):
        raise ArgumentError("usage", f"{what} is no path, but {type(path).__name__}") from None
    if b"\0" in encoded or not encoded:
        raise ArgumentError("usage", f"{what} cannot be {shown(path)}; it is the name of a file")
    return encoded


def options_of(what: str, **options: Any) -> bytes:
    """Options for the seam; those that are None are left out. ArgumentError names one that is no option's value."""
    parts = []
    for name, value in options.items():
        if value is None:
            continue
        try:
            if isinstance(value, Mapping):  # as a command line has it: {"stride": 1, "size": [256, 128]}
                value = {key: _as_text(v) for key, v in value.items()}
            text = json.dumps(value, allow_nan=False, default=_plain, ensure_ascii=False)
            if _LONG_NUMBER.search(text):
                raise OverflowError
            parts.append(f"{json.dumps(name)}: {text}".encode())
        except Exception:  # whatever a stranger's protocol raises
            raise ArgumentError("usage", f"{what}: {name} cannot be {shown(value)}") from None
    return b"{" + b", ".join(parts) + b"}"


def items_of(value: Any) -> List[Any]:
    """What a list of options, classes or cameras holds. TypeError where it has no end, too, or whatever a stranger's protocol raises."""
    items = list(itertools.islice(iter(value), _MOST_ITEMS + 1))
    if len(items) > _MOST_ITEMS:
        raise TypeError
    return items


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays, and whatever else can be iterated."""
    return value.tolist() if hasattr(value, "tolist") else os.fspath(value) if hasattr(value, "__fspath__") else items_of(value)


def _as_text(value: Any) -> Any:
    return value if isinstance(value, str) else json.dumps(value, allow_nan=False, default=_plain, separators=(",", ":"))
