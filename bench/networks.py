"""The networks that are measured, as PyTorch defines them: random weights, detectors up to their raw heads."""
import dataclasses
import os
import sys

import torch
import torchvision
from torch import nn

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/parity"))
import reference_bev as bev
import reference_cross_modality as cross_modality


class Wrapped(nn.Module):
    """What is measured of a model, without changing the names of its tensors."""

    def __init__(self, model, outputs):
        super().__init__()
        self.model = model
        self.outputs = outputs

    def state_dict(self, *args, **kwargs):
        return self.model.state_dict(*args, **kwargs)

    def load_state_dict(self, *args, **kwargs):
        return self.model.load_state_dict(*args, **kwargs)

    def forward(self, x):
        return self.outputs(self.model, x)


class FasterRcnn(nn.Module):
    """simple-faster-rcnn-pytorch's network with given regions in the place of proposals, which no peer's graph can make: its
    trunk and region proposal network, RoI pooling and head."""

    REGIONS = 300

    def __init__(self, height, width):
        super().__init__()
        self.extractor = torchvision.models.vgg16(weights=None).features[:30]
        self.rpn, self.head = nn.Module(), nn.Module()
        self.rpn.conv1, self.rpn.score, self.rpn.loc = nn.Conv2d(512, 512, 3, padding=1), nn.Conv2d(512, 18, 1), nn.Conv2d(512, 36, 1)
        self.head.classifier = nn.Sequential(nn.Linear(25088, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU())
        self.head.cls_loc, self.head.score = nn.Linear(4096, 84), nn.Linear(4096, 21)
        low = torch.rand(self.REGIONS, 2) * torch.tensor((width - 64.0, height - 64.0))
        high = torch.minimum(low + 32 + 300 * torch.rand(self.REGIONS, 2), torch.tensor((width, height)))
        self.register_buffer("regions", torch.cat((torch.zeros(self.REGIONS, 1), low, high), 1), persistent=False)

    def forward(self, x):
        maps = self.extractor(x)
        hidden = torch.relu(self.rpn.conv1(maps))
        pooled = torchvision.ops.roi_pool(maps, self.regions, 7, 1 / 16).flatten(1)
        head = self.head.classifier(pooled)
        return self.rpn.loc(hidden), self.rpn.score(hidden), self.head.cls_loc(head), self.head.score(head)


class LiftSplatShoot(bev.LiftSplatShoot):
    """With the cells of its points given, which tyto keeps, too, while a calibration stays: nuScenes' rig. What is lifted is
    scattered, since ONNX and PyTorch's graphs know that."""

    def __init__(self, samples):
        super().__init__()
        self.rig = bev.rigs(6, (128, 352), (0.0,) * samples)
        self.samples, self.grid, self.channels = samples, self.nx.tolist()[:2], 64
        self.register_buffer("given", super().cells().reshape(-1, 1).expand(-1, self.channels), persistent=False)
        self.points = len(self.given)

    def splat(self, depth, features):
        lifted = (depth[..., None] * features.permute(0, 2, 3, 1)[:, None]).reshape(self.points, self.channels)
        grid = torch.zeros((self.samples * self.grid[0] * self.grid[1] + 1, self.channels)).scatter_add(0, self.given, lifted)
        return grid[:-1].view(self.samples, *self.grid, self.channels).permute(0, 3, 1, 2)

    def forward(self, images):
        return super().forward(images)["map"]


def headless_resnet50():
    model = torchvision.models.resnet50(weights=None)
    model.fc = nn.Identity()
    return model


def raw_heads(detector, x):
    heads = detector.head(list(detector.backbone(x).values()))
    return heads["bbox_regression"], heads["cls_logits"]


def detector(name):
    return Wrapped(getattr(torchvision.models.detection, name)(weights=None, weights_backbone=None), raw_heads)


def features_of_visible(network):
    """Of one for visible and thermal images."""
    return Wrapped(network, lambda model, x: tuple(model(x)[name] for name in ("fc", "pool")))


@dataclasses.dataclass(frozen=True)
class Network:
    build: callable
    size: tuple  # height, width
    outputs: str  # tyto's names for what the module returns
    batches: tuple = (1, 8)
    views: int = 1  # images a sample
    input: str = "input"  # tyto's name for them
    beside: dict = dataclasses.field(default_factory=dict)  # and for what else it takes: a sample's matrices
    opset: int = 13


NETWORKS = {
    "ssd300_vgg16": Network(lambda: detector("ssd300_vgg16"), (300, 300), "locations,logits"),
    "simple_faster_rcnn": Network(lambda: FasterRcnn(600, 1000), (600, 1000), "rpn_locations,rpn_logits,locations,logits", (1,)),
    "resnet50": Network(headless_resnet50, (256, 128), "features"),
    "agw": Network(lambda: features_of_visible(cross_modality.Agw()), (288, 144), "fc,pool"),
    "dpan": Network(lambda: features_of_visible(cross_modality.Dpan()), (288, 144), "fc,pool"),
    "mobilenet_v2": Network(lambda: torchvision.models.mobilenet_v2(weights=None), (224, 224), "logits"),
    "vit_b_16": Network(lambda: torchvision.models.vit_b_16(weights=None), (224, 224), "logits"),
    "convnext_tiny": Network(lambda: torchvision.models.convnext_tiny(weights=None), (224, 224), "logits"),
    "densenet121": Network(lambda: torchvision.models.densenet121(weights=None), (224, 224), "logits"),
    "lift_splat_shoot": Network(lambda: LiftSplatShoot(1), (128, 352), "map", (1,), 6, "images",
                                {name: matrices[0].tolist() for name, matrices in bev.rigs(6, (128, 352)).items()}, 16),
    "ssdlite320_mobilenet_v3_large": Network(lambda: detector("ssdlite320_mobilenet_v3_large"), (320, 320), "locations,logits"),
}


def load(name, checkpoint):
    """The network with the weights that were exported."""
    model = NETWORKS[name].build().eval()
    model.load_state_dict(torch.load(checkpoint))
    return model
