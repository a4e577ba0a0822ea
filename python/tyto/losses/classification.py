"""Losses of classifiers' logits, and of features against one weight a class.

Common to all: float64, float32, bfloat16 or float16 (which computes on float32, as PyTorch does under autocast), two of one type;
the value is a number, float64 of float64 and float32 of the others. Anything else is an ArgumentError that names it."""
import math
from typing import Optional

import torch

from .._operation import choice, elements, integers
from ._loss import Loss, LossModule, learned, named

_CROSS_ENTROPY, _CROSS_ENTROPY_OF_PARTS = (
    Loss("cross_entropy", elements("logits", *dims), integers("labels", "rows"), gradients={"logits": "gradient"})
    for dims in (("rows", "classes"), ("parts", "rows", "classes")))
_MARGIN_SOFTMAX = Loss("margin_softmax", elements("features", "rows", "width"), integers("labels", "rows"),
                       elements("weights", "width", "classes"), gradients={"features": "gradient", "weights": "weights_gradient"})
_SYMMETRIC_KL = Loss("symmetric_kl", elements("first", "rows", "classes"), elements("second", "rows", "classes"),
                     gradients={"first": "gradient", "second": "second_gradient"})

_METHODS = named(arc_face="TYTO_ARC_FACE", cos_face="TYTO_COS_FACE", sphere_face="TYTO_SPHERE_FACE")
_MARGINS = {"arc_face": 28.6 / 180 * math.pi, "cos_face": 0.35, "sphere_face": 4}
_LOGIT_SCALES = {"arc_face": 64, "cos_face": 64, "sphere_face": 1}


def _has_parts(logits) -> bool:
    try:
        return logits.dim() == 3
    except Exception:  # no tensor, or none with dimensions: the operation tells
        return False


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor, *, label_smoothing: float = 0, ignore_index: Optional[int] = None,
                  check: Optional[bool] = None) -> torch.Tensor:
    """Softmax cross entropy with smoothed labels: torch.nn.functional.cross_entropy's mean over the rows; of several parts, the sum
    of their means (PCB).

    The target is (1 - label_smoothing) onehot + label_smoothing / classes. NaN without rows that count.

    logits           [rows, classes], or [parts, rows, classes] of several classifiers of the same rows; finite, -infinity is not
    labels           [rows]  in [0, classes), or ignore_index
    label_smoothing  in [0, 1]
    ignore_index     rows of this label count for nothing, and their logits may be anything. None (not PyTorch's -100): no rows do
    check            whether values that are not finite and labels out of range are an ArgumentError, not NaN. None: on the CPU yes;
                     on CUDA, where True waits for the device, no
    """
    loss = _CROSS_ENTROPY_OF_PARTS if _has_parts(logits) else _CROSS_ENTROPY
    options = {"smoothing": label_smoothing}
    if ignore_index is not None:
        options.update(ignores=True, ignored_label=ignore_index)
    return loss((logits, labels), options, check)


class CrossEntropy(LossModule):
    """cross_entropy as a module: forward(logits, labels)."""

    def __init__(self, *, label_smoothing: float = 0, ignore_index: Optional[int] = None, check: Optional[bool] = None):
        super().__init__(cross_entropy, label_smoothing=label_smoothing, ignore_index=ignore_index, check=check)


def margin_softmax(features: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor, *, method: str = "arc_face",
                   margin: Optional[float] = None, logit_scale: Optional[float] = None,
                   check: Optional[bool] = None) -> torch.Tensor:
    """Cross entropy over the cosines between a feature and one weight a class, with a margin on the label's own.

    As pytorch-metric-learning 2 has it (ArcFaceLoss, CosFaceLoss, SphereFaceLoss), with theta the angle to the label's weight and
    logits logit_scale * cosine:

    method         the label's cosine becomes                              margin of None       logit_scale of None
    "arc_face"     cos(theta + margin), and is monotonous beyond pi        28.6 pi / 180        64    Deng et al., CVPR 2019
    "cos_face"     cos(theta) - margin                                     0.35                 64    Wang et al., CVPR 2018
    "sphere_face"  (-1)^k cos(margin theta) - 2k, k = [margin theta / pi]  4                    1     Liu et al., CVPR 2017

    NaN without rows.

    features     [rows, width]  of any length
    labels       [rows]  in [0, classes)
    weights      [width, classes], a column a class, of any length; rows * classes and width * classes < 2^31
    margin       of arc_face radians, in [0, pi]; of sphere_face whole, at least 1
    logit_scale  by which all cosines are multiplied
    check        whether values that are not finite and labels out of range are an ArgumentError, not NaN. None: on the CPU yes; on
                 CUDA, where True waits for the device, no
    """
    number = choice("margin_softmax", "method", method, _METHODS)
    options = {"method": number, "margin": _MARGINS[method] if margin is None else margin,
               "logit_scale": _LOGIT_SCALES[method] if logit_scale is None else logit_scale}
    return _MARGIN_SOFTMAX((features, labels, weights), options, check)


class MarginSoftmax(LossModule):
    """margin_softmax as a module with the weights, which are learned: forward(features, labels).

    weights  [width, classes]; at first normally distributed, so of uniform directions, as in pytorch-metric-learning"""

    def __init__(self, width: int, classes: int, *, method: str = "arc_face", margin: Optional[float] = None,
                 logit_scale: Optional[float] = None, check: Optional[bool] = None, device: Optional[torch.device] = None,
                 dtype: Optional[torch.dtype] = None):
        super().__init__(margin_softmax, method=method, margin=margin, logit_scale=logit_scale, check=check)
        choice("margin_softmax", "method", method, _METHODS)
        self.weights = learned("MarginSoftmax", width=width, classes=classes, device=device, dtype=dtype)

    def forward(self, features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return super().forward(features, labels, self.weights)


def symmetric_kl(first: torch.Tensor, second: torch.Tensor, *, check: Optional[bool] = None) -> torch.Tensor:
    """The mean over rows of (KL(p || q) + KL(q || p)) / 2, with p and q = softmax of the logits: layumi's regulariser between two
    views of the same images (train.py --DG). NaN without rows.

    first, second  [rows, classes]; both have gradients
    check          whether values that are not finite are an ArgumentError, not NaN. None: on the CPU yes; on CUDA, where True
                   waits for the device, no
    """
    return _SYMMETRIC_KL((first, second), {}, check)


class SymmetricKL(LossModule):
    """symmetric_kl as a module: forward(first, second)."""

    def __init__(self, *, check: Optional[bool] = None):
        super().__init__(symmetric_kl, check=check)
