"""Images in memory and in files, as networks take them."""
import ctypes
import json
import os
from typing import Any, List

import numpy as np

from . import _seam
from ._errors import ArgumentError, Error, reason
from .conversion import Path

_MOST_IMAGES = 2**24  # of a batch
_MOST_PIXELS = 2**28  # of one image, as in files
_CPU = (1, 3)  # DLPack's kDLCPU and kDLCUDAHost

_image_open = _seam.function("image_open", ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(_seam.OBJECT),
                             ctypes.POINTER(ctypes.c_int32), ctypes.POINTER(ctypes.c_int32))
_image_copy = _seam.function("image_copy", _seam.OBJECT, ctypes.c_void_p, ctypes.c_size_t)
_list_images = _seam.function("list_images", ctypes.c_char_p)


def read_image(path: Path, *, exif_orientation: bool = False) -> np.ndarray:
    """Decodes an image with the library's own decoder: uint8 [height, width, 3], RGB, the very pixels that the command sees.

    JPEG, PNG, WebP, GIF, BMP, TIFF and PNM. exif_orientation turns photographs as their EXIF data says. Error: the file cannot be read
    ("file") or is no image that can be decoded ("format").
    """
    number, height, width = _seam.OBJECT(), ctypes.c_int32(), ctypes.c_int32()
    _image_open(_seam.path_of(path, "path"), _seam.options_of("read_image", exif_orientation=exif_orientation), ctypes.byref(number),
                ctypes.byref(height), ctypes.byref(width))
    decoded = _seam.Object("image", number.value)
    try:
        pixels = np.empty((height.value, width.value, 3), np.uint8)
        _image_copy(decoded.number, pixels.ctypes.data, pixels.nbytes)
        return pixels
    finally:
        decoded.close()


class Listing:
    """The images of a folder, a file, or several of either, in their order.

    names     below the folder; of several, the paths
    left_out  what is no image: an Error each. That one of several is not there is one, too
    """

    def __init__(self, root: Any, what: str):
        self.paths: List[str] = []
        self.names: List[str] = []
        self.left_out: List[Error] = []
        if isinstance(root, (str, bytes, os.PathLike)):
            self._add(root, what)
            return
        try:
            roots = iter(root)
        except Exception:  # whatever a stranger's protocol raises
            raise ArgumentError("usage", f"{what}: root is no path and no list of paths, but {type(root).__name__}") from None
        for part in roots:
            try:
                self._add(part, what)
            except ArgumentError:
                raise
            except Error as error:
                self.left_out.append(error)
        self.names = list(self.paths)

    def _add(self, root: Path, what: str) -> None:
        encoded = _seam.path_of(root, f"{what}: root")
        said = json.loads(_list_images(encoded))
        decoded = os.fsdecode(encoded)
        folder = decoded if os.path.isdir(decoded) else os.path.dirname(decoded)
        self.paths += [os.path.join(folder, name) for name in said["names"]]
        self.names += said["names"]
        self.left_out += [Error("format", sentence) for sentence in said["skipped"]]


class HandedImages:
    """Images for the seam, and what keeps their memory alive."""

    def __init__(self, images: Any, what: str):
        images = _several(images)
        self._kept = [self._path(image) if isinstance(image, (str, os.PathLike)) else _pixels(image, f"{what}: image {i}")
                      for i, image in enumerate(images)]
        self.array = (_seam.Image * len(self._kept))()
        for entry, kept in zip(self.array, self._kept):
            if isinstance(kept, bytes):
                entry.path = kept
            else:
                entry.rgb, entry.row_bytes = kept.ctypes.data, kept.strides[0]
                entry.height, entry.width = kept.shape[:2]

    @staticmethod
    def _path(path: Path) -> bytes:
        return _seam.path_of(path, "path")

    def __len__(self) -> int:
        return len(self._kept)


def _several(images: Any) -> Any:
    """A single path, array or picture is one image."""
    if isinstance(images, (str, bytes, os.PathLike)) or _is_picture(images):
        return [images]
    if hasattr(images, "__dlpack__") or hasattr(images, "__array__"):
        array = _array(images, "images")
        if array.ndim not in (3, 4):
            raise ArgumentError("shape", f"images are {array.dtype} {list(array.shape)}; uint8 [N, height, width, 3] in RGB is due")
        if array.ndim == 4 and len(array) > _MOST_IMAGES:
            raise ArgumentError("shape", f"images are {list(array.shape)}, of which a call takes 2^24 at most")
        return [array] if array.ndim == 3 else array
    try:
        return iter(images)
    except Exception:  # whatever a stranger's protocol raises
        raise ArgumentError("usage", f"images are neither arrays nor paths, but {type(images).__name__}") from None


def _is_picture(image: Any) -> bool:
    return hasattr(image, "convert") and hasattr(image, "mode")  # PIL.Image.Image


def _array(image: Any, name: str) -> np.ndarray:
    if isinstance(image, np.ndarray):
        return image
    try:
        if _is_picture(image):
            image = image.convert("RGB")
        if hasattr(image, "__dlpack__"):
            if int(image.__dlpack_device__()[0]) not in _CPU:
                raise ArgumentError("usage", f"{name} is not in the CPU's memory; copy it there: .cpu()")
            return np.from_dlpack(image)
        return np.asarray(image)
    except ArgumentError:
        raise
    except Exception as error:  # whatever a stranger's protocol raises
        raise ArgumentError("usage", f"{name} of type {type(image).__name__} gives no array: {reason(error)}") from None


def _pixels(image: Any, name: str) -> np.ndarray:
    """uint8 [height, width, 3], each row's pixels side by side."""
    if not (isinstance(image, np.ndarray) or _is_picture(image) or hasattr(image, "__dlpack__") or hasattr(image, "__array__")):
        raise ArgumentError("usage", f"{name} is neither an array nor a path, but {type(image).__name__}")
    array = _array(image, name)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise ArgumentError("shape", f"{name} is {array.dtype} {list(array.shape)}; uint8 [height, width, 3] in RGB is due")
    if not 0 < array.shape[0] * array.shape[1] <= _MOST_PIXELS:
        raise ArgumentError("shape", f"{name} is {list(array.shape)}: an image has 1 to 2^28 pixels")
    if not array.ctypes.data:
        raise ArgumentError("usage", f"{name} has no memory")
    return array if array.strides[1:] == (3, 1) else np.ascontiguousarray(array)
