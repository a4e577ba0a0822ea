"""Detectors of two stages in PyTorch, cut into their steps: torchvision's own, and simple-faster-rcnn-pytorch's by its rules.

Each step takes one image and what tyto made of the steps before, so that each is judged by itself:
raw(x) -> rpn_locations [P, 4], rpn_logits [P, 1 or 2] and the maps; proposals(...) -> rows [R, 5] of x1, y1, x2, y2 and
probability; features(maps, boxes) -> [R, C, 7, 7]; head(features) -> locations [R, classes, 4], logits [R, classes];
detections(...) -> rows [n, 6] of x1, y1, x2, y2, score, label, all in pixels of the network's input.
sizes: resized height and width, original height and width.
"""
import functools
import math
from collections import OrderedDict
from unittest import mock

import numpy as np
import skimage.transform
import torch
import torchvision
from torch import nn
from torchvision.models.detection import FasterRCNN, backbone_utils
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import FrozenBatchNorm2d, nms, roi_pool

import reference_networks as ref
from narrow import narrow as make_narrow
from reference_postprocessing import rows

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def table(maps, columns):
    """[N, A * columns, H, W] each to [P, columns] of one image: cells row by row, a cell's anchors fastest."""
    return torch.cat([m[0].permute(1, 2, 0).reshape(-1, columns) for m in maps])


# --- simple-faster-rcnn-pytorch ------------------------------------------------------------------------------------------


class SimpleFasterRcnn(nn.Module):
    """VGG-16 up to conv5_3, one map. Boxes are y1, x1, y2, x2 inside, as there."""

    STRIDE, RATIOS, SCALES = 16, (0.5, 1, 2), (8, 16, 32)
    STD = (0.1, 0.1, 0.2, 0.2)

    def __init__(self, classes=21, drops=False):
        super().__init__()
        self.extractor = torchvision.models.vgg16(weights=None).features[:30]
        self.rpn = nn.Module()
        self.rpn.conv1, self.rpn.score, self.rpn.loc = nn.Conv2d(512, 512, 3, padding=1), nn.Conv2d(512, 18, 1), nn.Conv2d(512, 36, 1)
        self.head = nn.Module()
        dropout = [nn.Dropout()] if drops else []
        self.head.classifier = nn.Sequential(nn.Linear(25088, 4096), nn.ReLU(), *dropout, nn.Linear(4096, 4096), nn.ReLU(), *dropout)
        self.head.cls_loc, self.head.score = nn.Linear(4096, classes * 4), nn.Linear(4096, classes)

    def raw(self, x, sizes):
        map_ = self.extractor(x)
        hidden = torch.relu(self.rpn.conv1(map_))
        return table([self.rpn.loc(hidden)], 4), table([self.rpn.score(hidden)], 2), map_

    def anchors(self, height, width):
        base = []
        for ratio in self.RATIOS:
            for scale in self.SCALES:
                h, w = (self.STRIDE * scale * math.sqrt(r) for r in (ratio, 1 / ratio))
                centre = self.STRIDE / 2
                base.append((centre - h / 2, centre - w / 2, centre + h / 2, centre + w / 2))
        ys, xs = np.meshgrid(np.arange(height) * self.STRIDE, np.arange(width) * self.STRIDE, indexing="ij")
        shifts = np.stack((ys, xs, ys, xs), -1).reshape(-1, 1, 4)
        return torch.from_numpy((np.float32(base)[None] + np.float32(shifts)).reshape(-1, 4))

    @staticmethod
    def decode(boxes, offsets):
        sizes = boxes[..., 2:] - boxes[..., :2]
        centres = boxes[..., :2] + 0.5 * sizes + offsets[..., :2] * sizes
        sizes = sizes * torch.exp(offsets[..., 2:])
        return torch.cat((centres - 0.5 * sizes, centres + 0.5 * sizes), -1)

    def proposals(self, locations, logits, map_, sizes, iou_threshold=0.7, pre_nms=6000, post_nms=300, min_size=16):
        height, width, _, original_width = sizes
        boxes = self.decode(self.anchors(*map_.shape[2:]), locations)
        boxes[:, 0::2] = boxes[:, 0::2].clamp(0, height)
        boxes[:, 1::2] = boxes[:, 1::2].clamp(0, width)
        sides = boxes[:, 2:] - boxes[:, :2]
        large = (sides >= min_size * width / original_width).all(1)
        boxes, logits = boxes[large], logits[large]
        order = torch.sort(logits[:, 1] - logits[:, 0], descending=True, stable=True)[1][:pre_nms]
        boxes = boxes[order][:, [1, 0, 3, 2]]
        ranks = torch.arange(len(boxes), 0, -1).float()
        kept = nms(boxes, ranks, iou_threshold)[:post_nms]
        probabilities = torch.softmax(logits[order], 1)[:, 1]
        return torch.cat((boxes, probabilities[:, None]), 1)[kept]

    def features(self, map_, boxes, sizes):
        indexed = torch.cat((torch.zeros(len(boxes), 1), boxes), 1)
        return roi_pool(map_, indexed, 7, 1 / self.STRIDE)

    def run_head(self, features):
        hidden = self.head.classifier(features.flatten(1))
        return self.head.cls_loc(hidden).reshape(len(features), -1, 4), self.head.score(hidden)

    def detections(self, boxes, locations, logits, sizes, score_threshold=0.05, iou_threshold=0.3):
        """In pixels of the original by one scale, then back."""
        _, width, original_height, original_width = sizes
        scale = width / original_width
        boxes = boxes[:, None, [1, 0, 3, 2]] / scale
        found = self.decode(boxes, locations * torch.tensor(self.STD))
        found[..., 0::2] = found[..., 0::2].clamp(0, original_height)
        found[..., 1::2] = found[..., 1::2].clamp(0, original_width)
        found = found[..., [1, 0, 3, 2]]
        scores = torch.softmax(logits, 1)
        out = []
        for label in range(1, logits.shape[1]):
            at = torch.nonzero(scores[:, label] > score_threshold)[:, 0]
            kept = at[nms(found[at, label], scores[at, label], iou_threshold)]
            out.append((found[kept, label] * scale, scores[kept, label], torch.full((len(kept),), label)))
        return rows(*(torch.cat(parts) for parts in zip(*out)))

    def preprocess(self, image, caffe=False, shorter=600, longest=1000):
        """[height, width, 3] bytes -> [1, 3, H, W] and sizes."""
        pixels = np.float32(image).transpose(2, 0, 1)
        _, height, width = pixels.shape
        scale = min(shorter / min(height, width), longest / max(height, width))
        pixels = skimage.transform.resize(pixels / 255, (3, height * scale, width * scale), mode="reflect", anti_aliasing=False)
        if caffe:  # blue's mean and red's have changed places there
            x = pixels[::-1] * 255 - np.float32((122.7717, 115.9465, 102.9801)).reshape(3, 1, 1)
        else:
            x = (pixels - np.float32(IMAGENET[0]).reshape(3, 1, 1)) / np.float32(IMAGENET[1]).reshape(3, 1, 1)
        return torch.from_numpy(np.float32(x)[None].copy()), (*x.shape[1:], height, width)

    @staticmethod
    def to_original(boxes, sizes):
        return boxes / (sizes[1] / sizes[3])


class FirstStage(nn.Module):
    """A detector's raw outputs for one image, before there are boxes, as a network of its own."""

    def __init__(self, detector, sizes):
        super().__init__()
        self.detector, self.sizes = detector, sizes

    def forward(self, x):
        locations, logits, _ = self.detector.raw(x, self.sizes)
        return {"rpn_locations": locations[None], "rpn_logits": logits[None]}


def spread(model, heads, image, sizes):
    """Scales the last layers so that what they give for this image, on the level that varies most, has these deviations:
    {layer: deviation}."""
    seen = {layer: 0 for layer in heads}
    hooks = [layer.register_forward_hook(lambda m, _, out: seen.update({m: max(seen[m], out.std())})) for layer in heads]
    with torch.no_grad():
        locations, logits, maps = model.raw(image, sizes)
        boxes = model.proposals(locations, logits, maps, sizes)[:, :4]
        model.run_head(model.features(maps, boxes, sizes))
        for layer, deviation in heads.items():
            layer.weight *= deviation / seen[layer]
    for hook in hooks:
        hook.remove()
    return model.eval()


def simple_faster_rcnn(classes=21, drops=False, seed=5, narrow=True):
    from reference_detectors import scenes
    model = SimpleFasterRcnn(classes, drops)
    ref.randomise(make_narrow(model) if narrow else model, seed)
    with torch.no_grad():
        model.head.score.bias[0] += 1.5
    heads = {model.rpn.loc: 0.4, model.rpn.score: 2.0, model.head.cls_loc: 1.0, model.head.score: 1.5}
    for _ in range(2):  # the second stage sees other boxes once the first is scaled
        spread(model, heads, scenes((1, 3, 160, 208), 7, 1.0), (160, 208, 80, 104))
    return model


# --- torchvision -----------------------------------------------------------------------------------------------------------


class StableProposals(RegionProposalNetwork):
    """Equal scores stay in the order of their anchors, which torchvision leaves to its sort; lower precisions have many."""

    def _get_top_n_idx(self, objectness, counts):
        best, first = [], 0
        for level in objectness.split(counts, 1):
            best.append(torch.sort(level, dim=1, descending=True, stable=True)[1][:, : self.pre_nms_top_n()] + first)
            first += level.shape[1]
        return torch.cat(best, 1)


def stable_batched_nms(boxes, scores, levels, threshold):
    """torchvision's suppression level by level, as above."""
    kept = [at[nms(boxes[at], scores[at], threshold)] for at in (torch.nonzero(levels == level)[:, 0] for level in levels.unique())]
    kept = torch.cat(kept).sort()[0]
    return kept[torch.sort(scores[kept], dim=0, descending=True, stable=True)[1]]


class TorchvisionDetector(nn.Module):
    """Wraps a FasterRCNN without changing the names of its tensors; each step is its own code for a batch of one."""

    def __init__(self, detector):
        super().__init__()
        self.wrapped = detector
        detector.rpn.__class__ = StableProposals

    def state_dict(self, *args, **kwargs):
        return self.wrapped.state_dict(*args, **kwargs)

    def raw(self, x, sizes):
        maps = self.wrapped.backbone(x)
        logits, locations = self.wrapped.rpn.head(list(maps.values()))
        return table(locations, 4), table(logits, 1), (x, maps)

    def proposals(self, locations, logits, maps, sizes, **_):
        x, features = maps
        rpn, shape = self.wrapped.rpn, [tuple(sizes[:2])]
        features = list(features.values())
        anchors = rpn.anchor_generator(ImageList(x, shape), features)
        counts = [f.shape[2] * f.shape[3] * n for f, n in zip(features, rpn.anchor_generator.num_anchors_per_location())]
        boxes = rpn.box_coder.decode(locations, anchors).view(1, -1, 4)
        with mock.patch("torchvision.ops.boxes._batched_nms_vanilla", stable_batched_nms):
            (boxes,), (scores,) = rpn.filter_proposals(boxes, logits, shape, counts)
        return torch.cat((boxes, scores[:, None]), 1)

    def features(self, maps, boxes, sizes):
        return self.wrapped.roi_heads.box_roi_pool(maps[1], [boxes], [tuple(sizes[:2])])

    def run_head(self, features):
        heads = self.wrapped.roi_heads
        logits, locations = heads.box_predictor(heads.box_head(features))
        return locations.reshape(len(locations), -1, 4), logits

    def detections(self, boxes, locations, logits, sizes, **_):
        found = self.wrapped.roi_heads.postprocess_detections(logits, locations.flatten(1), [boxes], [tuple(sizes[:2])])
        boxes, scores, labels = (part[0] for part in found)
        return rows(boxes, scores, labels)

    def preprocess(self, image, **_):
        pixels = torch.from_numpy(image.copy()).permute(2, 0, 1).float() / 255
        images = self.wrapped.transform([pixels])[0]
        return images.tensors, (*images.image_sizes[0], *image.shape[:2])

    @staticmethod
    def to_original(boxes, sizes):
        ratios = sizes[3] / sizes[1], sizes[2] / sizes[0]
        return boxes * np.array((*ratios, *ratios))


def freeze(model, epsilon):
    """BatchNorm2d to FrozenBatchNorm2d in place, which has no num_batches_tracked."""
    for name, child in model.named_children():
        if isinstance(child, nn.BatchNorm2d):
            frozen = FrozenBatchNorm2d(child.num_features, epsilon)
            frozen.load_state_dict({k: v for k, v in child.state_dict().items() if k != "num_batches_tracked"})
            setattr(model, name, frozen)
        else:
            freeze(child, epsilon)


def shrink_variances(trunk):
    """Some channels of a batch norm get variances down to 1e-6, where an epsilon of 1e-5 shows."""
    with torch.no_grad():
        for conv, norm in ((trunk.conv1, trunk.bn1), (trunk.layer2[0].conv1, trunk.layer2[0].bn1)):
            factor = torch.tensor((1e-3, 3e-3, 1.0, 1e-2)).repeat(len(norm.weight))[: len(norm.weight)] / norm.running_var.sqrt()
            conv.weight *= factor[:, None, None, None]
            norm.running_mean *= factor
            norm.running_var *= factor**2


def torchvision_detector(build, seed=5, background=2.0, narrow=True, prepare=None):
    from reference_detectors import scenes
    detector = build()
    if narrow:
        make_narrow(detector)
    ref.randomise(detector.backbone, seed, scenes((4, 3, 96, 128), 7, 1.0))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in (*detector.rpn.modules(), *detector.roi_heads.modules()):
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                module.weight.copy_(torch.randn(module.weight.shape, generator=generator) * (2 / module.weight[0].numel()) ** 0.5)
                if module.bias is not None:
                    module.bias.copy_(torch.randn(module.bias.shape, generator=generator) * 0.1)
            elif isinstance(module, nn.BatchNorm2d):
                module.running_var.uniform_(0.5, 2.0, generator=generator)
                module.running_mean.normal_(0, 0.3, generator=generator)
    if prepare:
        prepare(detector)
    model = TorchvisionDetector(detector.eval())
    heads, predictor = detector.rpn.head, detector.roi_heads.box_predictor
    with torch.no_grad():
        predictor.cls_score.bias[0] += background
    spreads = {heads.bbox_pred: 0.4, heads.cls_logits: 2.0, predictor.bbox_pred: 1.0, predictor.cls_score: 1.5}
    for _ in range(2):
        spread(model, spreads, scenes((1, 3, 160, 192), 7, 1.0), (150, 190, 75, 95))
    return model


def resnet_fpn(depth=50, epsilon=None, small=False, classes=7, **kwargs):
    """epsilon: frozen batch norms with it; None: BatchNorm2d."""
    def build():
        backbone = backbone_utils.resnet_fpn_backbone(backbone_name=f"resnet{depth}", weights=None, norm_layer=nn.BatchNorm2d)
        return FasterRCNN(backbone, classes, min_size=96, max_size=160)

    def prepare(detector):
        if small:
            shrink_variances(detector.backbone.body)
        if epsilon is not None:
            freeze(detector.backbone.body, epsilon)

    return torchvision_detector(build, prepare=prepare, **kwargs)


def by_name(name, classes=7, **kwargs):
    build = getattr(torchvision.models.detection, name)
    return torchvision_detector(
        functools.partial(build, weights=None, weights_backbone=None, num_classes=classes, min_size=96, max_size=160), **kwargs)


def old_names(state):
    """As torchvision saved them before 0.13."""
    out = OrderedDict()
    for name, tensor in state.items():
        for part in ("inner_blocks", "layer_blocks"):
            for level in range(4):
                name = name.replace(f"{part}.{level}.0.", f"{part}.{level}.")
        out[name.replace("rpn.head.conv.0.0.", "rpn.head.conv.")] = tensor
    return out
