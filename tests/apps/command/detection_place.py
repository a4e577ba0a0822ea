"""What the tests of `tyto detect` share: a small detector, and how it is run."""
import json
import os
import shutil

import numpy as np
import torch

import reference_detectors
import reference_networks
from raw_video import avi
from tyto_process import tyto
from workplace import Workplace, read_bytes


def clip(seed, frames, width=40, height=30):
    """Noise that changes from frame to frame, [frames, height, width, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


class DetectionPlace(Workplace):
    """A small detector of the classes person and traffic light besides the workplace's small ft_net."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        network = reference_networks.randomise(reference_detectors.SsdliteMobilenetV2(3), seed=1)
        torch.save(network.state_dict(), cls.at("detector.pth"))
        cls.write("classes.txt", b"background\nperson\ntraffic light\n")
        cls.detector = cls.at("detector.safetensors")
        tyto("convert", cls.at("detector.pth"), "-o", cls.detector, "--preprocess", "size=[96,96]", "--classes",
             cls.at("classes.txt"))

    def detect(self, name, *arguments, expect=0):
        """Runs tyto detect into the folder `name`, emptied before; returns its lines and what stood on standard error."""
        shutil.rmtree(self.at(name), ignore_errors=True)
        _, messages = tyto("-q", "detect", self.detector, "-o", self.at(name), "--threads", 1, *arguments, expect=expect)
        return self.lines(name), messages

    def lines(self, name):
        with open(self.at(name, "detections.jsonl"), encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    def state(self, name):
        """What run.json of the folder `name` says."""
        return json.loads(read_bytes(self.at(name, "run.json")))

    def detect_fails(self, *arguments, code=1, **process):
        return self.fails("detect", self.detector, "-o", self.at("failed"), "--threads", "1", *arguments, code=code, **process)

    def video(self, name, frames, rate=10):
        return self.write(name, avi(frames, rate))

    def files_below(self, *folder):
        root = self.at(*folder)
        return sorted(os.path.relpath(os.path.join(place, file), root) for place, _, files in os.walk(root) for file in files)
