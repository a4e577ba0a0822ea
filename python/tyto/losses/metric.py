"""Losses on the pairs of a batch: metric learning of re-identification.

Common to all: features [rows, width], float64, float32, bfloat16 or float16 (which computes on float32, as PyTorch does under
autocast); labels [rows], integers of at least 0; the value is a number, float64 of float64 and float32 of the others."""
from typing import Optional

import torch

from .._operation import elements, integers
from ._loss import Loss, LossModule


def _of_pairs(name: str) -> Loss:
    return Loss(name, elements("features", "rows", "width"), integers("labels", "rows"), gradients={"features": "gradient"})


_CIRCLE = _of_pairs("circle_loss")


def circle_loss(features: torch.Tensor, labels: torch.Tensor, *, margin: float = 0.25, gamma: float = 32,
                check: Optional[bool] = None) -> torch.Tensor:
    """Circle loss (Sun et al., CVPR 2020), one loss for the whole batch, on features of unit length, which it makes itself.

    As layumi's Person_reID_baseline_pytorch has it before it divides by the batch's size: softplus(logsumexp l_p + logsumexp l_n) over
    the products s of pairs of one label and of two, l_p = -gamma [1 + margin - s]+ (s - (1 - margin)),
    l_n = gamma [s + margin]+ (s - margin). 0 without positive or without negative pairs.

    features  [rows, width], rows * rows < 2^31
    labels    [rows]  at least 0
    check     whether values that are not finite and labels out of range are an ArgumentError, not NaN. None: on the CPU yes; on
              CUDA, where True waits for the device, no
    """
    return _CIRCLE((features, labels), {"margin": margin, "gamma": gamma}, check)


class CircleLoss(LossModule):
    """circle_loss as a module: forward(features, labels)."""

    def __init__(self, *, margin: float = 0.25, gamma: float = 32, check: Optional[bool] = None):
        super().__init__(circle_loss, margin=margin, gamma=gamma, check=check)
