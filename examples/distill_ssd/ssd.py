"""An SSD of two maps and 160 priors, as small as it can be; and how its detections are read and judged."""
from typing import List, NamedTuple, Tuple

import torch
from torch import nn

from scenes import CLASSES, Scenes

VARIANCE = (0.1, 0.1, 0.2, 0.2)  # of locations, as ssd.pytorch and the defaults of tyto.losses have it
SIDES = {8: (0.25, 0.34), 4: (0.42, 0.52)}  # cells along a map's side -> sides of the square priors on each cell


class Ssd(nn.Module):
    """[n, 3, 64, 64] -> locations [n, 160, 4], logits [n, 160, 1 + classes], of which class 0 is the background."""

    def __init__(self, width: int):
        super().__init__()
        self.to_8 = nn.Sequential(_half(3, width), _half(width, 2 * width), _half(2 * width, 4 * width))
        self.to_4 = _half(4 * width, 4 * width)
        self.heads = nn.ModuleList(nn.Conv2d(4 * width, len(sides) * (4 + 1 + len(CLASSES)), 3, padding=1)
                                   for sides in SIDES.values())

    def forward(self, images: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        of_8 = self.to_8(images)
        of_4 = self.to_4(of_8)
        # A row a prior, in the order of prior_boxes(): cells by rows, the priors of a cell side by side.
        rows = [head(map_).permute(0, 2, 3, 1).reshape(len(images), -1, 5 + len(CLASSES))
                for head, map_ in zip(self.heads, (of_8, of_4))]
        return torch.cat(rows, 1).split([4, 1 + len(CLASSES)], 2)


def _half(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


def prior_boxes() -> torch.Tensor:
    """[160, 4]  centre x y, width, height, in [0, 1] of the image."""
    return torch.tensor([((x + 0.5) / cells, (y + 0.5) / cells, side, side)
                         for cells, sides in SIDES.items() for y in range(cells) for x in range(cells) for side in sides])


class Detections(NamedTuple):
    """Of one image, the best first."""

    boxes: torch.Tensor  # [n, 4]  x1 y1 x2 y2
    classes: torch.Tensor  # [n]  places of CLASSES
    scores: torch.Tensor  # [n]


@torch.no_grad()
def detect(network: Ssd, images: torch.Tensor, score: float = 0.05) -> List[Detections]:
    """The detections of each image that score more than `score`, without those that a better one of their class covers."""
    network.eval()
    locations, logits = network(images)
    network.train()
    priors = prior_boxes().to(images.device)
    variance = priors.new_tensor(VARIANCE)
    centers = priors[:, :2] + locations[..., :2] * variance[:2] * priors[:, 2:]
    sizes = priors[:, 2:] * (locations[..., 2:] * variance[2:]).exp()
    boxes = torch.cat([centers - sizes / 2, centers + sizes / 2], 2)
    found = []
    for of_image, probabilities in zip(boxes, logits.softmax(2)[..., 1:]):
        prior, kind = (probabilities > score).nonzero(as_tuple=True)
        scores, order = probabilities[prior, kind].sort(descending=True, stable=True)
        prior, kind = prior[order], kind[order]
        kept = _suppress(of_image[prior], kind)
        found.append(Detections(of_image[prior][kept], kind[kept], scores[kept]))
    return found


def _suppress(boxes: torch.Tensor, classes: torch.Tensor) -> List[int]:
    covers = ((overlaps(boxes, boxes) > 0.45) & (classes[:, None] == classes)).tolist()
    kept = []
    for row in range(len(covers)):
        if not any(covers[better][row] for better in kept):
            kept.append(row)
    return kept


def overlaps(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """[n, 4], [m, 4] -> [n, m], intersection over union."""
    common = (torch.minimum(a[:, None, 2:], b[:, 2:]) - torch.maximum(a[:, None, :2], b[:, :2])).clamp(min=0).prod(2)
    return common / ((a[:, 2:] - a[:, :2]).prod(1)[:, None] + (b[:, 2:] - b[:, :2]).prod(1) - common)


def mean_average_precision(found: List[Detections], scenes: Scenes) -> float:
    """Mean over the classes of the area below precision over recall; a detection is right that overlaps an object of its class by
    half or more which no better one took."""
    areas = []
    for kind in range(len(CLASSES)):
        scored, objects = [], 0
        for detections, boxes, classes, count in zip(found, scenes.boxes, scenes.classes, scenes.counts.tolist()):
            wanted = boxes[:count][classes[:count] == kind]
            objects += len(wanted)
            own = detections.classes == kind
            taken = set()
            for score, row in zip(detections.scores[own].tolist(), overlaps(detections.boxes[own], wanted).tolist()):
                overlap, best = max(((v, i) for i, v in enumerate(row)), default=(0, None))
                right = overlap >= 0.5 and best not in taken
                if right:
                    taken.add(best)
                scored.append((score, right))
        right = torch.tensor([r for _, r in sorted(scored, key=lambda pair: -pair[0])], dtype=torch.float64)
        precision = right.cumsum(0) / torch.arange(1, len(right) + 1)
        precision = precision.flip(0).cummax(0).values.flip(0) if len(right) else precision  # as VOC and COCO have it: never rising
        areas.append(float((precision * right).sum()) / max(objects, 1))
    return sum(areas) / len(areas)
