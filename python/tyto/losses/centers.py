"""Losses around the centres of classes, of two modalities or of one.

Common to all: features [rows, width], float64, float32, bfloat16 or float16 (which computes on float32, as PyTorch does under
autocast); labels [rows], integers of at least 0; modalities [rows], integers, 0 visible and 1 thermal; the value is a number,
float64 of float64 and float32 of the others.
check: whether values that are not finite and labels out of range are an ArgumentError, not NaN. None: on the CPU yes; on CUDA,
where True waits for the device, no."""
from typing import NamedTuple, Optional, Union

import torch

from .._compile import eager
from .._errors import ArgumentError, reason
from .._operation import Operation, choice, elements, flag, integers
from ._loss import LOSSES, Loss, LossModule, learned, named

_FEATURES = elements("features", "rows", "width")
_LABELS = integers("labels", "rows")
_MODALITIES = integers("modalities", "rows")
_CENTERS = elements("centers", "classes", "width")
_OPTIONAL = (integers("modalities", "rows", optional=True), elements("learned", "classes", "width", optional=True))

_CENTER = Loss("center_loss", _FEATURES, _LABELS, _CENTERS, gradients={"features": "gradient", "centers": "centers_gradient"})
_UPDATE = Operation(LOSSES, "update_centers", _CENTERS, _FEATURES, _LABELS)
_KINDS = named(modality="TYTO_CENTERS_OF_MODALITY", joint="TYTO_CENTERS_JOINT", learned="TYTO_CENTERS_LEARNED")
_OF_CMDC = {"centers": _KINDS, "mining": named(all="TYTO_MINE_ALL", hard="TYTO_MINE_HARD")}
_OF_HETERO = {"distance": named(squared="TYTO_DISTANCE_SQUARED", absolute="TYTO_DISTANCE_ABSOLUTE", cosine="TYTO_DISTANCE_COSINE")}

_CMDC = Loss("cmdc_loss", _FEATURES, _LABELS, *_OPTIONAL, choices=_OF_CMDC,
             gradients={"features": "gradient", "learned": "learned_gradient"})
_IDENTITY_AND_CMDC = Loss("identity_and_cmdc_loss", elements("logits", "rows", "classes"), _FEATURES, _LABELS, *_OPTIONAL, values=3,
                          choices=_OF_CMDC,
                          gradients={"logits": "logits_gradient", "features": "gradient", "learned": "learned_gradient"})
_HETERO = Loss("hetero_center_loss", _FEATURES, _LABELS, _MODALITIES, choices=_OF_HETERO, gradients={"features": "gradient"})
_HETERO_TRIPLET = Loss("hetero_center_triplet_loss", _FEATURES, _LABELS, _MODALITIES, gradients={"features": "gradient"})


def center_loss(features: torch.Tensor, labels: torch.Tensor, centers: torch.Tensor, *, normalize: bool = False,
                check: Optional[bool] = None) -> torch.Tensor:
    """Centre loss (Wen et al., ECCV 2016): 1/2 sum over rows ||x - centre of its class||^2, a sum, as in the paper. 0 without rows.

    features   [rows, width]     rows < 2^31
    labels     [rows]            in [0, classes)
    centers    [classes, width]  of the features' type; they follow by their gradient or by update_centers
    normalize  whether x are the features brought to unit length
    """
    return _CENTER((features, labels, centers), {"normalize": normalize}, check)


@eager
def _update(centers, features, labels, options, check):
    if isinstance(centers, torch.Tensor) and isinstance(features, torch.Tensor) and centers.is_floating_point() \
            and features.is_floating_point():
        features = features.to(centers.dtype)
    with torch.no_grad():
        plan, ready = _UPDATE.prepare((centers, features, labels), options)
        _change(centers[:0], centers[:0])  # so that autograd knows
        descriptor = plan.descriptor()
        descriptor.centers, descriptor.features, descriptor.labels = [tensor.data_ptr() for tensor in ready]
        _UPDATE.run(plan, descriptor, check)
        if ready[0].data_ptr() != centers.data_ptr():
            _change(centers, ready[0])
    return centers


def _change(centers, to):
    try:
        centers.copy_(to)
    except RuntimeError as error:
        raise ArgumentError("usage", f"update_centers: centers cannot be changed in place: {reason(error)}") from None


def update_centers(centers: torch.Tensor, features: torch.Tensor, labels: torch.Tensor, *, rate: float = 0.5,
                   normalize: bool = False, check: Optional[bool] = None) -> torch.Tensor:
    """How the centre loss's centres follow the features, in place and without a gradient: c = c - rate sum (c - x) / (1 + n) over
    the n rows of a class. After a fault of the inputs' values they are as they were. Returns the centers.

    centers    [classes, width]  changed
    features   [rows, width]     of any type; they are brought to the centers'
    labels     [rows]            in [0, classes)
    rate       the paper's alpha
    normalize  as the loss takes the features
    """
    return _update(centers, features, labels, {"rate": rate, "normalize": normalize}, check)


def _cmdc_options(name: str, learned, centers, mining, normalize, positive_bound, negative_bound, center_weight) -> dict:
    if (learned is None) == (isinstance(centers, str) and centers == "learned"):
        raise ArgumentError("usage", f"{name}: learned is {'missing' if learned is None else 'given'}, but centers is {centers!r}")
    return {"centers": centers, "mining": mining, "normalize": normalize, "positive_bound": positive_bound,
            "negative_bound": negative_bound, "center_weight": center_weight}


def cmdc_loss(features: torch.Tensor, labels: torch.Tensor, modalities: Optional[torch.Tensor] = None,
              learned: Optional[torch.Tensor] = None, *, centers: str = "modality", mining: str = "all", normalize: bool = True,
              positive_bound: float = 0.3, negative_bound: float = 1, center_weight: float = 0,
              check: Optional[bool] = None) -> torch.Tensor:
    """The cross-modality dual-constraint loss (CMDC) of visible-thermal re-identification (Wang et al., Entropy 24(4):443, 2022).
    Its formulas were not to be had; what is our reading is said in tyto's kernels/losses/cmdc.h.

    With d the distances of the C centres to the rows x,
    1/C sum over centres (agg over rows of its class [d - positive_bound]+ + agg over the others [negative_bound - d]+)
    + center_weight / (2 rows) sum over rows ||x - its centre||^2. 0 without rows.

    features    [rows, width], rows * rows < 2^31
    labels      [rows]            at least 0; with learned centres less than classes
    modalities  [rows]            may be None but for centers="modality"
    learned     [classes, width]  for centers="learned" alone, of the features' type
    centers     "modality": of each class and modality the mean of its rows in the batch; "joint": of each class the mean of all its
                rows; "learned": those of `learned`, of the classes in the batch
    mining      "all": agg is the mean; "hard": the largest
    normalize   whether x are the features brought to unit length
    """
    options = _cmdc_options("cmdc_loss", learned, centers, mining, normalize, positive_bound, negative_bound, center_weight)
    return _CMDC((features, labels, modalities, learned), options, check)


class IdentityAndCmdcTerms(NamedTuple):
    """total = identity + lambda_ * cmdc has a gradient; its terms are for logs."""

    total: torch.Tensor
    identity: torch.Tensor
    cmdc: torch.Tensor


def identity_and_cmdc_loss(logits: torch.Tensor, features: torch.Tensor, labels: torch.Tensor,
                           modalities: Optional[torch.Tensor] = None, learned: Optional[torch.Tensor] = None, *,
                           smoothing: float = 0.1, lambda_: float = 3, centers: str = "modality", mining: str = "all",
                           normalize: bool = True, positive_bound: float = 0.3, negative_bound: float = 1, center_weight: float = 0,
                           terms: bool = False, check: Optional[bool] = None) -> Union[torch.Tensor, IdentityAndCmdcTerms]:
    """identity + lambda_ * cmdc of Wang et al.: cross entropy of a classifier's logits with smoothed labels, the mean over the
    rows, and cmdc_loss of the features of the same rows. NaN without rows.

    logits      [rows, classes]
    features    [rows, width], rows * rows < 2^31
    labels      [rows]            in [0, classes)
    modalities  [rows]            as of cmdc_loss, and so are learned [classes, width] and its options
    smoothing   in [0, 1]
    terms       whether the result is IdentityAndCmdcTerms, not the total alone
    """
    options = _cmdc_options("identity_and_cmdc_loss", learned, centers, mining, normalize, positive_bound, negative_bound,
                            center_weight)
    options.update(smoothing=smoothing, **{"lambda": lambda_})
    value = _IDENTITY_AND_CMDC((logits, features, labels, modalities, learned), options, check)
    return IdentityAndCmdcTerms(value[0], *value.detach()[1:]) if flag("identity_and_cmdc_loss", "terms", terms) else value[0]


def hetero_center_loss(features: torch.Tensor, labels: torch.Tensor, modalities: torch.Tensor, *, distance: str = "squared",
                       margin: float = 0.1, check: Optional[bool] = None) -> torch.Tensor:
    """Hetero-centre loss (Zhu et al., Neurocomputing 2020): the sum over the classes in both modalities of
    [distance(visible centre, thermal centre) - margin]+. 0 without rows.

    features    [rows, width]
    labels      [rows]  at least 0
    modalities  [rows]
    distance    "squared": ||a - b||^2; "absolute": the mean of |a - b|; "cosine": 1 - the cosine
    """
    return _HETERO((features, labels, modalities), {"distance": distance, "margin": margin}, check)


def hetero_center_triplet_loss(features: torch.Tensor, labels: torch.Tensor, modalities: torch.Tensor, *, margin: float = 0.3,
                               check: Optional[bool] = None) -> torch.Tensor:
    """Hetero-centre triplet loss (Liu, Tan, Zhou, TMM 2021): the mean over the centres of each class and modality of
    [farthest centre of its class - nearest of another + margin]+. 0 without rows.

    features    [rows, width], rows * rows < 2^31
    labels      [rows]  at least 0
    modalities  [rows]
    """
    return _HETERO_TRIPLET((features, labels, modalities), {"margin": margin}, check)


class CenterLoss(LossModule):
    """center_loss as a module with its `centers`, a parameter [classes, width] that begins normally distributed:
    forward(features, labels). They follow by the gradient where an optimizer has them, or by update() after its step."""

    def __init__(self, classes: int, width: int, *, normalize: bool = False, check: Optional[bool] = None, device=None, dtype=None):
        super().__init__(center_loss, normalize=normalize, check=check)
        self.centers = learned("CenterLoss", classes=classes, width=width, device=device, dtype=dtype, unit=normalize)

    def forward(self, features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return super().forward(features, labels, self.centers)

    def update(self, features: torch.Tensor, labels: torch.Tensor, rate: float = 0.5) -> None:
        """update_centers of the module's own."""
        update_centers(self.centers, features, labels, rate=rate, **self._options)


class _WithCmdcCenters(LossModule):
    """`learned`: a parameter [classes, width] where centers is "learned", else None."""

    def __init__(self, function, classes, width, device, dtype, **options):
        super().__init__(function, **options)
        name, centers = type(self).__name__, None
        if choice(name, "centers", options["centers"], _KINDS) == _KINDS["learned"]:
            if classes is None or width is None:
                raise ArgumentError("usage", f"{name}: centers is 'learned', which needs classes and width")
            centers = learned(name, classes=classes, width=width, device=device, dtype=dtype, unit=options["normalize"])
        self.register_parameter("learned", centers)


class CmdcLoss(_WithCmdcCenters):
    """cmdc_loss as a module: forward(features, labels, modalities). With centers="learned" it has a parameter, `learned`
    [classes, width]."""

    def __init__(self, classes: Optional[int] = None, width: Optional[int] = None, *, centers: str = "modality",
                 mining: str = "all", normalize: bool = True, positive_bound: float = 0.3, negative_bound: float = 1,
                 center_weight: float = 0, check: Optional[bool] = None, device=None, dtype=None):
        super().__init__(cmdc_loss, classes, width, device, dtype, centers=centers, mining=mining, normalize=normalize,
                         positive_bound=positive_bound, negative_bound=negative_bound, center_weight=center_weight, check=check)

    def forward(self, features: torch.Tensor, labels: torch.Tensor, modalities: Optional[torch.Tensor] = None) -> torch.Tensor:
        return super().forward(features, labels, modalities, self.learned)


class IdentityAndCmdcLoss(_WithCmdcCenters):
    """identity_and_cmdc_loss as a module: forward(logits, features, labels, modalities). With centers="learned" it has a parameter,
    `learned` [classes, width]."""

    def __init__(self, classes: Optional[int] = None, width: Optional[int] = None, *, smoothing: float = 0.1, lambda_: float = 3,
                 centers: str = "modality", mining: str = "all", normalize: bool = True, positive_bound: float = 0.3,
                 negative_bound: float = 1, center_weight: float = 0, terms: bool = False, check: Optional[bool] = None,
                 device=None, dtype=None):
        super().__init__(identity_and_cmdc_loss, classes, width, device, dtype, smoothing=smoothing, lambda_=lambda_,
                         centers=centers, mining=mining, normalize=normalize, positive_bound=positive_bound,
                         negative_bound=negative_bound, center_weight=center_weight, terms=terms, check=check)

    def forward(self, logits: torch.Tensor, features: torch.Tensor, labels: torch.Tensor,
                modalities: Optional[torch.Tensor] = None) -> Union[torch.Tensor, IdentityAndCmdcTerms]:
        return super().forward(logits, features, labels, modalities, self.learned)


class HeteroCenterLoss(LossModule):
    """hetero_center_loss as a module: forward(features, labels, modalities)."""

    def __init__(self, *, distance: str = "squared", margin: float = 0.1, check: Optional[bool] = None):
        super().__init__(hetero_center_loss, distance=distance, margin=margin, check=check)


class HeteroCenterTripletLoss(LossModule):
    """hetero_center_triplet_loss as a module: forward(features, labels, modalities)."""

    def __init__(self, *, margin: float = 0.3, check: Optional[bool] = None):
        super().__init__(hetero_center_triplet_loss, margin=margin, check=check)
