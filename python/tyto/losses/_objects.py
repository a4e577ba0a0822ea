"""Batches of images that have different numbers of boxes: padded tensors, which kernels take, of the lists that loaders give."""
from typing import List, Optional, Sequence, Tuple, Union

import torch
from torch.nn.utils.rnn import pad_sequence

from .._errors import ArgumentError

PerImage = Union[torch.Tensor, Sequence[torch.Tensor]]  # [batch, capacity, ...], or of each image [its own number, ...]


def on_device(values, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """A tensor of Python's numbers. The copy to a GPU is one of its stream's; nothing waits for it."""
    tensor = torch.tensor(values, dtype=dtype)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def _checked(operation: str, name: str, images, dims: Tuple, rows: str) -> List[torch.Tensor]:
    """The images' tensors, of [rows, *dims], one type and one device. dims: numbers; None: the first tensor's."""
    def refuse(kind, what):
        raise ArgumentError(kind, f"{operation}: {name}{what}")

    if not isinstance(images, (list, tuple)):
        refuse("usage", f" is neither a torch.Tensor nor a list of them, but {type(images).__name__}")
    for i, image in enumerate(images):
        if not isinstance(image, torch.Tensor):
            refuse("usage", f"[{i}] is no torch.Tensor, but {type(image).__name__}")
        if image.layout != torch.strided:
            refuse("usage", f"[{i}] is {image.layout}; dense tensors are taken")
        if i == 0 and image.dim() == len(dims) + 1:
            dims = tuple(size if due is None else due for size, due in zip(image.shape[1:], dims))
        if image.dim() != len(dims) + 1 or tuple(image.shape[1:]) != dims:
            refuse("shape", f"[{i}] is {list(image.shape)}, not [{', '.join(str(due or 'width') for due in (rows, *dims))}]")
        for what in "dtype", "device":
            due, found = getattr(images[0], what), getattr(image, what)
            if found != due:
                refuse("usage", f"[{i}] is {'of' if what == 'dtype' else 'on'} {found}, {name}[0] {due}; bring them to one")
    return images


def padded(operation: str, name: str, images: PerImage, counts: Optional[torch.Tensor], counts_name: str, like,
           dims: Tuple = (4,)) -> Tuple[torch.Tensor, Optional[torch.Tensor]]:
    """Rows of boxes [batch, capacity, *dims] and how many each image has, [batch] or None for all: tensors as they are, lists
    padded with zeros on their device. like: a tensor of the type and device that a list of no images takes. ArgumentError."""
    if isinstance(images, torch.Tensor):
        return images, counts
    images = _checked(operation, name, images, dims, "boxes")
    if counts is not None:
        raise ArgumentError("usage", f"{operation}: {counts_name} is given, but {name} is a list of their own lengths")
    if not images:
        like = like if isinstance(like, torch.Tensor) else torch.empty(0)
        return like.new_empty((0, 0, *[size or 4 for size in dims])), like.new_empty(0, dtype=torch.int32)
    return pad_sequence(images, batch_first=True), on_device([len(image) for image in images], torch.int32, images[0].device)


def padded_objects(operation: str, boxes: PerImage, classes: PerImage, counts: Optional[torch.Tensor], like):
    """Boxes [batch, capacity, 4], classes [batch, capacity] and counts, of tensors or of one list of boxes and one of classes."""
    if isinstance(boxes, torch.Tensor) or isinstance(classes, torch.Tensor):
        for name, part, other in ("boxes", boxes, "box_classes"), ("box_classes", classes, "boxes"):
            if isinstance(part, (list, tuple)):
                raise ArgumentError("usage", f"{operation}: {name} is a list, but {other} is none; both are lists or both tensors")
        return boxes, classes, counts
    padded_boxes, found = padded(operation, "boxes", boxes, counts, "box_counts", like)
    classes = _checked(operation, "box_classes", classes, (), "boxes")
    if len(classes) != len(boxes):
        raise ArgumentError("shape", f"{operation}: box_classes has {len(classes)} images, boxes {len(boxes)}")
    for i, (of_boxes, of_classes) in enumerate(zip(boxes, classes)):
        if len(of_boxes) != len(of_classes):
            raise ArgumentError("shape", f"{operation}: box_classes[{i}] has {len(of_classes)} classes, boxes[{i}] has "
                                f"{len(of_boxes)} boxes")
    if not classes:
        return padded_boxes, found.new_empty((0, 0)), found
    return padded_boxes, pad_sequence(classes, batch_first=True), found
