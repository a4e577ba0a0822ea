"""What every function of tyto.ops can be called with: a new operator has its sample here, too."""
import inspect
from typing import Callable, Dict, Tuple

import torch

from tyto import ops


def functions() -> Dict[str, Callable]:
    """The public functions of tyto.ops."""
    return {name: thing for name, thing in vars(ops).items() if name in ops.__all__ and inspect.isfunction(thing)}


def _boxes(*shape):
    return torch.tensor([0.0, 0, 4, 4]) + 8 * torch.rand(*shape, 1)


def _cameras():
    intrinsics = torch.tensor([[20.0, 0, 12], [0, 20, 8], [0, 0, 1]]).repeat(1, 2, 1, 1)
    to_grid = torch.tensor([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 1], [0, 0, 0, 1]]).repeat(1, 2, 1, 1)
    return [intrinsics, to_grid, torch.eye(3).repeat(1, 2, 1, 1)]


_RIG = {"bins": 3, "height": 2, "width": 3, "image_size": (16, 24), "first_depth": 1, "grid": (4, 3, 1), "lower": (0, -3, -2),
        "step": (1, 2, 4)}


def bev_index():
    return ops.bev_index(*_cameras(), **_RIG)


def _rois():
    return torch.cat([torch.tensor([[0.0], [1], [0]]), _boxes(3)], 1)


_SAMPLES = {
    "attention": lambda: ([torch.randn(2, 2, n, 4) for n in (3, 5, 5)], {"bias": torch.randn(2, 3, 5),
                                                                         "mask": torch.rand(2, 1, 3, 5) < 0.8}),
    "batched_nms": lambda: ([_boxes(6), torch.rand(6), torch.arange(6) % 2, 0.5], {}),
    "bev_index": lambda: (_cameras(), _RIG),
    "bev_pool": lambda: ([torch.randn(1, 2, 3, 2, 3), torch.randn(1, 2, 4, 2, 3), bev_index()], {}),
    "multiclass_nms": lambda: ([_boxes(2, 6), torch.rand(2, 3, 6), 0.5], {"counts": torch.tensor([6, 4])}),
    "nms": lambda: ([_boxes(6), torch.rand(6), 0.5], {}),
    "position_attention": lambda: ([*[torch.randn(2, c, 2, 3) for c in (4, 4, 6, 6)], torch.tensor([0.5])], {}),
    "roi_align": lambda: ([torch.randn(2, 3, 6, 7), _rois(), (2, 3), 0.5, 2, True], {}),
    "roi_pool": lambda: ([torch.randn(2, 3, 6, 7), _rois(), (2, 3), 0.5], {}),
}
# How many of the first arguments have gradients.
LEARNED = {"attention": 3, "bev_pool": 2, "position_attention": 5, "roi_align": 1, "roi_pool": 1}


def arguments(name: str, learn: bool = True) -> Tuple[list, Dict[str, object]]:
    """Positional arguments and options of a function. learn: whether gradients are wanted."""
    positional, options = _SAMPLES[name]()
    if learn:
        for tensor in positional[:LEARNED.get(name, 0)]:
            tensor.requires_grad_()
    return positional, dict(options)


def options(function) -> list:
    return [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
