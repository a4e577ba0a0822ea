"""What the tests of the command share: a folder, small networks, images, and what a failure must look like."""
import json
import os
import re
import struct
import subprocess
import tempfile
import unittest

import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision.models.resnet import BasicBlock

import reference_networks as ref
from tyto_process import TYTO, tyto


class SmallTrunk(nn.Module):
    """torchvision's ResNet, one basic block a layer, a few channels wide."""

    WIDTHS = (8, 8, 16, 24, 32)

    def __init__(self):
        super().__init__()
        w = self.WIDTHS
        self.conv1 = nn.Conv2d(3, w[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(w[0])
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(BasicBlock(w[0], w[1]))
        self.layer2, self.layer3, self.layer4 = (self.layer(w[i], w[i + 1]) for i in (1, 2, 3))
        self.fc = nn.Linear(w[4], 10)

    @staticmethod
    def layer(planes_in, planes):
        shortcut = nn.Sequential(nn.Conv2d(planes_in, planes, 1, 2, bias=False), nn.BatchNorm2d(planes))
        return nn.Sequential(BasicBlock(planes_in, planes, 2, shortcut))


class SmallFtNet(nn.Module):
    """ft_net on the small trunk; features of 16 numbers."""

    def __init__(self):
        super().__init__()
        self.model = SmallTrunk()
        self.classifier = nn.Module()
        self.classifier.add_block = nn.Sequential(nn.Linear(32, 16), nn.BatchNorm1d(16), nn.Dropout(0.5))
        self.classifier.classifier = nn.Sequential(nn.Linear(16, 7))

    def forward(self, x):
        return {"features": self.classifier.add_block(torch.flatten(ref.trunk_map(self.model, x).mean((2, 3)), 1))}


def small_ft_net(seed=1):
    return ref.randomise(SmallFtNet(), seed)


def small_resnet(seed=2):
    return ref.randomise(ref.Outputs(SmallTrunk(), ref.resnet_outputs), seed)


def picture(seed, width=48, height=96):
    """A colourful image with coarse and fine structure."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)).resize((width, height), Image.BICUBIC)
    fine = rng.integers(-25, 26, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(coarse).astype(int) + fine, 0, 255).astype(np.uint8))


def header(path):
    """The header of a safetensors file."""
    with open(path, "rb") as f:
        (length,) = struct.unpack("<Q", f.read(8))
        return json.loads(f.read(length))


def feature_paths(path):
    """The image paths of a features file, per set."""
    sets = json.loads(header(path)["__metadata__"]["tyto"])["sets"]
    return {name: s["paths"] for name, s in sets.items()}


def read_bytes(path):
    with open(path, "rb") as f:
        return f.read()


class Workplace(unittest.TestCase):
    """A folder that lives as long as the test class, with the small ft_net in it as model.safetensors."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        cls.network = small_ft_net()
        cls.checkpoint = cls.at("net.pth")
        cls.model = cls.at("model.safetensors")
        torch.save(cls.network.state_dict(), cls.checkpoint)
        tyto("convert", cls.checkpoint, "-o", cls.model)

    @classmethod
    def at(cls, *parts):
        return os.path.join(cls.folder, *parts)

    @classmethod
    def make_images(cls, folder, names, seed=0, **size):
        for i, name in enumerate(names):
            path = cls.at(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            picture(seed + i, **size).save(path)
        return cls.at(folder)

    @classmethod
    def write(cls, name, data):
        os.makedirs(os.path.dirname(cls.at(name)), exist_ok=True)
        with open(cls.at(name), "wb") as f:
            f.write(data)
        return cls.at(name)

    def extract(self, name, *options, expect=0, threads=1):
        """Runs tyto extract into the file `name`; returns its path and what stood on standard error."""
        _, messages = tyto("-q", "extract", self.model, "-o", self.at(name), "--threads", threads, *options,
                           expect=expect)
        return self.at(name), messages

    def fails(self, *args, code=1, **process):
        """`tyto ARGS` must end with the exit code and one sentence on standard error, which is returned."""
        done = subprocess.run([TYTO, "-q", *map(str, args)], capture_output=True, text=True, timeout=60, **process)
        self.assertEqual(done.returncode, code, (args, done.stdout, done.stderr))
        self.assert_one_sentence(done.stderr, args)
        self.assertEqual(done.stdout, "", args)
        return done.stderr

    def assert_options_are(self, command, *kinds):
        """Every option of the command is of exactly one of the kinds."""
        listed, _ = tyto(command, "--help")
        names = re.findall(r"^  (?:-\w,)?(--[\w-]+)", listed, re.MULTILINE)
        self.assertEqual(sorted(names), sorted(name for kind in kinds for name in kind))

    def assert_one_sentence(self, text, about=None):
        self.assertRegex(text, r"\Atyto: [^\n]+\n\Z", about)
        for trace in ("unexpected", "terminate", "what()", "std::", "basic_string"):
            self.assertNotIn(trace, text, about)

    def assert_nothing_half(self, *outputs):
        """None of the outputs is there, and no temporary file is left."""
        for output in outputs:
            self.assertFalse(os.path.exists(self.at(output)), output)
        self.assertEqual([f for f in os.listdir(self.folder) if f.endswith(".tmp")], [])
