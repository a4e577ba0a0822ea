"""Images in, feature vectors of unit length out."""
import ctypes
import json
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Union

import numpy as np

from . import _image_run, _seam
from ._engine import engine_options, tell
from ._errors import ArgumentError, shown
from ._pandas import pandas_or
from ._progress import Bar, Progress
from .conversion import Path
from .images import HandedImages, Listing
from .model import Model, number_of

_open = _seam.function("extractor_open", _seam.OBJECT, ctypes.c_char_p, ctypes.POINTER(_seam.OBJECT))
_start = _seam.function("extractor_run", *_image_run.START)
_next = _seam.function("extractor_next", _seam.OBJECT, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64,
                       ctypes.POINTER(ctypes.c_int64))

_ROWS = 256  # of a step, at most


@dataclass(frozen=True)
class Feature:
    """An image's feature."""

    path: str
    name: str  # below the folder that was given, '/' between parts; of a list of paths the path
    feature: np.ndarray  # float32 [dimensions]


@dataclass(frozen=True)
class Features:
    """Features of a folder's images, in their order."""

    names: List[str]  # below the folder, as in the command's file
    paths: List[str]
    features: np.ndarray  # float32 [N, dimensions]
    matrices: Dict[str, int]  # what a row holds, one after another: name -> width
    skipped: List[str]  # a sentence for each image that could not be read

    def matrix(self, name: str) -> np.ndarray:
        """The columns of one matrix, float32 [N, width]. ArgumentError lists the names."""
        begin = 0
        for known, width in self.matrices.items():
            if known == name:
                return self.features[:, begin:begin + width]
            begin += width
        raise ArgumentError("usage", f"there is no matrix {shown(name)}; there is {', '.join(self.matrices)}")

    def to_pandas(self):
        """A pandas.DataFrame: a row an image, whose index is its name, and a column a dimension. Error where pandas is not there."""
        pandas = pandas_or("names and features")
        return pandas.DataFrame(self.features, index=pandas.Index(self.names, name="name", dtype=object))


class FeatureRun(Iterator[Feature]):
    """Features of a folder's images, one after another in their order; see FeatureExtractor.folder(). It ends with the last image, by
    close(), as a context manager, or where an error or Ctrl-C ends it.

    skipped  a sentence for each image that could not be read so far
    """

    def __init__(self, extractor: "FeatureExtractor", root: Any, progress: Progress, on_error: str, options: bytes):
        _image_run.check_on_error("folder", on_error)
        listing = Listing(root, "folder")
        if listing.left_out and on_error == "raise":
            raise listing.left_out[0]
        self.paths, self.names = listing.paths, listing.names
        self.skipped: List[str] = [str(error) for error in listing.left_out]
        self._on_error = on_error
        self._dimensions = extractor.dimensions
        self._bar = Bar("extracting", len(self.paths), progress)
        with extractor._object.lock:
            self._run: Optional[_seam.Object] = _image_run.start(_start, extractor._object, HandedImages(self.paths, "folder"), options)
        self._ready: Iterator[Feature] = iter(())

    def __next__(self) -> Feature:
        while True:
            for feature in self._ready:
                return feature
            if self._run is None:
                raise StopIteration
            try:
                self._ready = iter(self._step())
            except BaseException:
                self.close()
                raise

    def _step(self) -> List[Feature]:
        rows = np.empty((_ROWS, self._dimensions), np.float32)
        step = _Step(self._run, rows)
        if step.over:
            self.close()
            return []
        self._bar.advance(len(step.indices) + len(step.left_out))
        for image in step.left_out:
            if self._on_error == "raise":
                raise image.error()
            self.skipped.append(image.sentence)
        return [Feature(self.paths[i], self.names[i], row) for i, row in zip(step.indices, rows)]

    def __len__(self) -> int:
        """How many images were listed."""
        return len(self.paths)

    def close(self) -> None:
        if self._run is not None:
            self._run.close()
            self._run = None
            self._ready = iter(())
            self._bar.close()

    def __enter__(self) -> "FeatureRun":
        return self

    def __exit__(self, *_) -> None:
        self.close()


class _Step:
    """What is done next of a run, into rows [capacity, dimensions]."""

    def __init__(self, run: "_seam.Object", rows: np.ndarray):
        indices = np.empty(max(len(rows), 1), np.int64)
        count = ctypes.c_int64()
        said = _next(run.number, rows.ctypes.data, indices.ctypes.data, len(rows), ctypes.byref(count))
        self.over = count.value < 0
        self.indices = indices[:max(count.value, 0)].tolist()
        self.left_out = _image_run.left_out(said)


class FeatureExtractor:
    """A network's feature vectors, by the test-time rule of person re-identification: for each orientation and scale the network's
    vectors are summed, and each sum divided by its length (Person_reID_baseline_pytorch, test.py). A zero sum stays zero.

    model         a Model, or the path of a model file
    device        "auto" (the first GPU that tyto can use, else the CPU), "cpu", "cuda", "cuda:1"; "cuda:0,1": several, in turn
    threads       of the CPU; 0: one a core
    precision     "fp32"; "bf16" (GPU, or a CPU with AVX512_BF16 or AMX); "tf32", "fp16" (GPU)
    batch         images a run. With one batch size an image's feature has the same bits whichever images are beside it, and those of
                  `tyto extract`
    flip          whether the features of the mirrored image are added; None: as the network's own test code does
    scales        each image is rescaled by the square root of each, one after the other, compounding
    set           options of the network in place of the model file's: {"modality": "thermal"}
    memory_limit  bytes for weights, activations and workspaces; 0: none

    An extractor serves one run at a time: threads that extract wait for each other, and while an iteration over a folder is under way
    others are refused. Error: the device is not there ("device"), lacks the precision, or the network has no vector an image
    ("unsupported"). ArgumentError: an option makes no sense.
    """

    def __init__(self, model: Union[Model, Path], *, device: str = "auto", threads: int = 0, precision: str = "fp32", batch: int = 8,
                 flip: Optional[bool] = None, scales: Sequence[float] = (1,), set: Optional[Mapping[str, Any]] = None,
                 memory_limit: int = 0):
        options = _seam.options_of("FeatureExtractor", **engine_options("FeatureExtractor", device, threads, memory_limit),
                                   precision=precision, batch=batch, flip=flip, scales=scales, set=set)
        self.model, of_model = number_of(model, "FeatureExtractor")
        self._object, text = _seam.made("extractor", lambda extractor: _open(of_model, options, extractor))
        said = json.loads(text)
        tell(said)
        self.device: str = said["device"]  # "cpu" or "cuda"
        self.flip: bool = said["flip"]
        self.matrices: Dict[str, int] = dict(said["matrices"])  # what a row holds, the network's default first: name -> width

    @property
    def dimensions(self) -> int:
        """Of a row: the sum of the matrices' widths."""
        return sum(self.matrices.values())

    def extract(self, images: Any, *, decoders: int = 0, exif_orientation: bool = False) -> np.ndarray:
        """float32 [N, dimensions] of N images.

        images            a list of images, or a batch uint8 [N, height, width, 3]. An image is uint8 [height, width, 3] in RGB, a NumPy
                          array or whatever has __dlpack__ (PyTorch's tensors) or __array__; a PIL image; or a path, which the library's
                          own decoder reads, the same bits as `tyto extract`. One alone is a list of one
        decoders          threads that decode and preprocess; 0: half the cores
        exif_orientation  whether photographs in files are turned as their EXIF data says

        ArgumentError names the image that is none. Error: an image cannot be read ("file", "format").
        """
        handed = HandedImages(images, "extract")
        options = _image_run.options_of("extract", decoders, exif_orientation)
        features = np.empty((len(handed), self.dimensions), np.float32)
        with self._object.lock:
            run = _image_run.start(_start, self._object, handed, options)
            try:
                done = 0
                while True:
                    step = _Step(run, features[done:])
                    for image in step.left_out:
                        raise image.error()
                    if step.over:
                        return features
                    done += len(step.indices)
            finally:
                run.close()

    def folder(self, root: Any, *, progress: Progress = None, on_error: str = "raise", decoders: int = 0,
               exif_orientation: bool = False) -> FeatureRun:
        """Iterates over the features of a folder's images, in the order of `tyto extract`, while the next are decoded and computed.

        root      a folder with all below it, a file, or several of either
        progress  None: a bar on sys.stderr where that is a terminal; True: always; False: never; or a function of (done, total)
        on_error  what an image does that cannot be read: "raise" its Error, or "skip" it; FeatureRun.skipped then has the sentence

        Error: there is no such folder, or no image in it ("file").
        """
        return FeatureRun(self, root, progress, on_error, _image_run.options_of("folder", decoders, exif_orientation))

    def folder_features(self, root: Any, **options) -> Features:
        """All that folder(root, **options) gives, in one."""
        with self.folder(root, **options) as run:
            found = list(run)
        features = np.stack([f.feature for f in found]) if found else np.empty((0, self.dimensions), np.float32)
        return Features([f.name for f in found], [f.path for f in found], features, dict(self.matrices), run.skipped)

    def close(self) -> None:
        """Gives its memory back. A run that is under way goes on."""
        self._object.close()

    def __enter__(self) -> "FeatureExtractor":
        return self

    def __exit__(self, *_) -> None:
        self.close()
