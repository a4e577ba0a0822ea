"""What tyto raises."""


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


def error_of(kind: str, message: str) -> Error:
    return (ArgumentError if kind in ("usage", "shape") else Error)(kind, message)
