"""Lift-Splat-Shoot in PyTorch, of our own writing, with the tensor names of nv-tlabs/lift-splat-shoot; and rigs of cameras."""
import math

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock

import reference_networks as ref
from reference_efficientnet import EfficientNet

# nuScenes' cameras in the network's order, images of 1600 x 900: focal length, centre; quaternion and translation to the ego.
NUSCENES = [
    ((1272.598, 826.615, 479.752), (.675727, -.673627, .212140, -.211228), (1.5239, .4946, 1.5093)),
    ((1266.417, 816.267, 491.507), (.499802, -.503032, .499780, -.497371), (1.7008, .0159, 1.5110)),
    ((1260.847, 807.968, 495.334), (.206035, -.202694, .682451, -.671361), (1.5508, -.4934, 1.4957)),
    ((1256.741, 792.113, 492.776), (.692419, -.703162, -.116483, .112033), (1.0357, .4848, 1.5910)),
    ((809.221, 829.220, 481.778), (.503787, -.497402, -.494185, .504550), (.0283, .0035, 1.5791)),
    ((1259.514, 807.253, 501.196), (.122810, -.132401, -.700431, .690496), (1.0149, -.4806, 1.5624)),
]
WIDTH, HEIGHT = 1600, 900


def rotation(quaternion):
    w, x, y, z = torch.tensor(quaternion, dtype=torch.float64) / math.hypot(*quaternion)
    return torch.tensor([[1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                         [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                         [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]], dtype=torch.float64)


def turned(degrees):
    """About the vertical axis."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)


def augmentation(image):
    """From pixels of the camera's image to those of the network's input [height, width]."""
    scale = max(image[0] / HEIGHT, image[1] / WIDTH)
    across, down = int(WIDTH * scale), int(HEIGHT * scale)
    left, top = int(max(0, across - image[1]) / 2), int((1 - 0.11) * down) - image[0]
    return torch.tensor([[scale, 0, -left], [0, scale, -top], [0, 0, 1]], dtype=torch.float64)


def rigs(cameras, image, yaws=(0.0,)):
    """A sample for each of these degrees, by which its cameras are turned: the network's inputs beside its images, as float32.
    Beyond nuScenes' six, cameras look between theirs."""
    samples = {"intrinsics": [], "camera_to_ego": [], "image_augmentation": []}
    for yaw in yaws:
        for i in range(cameras):
            (focal, across, down), quaternion, translation = NUSCENES[i % 6]
            pose = torch.eye(4, dtype=torch.float64)
            pose[:3, :3] = turned(yaw + 30 * (i // 6)) @ rotation(quaternion)
            pose[:3, 3] = torch.tensor(translation, dtype=torch.float64) + 0.01 * yaw
            samples["intrinsics"].append(torch.tensor([[focal, 0, across], [0, focal, down], [0, 0, 1]], dtype=torch.float64))
            samples["camera_to_ego"].append(pose)
            samples["image_augmentation"].append(augmentation(image))
    return {name: torch.stack(m).unflatten(0, (len(yaws), cameras)).float() for name, m in samples.items()}


class Up(nn.Module):
    def __init__(self, channels, outputs, factor):
        super().__init__()
        self.up = nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=True)
        layers = []
        for inputs in (channels, outputs):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.conv = nn.Sequential(*layers)

    def forward(self, deep, shallow):
        return self.conv(torch.cat([shallow, self.up(deep)], 1))


class CameraEncoder(nn.Module):
    def __init__(self, bins, features, divisor):
        super().__init__()
        self.bins = bins
        self.trunk = EfficientNet(divisor=divisor)
        self.up1 = Up((320 + 112) // divisor, 512 // divisor, 2)
        self.depthnet = nn.Conv2d(512 // divisor, bins + features, 1)
        self.stored = ref.Stored()

    def forward(self, x):
        maps = self.trunk.reductions(x)
        x = self.stored(self.depthnet(self.up1(maps[4], maps[3])))
        return x[:, : self.bins].softmax(1), x[:, self.bins :]


def residual_layer(inputs, outputs, stride):
    downsample = None
    if stride != 1:
        downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))
    return nn.Sequential(BasicBlock(inputs, outputs, stride, downsample), BasicBlock(outputs, outputs))


class GridEncoder(nn.Module):
    def __init__(self, inputs, outputs, divisor):
        super().__init__()
        widths = [width // divisor for width in (64, 128, 256)]
        self.conv1 = nn.Conv2d(inputs, widths[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU()
        self.layer1 = residual_layer(widths[0], widths[0], 1)
        self.layer2 = residual_layer(widths[0], widths[1], 2)
        self.layer3 = residual_layer(widths[1], widths[2], 2)
        self.up1 = Up(widths[0] + widths[2], widths[2], 4)
        self.up2 = nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
                                 nn.Conv2d(widths[2], widths[1], 3, padding=1, bias=False), nn.BatchNorm2d(widths[1]), nn.ReLU(),
                                 nn.Conv2d(widths[1], outputs, 1))

    def forward(self, x):
        shallow = self.layer1(self.relu(self.bn1(self.conv1(x))))
        return self.up2(self.up1(self.layer3(self.layer2(shallow)), shallow))


class LiftSplatShoot(nn.Module):
    """bounds: of x, y and z, lower, upper and step; depths likewise; image: height and width of the network's input. `rig`
    holds the matrices of the samples that forward is given images of."""

    def __init__(self, bounds=((-50, 50, 0.5), (-50, 50, 0.5), (-10, 10, 20)), depths=(4, 45, 1), image=(128, 352), features=64,
                 classes=1, divisor=1):
        super().__init__()
        def stored(values):
            return nn.Parameter(torch.as_tensor(values), requires_grad=False)

        lower, upper, step = torch.tensor(bounds).t().float()
        self.dx, self.bx = stored(step), stored(lower + step / 2)
        self.nx = stored(((upper - lower) / step).round().long())
        d = torch.arange(*depths).float()
        v, u = (torch.linspace(0, side - 1, side // 16) for side in image)
        self.frustum = stored(torch.stack(torch.broadcast_tensors(u, v[:, None], d[:, None, None]), -1).clone())
        self.camencode = CameraEncoder(len(d), features, divisor)
        self.bevencode = GridEncoder(features * int(self.nx[2]), classes, divisor)
        self.rig = {}

    def cells(self):
        """Of each point, over all samples; those that fall outside have the one past the last. In float64, whatever the
        network is computed in."""
        intrinsics, pose, augmentation = (self.rig[name].double()[:, :, None, None, None]
                                          for name in ("intrinsics", "camera_to_ego", "image_augmentation"))
        pixels = self.frustum.double().clone()
        depth, pixels[..., 2] = pixels[..., 2].clone(), 1
        rays = torch.linalg.inv(augmentation) @ pixels[..., None] * depth[..., None, None]
        points = (pose[..., :3, :3] @ (torch.linalg.inv(intrinsics) @ rays)).squeeze(-1) + pose[..., :3, 3]
        dx, bx, nx = self.dx.double(), self.bx.double(), self.nx
        at = ((points - (bx - dx / 2)) / dx).long()  # toward zero
        inside = ((at >= 0) & (at < nx)).all(-1)
        sample = torch.arange(len(at)).view(-1, 1, 1, 1, 1)
        cell = ((sample * nx[2] + at[..., 2]) * nx[0] + at[..., 0]) * nx[1] + at[..., 1]
        return torch.where(inside, cell, len(at) * nx.prod())

    def splat(self, depth, features):
        samples, nx = len(self.rig["intrinsics"]), self.nx.tolist()
        lifted = depth[..., None] * features.permute(0, 2, 3, 1)[:, None]  # [images, bins, rows, columns, channels]
        channels = lifted.shape[-1]
        grid = lifted.new_zeros((samples * math.prod(nx) + 1, channels))
        grid.index_add_(0, self.cells().flatten(), lifted.reshape(-1, channels))
        grid = grid[:-1].view(samples, nx[2], nx[0], nx[1], channels)
        return grid.permute(0, 1, 4, 2, 3).reshape(samples, nx[2] * channels, nx[0], nx[1])

    def forward(self, images):
        pooled = self.splat(*self.camencode(images))
        return {"map": self.bevencode(pooled), "pooled": pooled}
