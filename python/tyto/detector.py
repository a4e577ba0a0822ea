"""Images in, labelled boxes out."""
import ctypes
import itertools
import json
import os
import threading
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from . import _image_run, _seam
from ._engine import engine_options, tell
from ._errors import ArgumentError, Error, shown
from ._progress import Bar, Progress
from .conversion import Path
from .images import HandedImages
from .model import Model, number_of
from .results import Detections

_open = _seam.function("detector_open", _seam.OBJECT, ctypes.c_char_p, ctypes.POINTER(_seam.OBJECT))
_start = _seam.function("detector_run", *_image_run.START)
_start_video = _seam.function("detector_video", _seam.OBJECT, ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(_seam.OBJECT))
_next = _seam.function("detector_next", _seam.OBJECT)
_boxes = _seam.function("detector_boxes", _seam.OBJECT, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
_trace = _seam.function("detector_trace", _seam.OBJECT, ctypes.c_int64, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
_list = _seam.function("list_images_and_videos", ctypes.POINTER(ctypes.c_char_p), ctypes.c_int32)


class _Step:
    """What a run has done next."""

    def __init__(self, run: "_seam.Object", names: Sequence[str], traces: bool):
        said = json.loads(_next(run.number))
        self.over: bool = said.get("over", False)
        self.problem: str = said.get("problem", "")  # after the last: what was lost of a video
        self.left_out = _image_run.left_out(said.get("left_out", ""))
        self.images: List[Tuple[int, Detections]] = []  # and which of the run's images it is
        images = said.get("images", ())
        count = sum(found for _, _, _, found, _ in images)
        xywh, scores, labels = np.empty((count, 4), np.float32), np.empty(count, np.float32), np.empty(count, np.int32)
        if images:
            _boxes(run.number, xywh.ctypes.data, scores.ctypes.data, labels.ctypes.data, count)
        at = 0
        for row, (index, width, height, found, trace) in enumerate(images):
            mine = slice(at, at + found)
            at += found
            self.images.append((index, Detections(
                image="", width=width, height=height, xywh=xywh[mine], scores=scores[mine], labels=labels[mine],
                names=[names[label] for label in labels[mine]], trace=self._trace(run, row, trace) if traces else None)))

    @staticmethod
    def _trace(run: "_seam.Object", row: int, tensors: Any) -> Dict[str, np.ndarray]:
        trace = {}
        for name, kind, shape in tensors:
            values = trace[name] = np.empty(shape, _seam.TYPES[kind])
            _trace(run.number, row, name.encode(), values.ctypes.data, values.nbytes)
        return trace


def _called(detections: Detections, image: str) -> Detections:
    object.__setattr__(detections, "image", image)  # it is not anybody's yet
    return detections


def _list_inputs(root: Any) -> Tuple[List[Tuple[str, bool]], List[str]]:
    """Paths, each with whether it is a video, and sentences on what was left out."""
    if isinstance(root, (str, bytes, os.PathLike)):
        root = [root]
    try:
        parts = iter(root)
    except Exception:  # whatever a stranger's protocol raises
        raise ArgumentError("usage", f"folder: root is no path and no list of paths, but {type(root).__name__}") from None
    roots = [_seam.path_of(part, "folder: root") for part in parts]
    if not roots:
        raise ArgumentError("usage", "folder: root is an empty list; name a folder, an image or a video")
    said = json.loads(_list((ctypes.c_char_p * len(roots))(*roots), len(roots)))
    return [(path, video) for path, video in said["inputs"]], said["skipped"]


class DetectionRun(Iterator[Detections]):
    """Detections of a folder's images and videos, one image or frame after another in their order; see Detector.folder(). It ends
    with the last, by close(), as a context manager, or where an error or Ctrl-C ends it.

    inputs   the paths of the images and videos
    skipped  a sentence for each image that could not be read so far, and on what was lost of videos
    """

    def __init__(self, detector: "Detector", root: Any, progress: Progress, on_error: str, every: Any, decoders: Any,
                 exif_orientation: Any):
        _image_run.check_on_error("folder", on_error)
        self._of_images = _image_run.options_of("folder", decoders, exif_orientation)
        self._of_videos = _seam.options_of("folder", decoders=decoders, every=every)
        if not isinstance(every, (int, np.integer)) or isinstance(every, bool) or not 1 <= every <= 2**31:
            raise ArgumentError("usage", f"folder: every cannot be {shown(every)}; it is a whole number from 1")
        inputs, self.skipped = _list_inputs(root)
        _image_run.raise_first(self.skipped, on_error)
        self.inputs: List[str] = [path for path, _ in inputs]
        self._detector = detector
        self._on_error = on_error
        self._every = int(every)
        # Images up to the next video are a run, and so is each video.
        self._waiting = [(video, [path for path, _ in part]) for video, group in itertools.groupby(inputs, key=lambda i: i[1])
                         for part in ([[one] for one in group] if video else [list(group)])]
        self._run: Optional[_seam.Object] = None
        self._paths: List[str] = []  # of the run
        self._is_video = False
        self._closed = False
        self._bar = Bar("detecting", len(inputs), progress)
        self._ready: Iterator[Detections] = iter(())
        self._lock = threading.Lock()
        self._start_next()  # so that a detector that is closed or busy says so here

    def __next__(self) -> Detections:
        with self._lock:
            while True:
                for detections in self._ready:
                    return detections
                if self._closed:
                    raise StopIteration
                try:
                    self._ready = iter(self._step())
                except BaseException:
                    self.close()
                    raise

    def _start_next(self) -> None:
        if not self._waiting:
            self.close()
            return
        self._is_video, self._paths = self._waiting.pop(0)
        detector = self._detector._object
        with detector.lock:
            if not self._is_video:
                self._run = _image_run.start(_start, detector, HandedImages(self._paths, "folder"), self._of_images)
                return
            try:
                self._run, _ = _seam.made("run", lambda run: _start_video(
                    detector.number, os.fsencode(self._paths[0]), self._of_videos, run))
            except Error as error:
                if error.kind == "usage":
                    raise
                self._leave_out(error)
                self._bar.advance(1)

    def _leave_out(self, error: Error) -> None:
        if self._on_error == "raise":
            raise error
        self.skipped.append(str(error))

    def _step(self) -> List[Detections]:
        run = self._run
        if run is None:
            self._start_next()
            return []
        step = _Step(run, self._detector.class_names, self._detector._traces)
        if step.over:
            run.close()
            self._run = None
            if step.problem:
                self._leave_out(Error("format", step.problem))
            if self._is_video:
                self._bar.advance(1)
            return []
        if not self._is_video:
            self._bar.advance(len(step.images) + len(step.left_out))
        for image in step.left_out:
            self._leave_out(image.error())
        return [_called(found, self._name(index)) for index, found in step.images]

    def _name(self, index: int) -> str:
        return f"{self._paths[0]}#{index * self._every}" if self._is_video else self._paths[index]

    def close(self) -> None:
        self._closed = True
        self._ready = iter(())
        if self._run is not None:
            self._run.close()
            self._run = None
        self._bar.close()

    def __enter__(self) -> "DetectionRun":
        return self

    def __exit__(self, *_) -> None:
        self.close()


def _texts(classes: Any) -> List[str]:
    """As the command line has them."""
    try:
        found = None if isinstance(classes, (str, bytes)) else _seam.items_of(classes)
    except Exception:  # whatever a stranger's protocol raises
        found = None
    if found is None or not all(isinstance(name, (str, int, np.integer)) for name in found):
        raise ArgumentError("usage", f"Detector: classes cannot be {shown(classes)}; it is a list of names or numbers")
    return [str(name) for name in found]


def _network_options(set: Any, score_threshold: Any) -> Any:
    if score_threshold is None:
        return set
    try:
        threshold = float(score_threshold)
    except Exception:  # whatever a stranger's protocol raises
        threshold = -1.0
    if not 0 <= threshold <= 1:
        raise ArgumentError("usage", f"Detector: score_threshold cannot be {shown(score_threshold)}; it is a number from 0 to 1")
    if set is not None and not isinstance(set, Mapping):
        raise ArgumentError("usage", f"Detector: set is no mapping of options, but {type(set).__name__}")
    return {**(set or {}), "score_threshold": threshold}


class Detector:
    """A network that finds objects in images. Its post-processing (scores, box decoding, non-maximum suppression) is part of it;
    its thresholds and limits are those of the project that trained it, which the model file keeps.

    model            a Model, or the path of a model file
    device           "auto" (the first GPU that tyto can use, else the CPU), "cpu", "cuda", "cuda:1"; "cuda:0,1": several, in turn
    threads          of the CPU; 0: one a core
    precision        "fp32"; "bf16" (GPU, or a CPU with AVX512_BF16 or AMX); "tf32", "fp16" (GPU)
    batch            images a run. With one batch size an image's detections have the same bits whichever images are beside it, and
                     those of `tyto detect --batch` (which takes fewer where it is given fewer images, and no video)
    score_threshold  keep boxes of higher scores only, in [0, 1]; None: the model file's
    classes          names or numbers of the classes to keep; none: all
    set              options of the network in place of the model file's: {"iou_threshold": 0.5}
    trace            whether each image's Detections.trace holds each step's raw tensors: `input` [3, H, W], `detections` [K, 6] in
                     pixels of the input; of single-shot detectors `locations` [P, 4], `logits` [P, classes]; of two-stage ones
                     `rpn_locations`, `rpn_logits`, `proposals` [R, 6], `roi_features` [R, C, 7, 7], `locations`, `logits`
    memory_limit     bytes for weights, activations and workspaces; 0: none

    A detector serves one run at a time: threads that detect wait for each other, and while an iteration over a folder is under way
    others are refused. Error: the device is not there ("device"), lacks the precision, or the network detects nothing
    ("unsupported"). ArgumentError: an option makes no sense.
    """

    def __init__(self, model: Union[Model, Path], *, device: str = "auto", threads: int = 0, precision: str = "fp32",
                 batch: int = 8, score_threshold: Optional[float] = None, classes: Sequence[Union[str, int]] = (),
                 set: Optional[Mapping[str, Any]] = None, trace: bool = False, memory_limit: int = 0):
        options = _seam.options_of("Detector", **engine_options("Detector", device, threads, memory_limit), precision=precision,
                                   batch=batch, classes=_texts(classes), set=_network_options(set, score_threshold),
                                   trace=trace)
        self.model, of_model = number_of(model, "Detector")
        self._object, text = _seam.made("detector", lambda detector: _open(of_model, options, detector))
        said = json.loads(text)
        tell(said)
        self._traces = trace
        self.device: str = said["device"]  # "cpu" or "cuda"
        self.class_names: List[str] = said["class_names"]  # of all labels, the background's included

    def detect(self, images: Any, *, decoders: int = 0, exif_orientation: bool = False) -> List[Detections]:
        """Detections of each image, in their order.

        images            a list of images, or a batch uint8 [N, height, width, 3]. An image is uint8 [height, width, 3] in RGB, a
                          NumPy array or whatever has __dlpack__ (PyTorch's tensors) or __array__; a PIL image; or a path, which the
                          library's own decoder reads, the same bits as `tyto detect`. One alone is a list of one
        decoders          threads that decode and preprocess; 0: half the cores
        exif_orientation  whether photographs in files are turned as their EXIF data says

        ArgumentError names the image that is none. Error: an image cannot be read ("file", "format").
        """
        handed = HandedImages(images, "detect")
        options = _image_run.options_of("detect", decoders, exif_orientation)
        found: List[Detections] = []
        with self._object.lock:
            run = _image_run.start(_start, self._object, handed, options)
            try:
                while True:
                    step = _Step(run, self.class_names, self._traces)
                    for image in step.left_out:
                        raise image.error()
                    if step.over:
                        return found
                    for index, detections in step.images:
                        path = handed.array[index].path
                        found.append(_called(detections, os.fsdecode(path) if path else f"image {index}"))
            finally:
                run.close()

    def folder(self, root: Any, *, progress: Progress = None, on_error: str = "raise", every: int = 1, decoders: int = 0,
               exif_orientation: bool = False) -> DetectionRun:
        """Iterates over the detections of a folder's images and of the frames of its videos, in the order of `tyto detect`, while
        the next are decoded and computed.

        root      a folder with all below it, an image, a video, or several of them
        progress  None: a bar on sys.stderr where that is a terminal; True: always; False: never; or a function of (done, total),
                  which count images and videos
        on_error  what an image or a video does that cannot be read: "raise" its Error, or "skip" it; DetectionRun.skipped then has
                  the sentence
        every     of a video's frames, each Nth

        Error: there is no such folder, or nothing in it to look at ("file").
        """
        return DetectionRun(self, root, progress, on_error, every, decoders, exif_orientation)

    def close(self) -> None:
        """Gives its memory back. A run that is under way goes on."""
        self._object.close()

    def __enter__(self) -> "Detector":
        return self

    def __exit__(self, *_) -> None:
        self.close()
