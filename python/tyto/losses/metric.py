"""Losses on the pairs of a batch: metric learning of re-identification.

Common to all: features [rows, width], float64, float32, bfloat16 or float16 (which computes on float32, as PyTorch does under
autocast), rows * rows < 2^31; labels [rows], integers of at least 0; the value is a number, float64 of float64 and float32 of the
others. Anything else is an ArgumentError that names it."""
from typing import Optional

import torch

from .._operation import elements, integers
from ._loss import Loss, LossModule


def _of_pairs(name: str) -> Loss:
    return Loss(name, elements("features", "rows", "width"), integers("labels", "rows"), gradients={"features": "gradient"})


_CIRCLE = _of_pairs("circle_loss")
_TRIPLET = _of_pairs("triplet_loss")
_CONTRASTIVE = _of_pairs("contrastive_loss")
_LIFTED = _of_pairs("lifted_loss")
_INSTANCE = _of_pairs("instance_loss")
_BATCH_HARD_TRIPLET = _of_pairs("batch_hard_triplet_loss")
_WEIGHTED_REGULARIZED_TRIPLET = _of_pairs("weighted_regularized_triplet_loss")


def circle_loss(features: torch.Tensor, labels: torch.Tensor, *, margin: float = 0.25, gamma: float = 32,
                check: Optional[bool] = None) -> torch.Tensor:
    """Circle loss (Sun et al., CVPR 2020), one loss for the whole batch, on features of unit length, which it makes itself.

    As layumi's Person_reID_baseline_pytorch has it before it divides by the batch's size: softplus(logsumexp l_p + logsumexp l_n)
    over the products s of pairs of one label and of two, l_p = -gamma [1 + margin - s]+ (s - (1 - margin)),
    l_n = gamma [s + margin]+ (s - margin). The brackets are weights, through which no gradient goes. 0 without positive or without
    negative pairs.

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


def triplet_loss(features: torch.Tensor, labels: torch.Tensor, *, margin: float = 0.3, mined: bool = True, epsilon: float = 0.1,
                 check: Optional[bool] = None) -> torch.Tensor:
    """Triplet loss on features of unit length, which it makes itself.

    As layumi's Person_reID_baseline_pytorch has it of pytorch-metric-learning (TripletMarginLoss, MultiSimilarityMiner): the mean
    of [d_ap - d_an + margin]+ over those that are not 0, d being distances of a row to another of its label and to one of another
    label. 0 where none is left.

    features  [rows, width], rows * rows < 2^31
    labels    [rows]  at least 0
    mined     whether the miner chooses positives less alike than the most alike negative and negatives more alike than the least
              alike positive, both give or take epsilon in cosine; else all triplets count. No gradient goes through the choice
    check     whether values that are not finite and labels out of range are an ArgumentError, not NaN. None: on the CPU yes; on
              CUDA, where True waits for the device, no
    """
    return _TRIPLET((features, labels), {"margin": margin, "mined": mined, "epsilon": epsilon}, check)


class TripletLoss(LossModule):
    """triplet_loss as a module: forward(features, labels)."""

    def __init__(self, *, margin: float = 0.3, mined: bool = True, epsilon: float = 0.1, check: Optional[bool] = None):
        super().__init__(triplet_loss, margin=margin, mined=mined, epsilon=epsilon, check=check)


def contrastive_loss(features: torch.Tensor, labels: torch.Tensor, *, positive_margin: float = 0, negative_margin: float = 1,
                     check: Optional[bool] = None) -> torch.Tensor:
    """Contrastive loss (Hadsell et al., CVPR 2006) on features of unit length, which it makes itself.

    As pytorch-metric-learning has it, with d the distances of pairs: the mean of [d - positive_margin]+ over pairs of one label
    plus that of [negative_margin - d]+ over pairs of two, each over those that are not 0, and 0 where there are none.

    features         [rows, width], rows * rows < 2^31
    labels           [rows]  at least 0
    check            whether values that are not finite and labels out of range are an ArgumentError, not NaN. None: on the CPU yes;
                     on CUDA, where True waits for the device, no
    """
    return _CONTRASTIVE((features, labels), {"positive_margin": positive_margin, "negative_margin": negative_margin}, check)


class ContrastiveLoss(LossModule):
    """contrastive_loss as a module: forward(features, labels)."""

    def __init__(self, *, positive_margin: float = 0, negative_margin: float = 1, check: Optional[bool] = None):
        super().__init__(contrastive_loss, positive_margin=positive_margin, negative_margin=negative_margin, check=check)


def lifted_loss(features: torch.Tensor, labels: torch.Tensor, *, positive_margin: float = 0, negative_margin: float = 1,
                check: Optional[bool] = None) -> torch.Tensor:
    """Generalised lifted structure loss (Hermans et al., 2017) on features of unit length, which it makes itself.

    As pytorch-metric-learning 2 has it, with d the distances of pairs: the mean over rows of [logsumexp over positives of
    (d - positive_margin) + logsumexp over negatives of (negative_margin - d)]+, of which one over nothing is 0. 0 without rows.

    features         [rows, width], rows * rows < 2^31
    labels           [rows]  at least 0
    check            whether values that are not finite and labels out of range are an ArgumentError, not NaN. None: on the CPU yes;
                     on CUDA, where True waits for the device, no
    """
    return _LIFTED((features, labels), {"positive_margin": positive_margin, "negative_margin": negative_margin}, check)


class LiftedLoss(LossModule):
    """lifted_loss as a module: forward(features, labels)."""

    def __init__(self, *, positive_margin: float = 0, negative_margin: float = 1, check: Optional[bool] = None):
        super().__init__(lifted_loss, positive_margin=positive_margin, negative_margin=negative_margin, check=check)


def instance_loss(features: torch.Tensor, labels: torch.Tensor, *, gamma: float = 32, added_length: float = 1e-8,
                  by_identity: bool = False, check: Optional[bool] = None) -> torch.Tensor:
    """Instance loss (Zheng et al., ACM TOMM 2020): every row, or every label's mean, is a class of its own.

    As layumi's instance_loss.py has it, before train.py divides it by the batch's size: with u = f / (||f|| + added_length), the
    mean over i of -log softmax_j(gamma u_i u_j) at j = i. 0 of one row, NaN without rows.

    features      [rows, width], rows * rows < 2^31
    labels        [rows]  at least 0; only by_identity looks at them
    gamma         in [0, 256]
    added_length  at least 0; what lets a row of zeros stay one
    by_identity   whether the rows of one label are averaged first
    check         whether values that are not finite and labels out of range are an ArgumentError, not NaN. None: on the CPU yes; on
                  CUDA, where True waits for the device, no
    """
    return _INSTANCE((features, labels), {"gamma": gamma, "added_length": added_length, "by_identity": by_identity}, check)


class InstanceLoss(LossModule):
    """instance_loss as a module: forward(features, labels)."""

    def __init__(self, *, gamma: float = 32, added_length: float = 1e-8, by_identity: bool = False, check: Optional[bool] = None):
        super().__init__(instance_loss, gamma=gamma, added_length=added_length, by_identity=by_identity, check=check)


def batch_hard_triplet_loss(features: torch.Tensor, labels: torch.Tensor, *, margin: float = 0.3,
                            check: Optional[bool] = None) -> torch.Tensor:
    """Triplet loss of each row's farthest positive and nearest negative (Hermans et al., 2017), on features as they are.

    As OriTripletLoss of AGW (mangye16's Cross-Modal-Re-ID-baseline) has it: the mean over rows of [d_p - d_n + margin]+. The
    gradient goes to the lowest index among equals, and to no distance below 1e-6. 0 with one label only, and without rows.

    features  [rows, width], rows * rows < 2^31
    labels    [rows]  at least 0
    check     whether values that are not finite and labels out of range are an ArgumentError, not NaN. None: on the CPU yes; on
              CUDA, where True waits for the device, no
    """
    return _BATCH_HARD_TRIPLET((features, labels), {"margin": margin}, check)


class BatchHardTripletLoss(LossModule):
    """batch_hard_triplet_loss as a module: forward(features, labels)."""

    def __init__(self, *, margin: float = 0.3, check: Optional[bool] = None):
        super().__init__(batch_hard_triplet_loss, margin=margin, check=check)


def weighted_regularized_triplet_loss(features: torch.Tensor, labels: torch.Tensor, *,
                                      check: Optional[bool] = None) -> torch.Tensor:
    """Weighted regularised triplet loss of AGW (Ye et al., TPAMI 2021), on features as they are.

    TripletLoss_WRT of mangye16's Cross-Modal-Re-ID-baseline: the mean over rows of log(1 + exp(sum w_p d_p - sum w_n d_n)) over the
    distances to rows of the same label and of others, weights being softmaxes of d_p and of -d_n, through which gradients go, too.
    NaN without rows.

    features  [rows, width], rows * rows < 2^31
    labels    [rows]  at least 0
    check     whether values that are not finite and labels out of range are an ArgumentError, not NaN. None: on the CPU yes; on
              CUDA, where True waits for the device, no
    """
    return _WEIGHTED_REGULARIZED_TRIPLET((features, labels), {}, check)


class WeightedRegularizedTripletLoss(LossModule):
    """weighted_regularized_triplet_loss as a module: forward(features, labels)."""

    def __init__(self, *, check: Optional[bool] = None):
        super().__init__(weighted_regularized_triplet_loss, check=check)
