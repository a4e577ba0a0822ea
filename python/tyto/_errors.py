"""What tyto raises."""
import reprlib

_LONGEST = 100  # characters of a value in a sentence


class Error(RuntimeError):
    """A sentence that names the file, tensor or layer, and what to do.

    kind: "usage", "file", "format", "shape", "unsupported", "memory" or "device", as of the C++ API's tyto::Error.
    """

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind

    def __reduce__(self):  # so that it comes back whole from a worker process
        return type(self), (self.kind, str(self))


class ArgumentError(Error, ValueError):
    """An argument that makes no sense: of a wrong type, shape or device, out of range, not finite. Its kind is "usage" or "shape"."""


def shown(value: object) -> str:
    """A value for a sentence: on one line, and no longer than people read."""
    return _short(reprlib.repr, value)


def reason(error: BaseException) -> str:
    """What a stranger's exception says, for a sentence."""
    return _short(str, error)


def _short(text_of, value: object) -> str:
    try:
        text = " ".join(text_of(value).split())
    except Exception:  # a stranger's
        text = f"this {type(value).__name__}"
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def error_of(kind: str, message: str) -> Error:
    return (ArgumentError if kind in ("usage", "shape") else Error)(kind, message)
