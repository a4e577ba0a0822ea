"""Re-identification across visible and thermal cameras in PyTorch: AGW, DDAG, the hetero-centre-triplet network, DPAN.

The tensors have the names of what each project's training saves, the unused ones included. One forward is of one modality, that of
the attribute `modality`; in training it is of both, visible first, so that all batch norms get their statistics. Outputs are
raw: before they get unit length.
"""
import numpy as np
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

import reference_networks as ref

MODALITIES = "visible", "thermal"


def trunk(last_stride=1):
    """ResNet-50 without a classifier."""
    model = torchvision.models.resnet50(weights=None)
    del model.avgpool, model.fc
    model.layer4[0].conv2.stride = model.layer4[0].downsample[0].stride = (last_stride, last_stride)
    return model


def holding(**modules):
    holder = nn.Module()
    for name, module in modules.items():
        setattr(holder, name, module)
    return holder


class TwoStreams(nn.Module):
    """Stem and the layers before `shared` of a trunk for each modality, the layers from it on of a third. With `whole`, all
    three are kept whole, as AGW does, and parts of them used."""

    modality = "visible"

    def __init__(self, shared=1, whole=True, last_stride=1):
        super().__init__()
        self.shared = shared
        self.thermal_module = holding(thermal=trunk(last_stride))
        self.visible_module = holding(visible=trunk(last_stride))
        self.base_resnet = holding(base=trunk(last_stride))
        if not whole:
            for own in (self.thermal_module.thermal, self.visible_module.visible):
                for layer in range(shared, 5):
                    delattr(own, f"layer{layer}")
            for part in ("conv1", "bn1", *(f"layer{layer}" for layer in range(1, shared))):
                delattr(self.base_resnet.base, part)

    def of_one(self, modality, x):
        """The part that a modality has for itself."""
        own = getattr(getattr(self, f"{modality}_module"), modality)
        x = self.after_own(modality, 0, own.maxpool(own.relu(own.bn1(own.conv1(x)))))
        for layer in range(1, self.shared):
            x = self.after_own(modality, layer, getattr(own, f"layer{layer}")(x))
        return x

    def after_own(self, modality, stage, x):
        """What follows the stem, 0, or a layer of one modality."""
        return x

    def stage(self, layer, x):
        return getattr(self.base_resnet.base, f"layer{layer}")(x)

    def map(self, x):
        x = torch.cat([self.of_one(modality, x) for modality in (MODALITIES if self.training else (self.modality,))])
        for layer in range(self.shared, 5):
            x = self.stage(layer, x)
        return x


class GeneralisedMean(nn.Module):
    def __init__(self, power):
        super().__init__()
        self.power = power

    def forward(self, x):
        return ((x**self.power).mean((2, 3)) + 1e-12) ** (1 / self.power)


class Average(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


# --- attention -----------------------------------------------------------------------------------------------------------


class PositionAttention(nn.Module):
    """DANet's PAM: each position takes from all others what is like it."""

    def __init__(self, channels, reduction=8):
        super().__init__()
        self.query_conv = nn.Conv2d(channels, channels // reduction, 1)
        self.key_conv = nn.Conv2d(channels, channels // reduction, 1)
        self.value_conv = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))
        # Scores are not divided by a length: with others they would be of tens, and a softmax of those magnifies every rounding.
        self.query_conv.gain = (channels // reduction) ** -0.5
        self.positions = nn.Flatten(2)
        self.weights = ref.Stored()
        self.scores, self.values = ref.Product(), ref.Product()

    def forward(self, x):
        q, k, v = (self.positions(convolution(x)) for convolution in (self.query_conv, self.key_conv, self.value_conv))
        weights = self.weights(self.scores(q.transpose(1, 2), k).softmax(-1))  # [N, queries, keys]
        return self.gamma * self.values(v, weights.transpose(1, 2)).view(x.shape) + x


class ChannelAttention(nn.Module):
    """DANet's CAM: each channel takes from those that are unlike it; the distance to the largest product is the score."""

    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1))
        self.positions = nn.Flatten(2)
        self.weights = ref.Stored()
        self.scores, self.values = ref.Product(), ref.Product()

    def forward(self, x):
        rows = self.positions(x)
        products = self.scores(rows, rows.transpose(1, 2))
        weights = self.weights((products.amax(-1, keepdim=True) - products).softmax(-1))
        return self.gamma * self.values(weights, rows).view(x.shape) + x


class NonLocal(nn.Module):
    """AGW's: of width 1, products divided by the number of positions, no softmax."""

    def __init__(self, channels):
        super().__init__()
        self.g = nn.Sequential(nn.Conv2d(channels, 1, 1))
        self.W = nn.Sequential(nn.Conv2d(1, channels, 1), nn.BatchNorm2d(channels))
        self.theta = nn.Conv2d(channels, 1, 1)
        self.phi = nn.Conv2d(channels, 1, 1)
        self.positions = nn.Flatten(2)

    def forward(self, x):
        theta, phi, g = (self.positions(convolution(x)) for convolution in (self.theta, self.phi, self.g))
        affinity = theta.transpose(1, 2) @ phi / phi.shape[2]  # [N, positions, positions]
        y = (affinity @ g.transpose(1, 2)).transpose(1, 2)
        return self.W(y.reshape(x[:, :1].shape)) + x


ref.LAST_NORM[NonLocal] = lambda block: block.W[1]
ref.RESIDUAL_BLOCKS += (NonLocal, PositionAttention, ChannelAttention)


# --- networks ------------------------------------------------------------------------------------------------------------


class Agw(TwoStreams):
    """AGW (`method agw`), and its baseline (`method base`): no attention, average pooling."""

    AFTER = {2: (2, 3), 3: (3, 4, 5)}  # a layer's blocks behind which attention stands

    def __init__(self, classes=395, base=False):
        super().__init__()
        self.base = base
        if not base:
            self.NL_1, self.NL_4 = nn.ModuleList(), nn.ModuleList()  # empty, as there
            self.NL_2 = nn.ModuleList(NonLocal(512) for _ in self.AFTER[2])
            self.NL_3 = nn.ModuleList(NonLocal(1024) for _ in self.AFTER[3])
        self.pool = Average() if base else GeneralisedMean(3)
        self.bottleneck = nn.BatchNorm1d(2048)
        self.classifier = nn.Linear(2048, classes, bias=False)

    def stage(self, layer, x):
        if self.base or layer not in self.AFTER:
            return super().stage(layer, x)
        attention = dict(zip(self.AFTER[layer], getattr(self, f"NL_{layer}")))
        for i, block in enumerate(getattr(self.base_resnet.base, f"layer{layer}")):
            x = block(x)
            if i in attention:
                x = attention[i](x)
        return x

    def forward(self, x):
        pooled = self.pool(self.map(x))
        return {"fc": self.bottleneck(pooled), "pool": pooled}


class GraphAttention(nn.Module):
    """Of training alone: stored, never used."""

    def __init__(self, channels, outputs):
        super().__init__()
        self.W = nn.Parameter(torch.randn(channels, outputs))
        self.a = nn.Parameter(torch.randn(2 * outputs, 1))


class PartAttention(nn.Module):
    """DDAG's intra-modality weighted part aggregation; W is stored, never used."""

    def __init__(self, channels, parts):
        super().__init__()
        self.parts = parts
        self.fc1 = nn.Sequential(nn.Conv2d(channels, channels, 1))
        self.fc2 = nn.Conv2d(channels, channels, 1)
        self.fc3 = nn.Conv2d(channels, channels, 1)
        self.positions = nn.Flatten(2)
        self.W = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels))
        self.bottleneck = nn.BatchNorm1d(channels)
        self.gate = nn.Parameter(torch.randn(parts))
        self.fc1[0].gain = channels**-0.5  # see PositionAttention

    def forward(self, map_, feature):
        parts = F.adaptive_avg_pool2d(map_, (self.parts, 1))
        q, k, v = (self.positions(fc(parts)) for fc in (self.fc1, self.fc2, self.fc3))  # [N, C, parts]
        weights = (q.transpose(1, 2) @ k).softmax(-1)
        refined = (weights @ v.transpose(1, 2)).transpose(1, 2)
        return self.bottleneck(refined @ self.gate.softmax(-1) + feature)


class Ddag(TwoStreams):
    def __init__(self, classes=395, parts=3, low_dim=512, heads=4):
        super().__init__()
        self.pool = Average()
        self.bottleneck = nn.BatchNorm1d(2048)
        self.classifier, self.classifier1, self.classifier2 = (nn.Linear(2048, classes, bias=False) for _ in range(3))
        self.wpa = PartAttention(2048, parts)
        for i in range(heads):
            setattr(self, f"attention_{i}", GraphAttention(2048, low_dim))
        self.out_att = GraphAttention(low_dim * heads, classes)

    def forward(self, x):
        map_ = self.map(x)
        feature = self.bottleneck(self.pool(map_))
        return {"fc": feature, "part": self.wpa(map_, feature)}


class HeteroCenterTriplet(TwoStreams):
    """share_net: the first layer that both modalities share. stripes of the map, or 0 (`--pcb off`): one vector of all of it."""

    def __init__(self, share_net=2, stripes=6, power=3, classes=395):
        super().__init__(share_net, whole=False)
        self.pool = GeneralisedMean(power)
        if stripes:
            self.local_conv_list = nn.ModuleList(
                nn.Sequential(nn.Conv2d(2048, 256, 1), nn.BatchNorm2d(256), nn.ReLU()) for _ in range(stripes))
            self.fc_list = nn.ModuleList(nn.Linear(256, classes) for _ in range(stripes))
        else:
            self.bottleneck = nn.BatchNorm1d(2048)
            self.classifier = nn.Linear(2048, classes, bias=False)

    def forward(self, x):
        map_ = self.map(x)
        if hasattr(self, "bottleneck"):
            pooled = self.pool(map_)
            return {"fc": self.bottleneck(pooled), "pool": pooled}
        stripes = map_.chunk(len(self.local_conv_list), 2)
        local = [conv(self.pool(stripe)[:, :, None, None]) for conv, stripe in zip(self.local_conv_list, stripes)]
        return {"features": torch.cat(local, 1).flatten(1)}


class Dpan(TwoStreams):
    """The dual-path attention network as we read its paper: stem, layer1 and a position attention for each modality.

    attention_after: stage; attention_of: who has one, the visible modality's being the thermal one's, too, where it has none;
    power: of generalised means in place of averages.
    """

    def __init__(self, attention_after=1, attention_of=MODALITIES, power=None, last_stride=1, classes=395):
        super().__init__(shared=2, last_stride=last_stride)
        self.attention_after = attention_after
        for owner in attention_of:
            setattr(self, f"{owner}_attention", PositionAttention(256 if attention_after else 64))
        self.pool = GeneralisedMean(power) if power else Average()
        self.bottleneck = nn.BatchNorm1d(2048)
        self.classifier = nn.Linear(2048, classes, bias=False)

    def after_own(self, modality, stage, x):
        if stage != self.attention_after:
            return x
        return getattr(self, f"{modality}_attention" if hasattr(self, f"{modality}_attention") else "visible_attention")(x)

    def forward(self, x):
        pooled = self.pool(self.map(x))
        return {"fc": self.bottleneck(pooled), "pool": pooled}


def checkpoint(state):
    """What AGW's train.py writes beside the network."""
    return {"net": state, "cmc": np.linspace(0.4, 0.9, 20), "mAP": 0.47, "mINP": 0.35, "epoch": 59}


def exchanged(state):
    """The same tensors, the modalities having changed places."""
    other = {"visible": "thermal", "thermal": "visible"}
    out = {}
    for name, tensor in state.items():
        parts = name.split(".")
        if parts[0].split("_")[0] in other:
            parts[0] = other[parts[0].split("_")[0]] + "_" + parts[0].split("_")[1]
            if parts[1] in other:
                parts[1] = other[parts[1]]
        out[".".join(parts)] = tensor
    return out
