"""The networks that are measured, as PyTorch defines them: random weights, detectors up to their raw heads."""
import dataclasses

import torch
import torchvision
from torch import nn


class RawHeads(nn.Module):
    """A torchvision detector up to its raw heads, without changing the names of its tensors."""

    def __init__(self, detector):
        super().__init__()
        self.detector = detector

    def state_dict(self, *args, **kwargs):
        return self.detector.state_dict(*args, **kwargs)

    def load_state_dict(self, *args, **kwargs):
        return self.detector.load_state_dict(*args, **kwargs)

    def forward(self, x):
        heads = self.detector.head(list(self.detector.backbone(x).values()))
        return heads["bbox_regression"], heads["cls_logits"]


def headless_resnet50():
    model = torchvision.models.resnet50(weights=None)
    model.fc = nn.Identity()
    return model


def detector(name):
    return RawHeads(getattr(torchvision.models.detection, name)(weights=None, weights_backbone=None))


@dataclasses.dataclass(frozen=True)
class Network:
    build: callable
    size: tuple  # height, width
    outputs: str  # tyto's names for what the module returns


NETWORKS = {
    "ssd300_vgg16": Network(lambda: detector("ssd300_vgg16"), (300, 300), "locations,logits"),
    "resnet50": Network(headless_resnet50, (256, 128), "features"),
    "mobilenet_v2": Network(lambda: torchvision.models.mobilenet_v2(weights=None), (224, 224), "logits"),
    "vit_b_16": Network(lambda: torchvision.models.vit_b_16(weights=None), (224, 224), "logits"),
    "convnext_tiny": Network(lambda: torchvision.models.convnext_tiny(weights=None), (224, 224), "logits"),
    "densenet121": Network(lambda: torchvision.models.densenet121(weights=None), (224, 224), "logits"),
    "ssdlite320_mobilenet_v3_large": Network(lambda: detector("ssdlite320_mobilenet_v3_large"), (320, 320), "locations,logits"),
}


def load(name, checkpoint):
    """The network with the weights that were exported."""
    model = NETWORKS[name].build().eval()
    model.load_state_dict(torch.load(checkpoint))
    return model
