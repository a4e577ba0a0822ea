"""What detectors and bird's-eye-view segmenters give and take."""
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ._errors import ArgumentError, shown
from ._pandas import pandas_or


@dataclass(frozen=True, eq=False)
class Detections:
    """What a detector found in one image: K boxes by falling score."""

    image: str  # its path as it was found, "VIDEO#FRAME" with frames counted from 0, or of an array "image 3"
    width: int  # of the original image, in pixels
    height: int
    xywh: np.ndarray  # float32 [K, 4]: left, top, width, height in pixels of the original, whose own corner is (width, height)
    scores: np.ndarray  # float32 [K], in (0, 1]
    labels: np.ndarray  # int32 [K]: classes of the network; never the background's
    names: List[str]  # of the labels
    trace: Optional[Dict[str, np.ndarray]] = None  # with trace=True: each step's raw tensors by the network's names

    @property
    def boxes(self) -> np.ndarray:
        """float32 [K, 4]: x1 y1 x2 y2 in pixels of the original image. As networks give them, they may reach beyond it."""
        return np.concatenate([self.xywh[:, :2], self.xywh[:, :2] + self.xywh[:, 2:]], axis=1)

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, score: float) -> "Detections":
        """Those with a score of at least this. ArgumentError."""
        kept = np.flatnonzero(self.scores >= _number("above: score", score))
        return Detections(self.image, self.width, self.height, self.xywh[kept], self.scores[kept], self.labels[kept],
                          [self.names[i] for i in kept], self.trace)

    def to_dict(self) -> Dict[str, Any]:
        """The image's line of `tyto detect`'s detections.jsonl, as json.loads() gives it, whose boxes are COCO's: `xywh`."""
        return {"image": self.image, "width": self.width, "height": self.height, "detections": [
            {"label": name, "label_id": label, "score": _decimal(score), "bbox": [_decimal(value) for value in box]}
            for name, label, score, box in zip(self.names, self.labels.tolist(), self.scores, self.xywh)]}

    def to_pandas(self):
        """A pandas.DataFrame, a row a detection: image, name, label, score, x1, y1, x2, y2. Error where pandas is not there."""
        boxes = self.boxes
        return pandas_or("boxes, scores and labels").DataFrame(
            {"image": [self.image] * len(self), "name": self.names, "label": self.labels, "score": self.scores,
             **{side: boxes[:, i] for i, side in enumerate(("x1", "y1", "x2", "y2"))}})


def _number(what: str, value: Any) -> np.float32:
    try:
        return np.float32(float(value))
    except Exception:  # whatever a stranger's protocol raises
        raise ArgumentError("usage", f"{what} cannot be {shown(value)}; it is a number") from None


def _decimal(value: np.float32) -> float:
    """The shortest decimal that gives the same float32 back, which is what files have."""
    return float(str(value))


@dataclass(frozen=True, eq=False)
class Camera:
    """A calibrated pinhole camera. Axes of the camera: x right, y down, z forward; of the ego: x forward, y left, z up. Matrices
    are whatever NumPy makes arrays of."""

    intrinsics: Any  # [3, 3], of the image as the camera took it, in pixels
    camera_to_ego: Any  # [4, 4]: rotation and metres, last row 0 0 0 1
    augmentation: Any = None  # [3, 3], last row 0 0 1: from pixels of the camera's image to the given one's; None: they are one
    name: str = ""  # "front"


@dataclass(frozen=True, eq=False)
class BevSample:
    """What a rig of cameras saw at one time."""

    images: Any  # one a camera: paths, uint8 [height, width, 3] in RGB, PyTorch's tensors of that, PIL images
    cameras: Sequence[Camera]  # in the order that the network was trained with
    lidar_to_ego: Any = None  # [4, 4], read by networks whose grid is in the lidar's frame; None: the identity
    id: str = ""
    sequence: str = ""
    ego_pose: Any = None  # [4, 4], ego to world; for whoever needs it, networks do not


@dataclass(frozen=True)
class BevGrid:
    """Where a map of the ground lies, in metres: x forward, y left, z up from the ego; x right, y forward from nuScenes' lidar."""

    lower: Tuple[float, float, float]  # x, y, z of the first cell's faces
    step: Tuple[float, float, float]  # a cell's sides
    cells: Tuple[int, int, int]  # along x, y, z
    rows: str  # which axis a map's rows go along: "x", and its columns "y", or the other way round
    frame: str  # "ego" or "lidar"

    @property
    def row_centers(self) -> np.ndarray:
        """float64 [rows]: where the middle of a row's cells lies on its axis, in metres."""
        return self._centers("xy".index(self.rows))

    @property
    def column_centers(self) -> np.ndarray:
        """float64 [columns]: where the middle of a column's cells lies on its axis, in metres."""
        return self._centers(1 - "xy".index(self.rows))

    def _centers(self, axis: int) -> np.ndarray:
        return self.lower[axis] + self.step[axis] * (np.arange(self.cells[axis]) + 0.5)


@dataclass(frozen=True, eq=False)
class BevMap:
    """A map of the ground around a rig."""

    id: str  # of the sample
    map: np.ndarray  # float32 [classes, rows, columns], logits
    grid: BevGrid
    class_names: List[str]  # of the map's first dimension
    outputs: Dict[str, np.ndarray] = field(repr=False)  # the network's outputs by name, of this sample; `map` is among them

    def probabilities(self) -> np.ndarray:
        """float32 [classes, rows, columns] in [0, 1]: each cell's logistic function."""
        small = np.exp(-np.abs(self.map))
        return np.where(self.map >= 0, np.float32(1), small) / (1 + small)

    def mask(self, threshold: float = 0) -> np.ndarray:
        """bool [classes, rows, columns]: cells whose logit is over the threshold, as `tyto bev` counts them. ArgumentError."""
        return self.map > _number("mask: threshold", threshold)
