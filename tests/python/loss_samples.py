"""What every function of tyto.losses can be called with, by the names of its parameters: a new loss has its samples here, too."""
import inspect
from typing import Callable, Dict

import torch

from tyto import losses

ROWS, WIDTH, CLASSES, BATCH, PRIORS, CAPACITY = 8, 5, 4, 2, 8, 3


def functions() -> Dict[str, Callable]:
    """The public functions of tyto.losses."""
    return {name: thing for name, thing in vars(losses).items() if name in losses.__all__ and inspect.isfunction(thing)}


def modules() -> Dict[str, type]:
    """Its public modules."""
    return {name: thing for name, thing in vars(losses).items()
            if name in losses.__all__ and inspect.isclass(thing) and issubclass(thing, torch.nn.Module)}


def positional(callable_) -> list:
    return [p.name for p in inspect.signature(callable_).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]


def options(callable_) -> Dict[str, object]:
    """Keyword arguments and their defaults."""
    return {p.name: p.default for p in inspect.signature(callable_).parameters.values() if p.kind is p.KEYWORD_ONLY}


def _corners(*shape):
    return torch.tensor([0.1, 0.1, 0.4, 0.5]) + 0.5 * torch.rand(*shape, 1)


_ROWS_OF = {
    "centers": lambda: torch.randn(CLASSES, WIDTH),
    "features": lambda: torch.randn(ROWS, WIDTH),
    "first": lambda: torch.randn(ROWS, CLASSES),
    "labels": lambda: torch.arange(ROWS) // 2 % CLASSES,
    "learned": lambda: None,  # but for centers="learned"
    "logits": lambda: torch.randn(ROWS, CLASSES),
    "modalities": lambda: torch.arange(ROWS) % 2,
    "second": lambda: torch.randn(ROWS, CLASSES),
    "weights": lambda: torch.randn(WIDTH, CLASSES),
}
_OF_DETECTORS = {
    "anchor_boxes": lambda: _corners(PRIORS),
    "anchor_labels": lambda: torch.tensor([1, 0, -1, 0, 1, 0, -1, 0]),
    "anchor_locations": lambda: torch.randn(PRIORS, 4),
    "anchor_logits": lambda: torch.randn(PRIORS, 2),
    "anchor_targets": lambda: torch.randn(PRIORS, 4),
    "box_classes": lambda: torch.tensor([[0, 1, 2], [2, 1, 0]]),
    "box_counts": lambda: torch.tensor([3, 2]),
    "boxes": lambda: _corners(BATCH, CAPACITY),
    "image_sizes": lambda: torch.ones(BATCH, 2),
    "locations": lambda: torch.randn(BATCH, PRIORS, 4),
    "logits": lambda: torch.randn(BATCH, PRIORS, CLASSES),
    "prior_boxes": lambda: torch.tensor([0.5, 0.5, 0.3, 0.3]) * (1 + torch.rand(PRIORS, 1)),
    "region_counts": lambda: torch.tensor([8, 5]),
    "regions": lambda: _corners(BATCH, PRIORS),
    "roi_labels": lambda: torch.tensor([1, 0, -1, 2, 3, 0]),
    "roi_locations": lambda: torch.randn(6, CLASSES, 4),
    "roi_logits": lambda: torch.randn(6, CLASSES),
    "roi_targets": lambda: torch.randn(6, 4),
    "teacher_locations": lambda: torch.randn(BATCH, PRIORS, 4),
    "teacher_logits": lambda: torch.randn(BATCH, PRIORS, CLASSES),
}
_LEARNED = {"centers", "features", "first", "second", "logits", "weights", "locations", "anchor_locations", "anchor_logits",
            "roi_locations", "roi_logits"}  # what has a gradient


def _samples(owner: str, names: list) -> list:
    known = _ROWS_OF if "labels" in names or "first" in names else _OF_DETECTORS
    missing = [name for name in names if name not in known]
    if missing:
        raise KeyError(f"tests/python/loss_samples.py has no sample of {', '.join(missing)} of {owner}")
    return [known[name]() for name in names]


def arguments(function, learn: bool = True) -> list:
    """For the positional parameters of a function. learn: whether gradients are wanted."""
    names = positional(function)
    found = _samples(function.__name__, names)
    if learn and function is not losses.update_centers:
        for name, tensor in zip(names, found):
            if name in _LEARNED and tensor is not None:
                tensor.requires_grad_()
    return found


def needed(function) -> Dict[str, object]:
    """Options that have to be given."""
    return {"seed": 18} if "seed" in options(function) else {}


def module_of(kind: type, **given) -> torch.nn.Module:
    """A module of a kind, with options."""
    sizes = {"classes": CLASSES, "width": WIDTH}
    return kind(**{name: sizes[name] for name in positional(kind) if name not in given}, **given)


def arguments_of(module: torch.nn.Module) -> list:
    """For a module's forward."""
    names = positional(module.forward) or positional(module._function)
    return _samples(type(module).__name__, names)
