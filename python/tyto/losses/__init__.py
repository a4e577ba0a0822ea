"""Losses as functions of PyTorch's tensors, and as modules.

Value and gradient come from one call of tyto's C library, the same bits in every call; on CUDA it starts kernels on PyTorch's current
stream and waits for nothing."""
from .classification import (
    CrossEntropy,
    MarginSoftmax,
    SymmetricKL,
    cross_entropy,
    margin_softmax,
    symmetric_kl,
)
from .metric import (
    BatchHardTripletLoss,
    CircleLoss,
    ContrastiveLoss,
    InstanceLoss,
    LiftedLoss,
    TripletLoss,
    WeightedRegularizedTripletLoss,
    batch_hard_triplet_loss,
    circle_loss,
    contrastive_loss,
    instance_loss,
    lifted_loss,
    triplet_loss,
    weighted_regularized_triplet_loss,
)

__all__ = [
    "BatchHardTripletLoss",
    "CircleLoss",
    "ContrastiveLoss",
    "CrossEntropy",
    "InstanceLoss",
    "LiftedLoss",
    "MarginSoftmax",
    "SymmetricKL",
    "TripletLoss",
    "WeightedRegularizedTripletLoss",
    "batch_hard_triplet_loss",
    "circle_loss",
    "contrastive_loss",
    "cross_entropy",
    "instance_loss",
    "lifted_loss",
    "margin_softmax",
    "symmetric_kl",
    "triplet_loss",
    "weighted_regularized_triplet_loss",
from .centers import (
    CenterLoss,
    CmdcLoss,
    HeteroCenterLoss,
    HeteroCenterTripletLoss,
    IdentityAndCmdcLoss,
    IdentityAndCmdcTerms,
    center_loss,
    cmdc_loss,
    hetero_center_loss,
    hetero_center_triplet_loss,
    identity_and_cmdc_loss,
    update_centers,
)
from .metric import (
    CircleLoss,
    circle_loss,
)

__all__ = [
    "CenterLoss",
    "CircleLoss",
    "CmdcLoss",
    "HeteroCenterLoss",
    "HeteroCenterTripletLoss",
    "IdentityAndCmdcLoss",
    "IdentityAndCmdcTerms",
    "center_loss",
    "circle_loss",
    "cmdc_loss",
    "hetero_center_loss",
    "hetero_center_triplet_loss",
    "identity_and_cmdc_loss",
    "update_centers",
]
