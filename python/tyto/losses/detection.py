"""Losses of detectors: SSD's, its distillation, Faster R-CNN's.

Common to all: what a network says is float64, float32, bfloat16 or float16 (which computes on float32, as PyTorch does under
autocast); boxes, priors and targets are of any of these and are brought to float64 beside float64, else to float32; labels are
integers; values are float64 of float64 and float32 of the others.
check: whether values that are not finite, labels out of range and, if True, boxes without width or height are an ArgumentError.
None: on the CPU the first two are; on CUDA, where True waits for the device, none is, and the values are NaN."""
import ctypes
from typing import Mapping, NamedTuple, Optional, Sequence, Union

import torch

from .._operation import choice, elements, flag, integers, reals
from ._loss import LOSSES, Loss, LossModule, named
from ._objects import PerImage, padded_objects

_PREDICTED = (elements("locations", "batch", "priors", 4, together=4), elements("logits", "batch", "priors", "classes"))
_TEACHER = (elements("teacher_locations", "batch", "priors", 4, together=4),
            elements("teacher_logits", "batch", "priors", "classes"))
_OBJECTS = (reals("prior_boxes", "priors", 4, together=4), reals("boxes", "batch", "capacity", 4, together=4),
            integers("box_classes", "batch", "capacity"), integers("box_counts", "batch", optional=True))
_GRADIENTS = {"locations": "locations_gradient", "logits": "logits_gradient"}

_REFERENCES = named(**{"ssd.pytorch": "TYTO_SSD_PYTORCH", "fork": "TYTO_SSD_FORK", "bubbliiiing": "TYTO_BUBBLIIIING",
                       "torchvision": "TYTO_TORCHVISION"})
_CHOICES = {
    "match": named(best_prior="TYTO_MATCH_BEST_PRIOR", best_prior_of_unmatched="TYTO_MATCH_BEST_PRIOR_OF_UNMATCHED"),
    "mining": named(**{"ssd.pytorch": "TYTO_MINE_SSD_PYTORCH", "torchvision": "TYTO_MINE_TORCHVISION",
                       "bubbliiiing": "TYTO_MINE_BUBBLIIIING"}),
    "normalizer": named(positives="TYTO_POSITIVES", positives_or_one="TYTO_POSITIVES_OR_ONE",
                        positives_or_one_an_image="TYTO_POSITIVES_OR_ONE_AN_IMAGE"),
    "divergence": named(kullback_leibler="TYTO_KULLBACK_LEIBLER", cross_entropy="TYTO_CROSS_ENTROPY"),
}

_MULTIBOX = Loss("multibox_loss", *_PREDICTED, *_OBJECTS, values=3, gradients=_GRADIENTS, gradient_of=(0, 1),
                 choices=_CHOICES)
_DISTILLATION = Loss("multibox_distillation_loss", *_PREDICTED, *_TEACHER, *_OBJECTS, values=5, gradients=_GRADIENTS,
                     choices=_CHOICES, called="multibox_distillation")


def _stage(stage: str, rows: str, classes, *slots) -> tuple:
    return (elements(f"{stage}_locations", rows, *slots, 4, together=4), elements(f"{stage}_logits", rows, classes),
            integers(f"{stage}_labels", rows), reals(f"{stage}_targets", rows, 4, together=4))


_FASTER_RCNN = Loss("faster_rcnn_loss", *_stage("anchor", "anchors", 2), *_stage("roi", "rois", "classes", "classes"), values=5,
                    gradients={name: f"{name}_gradient" for name in
                               ("anchor_locations", "anchor_logits", "roi_locations", "roi_logits")})


def _options_of(reference: int) -> Mapping[str, object]:
    """What tyto_multibox_loss_as sets."""
    function = LOSSES.function("multibox_loss")
    descriptor = function.defaults()
    multibox_loss_as = LOSSES.dll.tyto_multibox_loss_as
    multibox_loss_as.argtypes = [ctypes.c_void_p, ctypes.c_int32, ctypes.c_char_p, ctypes.c_size_t]
    multibox_loss_as(ctypes.addressof(descriptor), reference, None, 0)
    names = list(function.types)
    options = {name: getattr(descriptor, name) for name in names[names.index("prior_corners"):]}
    for name, value in options.items():
        if name in _CHOICES:
            options[name] = next(key for key, number in _CHOICES[name].items() if number == value)
        elif isinstance(value, ctypes.Array):
            options[name] = tuple(value)
    return options


_OPTIONS_OF = {reference: _options_of(reference) for reference in _REFERENCES.values()}


def _hashable(value):
    """A list as a tuple, so that options can be a plan's key."""
    return tuple(value) if isinstance(value, list) else value


class MultiboxTerms(NamedTuple):
    """SSD's loss is location + confidence, which both have gradients: location of the locations, confidence of the logits.
    normalizer is what both were divided by, for logs."""

    location: torch.Tensor
    confidence: torch.Tensor
    normalizer: torch.Tensor


def multibox_loss(locations: torch.Tensor, logits: torch.Tensor, prior_boxes: torch.Tensor, boxes: PerImage, box_classes: PerImage,
                  box_counts: Optional[torch.Tensor] = None, *, reference: str = "ssd.pytorch",
                  prior_corners: Optional[bool] = None, match: Optional[str] = None, first_label: Optional[int] = None,
                  mining: Optional[str] = None, normalizer: Optional[str] = None, threshold: Optional[float] = None,
                  variance: Optional[Sequence[float]] = None,
                  negatives_per_positive: Optional[float] = None, negatives_for_hard: Optional[int] = None,
                  least_probability: Optional[float] = None, check: Optional[bool] = None) -> MultiboxTerms:
    """SSD's MultiBox loss (Liu et al., ECCV 2016) of a batch: jaccard matching, hard negative mining, smooth L1 of the positive
    priors' locations, cross entropy of positives and mined negatives.

    locations               [batch, priors, 4]        batch * priors < 2^31
    logits                  [batch, priors, classes]  classes with the background, which is 0
    prior_boxes             [priors, 4]               in the reference's form; see prior_corners
    boxes                   [batch, capacity, 4]      x1 y1 x2 y2 in the priors' unit; or a list of [objects, 4]
    box_classes             [batch, capacity]         label - first_label; or a list of [objects]
    box_counts              [batch]                   of tensors: the first so many places are taken; None: all
    reference               whose options those are that are None: "ssd.pytorch" (amdegroot's; a batch without positives gives NaN),
                            "fork" (the distillation article's of it), "bubbliiiing" (its ssd-pytorch), "torchvision"
    prior_corners           whether priors are x1 y1 x2 y2 (bubbliiiing, torchvision), not centre x y, width, height
    match                   "best_prior": an object always takes the prior that it overlaps most; "best_prior_of_unmatched"
                            (bubbliiiing): one that no prior found, if that prior has no better
    first_label             1; 0 where box_classes are labels already (torchvision)
    mining                  which rows are mined of those with the greatest loss as background, n = negatives_per_positive:
                            "ssd.pytorch": of each image min(n positives, priors - 1); "torchvision": of each image n positives;
                            "bubbliiiing": of the whole batch
    normalizer              "positives": of the whole batch, without any NaN (ssd.pytorch); "positives_or_one" (fork, torchvision);
                            "positives_or_one_an_image" (bubbliiiing): the sum over images of max(positives, 1)
    threshold               0.5; of the overlap that makes a match, in [0, 1]
    variance                0.1 0.1 0.2 0.2; of x, y, log width, log height
    negatives_per_positive  3
    negatives_for_hard      rows that are mined where that gives none: 100 (fork, bubbliiiing), else 0
    least_probability       of the label in the logarithm: 1e-7 (bubbliiiing), else 0

    A box without width or height is what the reference makes of it, and an error with check=True alone.
    """
    options = _OPTIONS_OF[choice("multibox_loss", "reference", reference, _REFERENCES)]
    given = {"prior_corners": prior_corners, "match": match, "first_label": first_label, "mining": mining, "normalizer": normalizer,
             "threshold": threshold, "variance": _hashable(variance), "negatives_per_positive": negatives_per_positive,
             "negatives_for_hard": negatives_for_hard, "least_probability": least_probability}
    options = {**options, **{name: value for name, value in given.items() if value is not None}}
    objects = padded_objects("multibox_loss", boxes, box_classes, box_counts, prior_boxes)
    value = _MULTIBOX((locations, logits, prior_boxes, *objects), options, check)
    return MultiboxTerms(value[0], value[1], value.detach()[2])


class MultiboxDistillationTerms(NamedTuple):
    """total = soft_weight soft + confidence_weight confidence + l2_weight l2 + location_weight location has a gradient; its terms
    are for logs."""

    total: torch.Tensor
    soft: torch.Tensor
    confidence: torch.Tensor
    l2: torch.Tensor
    location: torch.Tensor


def multibox_distillation(locations: torch.Tensor, logits: torch.Tensor, teacher_locations: torch.Tensor,
                          teacher_logits: torch.Tensor, prior_boxes: torch.Tensor, boxes: PerImage, box_classes: PerImage,
                          box_counts: Optional[torch.Tensor] = None, *,
                          prior_corners: bool = False, match: str = "best_prior", first_label: int = 1, mining: str = "ssd.pytorch",
                          normalizer: str = "positives_or_one", divergence: str = "kullback_leibler", threshold: float = 0.5,
                          variance: Sequence[float] = (0.1, 0.1, 0.2, 0.2), negatives_per_positive: float = 3,
                          negatives_for_hard: int = 100, temperature: float = 1, background_weight: float = 1.5,
                          foreground_weight: float = 1, eps: float = 1e-5, margin: float = 0, soft_weight: float = 0.3,
                          confidence_weight: float = 0.7, l2_weight: float = 0.5, location_weight: float = 1, terms: bool = False,
                          check: Optional[bool] = None) -> Union[torch.Tensor, MultiboxDistillationTerms]:
    """A multibox detector learns from a larger one of the same priors and classes (Chen et al., NeurIPS 2017, as the article's
    MultiBoxLoss_KD has it). Over the positive priors P, and these and the mined negatives M, both found on the student's logits z,
    with N the normalizer, t the target, l and l' the student's and the teacher's location, T the temperature:
      soft       = T^2 / N * sum over M of divergence(softmax(z' / T), softmax(z / T))
      confidence = 1 / N * sum over M of cross entropy
      l2         = 1 / N * sum over P of |l - t|^2 where |l - t|^2 + margin > |l' - t|^2
      location   = 1 / N * sum over P of smooth L1
    and the total is their weighted sum.

    locations, logits, prior_boxes, boxes, box_classes, box_counts   as of multibox_loss, and so are the options not named here
    teacher_locations  [batch, priors, 4]        without gradient
    teacher_logits     [batch, priors, classes]  without gradient
    divergence         "kullback_leibler": sum of w_c (p_c + eps) log((p_c + eps) / (q_c + eps)); "cross_entropy": other values, the
                       same gradient
    background_weight  w_0; foreground_weight the others. A background_weight of at most 1 means torch's KLDivLoss
    terms              whether the result is MultiboxDistillationTerms, not the total alone
    """
    options = {
        "prior_corners": prior_corners, "match": match, "first_label": first_label, "mining": mining, "normalizer": normalizer,
        "divergence": divergence, "threshold": threshold, "variance": _hashable(variance),
        "negatives_per_positive": negatives_per_positive, "negatives_for_hard": negatives_for_hard, "temperature": temperature,
        "background_weight": background_weight, "foreground_weight": foreground_weight, "eps": eps, "margin": margin,
        "soft_weight": soft_weight, "confidence_weight": confidence_weight, "l2_weight": l2_weight,
        "location_weight": location_weight}
    objects = padded_objects("multibox_distillation", boxes, box_classes, box_counts, prior_boxes)
    value = _DISTILLATION((locations, logits, teacher_locations, teacher_logits, prior_boxes, *objects), options, check)
    return MultiboxDistillationTerms(value[0], *value.detach()[1:]) if flag("multibox_distillation", "terms", terms) else value[0]


class FasterRcnnTerms(NamedTuple):
    """total, the sum of the four others, has a gradient; they are for logs."""

    total: torch.Tensor
    anchor_location: torch.Tensor
    anchor_class: torch.Tensor
    roi_location: torch.Tensor
    roi_class: torch.Tensor


def faster_rcnn_loss(anchor_locations: torch.Tensor, anchor_logits: torch.Tensor, anchor_labels: torch.Tensor,
                     anchor_targets: torch.Tensor, roi_locations: torch.Tensor, roi_logits: torch.Tensor, roi_labels: torch.Tensor,
                     roi_targets: torch.Tensor, *, anchor_sigma: float = 3, roi_sigma: float = 1, terms: bool = False,
                     check: Optional[bool] = None) -> Union[torch.Tensor, FasterRcnnTerms]:
    """The four losses of Faster R-CNN (Ren et al., NeurIPS 2015) and their sum, as simple-faster-rcnn-pytorch has them: smooth L1
    of the positive rows over the number of rows whose label is not -1, and mean cross entropy. A stage without such a row gives NaN.

    anchor_locations  [anchors, 4]        rows of all images, one behind the other: what anchor_targets gives is flattened
    anchor_logits     [anchors, 2]        background, object
    anchor_labels     [anchors]           -1, 0, 1
    anchor_targets    [anchors, 4]
    roi_locations     [rois, classes, 4]  of which the label's four count
    roi_logits        [rois, classes]     classes with the background; rois * classes < 2^31
    roi_labels        [rois]              -1 to classes - 1
    roi_targets       [rois, 4]
    anchor_sigma      smooth L1 is quadratic where |d| < 1 / sigma^2; roi_sigma the second stage's
    terms             whether the result is FasterRcnnTerms, not the total alone
    """
    value = _FASTER_RCNN((anchor_locations, anchor_logits, anchor_labels, anchor_targets, roi_locations, roi_logits, roi_labels,
                          roi_targets), {"anchor_sigma": anchor_sigma, "roi_sigma": roi_sigma}, check)
    return FasterRcnnTerms(value[0], *value.detach()[1:]) if flag("faster_rcnn_loss", "terms", terms) else value[0]


class MultiboxLoss(LossModule):
    """multibox_loss as a module: forward(locations, logits, prior_boxes, boxes, box_classes, box_counts)."""

    def __init__(self, *, reference: str = "ssd.pytorch", prior_corners: Optional[bool] = None, match: Optional[str] = None,
                 first_label: Optional[int] = None, mining: Optional[str] = None, normalizer: Optional[str] = None,
                 threshold: Optional[float] = None, variance: Optional[Sequence[float]] = None,
                 negatives_per_positive: Optional[float] = None, negatives_for_hard: Optional[int] = None,
                 least_probability: Optional[float] = None, check: Optional[bool] = None):
        super().__init__(multibox_loss, reference=reference, prior_corners=prior_corners, match=match, first_label=first_label,
                         mining=mining, normalizer=normalizer, threshold=threshold, variance=variance,
                         negatives_per_positive=negatives_per_positive, negatives_for_hard=negatives_for_hard,
                         least_probability=least_probability, check=check)


class MultiboxDistillation(LossModule):
    """multibox_distillation as a module: forward(locations, logits, teacher_locations, teacher_logits, prior_boxes, boxes,
    box_classes, box_counts)."""

    def __init__(self, *, prior_corners: bool = False, match: str = "best_prior", first_label: int = 1, mining: str = "ssd.pytorch",
                 normalizer: str = "positives_or_one", divergence: str = "kullback_leibler", threshold: float = 0.5,
                 variance: Sequence[float] = (0.1, 0.1, 0.2, 0.2), negatives_per_positive: float = 3, negatives_for_hard: int = 100,
                 temperature: float = 1, background_weight: float = 1.5, foreground_weight: float = 1, eps: float = 1e-5,
                 margin: float = 0, soft_weight: float = 0.3, confidence_weight: float = 0.7, l2_weight: float = 0.5,
                 location_weight: float = 1, terms: bool = False, check: Optional[bool] = None):
        super().__init__(multibox_distillation, prior_corners=prior_corners, match=match, first_label=first_label, mining=mining,
                         normalizer=normalizer, divergence=divergence, threshold=threshold, variance=variance,
                         negatives_per_positive=negatives_per_positive, negatives_for_hard=negatives_for_hard,
                         temperature=temperature, background_weight=background_weight, foreground_weight=foreground_weight,
                         eps=eps, margin=margin, soft_weight=soft_weight, confidence_weight=confidence_weight, l2_weight=l2_weight,
                         location_weight=location_weight, terms=terms, check=check)


class FasterRcnnLoss(LossModule):
    """faster_rcnn_loss as a module: forward(anchor_locations, anchor_logits, anchor_labels, anchor_targets, roi_locations,
    roi_logits, roi_labels, roi_targets)."""

    def __init__(self, *, anchor_sigma: float = 3, roi_sigma: float = 1, terms: bool = False, check: Optional[bool] = None):
        super().__init__(faster_rcnn_loss, anchor_sigma=anchor_sigma, roi_sigma=roi_sigma, terms=terms, check=check)
