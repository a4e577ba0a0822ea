"""The reference networks, in PyTorch, with random weights and batch-norm statistics that are not trivial."""
import re

import torch
import torchvision
from torch import nn
from torchvision.models.convnext import CNBlock
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.models.mobilenetv3 import InvertedResidual as InvertedResidualV3
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.models.vision_transformer import EncoderBlock, VisionTransformer

LAST_NORM = {  # the batch norm that ends a residual branch
    BasicBlock: lambda block: block.bn2,
    Bottleneck: lambda block: block.bn3,
    InvertedResidual: lambda block: block.conv[-1],
    InvertedResidualV3: lambda block: block.block[-1][1],
}

RESIDUAL_BLOCKS = (*LAST_NORM, CNBlock, EncoderBlock)  # which end in a sum


def randomise(model, seed, images=None, scales=(0.3, 0.8), loud=1.0):
    """Random weights, made as well-conditioned as training makes them.

    Batch norms get the statistics of what passes through (of `images`, else of noise), and each residual branch ends in a
    small scale. Without either a deep network is chaotic: PyTorch's own float32 result is then up to 1e-3 from its float64
    one. `scales` bound the batch norms' weights; every fourth of them is `loud` times larger.
    """
    generator = torch.Generator().manual_seed(seed)

    def uniform(tensor, low, high):
        tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

    def normal(tensor, std):
        tensor.copy_(torch.randn(tensor.shape, generator=generator) * std)

    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                fan_in = module.weight[0].numel()
                normal(module.weight, getattr(module, "gain", 1.0) * (2.0 / fan_in) ** 0.5)
                if module.bias is not None:
                    normal(module.bias, 0.1)
            elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                uniform(module.weight, *scales)
                module.weight[::4] *= loud
                uniform(module.bias, 0.0, 1.0)
                module.momentum = None  # running statistics become plain averages
            elif isinstance(module, (nn.InstanceNorm2d, nn.LayerNorm)):
                uniform(module.weight, 0.5, 1.5)
                normal(module.bias, 0.2)
            for name in ("class_token", "pos_embedding", "layer_scale", "gamma"):
                if name in dict(module.named_parameters(recurse=False)):
                    uniform(getattr(module, name), 0.2, 0.6)
        for module in model.modules():
            if type(module) in LAST_NORM:
                uniform(LAST_NORM[type(module)](module).weight, 0.1, 0.3)
        if any(isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)) for module in model.modules()):
            model.train()
            model(torch.randn((4, 3, 96, 96), generator=generator) if images is None else images)
    return model.eval()


class IBN(nn.Module):
    """Half instance norm, half batch norm (IBN-a)."""

    def __init__(self, planes):
        super().__init__()
        self.half = planes // 2
        self.IN = nn.InstanceNorm2d(self.half, affine=True)
        self.BN = nn.BatchNorm2d(planes - self.half)

    def forward(self, x):
        return torch.cat((self.IN(x[:, : self.half].contiguous()), self.BN(x[:, self.half :].contiguous())), 1)


def resnet50_ibn_a():
    model = torchvision.models.resnet50(weights=None)
    for layer in (model.layer1, model.layer2, model.layer3):
        for block in layer:
            block.bn1 = IBN(block.bn1.num_features)
    return model


class FtNet(nn.Module):
    """The re-ID baseline: a ResNet-50 trunk and Linear + BatchNorm1d, classifier cut (or, with width 0, BatchNorm1d alone)."""

    def __init__(self, stride=2, width=512, ibn=False, classes=751):
        super().__init__()
        self.model = resnet50_ibn_a() if ibn else torchvision.models.resnet50(weights=None)
        if stride == 1:
            self.model.layer4[0].downsample[0].stride = (1, 1)
            self.model.layer4[0].conv2.stride = (1, 1)
        block = [nn.Linear(2048, width), nn.BatchNorm1d(width), nn.Dropout(0.5)] if width else [nn.BatchNorm1d(2048), nn.Dropout(0.5)]
        self.classifier = nn.Module()
        self.classifier.add_block = nn.Sequential(*block)
        self.classifier.classifier = nn.Sequential(nn.Linear(width or 2048, classes))

    def forward(self, x):
        return {"features": self.classifier.add_block(torch.flatten(trunk_map(self.model, x).mean((2, 3)), 1))}


def trunk_map(resnet, x):
    x = resnet.maxpool(resnet.relu(resnet.bn1(resnet.conv1(x))))
    return resnet.layer4(resnet.layer3(resnet.layer2(resnet.layer1(x))))


class Outputs(nn.Module):
    """Wraps a model without changing the names of its tensors; forward gives the outputs that tyto names."""

    def __init__(self, model, outputs):
        super().__init__()
        self.wrapped = model
        self.outputs = outputs

    def state_dict(self, *args, **kwargs):
        return self.wrapped.state_dict(*args, **kwargs)

    def forward(self, x):
        return self.outputs(self.wrapped, x)


def resnet_outputs(model, x):
    map_ = trunk_map(model, x)
    features = map_.mean((2, 3))
    out = {"map": map_, "features": features}
    if isinstance(model.fc, nn.Linear):
        out["logits"] = model.fc(features)
    return out


class Stored(nn.Module):
    """A place where tyto stores what passes."""

    def forward(self, x):
        return x


class Product(nn.Module):
    def forward(self, a, b):
        return a @ b


class SelfAttention(nn.Module):
    """nn.MultiheadAttention of one input in steps that the lower precisions see; its packed projection is a layer."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.in_proj = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)
        self.stored, self.weights = Stored(), Stored()
        self.scores, self.values = Product(), Product()

    def forward(self, query, **_):
        batch, tokens, width = query.shape
        q, k, v = (part.view(batch, tokens, self.heads, -1).transpose(1, 2).flatten(0, 1)
                   for part in self.stored(self.in_proj(query)).chunk(3, -1))
        scores = self.scores(q, k.transpose(1, 2)) / q.shape[-1] ** 0.5
        out = self.values(self.weights(scores.softmax(-1)), v)
        return self.out_proj(out.view(batch, self.heads, tokens, -1).transpose(1, 2).flatten(2)), None


def vision_transformer(layers, image, in_steps=False, classifier=True, representation=None):
    """vit_b_16 but for its depth and image; in_steps: with SelfAttention, renamed by packed_names(); representation: the
    width of a layer before the classifier."""
    model = VisionTransformer(image_size=image, patch_size=16, num_layers=layers, num_heads=12, hidden_dim=768, mlp_dim=3072,
                              representation_size=representation)
    if in_steps:
        for block in model.encoder.layers:
            block.self_attention = SelfAttention(768, 12)
    if not classifier:
        model.heads = nn.Identity()
    return Outputs(model, vision_transformer_outputs)


def vision_transformer_outputs(model, x):
    x = model._process_input(x)
    tokens = model.encoder(torch.cat([model.class_token.expand(len(x), -1, -1), x], 1))
    if isinstance(model.heads, nn.Identity):
        return {"tokens": tokens, "features": tokens[:, 0]}
    features = model.heads[:-1](tokens[:, 0])
    return {"tokens": tokens, "features": features, "logits": model.heads[-1](features)}


def packed_names(state):
    return {name.replace("in_proj.", "in_proj_"): tensor for name, tensor in state.items()}


def mlp_names_before_0_14(state):
    return {name.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): tensor for name, tensor in state.items()}


def convnext_tiny(classifier=True):
    model = torchvision.models.convnext_tiny()
    if not classifier:
        del model.classifier
    return Outputs(model, convnext_outputs)


def convnext_outputs(model, x):
    map_ = model.features(x)
    pooled = model.avgpool(map_)
    if not hasattr(model, "classifier"):
        return {"map": map_, "features": pooled.flatten(1)}
    features = model.classifier[:2](pooled)  # norm and flatten
    return {"map": map_, "features": features, "logits": model.classifier[2](features)}


def densenet121(classifier=True):
    model = torchvision.models.densenet121()
    if not classifier:
        del model.classifier
    return Outputs(model, densenet_outputs)


def densenet_outputs(model, x):
    map_ = torch.relu(model.features(x))
    features = map_.mean((2, 3))
    out = {"map": map_, "features": features}
    if hasattr(model, "classifier"):
        out["logits"] = model.classifier(features)
    return out


def densenet_names_of_old(state):
    """As in the files that torchvision still distributes: denselayer1.norm.1."""
    return {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name): tensor for name, tensor in state.items()}


def mobilenet_outputs(model, x):
    map_ = model.features(x)
    features = map_.mean((2, 3))
    out = {"map": map_, "features": features}
    if hasattr(model, "classifier"):
        out["logits"] = model.classifier(features)
    return out


def vgg_outputs(model, x):
    map_ = model.features(x)
    if not hasattr(model, "classifier"):
        return {"map": map_, "features": map_.mean((2, 3))}
    features = model.classifier[:6](torch.flatten(model.avgpool(map_), 1))
    return {"map": map_, "features": features, "logits": model.classifier[6](features)}


def resnet(depth, classifier=True):
    model = getattr(torchvision.models, f"resnet{depth}")(weights=None)
    if not classifier:
        model.fc = nn.Identity()
    return Outputs(model, resnet_outputs)


def mobilenet_v2(classifier=True):
    model = torchvision.models.mobilenet_v2(weights=None)
    if not classifier:
        del model.classifier
    return Outputs(model, mobilenet_outputs)


def flatten_names(state_dict):
    """torchvision's nested MobileNetV2 names as the first port's flat ones: conv.0.0 -> conv.0, conv.1.0 -> conv.3 ..."""
    flat = {}
    for name, value in state_dict.items():
        parts = name.split(".")
        if len(parts) > 3 and parts[2] == "conv":
            expands = f"features.{parts[1]}.conv.3.weight" in state_dict
            if parts[3] in ("0", "1") and parts[4] in ("0", "1"):
                parts[3:5] = [str(3 * int(parts[3]) + int(parts[4]))]
            else:
                parts[3] = str(int(parts[3]) + (4 if expands else 2))
        flat[".".join(parts)] = value
    return flat


def vgg(name, classifier=True):
    model = getattr(torchvision.models, name)(weights=None)
    if not classifier:
        del model.classifier
    return Outputs(model, vgg_outputs)
