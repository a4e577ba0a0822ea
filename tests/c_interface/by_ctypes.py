"""A C library of tyto by ctypes, its descriptors read from the header itself.

    call("circle_loss", features=x, labels=y, value=v, gradient=g, margin=0.25)

fills a descriptor: arrays of numpy by pointer, sizes, flags and options by value, the rest by the defaults. `elements` follows from
the dtype of the first floating-point array.
"""
import ctypes
import os
import re
import subprocess

import numpy as np

HEADER = os.environ["TYTO_C_HEADER"]
LIBRARY = ctypes.CDLL(os.environ["TYTO_C_LIBRARY"])
TYPES = {"size_t": ctypes.c_size_t, "int32_t": ctypes.c_int32, "int64_t": ctypes.c_int64, "uint64_t": ctypes.c_uint64,
         "double": ctypes.c_double}
ELEMENTS = {np.dtype(np.float64): 0, np.dtype(np.float32): 1, np.dtype(np.float16): 2}


class CallError(Exception):
    """(code, text)"""


def fields(body):
    for kind, names in re.findall(r"(?:const )?(\w+)([ *][^;]*);", re.sub(r"/\*.*?\*/", "", body, flags=re.S)):
        for star, name, count in re.findall(r"(\*?) ?(\w+)(?:\[(\d+)\])?", names):
            yield name, ctypes.c_void_p if star else TYPES[kind] * int(count) if count else TYPES[kind]


def read_header():
    text = ""
    for path in HEADER, os.path.join(os.path.dirname(HEADER), "tyto_elements.h"):
        with open(path, encoding="utf-8") as file:
            text += file.read()
    constants = {name: int(value) for name, value in re.findall(r"\b(TYTO_[A-Z0-9_]+) =\s+(\d+)", text)}
    structs = {name: type(name, (ctypes.Structure,), {"_fields_": list(fields(body))})
               for body, name in re.findall(r"typedef struct tyto_\w+_desc \{(.*?)\} tyto_(\w+)_desc;", text, re.S)}
    return constants, structs


CONSTANTS, STRUCTS = read_header()


def descriptor(loss, **given):
    struct = STRUCTS[loss]()
    getattr(LIBRARY, f"tyto_{loss}_defaults")(ctypes.byref(struct), ctypes.c_size_t(ctypes.sizeof(struct)))
    for name, value in given.items():
        if isinstance(value, np.ndarray):
            if not value.flags["C_CONTIGUOUS"]:
                raise ValueError(f"{name} is not contiguous")
            setattr(struct, name, value.ctypes.data)
        elif isinstance(value, (list, tuple)):
            setattr(struct, name, dict(struct._fields_)[name](*value))
        else:
            setattr(struct, name, CONSTANTS.get(value, value))
    if "elements" not in given:
        struct.elements = next(ELEMENTS[v.dtype] for v in given.values() if isinstance(v, np.ndarray) and v.dtype in ELEMENTS)
    return struct


def answer(function, *arguments):
    error = ctypes.create_string_buffer(256)
    code = function(*arguments, error, ctypes.c_size_t(len(error)))
    if code:
        raise CallError(code, error.value.decode())


def call(loss, **given):
    struct = descriptor(loss, **given)
    needed = ctypes.c_size_t()
    answer(getattr(LIBRARY, f"tyto_{loss}_workspace"), ctypes.byref(struct), ctypes.byref(needed))
    workspace = ctypes.create_string_buffer(needed.value)
    answer(getattr(LIBRARY, f"tyto_{loss}"), ctypes.byref(struct), workspace, needed, None)


def declared_and_exported():
    """The functions of the header, and those that the library has for others."""
    with open(HEADER, encoding="utf-8") as file:
        declared = set(re.findall(r"^(?:int|void) (tyto_\w+)\(", file.read(), re.M))
    symbols = subprocess.run(["nm", "-D", "--defined-only", os.environ["TYTO_C_LIBRARY"]], check=True, capture_output=True,
                             text=True).stdout
    return declared, {line.split()[2].split("@")[0] for line in symbols.splitlines() if line.split()[1] != "A"}
