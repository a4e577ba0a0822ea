"""What tests of inference share: a small network as checkpoint and model file, and pictures."""
import os
import tempfile
import unittest

import numpy as np
import torch
from PIL import Image

import reference_networks as ref
import tyto
from narrow import narrow
from tyto_process import tyto as command

SIZES = [(40, 24), (33, 47), (64, 20), (17, 17), (24, 40), (50, 50), (31, 64)]  # height, width


class InferenceCase(unittest.TestCase):
    """checkpoint, file: of a narrow ft_net of 64 x 32 pixels; pictures: a folder of photographs; paths: theirs, in the library's order."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        held = tempfile.TemporaryDirectory()
        cls.addClassCleanup(held.cleanup)
        cls.folder = held.name
        torch.manual_seed(18)
        cls.network = narrow(ref.FtNet()).eval()
        cls.checkpoint = cls.path("ft_net.pth")
        torch.save(cls.network.state_dict(), cls.checkpoint)
        cls.file = cls.path("ft_net.safetensors")
        tyto.convert(cls.checkpoint, cls.file, preprocess={"size": [64, 32]})
        cls.pictures = cls.path("pictures")
        cls.paths = [cls.picture(i, height, width) for i, (height, width) in enumerate(SIZES)]

    @classmethod
    def path(cls, *parts):
        return os.path.join(cls.folder, *parts)

    @classmethod
    def picture(cls, i, height, width):
        """Colours that change from 8 pixels to 8, as JPEG keeps them."""
        small = np.random.default_rng(i).integers(0, 256, (-(-height // 8), -(-width // 8), 3), dtype=np.uint8)
        pixels = small.repeat(8, 0).repeat(8, 1)[:height, :width]
        path = os.path.join(cls.pictures, "ab"[i % 2], f"{i:02}.{'jpg' if i % 3 else 'png'}")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Image.fromarray(pixels).save(path)
        return path

    @classmethod
    def command(cls, *arguments, **options):
        return command(*arguments, **options)
