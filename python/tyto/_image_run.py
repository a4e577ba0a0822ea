"""Images through a pipeline of the seam. A call does one batch, so that Ctrl-C ends a run between two of them."""
import ctypes
import json
from typing import Any, List, NamedTuple, Optional

from . import _seam
from ._errors import ArgumentError, Error, error_of, shown
from .images import HandedImages

# What starts a run: a function of (pipeline, images, count, options, run).
START = (_seam.OBJECT, ctypes.POINTER(_seam.Image), ctypes.c_int64, ctypes.c_char_p, ctypes.POINTER(_seam.OBJECT))

ON_ERROR = ("raise", "skip")


class LeftOut(NamedTuple):
    """An image that cannot be read."""

    index: int
    kind: str
    sentence: str

    def error(self) -> Error:
        return error_of(self.kind, self.sentence)


def left_out(said: str) -> List[LeftOut]:
    """Of what the seam says of a step."""
    return [LeftOut(index, _seam.KINDS[kind], sentence) for index, kind, sentence in json.loads(said)] if said else []


def start(function: "_seam.function", pipeline: "_seam.Object", images: HandedImages, options: bytes) -> "_seam.Object":
    """A run, which keeps the images' memory. ArgumentError where the pipeline has another."""
    return _seam.made("run", lambda run: function(pipeline.number, images.array, len(images), options, run), keeps=images)[0]


def check_on_error(what: str, on_error: Any) -> None:
    if not isinstance(on_error, str) or on_error not in ON_ERROR:
        raise ArgumentError("usage", f"{what}: on_error cannot be {shown(on_error)}; it is one of {', '.join(ON_ERROR)}")


def raise_first(sentences: List[str], on_error: str) -> None:
    """Of what a listing leaves out."""
    if sentences and on_error == "raise":
        raise Error("format", sentences[0])


def options_of(what: str, decoders: Optional[int], exif_orientation: bool) -> bytes:
    return _seam.options_of(what, decoders=decoders, exif_orientation=exif_orientation)
