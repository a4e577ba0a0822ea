"""Writes each benchmark network as a checkpoint (for tyto) and as ONNX (for the peer), with equal random weights."""
import sys

import torch
import torchvision
from torch import nn

folder = sys.argv[1]
torch.manual_seed(0)
resnet50 = torchvision.models.resnet50(weights=None)
resnet50.fc = nn.Identity()


class RawHeads(nn.Module):
    """A torchvision detector up to its raw heads, without changing the names of its tensors."""

    def __init__(self, detector):
        super().__init__()
        self.detector = detector

    def state_dict(self, *args, **kwargs):
        return self.detector.state_dict(*args, **kwargs)

    def forward(self, x):
        heads = self.detector.head(list(self.detector.backbone(x).values()))
        return heads["bbox_regression"], heads["cls_logits"]


def detector(name):
    return RawHeads(getattr(torchvision.models.detection, name)(weights=None, weights_backbone=None))


networks = {
    "resnet50": (resnet50, (256, 128)),
    "mobilenet_v2": (torchvision.models.mobilenet_v2(weights=None), (224, 224)),
    "ssd300_vgg16": (detector("ssd300_vgg16"), (300, 300)),
    "ssdlite320_mobilenet_v3_large": (detector("ssdlite320_mobilenet_v3_large"), (320, 320)),
}
for name, (model, (height, width)) in networks.items():
    model.eval()
    torch.save(model.state_dict(), f"{folder}/{name}.pth")
    for batch in (1, 8):
        x = torch.randn(batch, 3, height, width)
        torch.onnx.export(model, x, f"{folder}/{name}_{batch}.onnx", input_names=["input"], opset_version=13)
