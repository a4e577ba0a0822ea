"""SSDLite on MobileNetV2 as the TensorFlow object detection API builds it, in PyTorch.

Sources: research/object_detection (ssd_mobilenet_v2_feature_extractor, SSDLite box predictor) of tensorflow/models. The
trunk's tensors are named like torchvision's MobileNetV2, the heads like torchvision's SSDLite. Two things are TensorFlow's:
the padding (SAME) and the batch norms' epsilon.
"""
import torch
from torch import nn
from torch.nn import functional as F

BATCH_NORM_EPSILON = 1e-3
# (expansion, output channels, blocks, stride of the first block): table 2 of Sandler et al., CVPR 2018
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
EXPANDED = 14  # the block whose expansion is the first source
SOURCE_CHANNELS = (576, 1280, 512, 256, 256, 128)
ANCHORS = (3, 6, 6, 6, 6, 6)  # per cell of each source


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's SAME padding: ceil(size / stride) outputs; an odd padding puts more at the bottom and
    right."""

    def forward(self, x):
        pads = []
        for size, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1]):
            missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [missing // 2, missing - missing // 2]
        return super().forward(F.pad(x, pads))


def conv_norm(inputs, outputs, kernel=1, stride=1, groups=1):
    """Convolution and batch norm: the two layers that a linear bottleneck ends with."""
    return [SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False), nn.BatchNorm2d(outputs, BATCH_NORM_EPSILON)]


def block(inputs, outputs, kernel=1, stride=1, groups=1):
    return nn.Sequential(*conv_norm(inputs, outputs, kernel, stride, groups), nn.ReLU6())


def depthwise(channels, stride=1):
    return block(channels, channels, 3, stride, groups=channels)


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        hidden = inputs * expansion
        expand = [block(inputs, hidden)] if expansion > 1 else []
        self.conv = nn.Sequential(*expand, depthwise(hidden, stride), *conv_norm(hidden, outputs))
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.conv(x) if self.adds else self.conv(x)


def trunk():
    """MobileNetV2's layers 0 to 18, width 1."""
    layers, channels = [block(3, 32, 3, stride=2)], 32
    for expansion, outputs, blocks, stride in STAGES:
        for index in range(blocks):
            layers.append(InvertedResidual(channels, outputs, stride if index == 0 else 1, expansion))
            channels = outputs
    return nn.Sequential(*layers, block(channels, 1280))


def extras():
    """The smaller maps, each made from the one before."""
    return nn.ModuleList(
        nn.Sequential(block(inputs, outputs // 2), depthwise(outputs // 2, stride=2), block(outputs // 2, outputs))
        for inputs, outputs in zip(SOURCE_CHANNELS[1:], SOURCE_CHANNELS[2:]))


class Head(nn.Module):
    """Predicts `columns` numbers an anchor from every cell of every source. Channel = anchor * columns + column."""

    def __init__(self, columns):
        super().__init__()
        self.columns = columns
        self.module_list = nn.ModuleList(
            nn.Sequential(depthwise(channels), SameConv2d(channels, anchors * columns, 1))
            for channels, anchors in zip(SOURCE_CHANNELS, ANCHORS))

    def forward(self, sources):
        """[N, P, columns]: source by source, row by row, cell by cell, anchor by anchor."""
        maps = (predict(source) for predict, source in zip(self.module_list, sources))
        return torch.cat([m.permute(0, 2, 3, 1).reshape(m.shape[0], -1, self.columns) for m in maps], 1)


class SsdliteMobilenetV2(nn.Module):
    """classes counts the background, which is class 0. Any input size; training used 300x300, RGB in -1..1."""

    def __init__(self, classes):
        super().__init__()
        self.features = trunk()
        self.extras = extras()
        self.head = nn.ModuleDict({"classification_head": Head(classes), "regression_head": Head(4)})

    def sources(self, x):
        x = self.features[:EXPANDED](x)
        found = [self.features[EXPANDED].conv[0](x)]
        found.append(self.features[EXPANDED:](x))
        for extra in self.extras:
            found.append(extra(found[-1]))
        return found

    def forward(self, x):
        """[N, 3, H, W] -> locations [N, P, 4], offsets (x, y, w, h) from the anchors, and logits [N, P, classes]."""
        sources = self.sources(x)
        return {"locations": self.head["regression_head"](sources), "logits": self.head["classification_head"](sources)}
