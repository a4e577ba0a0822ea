"""tyto's C libraries by ctypes. Their headers, which the package carries, are the only list of what is in them."""
import ctypes
import os
import re
import threading
from typing import Optional, Tuple

from ._errors import Error, error_of

NATIVE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_native")

_TYPES = {"size_t": ctypes.c_size_t, "int32_t": ctypes.c_int32, "int64_t": ctypes.c_int64, "uint64_t": ctypes.c_uint64,
          "double": ctypes.c_double}
_DESCRIPTOR = re.compile(r"typedef struct tyto_(\w+)_desc \{(.*?)\} tyto_\1_desc;", re.S)
_FIELDS = re.compile(r"(?:const )?(\w+)([ *][^;]*);")
_FIELD = re.compile(r"(\*?) ?(\w+)(?:\[(\d+)\])?")
_CONSTANT = re.compile(r"\b(TYTO_[A-Z0-9_]+) =\s+(\d+)")
_VERSION = re.compile(r"#define TYTO_[A-Z]+_VERSION_M(?:AJOR|INOR) (\d+)")

# enum tyto_*_code, which all libraries share up to here; behind it are faults of the inputs' values.
OK, BAD_ARGUMENT, UNSUPPORTED, DEVICE = 0, 1, 2, 3
DEGENERATE_BOX = 16  # the gentlest of the faults: results are those of the reference
_KINDS = {UNSUPPORTED: "unsupported", DEVICE: "device"}


ERROR, SMALL = 256, 16384  # bytes


class _Scratch(threading.local):
    """What a thread's calls write besides results; made anew it would cost as much as a small loss."""

    def __init__(self):
        self.error = ctypes.create_string_buffer(ERROR)
        self.small = ctypes.create_string_buffer(SMALL)
        self.small_address = ctypes.addressof(self.small)


SCRATCH = _Scratch()


def _read(name):
    with open(os.path.join(NATIVE, "include", name), encoding="utf-8") as file:
        return re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)


def _fields(body):
    for kind, names in _FIELDS.findall(body):
        for star, name, count in _FIELD.findall(names):
            yield name, ctypes.c_void_p if star else _TYPES[kind] * int(count) if count else _TYPES[kind]


class Library:
    """libtyto_<name>.so of include/tyto_<name>.h."""

    def __init__(self, name: str):
        header = _read(f"tyto_{name}.h")
        major, minor = (int(number) for number in _VERSION.findall(header))
        path = os.path.join(NATIVE, f"libtyto_{name}.so.{major}")
        try:
            self.dll = ctypes.CDLL(path)
        except OSError as error:
            raise Error("file", f"{path}: {error}; install tyto again") from None
        version = getattr(self.dll, f"tyto_{name}_version")()
        if version // 100 != major * 100 + minor:
            raise Error("file", f"{path} is of version {version // 10000}.{version // 100 % 100}, its header of "
                        f"{major}.{minor}; install tyto again")
        self.constants = {key: int(value) for key, value in _CONSTANT.findall(header + _read("tyto_elements.h"))}
        self._descriptors = {key: list(_fields(body)) for key, body in _DESCRIPTOR.findall(header)}

    def function(self, name: str, called: Optional[str] = None) -> "Function":
        return Function(self, name, self._descriptors[name], called or name)


class Function:
    """tyto_<name>: its descriptor, and the calls. called: the Python function's name, which messages have."""

    def __init__(self, library: Library, name: str, fields, called: str):
        self.name = name
        self.called = called
        self.constants = library.constants
        self.types = dict(fields)
        self.descriptor = type(name, (ctypes.Structure,), {"_fields_": fields})
        self._defaults = getattr(library.dll, f"tyto_{name}_defaults")
        self._defaults.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        self._defaults.restype = None
        self._workspace = getattr(library.dll, f"tyto_{name}_workspace")
        self._workspace.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
        self.call = getattr(library.dll, f"tyto_{name}")  # (descriptor, workspace, its bytes, stream, text, its bytes) -> code
        self.call.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_char_p,
                              ctypes.c_size_t]

    def defaults(self):
        """A descriptor with the library's defaults."""
        descriptor = self.descriptor()
        self._defaults(ctypes.addressof(descriptor), ctypes.sizeof(descriptor))
        return descriptor

    def workspace_bytes(self, descriptor) -> int:
        size = ctypes.c_size_t()
        code = self._workspace(ctypes.addressof(descriptor), ctypes.addressof(size), SCRATCH.error, ERROR)
        if code != OK:
            raise self.error(code, SCRATCH.error.value.decode())
        return size.value

    def fault(self, code: int) -> Tuple[int, str]:
        """A code other than OK and its text, of this thread's last call; raised, unless it is of the inputs' values."""
        text = SCRATCH.error.value.decode()
        if code < DEGENERATE_BOX:
            raise self.error(code, text)
        return code, text

    def error(self, code: int, text: str) -> Error:
        text = re.sub(f"^tyto_{self.name}(_workspace)?: ", f"{self.called}: ", text)
        if code == BAD_ARGUMENT or code >= DEGENERATE_BOX:
            if not text.startswith(f"{self.called}: "):
                text = f"{self.called}: {text}"
            return error_of("usage", text)
        return error_of(_KINDS.get(code, "device"), text)
