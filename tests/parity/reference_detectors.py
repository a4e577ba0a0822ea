"""The reference detectors, in PyTorch: raw heads under tyto's names, with random weights fit for post-processing."""
import os
import sys

import torch
import torchvision
from torch import nn

import reference_networks as ref
from narrow import narrow as make_narrow

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "scripts", "pedestrian"))
from ssdlite_mobilenet_v2 import InvertedResidual, SsdliteMobilenetV2  # noqa: E402

ref.LAST_NORM[InvertedResidual] = lambda block: block.conv[-1]


class L2Norm(nn.Module):
    """ssd.pytorch's layers/modules/l2norm.py."""

    def __init__(self, channels, scale):
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), float(scale)))

    def forward(self, x):
        norm = x.pow(2).sum(dim=1, keepdim=True).sqrt() + 1e-10
        return self.weight[None, :, None, None] * (x / norm)


def ssd_pytorch_trunk():
    """VGG-16 up to conv7: "M" is a pool, "C" one that rounds up."""
    layers, channels = [], 3
    for step in (64, 64, "M", 128, 128, "M", 256, 256, 256, "C", 512, 512, 512, "M", 512, 512, 512):
        if isinstance(step, str):
            layers.append(nn.MaxPool2d(2, 2, ceil_mode=step == "C"))
        else:
            layers += [nn.Conv2d(channels, step, 3, padding=1), nn.ReLU()]
            channels = step
    layers += [nn.MaxPool2d(3, 1, padding=1), nn.Conv2d(512, 1024, 3, padding=6, dilation=6), nn.ReLU(),
               nn.Conv2d(1024, 1024, 1), nn.ReLU()]
    return nn.ModuleList(layers)


class Ssd300(nn.Module):
    """ssd.pytorch's SSD300 (ssd.py, build_ssd) without its Detect; classes counts the background, class 0."""

    CELL_BOXES = (4, 6, 6, 6, 4, 4)
    SOURCE_CHANNELS = (512, 1024, 512, 256, 256, 256)
    CONV4_3, CONV7 = 23, 35  # how many entries of `vgg` make the first two sources

    def __init__(self, classes):
        super().__init__()
        self.classes = classes
        self.vgg = ssd_pytorch_trunk()
        self.L2Norm = L2Norm(512, 20)
        self.extras = nn.ModuleList([
            nn.Conv2d(1024, 256, 1), nn.Conv2d(256, 512, 3, stride=2, padding=1),
            nn.Conv2d(512, 128, 1), nn.Conv2d(128, 256, 3, stride=2, padding=1),
            nn.Conv2d(256, 128, 1), nn.Conv2d(128, 256, 3),
            nn.Conv2d(256, 128, 1), nn.Conv2d(128, 256, 3)])  # fmt: skip
        self.loc = nn.ModuleList(nn.Conv2d(c, n * 4, 3, padding=1) for c, n in zip(self.SOURCE_CHANNELS, self.CELL_BOXES))
        self.conf = nn.ModuleList(nn.Conv2d(c, n * classes, 3, padding=1) for c, n in zip(self.SOURCE_CHANNELS, self.CELL_BOXES))

    def forward(self, x):
        sources = []
        for index, layer in enumerate(self.vgg, 1):
            x = layer(x)
            if index == self.CONV4_3:
                sources.append(self.L2Norm(x))
        sources.append(x)
        for index, layer in enumerate(self.extras):
            x = torch.relu(layer(x))
            if index % 2 == 1:
                sources.append(x)
        return {"locations": self.rows(self.loc, sources, 4), "logits": self.rows(self.conf, sources, self.classes)}

    @staticmethod
    def rows(heads, sources, columns):
        maps = [head(source).permute(0, 2, 3, 1) for head, source in zip(heads, sources)]
        return torch.cat([m.reshape(m.shape[0], -1, columns) for m in maps], 1)


def torchvision_outputs(model, x):
    heads = model.head(list(model.backbone(x).values()))
    return {"locations": heads["bbox_regression"], "logits": heads["cls_logits"]}


VGG_SPREAD, MOBILENET_SPREAD = 60.0, 0.5  # how far a preprocessed pixel deviates from 0: of bytes, of -1..1
NORM_SCALES = (0.15, 0.4)  # small: some sixty layers that clip on either side are chaotic otherwise
STATISTICS = 8  # images for batch norms: the smallest maps are a single cell, of which a few would tell nothing


def scenes(shape, seed, spread):
    """Preprocessed images with structure at every scale: plain noise looks the same everywhere to a deep network, which then
    scores all cells alike."""
    generator = torch.Generator().manual_seed(seed)

    def patches(cells):
        noise = torch.randn((*shape[:2], cells, cells), generator=generator)
        return nn.functional.interpolate(noise, shape[2:], mode="bilinear", align_corners=False)

    fine = torch.randn(shape, generator=generator) * torch.exp(patches(6)) * 0.5
    return spread * (0.7 * patches(3) + patches(9) + 0.7 * patches(30) + fine)


def convolutions(modules):
    """The convolution that ends each prediction block."""
    return [[m for m in module.modules() if isinstance(m, nn.Conv2d)][-1] for module in modules]


def settle_heads(model, locations, logits, classes, images, background):
    """Scales the heads' last convolutions so that `images` move boxes by about one unit and spread the logits about two.

    `background` is added to the background's logit: the higher, the fewer boxes pass a threshold.
    """
    deviations = {}
    hooks = [head.register_forward_hook(lambda m, _, out: deviations.update({m: (out - m.bias[:, None, None]).std()}))
             for head in locations + logits]
    with torch.no_grad():
        model(images)
        for hook in hooks:
            hook.remove()
        for head in locations:
            head.weight *= 1.0 / deviations[head]
        for head in logits:
            head.weight *= 2.0 / deviations[head]
            head.bias[::classes] += background
    return model


def ssd300(classes=21, seed=3, background=9.0, narrow=False):
    model = Ssd300(classes)
    ref.randomise(make_narrow(model) if narrow else model, seed)
    with torch.no_grad():
        model.L2Norm.weight.uniform_(10, 20, generator=torch.Generator().manual_seed(seed))
    return settle_heads(model, list(model.loc), list(model.conf), classes, scenes((1, 3, 300, 300), 7, VGG_SPREAD), background)


def torchvision_heads(model):
    head = model.wrapped.head
    return convolutions(head.regression_head.module_list), convolutions(head.classification_head.module_list)


def torchvision_detector(name, classes, narrow):
    build = getattr(torchvision.models.detection, name)
    model = ref.Outputs(build(weights=None, weights_backbone=None, num_classes=classes), torchvision_outputs)
    return make_narrow(model) if narrow else model


def ssd300_vgg16(classes=91, seed=3, background=9.0, narrow=False):
    model = ref.randomise(torchvision_detector("ssd300_vgg16", classes, narrow), seed)
    with torch.no_grad():
        model.wrapped.backbone.scale_weight.uniform_(10, 20, generator=torch.Generator().manual_seed(seed))
    return settle_heads(model, *torchvision_heads(model), classes, scenes((1, 3, 300, 300), 7, VGG_SPREAD), background)


def ssdlite320_mobilenet_v3_large(classes=91, seed=3, background=9.0, loud=1.0, narrow=False):
    images = scenes((STATISTICS, 3, 320, 320), 7, MOBILENET_SPREAD)
    model = torchvision_detector("ssdlite320_mobilenet_v3_large", classes, narrow)
    ref.randomise(model, seed, images, NORM_SCALES, loud)
    return settle_heads(model, *torchvision_heads(model), classes, images, background)


def ssdlite_mobilenet_v2(classes=2, seed=3, background=0.0, loud=1.0, narrow=False):
    images = scenes((STATISTICS, 3, 300, 300), 7, MOBILENET_SPREAD)
    model = SsdliteMobilenetV2(classes)
    ref.randomise(make_narrow(model) if narrow else model, seed, images, NORM_SCALES, loud)
    heads = (convolutions(model.head[name].module_list) for name in ("regression_head", "classification_head"))
    return settle_heads(model, *heads, classes, images, background)
