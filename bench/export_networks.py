"""Writes each benchmark network as a checkpoint (for tyto) and as ONNX (for the peer), with equal random weights."""
import sys

import torch
import torchvision
from torch import nn

folder = sys.argv[1]
torch.manual_seed(0)
resnet50 = torchvision.models.resnet50(weights=None)
resnet50.fc = nn.Identity()
networks = {
    "resnet50": (resnet50, (256, 128)),
    "mobilenet_v2": (torchvision.models.mobilenet_v2(weights=None), (224, 224)),
}
for name, (model, (height, width)) in networks.items():
    model.eval()
    torch.save(model.state_dict(), f"{folder}/{name}.pth")
    for batch in (1, 8):
        x = torch.randn(batch, 3, height, width)
        torch.onnx.export(model, x, f"{folder}/{name}_{batch}.onnx", input_names=["input"], opset_version=13)
