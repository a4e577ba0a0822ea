"""Generated images of shapes, whose boxes are known: a data set that a small detector learns in seconds."""
from typing import NamedTuple

import torch

SIZE = 64  # pixels, height and width
CLASSES = ("disc", "square", "triangle")
MOST = 2  # objects of an image


class Scenes(NamedTuple):
    """Images and their objects, as tyto.losses' multibox losses take them."""

    images: torch.Tensor  # [n, 3, SIZE, SIZE]  about -1 to 1
    boxes: torch.Tensor  # [n, MOST, 4]  x1 y1 x2 y2, in [0, 1] of the image
    classes: torch.Tensor  # [n, MOST]  places of CLASSES
    counts: torch.Tensor  # [n]  the first so many places are taken

    def __getitem__(self, rows) -> "Scenes":
        return Scenes(*(tensor[rows] for tensor in self._asdict().values()))

    def to(self, device) -> "Scenes":
        return Scenes(*(tensor.to(device) for tensor in self._asdict().values()))


def draw(count: int, generator: torch.Generator) -> Scenes:
    """One to MOST shapes an image, later ones in front, on a background of a random slope and noise."""

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(*shape, generator=generator)

    y, x = torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="ij")
    slope = uniform(-0.5, 0.5, count, 3, 2, 1, 1) / SIZE
    images = uniform(-0.5, 0.5, count, 3, 1, 1) + slope[:, :, 0] * x + slope[:, :, 1] * y
    boxes = torch.zeros(count, MOST, 4)
    classes = torch.randint(len(CLASSES), (count, MOST), generator=generator)
    counts = torch.randint(1, MOST + 1, (count,), generator=generator)
    for place in range(MOST):
        side = uniform(16, 36, count, 1, 1)
        left, top = ((SIZE - side) * uniform(0, 1, count, 1, 1) for _ in range(2))
        u, v = (x - left) / side - 0.5, (y - top) / side - 0.5  # -0.5 to 0.5 within the box
        inside = torch.stack([u**2 + v**2 <= 0.25, torch.maximum(u.abs(), v.abs()) <= 0.5,
                              (u.abs() <= (v + 0.5) / 2) & (v <= 0.5)], 1)  # in the order of CLASSES
        inside = inside[torch.arange(count), classes[:, place]] & (place < counts)[:, None, None]
        sign = torch.randint(2, (count, 3, 1, 1), generator=generator) * 2 - 1
        color = images.mean((2, 3), keepdim=True) + sign * uniform(0.6, 1.6, count, 3, 1, 1)
        images = torch.where(inside[:, None], color, images)
        boxes[:, place] = torch.cat([left, top, left + side, top + side], 1)[..., 0] / SIZE
    images += 0.05 * torch.randn(images.shape, generator=generator)
    return Scenes(images, boxes, classes, counts)
