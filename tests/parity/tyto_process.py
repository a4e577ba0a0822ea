"""Runs the tyto command from tests, and reads and writes safetensors without a library."""
import json
import os
import struct
import subprocess

import numpy as np

TYTO = os.environ["TYTO"]
DEVICE = os.environ.get("TYTO_DEVICE")  # for the commands that run a network; none: what they choose themselves
DTYPES = {"F32": np.float32, "F64": np.float64, "F16": np.float16, "I64": np.int64, "I32": np.int32, "U8": np.uint8}


def tyto(*args, expect=0, env=None):
    """Runs `tyto ARGS`, insists on the exit code, returns (stdout, stderr)."""
    if DEVICE and (args[0] in ("run", "detect", "extract", "selftest", "info") or "--plan" in args):
        args = (*args, "--device", DEVICE)
    done = subprocess.run([TYTO, *map(str, args)], capture_output=True, text=True, env={**os.environ, **(env or {})})
    if done.returncode != expect:
        raise AssertionError(f"tyto {' '.join(map(str, args))}: exit {done.returncode}, expected {expect}\n{done.stdout}{done.stderr}")
    return done.stdout, done.stderr


def save_tensors(path, tensors):
    header, at = {}, 0
    for name, array in tensors.items():
        dtype = next(k for k, v in DTYPES.items() if v == array.dtype)
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            f.write(np.ascontiguousarray(array).tobytes())


def array_of(data, dtype):
    """NumPy knows no bfloat16, whose bits are the upper half of a float's."""
    if dtype == "BF16":
        return (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, DTYPES[dtype])


def load_tensors(path):
    with open(path, "rb") as f:
        data = f.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    out = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        out[name] = array_of(data[8 + length + begin : 8 + length + end], entry["dtype"]).reshape(entry["shape"])
    return out
