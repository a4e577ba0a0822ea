"""EfficientNet in PyTorch, of our own writing, with the tensor names of lukemelas' efficientnet_pytorch."""
import math

import torch
from torch import nn
from torch.nn import functional as F

import reference_networks as ref

# Blocks, kernel, stride of the first, channels, what the input is expanded by.
STAGES = [(1, 3, 1, 16, 1), (2, 3, 2, 24, 6), (2, 5, 2, 40, 6), (3, 3, 2, 80, 6), (3, 5, 1, 112, 6), (4, 5, 2, 192, 6), (1, 3, 1, 320, 6)]
# Width, depth and the side of the images that padding is laid for.
SCALES = {"b0": (1.0, 1.0, 224), "b1": (1.0, 1.1, 240), "b2": (1.1, 1.2, 260), "b4": (1.4, 1.8, 380)}


class SameConv(nn.Conv2d):
    """With TensorFlow's padding of an image of this side, whatever it is given; `side_after` is that of the result."""

    def __init__(self, inputs, outputs, kernel, stride, side, groups=1):
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.side_after = math.ceil(side / stride)
        total = max((self.side_after - 1) * stride + kernel - side, 0)
        self.pads = (total // 2, total - total // 2) * 2

    def forward(self, x):
        return super().forward(F.pad(x, self.pads))


def norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3)


class MBConv(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride, expand, side):
        super().__init__()
        width = inputs * expand
        if expand != 1:
            self._expand_conv = nn.Conv2d(inputs, width, 1, bias=False)
            self._bn0 = norm(width)
            self.swish0 = nn.SiLU()
        self._depthwise_conv = SameConv(width, width, kernel, stride, side, groups=width)
        self._bn1 = norm(width)
        self.swish1 = nn.SiLU()
        self._se_reduce = nn.Conv2d(width, max(1, inputs // 4), 1)
        self.squeezed = nn.SiLU()
        self._se_expand = nn.Conv2d(max(1, inputs // 4), width, 1)
        self.gate = nn.Sigmoid()
        self.stored, self.stored_gate = ref.Stored(), ref.Stored()
        self._project_conv = nn.Conv2d(width, outputs, 1, bias=False)
        self._bn2 = norm(outputs)

    def forward(self, x):
        y = x
        if hasattr(self, "_expand_conv"):
            y = self.swish0(self._bn0(self._expand_conv(y)))
        y = self.stored(self.swish1(self._bn1(self._depthwise_conv(y))))
        gate = self._se_expand(self.squeezed(self._se_reduce(y.mean((2, 3), keepdim=True))))
        y = self._bn2(self._project_conv(self.stored_gate(self.gate(gate)) * y))
        return x + y if x.shape == y.shape else y


ref.LAST_NORM[MBConv] = lambda block: block._bn2
ref.RESIDUAL_BLOCKS += (MBConv,)


class EfficientNet(nn.Module):
    """classes=None: no classifier; divisor: of all channels."""

    def __init__(self, name="b0", classes=1000, divisor=1):
        super().__init__()
        width, depth, side = SCALES[name]

        def channels(count):
            scaled = count * width
            rounded = max(8, int(scaled + 4) // 8 * 8)
            return (rounded + 8 if rounded < 0.9 * scaled else rounded) // divisor

        self._conv_stem = SameConv(3, channels(32), 3, 2, side)
        self._bn0 = norm(channels(32))
        self.swish0 = nn.SiLU()
        self._blocks, at, side = nn.ModuleList(), channels(32), self._conv_stem.side_after
        for blocks, kernel, stride, outputs, expand in STAGES:
            for i in range(math.ceil(depth * blocks)):
                block = MBConv(at, channels(outputs), kernel, stride if i == 0 else 1, expand, side)
                at, side = channels(outputs), block._depthwise_conv.side_after
                self._blocks.append(block)
        self._conv_head = nn.Conv2d(at, channels(1280), 1, bias=False)
        self._bn1 = norm(channels(1280))
        self.swish1 = nn.SiLU()
        if classes:
            self._fc = nn.Linear(channels(1280), classes)

    def reductions(self, x):
        """The last map before each halving, and the last of all."""
        maps, x = [], self.swish0(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            if block._depthwise_conv.stride[0] == 2:
                maps.append(x)
            x = block(x)
        return [*maps, x]

    def forward(self, x):
        map_ = self.swish1(self._bn1(self._conv_head(self.reductions(x)[-1])))
        features = map_.mean((2, 3))
        out = {"map": map_, "features": features}
        if hasattr(self, "_fc"):
            out["logits"] = self._fc(features)
        return out


def check_against(package):
    """Ours has the package's names, and gives what it gives, bit by bit but for the order of sums."""
    for name in SCALES:
        theirs = package.EfficientNet.from_name(f"efficientnet-{name}")
        ours = ref.randomise(EfficientNet(name), seed=3)
        theirs.load_state_dict(ours.state_dict())  # strict
        with torch.no_grad():
            for side in (64, 97):
                x = torch.randn((2, 3, side, side))
                got, want = ours(x)["logits"], theirs.eval()(x)
                error = float((got - want).abs().max() / want.abs().max())
                print(f"{name} of {side} x {side}: {error:.1e}")
                assert error < 1e-5, name
                for ours_map, theirs_map in zip(ours.reductions(x), theirs.extract_endpoints(x).values()):
                    assert torch.allclose(ours_map, theirs_map, atol=1e-4), name
