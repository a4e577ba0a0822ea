"""Images of calibrated rigs in, maps of the ground around them out."""
import ctypes
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
from .results import BevGrid, BevMap, BevSample, Camera

_CAMERA = np.dtype([("intrinsics", "f8", (3, 3)), ("camera_to_ego", "f8", (4, 4)), ("augmentation", "f8", (3, 3))])

_open = _seam.function("segmenter_open", _seam.OBJECT, ctypes.c_char_p, ctypes.POINTER(_seam.OBJECT))
_start = _seam.function("segmenter_run", _seam.OBJECT, ctypes.POINTER(_seam.Image), ctypes.c_void_p, ctypes.c_void_p,
                        ctypes.c_int64, ctypes.c_char_p, ctypes.POINTER(_seam.OBJECT))
_next = _seam.function("segmenter_next", _seam.OBJECT)
_output = _seam.function("segmenter_output", _seam.OBJECT, ctypes.c_int64, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
_read = _seam.function("read_samples", ctypes.c_char_p)


def read_samples(path: Path, *, cameras: Optional[Sequence[str]] = None, on_error: str = "raise") -> List[BevSample]:
    """The samples of a file with a JSON object a line, as `tyto bev --samples` reads it; images are paths.

    cameras   which cameras, in the network's order; None: all of a sample, in the file's
    on_error  what a line does that is wrong: "raise" an Error that names file, line and key, or "skip" it

    Error: the file cannot be read or holds no samples ("file"), a line is wrong ("format").
    """
    _image_run.check_on_error("read_samples", on_error)
    samples, skipped = _samples_of(path, cameras, "read_samples")
    _image_run.raise_first(skipped, on_error)
    return samples


def _samples_of(path: Path, cameras: Any, what: str) -> Tuple[List[BevSample], List[str]]:
    """And a sentence for each that was left out."""
    names = _camera_names(cameras, what)
    file = _seam.path_of(path, f"{what}: path")
    said = json.loads(_read(file))
    samples: List[BevSample] = []
    skipped: List[str] = said["skipped"]
    for sample in said["samples"]:
        by_name = {camera["name"]: camera for camera in sample["cameras"]}
        chosen = list(by_name) if names is None else names
        missing = [name for name in chosen if name not in by_name]
        if missing:
            skipped.append(f"sample {sample['id']} has no camera {missing[0]}")
            continue
        samples.append(BevSample(
            images=[by_name[name]["image"] for name in chosen],
            cameras=[Camera(intrinsics=np.reshape(by_name[name]["intrinsics"], (3, 3)),
                            camera_to_ego=np.reshape(by_name[name]["camera_to_ego"], (4, 4)),
                            augmentation=np.reshape(by_name[name]["augmentation"], (3, 3)), name=name) for name in chosen],
            lidar_to_ego=np.reshape(sample["lidar_to_ego"], (4, 4)), id=sample["id"], sequence=sample["sequence"],
            ego_pose=np.reshape(sample["ego_pose"], (4, 4))))
    if not samples:
        if skipped:
            raise Error("file", f"none of {len(skipped)} samples could be read; the first: {skipped[0]}")
        raise Error("file", f"{os.fsdecode(file)}: holds no samples")
    return samples, skipped


def _camera_names(cameras: Any, what: str) -> Optional[List[str]]:
    if cameras is None:
        return None
    try:
        names = None if isinstance(cameras, (str, bytes)) else _seam.items_of(cameras)
    except Exception:  # whatever a stranger's protocol raises
        names = None
    if not names or not all(isinstance(name, str) for name in names):
        raise ArgumentError("usage", f"{what}: cameras cannot be {shown(cameras)}; it is a list of names")
    for name in names:
        if names.count(name) > 1:
            raise ArgumentError("usage", f"{what}: cameras names {name} twice")
    return names


def _matrix(value: Any, size: int, what: str) -> np.ndarray:
    if value is None:
        return np.eye(size)
    try:
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
        if array.dtype.kind not in "iuf":
            raise TypeError
    except Exception:  # whatever a stranger's protocol raises
        raise ArgumentError("usage", f"{what} is no matrix of numbers, but {type(value).__name__}") from None
    if array.shape != (size, size):
        raise ArgumentError("shape", f"{what} is {list(array.shape)}, not [{size}, {size}]")
    return array.astype(np.float64)


class _Rigs:
    """Samples for the seam, and what keeps their memory alive."""

    def __init__(self, samples: Sequence[BevSample], cameras: int, what: str):
        self.cameras = np.zeros((len(samples), cameras), _CAMERA)
        self.lidar_to_ego = np.zeros((len(samples), 4, 4))
        self.images = (_seam.Image * (len(samples) * cameras))()
        self._kept = []
        for s, sample in enumerate(samples):
            where = f"{what}: sample {s}"
            for c, camera in enumerate(sample.cameras):
                for name, size in (("intrinsics", 3), ("camera_to_ego", 4), ("augmentation", 3)):
                    value = getattr(camera, name)
                    if value is None and name != "augmentation":
                        raise ArgumentError("usage", f"{where}: camera {c}: {name} is None")
                    self.cameras[s, c][name] = _matrix(value, size, f"{where}: camera {c}: {name}")
            self.lidar_to_ego[s] = _matrix(sample.lidar_to_ego, 4, f"{where}: lidar_to_ego")
            handed = HandedImages(sample.images, where)
            if len(handed) != cameras:
                raise ArgumentError("shape", f"{where} has {len(handed)} images for {cameras} cameras")
            for c, image in enumerate(handed.array):
                self.images[s * cameras + c] = image
            self._kept.append(handed)

    def __len__(self) -> int:
        return len(self._kept)


def _checked(sample: Any, where: str) -> BevSample:
    if not isinstance(sample, BevSample):
        raise ArgumentError("usage", f"{where} is no tyto.BevSample, but {type(sample).__name__}")
    if not isinstance(sample.cameras, (list, tuple)):
        raise ArgumentError("usage", f"{where}: cameras is no list of tyto.Camera, but {type(sample.cameras).__name__}")
    for c, camera in enumerate(sample.cameras):
        if not isinstance(camera, Camera):
            raise ArgumentError("usage", f"{where}: camera {c} is no tyto.Camera, but {type(camera).__name__}")
    return sample


def _several(samples: Any, what: str) -> List[BevSample]:
    if isinstance(samples, BevSample):
        samples = [samples]
    try:
        several = None if isinstance(samples, (str, bytes, os.PathLike)) else iter(samples)
    except Exception:  # whatever a stranger's protocol raises
        several = None
    if several is None:
        raise ArgumentError("usage", f"{what}: samples is no list of tyto.BevSample, but {type(samples).__name__}")
    return [_checked(sample, f"{what}: sample {s}") for s, sample in enumerate(several)]


class _Run:
    """Samples on their way through a segmenter."""

    def __init__(self, segmenter: "BevSegmenter", samples: Sequence[BevSample], what: str, decoders: Any, exif_orientation: Any):
        options = _image_run.options_of(what, decoders, exif_orientation)
        rigs = _Rigs(samples, segmenter.cameras, what)
        of_rigs = rigs.images, rigs.cameras.ctypes.data, rigs.lidar_to_ego.ctypes.data, len(rigs)
        self._object, _ = _seam.made("run", lambda run: _start(segmenter._object.number, *of_rigs, options, run), keeps=rigs)
        self._segmenter = segmenter
        self._samples = samples
        self.left_out: List[_image_run.LeftOut] = []  # of the step

    def next(self) -> Optional[List[BevMap]]:
        """What is done next, in the samples' order. None after the last."""
        said = json.loads(_next(self._object.number))
        if said.get("over"):
            return None
        self.left_out = _image_run.left_out(said["left_out"])
        return [self._map(index, said["outputs"]) for index in said["samples"]]

    def _map(self, index: int, tensors: Any) -> BevMap:
        outputs: Dict[str, np.ndarray] = {}
        for name, kind, shape in tensors:
            values = outputs[name] = np.empty(shape, _seam.TYPES[kind])
            _output(self._object.number, index, name.encode(), values.ctypes.data, values.nbytes)
        return BevMap(id=self._samples[index].id, map=outputs["map"], grid=self._segmenter.grid,
                      class_names=self._segmenter.class_names, outputs=outputs)

    def close(self) -> None:
        self._object.close()


class BevRun(Iterator[BevMap]):
    """Maps of samples, one after another in their order; see BevSegmenter.samples(). It ends with the last, by close(), as a
    context manager, or where an error or Ctrl-C ends it.

    samples  the samples that are looked at: BevMap.id is theirs
    skipped  a sentence for each sample that could not be read so far
    """

    def __init__(self, segmenter: "BevSegmenter", samples: Any, cameras: Any, progress: Progress, on_error: str, decoders: Any,
                 exif_orientation: Any):
        _image_run.check_on_error("samples", on_error)
        self._on_error = on_error
        self.skipped: List[str] = []
        if isinstance(samples, (str, os.PathLike)):
            listed, self.skipped = _samples_of(samples, cameras, "samples")
            _image_run.raise_first(self.skipped, on_error)
        elif cameras is not None:
            raise ArgumentError("usage", "samples: cameras chooses those of a file; these samples name theirs themselves")
        else:
            listed = _several(samples, "samples")
        self.samples = self._fitting(listed, segmenter.cameras)
        self._bar = Bar("looking from above", len(self.samples), progress)
        with segmenter._object.lock:
            self._run: Optional[_Run] = _Run(segmenter, self.samples, "samples", decoders, exif_orientation)
        self._ready: Iterator[BevMap] = iter(())
        self._lock = threading.Lock()

    def _fitting(self, listed: List[BevSample], cameras: int) -> List[BevSample]:
        """Those with as many cameras as the network takes."""
        kept = []
        for s, sample in enumerate(listed):
            if len(sample.cameras) == cameras:
                kept.append(sample)
                continue
            error = ArgumentError("shape", f"sample {sample.id or s} {_advice(len(sample.cameras), cameras)}")
            if self._on_error == "raise":
                raise error
            self.skipped.append(str(error))
        return kept

    def __next__(self) -> BevMap:
        with self._lock:
            while True:
                for seen in self._ready:
                    return seen
                if self._run is None:
                    raise StopIteration
                try:
                    self._ready = iter(self._step(self._run))
                except BaseException:
                    self.close()
                    raise

    def _step(self, run: _Run) -> List[BevMap]:
        maps = run.next()
        if maps is None:
            self.close()
            return []
        self._bar.advance(len(maps) + len(run.left_out))
        for image in run.left_out:
            if self._on_error == "raise":
                raise image.error()
            self.skipped.append(f"sample {self.samples[image.index].id or image.index}: {image.sentence}")
        return maps

    def __len__(self) -> int:
        """How many samples are looked at."""
        return len(self.samples)

    def close(self) -> None:
        self._ready = iter(())
        if self._run is not None:
            self._run.close()
            self._run = None
            self._bar.close()

    def __enter__(self) -> "BevRun":
        return self

    def __exit__(self, *_) -> None:
        self.close()


def _advice(found: int, due: int) -> str:
    return (f"has {found} cameras where the network takes {due}; choose them, or let it take {found} with "
            f"BevSegmenter(..., cameras={found})")


def _network_options(set: Any, cameras: Any) -> Any:
    if cameras is None:
        return set
    if not isinstance(cameras, (int, np.integer)) or isinstance(cameras, bool):
        raise ArgumentError("usage", f"BevSegmenter: cameras cannot be {shown(cameras)}; it is how many a sample has")
    if set is not None and not isinstance(set, Mapping):
        raise ArgumentError("usage", f"BevSegmenter: set is no mapping of options, but {type(set).__name__}")
    return {**(set or {}), "cameras": int(cameras)}


class BevSegmenter:
    """A network that sees from above: images of a calibrated rig in, a map of the ground around it out (Lift-Splat-Shoot).

    model         a Model, or the path of a model file
    cameras       how many a sample has, in place of the model file's
    device        "auto" (the first GPU that tyto can use, else the CPU), "cpu", "cuda", "cuda:1"; "cuda:0,1": several, in turn
    threads       of the CPU; 0: one a core
    precision     "fp32"; "bf16" (GPU, or a CPU with AVX512_BF16 or AMX); "tf32", "fp16" (GPU)
    batch         samples a run. With one batch size a sample's map has the same bits whichever samples are beside it, and those of
                  `tyto bev`
    set           options of the network in place of the model file's
    memory_limit  bytes for weights, activations and workspaces; 0: none

    A segmenter serves one run at a time: threads that segment wait for each other, and while an iteration over samples is under way
    others are refused. What depends on calibrations alone is computed again only where they change. Error: the device is not there
    ("device"), lacks the precision, or the network has another task ("unsupported"). ArgumentError: an option makes no sense.
    """

    def __init__(self, model: Union[Model, Path], *, cameras: Optional[int] = None, device: str = "auto", threads: int = 0,
                 precision: str = "fp32", batch: int = 1, set: Optional[Mapping[str, Any]] = None, memory_limit: int = 0):
        options = _seam.options_of("BevSegmenter", **engine_options("BevSegmenter", device, threads, memory_limit),
                                   precision=precision, batch=batch, set=_network_options(set, cameras))
        self.model, of_model = number_of(model, "BevSegmenter")
        self._object, text = _seam.made("segmenter", lambda segmenter: _open(of_model, options, segmenter))
        said = json.loads(text)
        tell(said)
        self.device: str = said["device"]  # "cpu" or "cuda"
        self.cameras: int = said["cameras"]  # that a sample has
        self.grid = BevGrid(**{key: tuple(value) if isinstance(value, list) else value for key, value in said["grid"].items()})
        classes, known = said["classes"], self.model.info.class_names
        self.class_names: List[str] = known if len(known) == classes else [str(k) for k in range(classes)]  # of the map

    def segment(self, samples: Union[BevSample, Sequence[BevSample]], *, decoders: int = 0,
                exif_orientation: bool = False) -> List[BevMap]:
        """The map of each sample, in their order.

        samples           a BevSample, or a list of them, each with as many images and cameras as the network takes. An image is
                          uint8 [height, width, 3] in RGB, a NumPy array or whatever has __dlpack__ (PyTorch's tensors) or
                          __array__; a PIL image; or a path, which the library's own decoder reads, the same bits as `tyto bev`
        decoders          threads that decode and preprocess; 0: half the cores
        exif_orientation  whether photographs in files are turned as their EXIF data says

        ArgumentError names the sample and the camera whose matrix or image makes no sense: not finite, without an inverse, a pose
        or an augmentation whose last row is another. Error: an image cannot be read ("file", "format").
        """
        listed = _several(samples, "segment")
        for s, sample in enumerate(listed):
            if len(sample.cameras) != self.cameras:
                raise ArgumentError("shape", f"segment: sample {s} {_advice(len(sample.cameras), self.cameras)}")
        found: List[BevMap] = []
        with self._object.lock:
            run = _Run(self, listed, "segment", decoders, exif_orientation)
            try:
                while True:
                    maps = run.next()
                    for image in run.left_out:
                        raise image.error()
                    if maps is None:
                        return found
                    found += maps
            finally:
                run.close()

    def samples(self, samples: Union[Path, Sequence[BevSample]], *, cameras: Optional[Sequence[str]] = None,
                progress: Progress = None, on_error: str = "raise", decoders: int = 0, exif_orientation: bool = False) -> BevRun:
        """Iterates over the maps of samples, in their order, while the images of the next are decoded and computed.

        samples   a file of samples, a JSON object a line (see read_samples), or a list of BevSample
        cameras   of a file: which cameras, in the network's order; None: all of a sample
        progress  None: a bar on sys.stderr where that is a terminal; True: always; False: never; or a function of (done, total)
        on_error  what a sample does that cannot be read: "raise" its Error, or "skip" it; BevRun.skipped then has the sentence

        Error: the file cannot be read or holds no samples ("file"), a line is wrong ("format").
        """
        return BevRun(self, samples, cameras, progress, on_error, decoders, exif_orientation)

    def close(self) -> None:
        """Gives its memory back. A run that is under way goes on."""
        self._object.close()

    def __enter__(self) -> "BevSegmenter":
        return self

    def __exit__(self, *_) -> None:
        self.close()
