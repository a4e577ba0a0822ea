"""The rules of two-stage detectors against the code that they come from. Usage: preprocessing_test.py PREPROCESS_PIPE"""

import json
import subprocess
import sys
import unittest

import numpy as np
import skimage.transform
import torch
from torchvision.models.detection.transform import GeneralizedRCNNTransform

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
EPSILON = 2.0**-24


class Pipe:
    def __init__(self, executable):
        self.process = subprocess.Popen([executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def send(self, line, data=b""):
        self.process.stdin.write(line.encode() + b"\n" + data)
        self.process.stdin.flush()

    def rule(self, **rule):
        self.send("rule " + json.dumps(rule))

    def fit(self, width, height):
        """The input's width and height, the resized image's, both scales."""
        self.send(f"fit {width} {height}")
        answer = self.process.stdout.readline().split()
        return tuple(map(int, answer[:4])), tuple(map(float, answer[4:]))

    def run(self, image):
        (width, height, *_), _ = self.fit(image.shape[1], image.shape[0])
        self.send(f"run {image.shape[1]} {image.shape[0]}", image.tobytes())
        return np.frombuffer(self.process.stdout.read(3 * width * height * 4), np.float32).reshape(3, height, width)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()


def sizes(count):
    """Of photographs, and of what is no photograph."""
    rng = np.random.default_rng(1)
    known = [(500, 375), (375, 500), (640, 480), (640, 481), (500, 333), (333, 500), (1, 1), (1, 40), (2000, 20), (20, 2000)]
    return known + [tuple(int(side) for side in rng.integers(1, 1500, 2)) for _ in range(count)]


def simple_faster_rcnn(image, caffe, shorter=600, longest=1000):
    """data/dataset.py's preprocess(), which takes [3, height, width] floats."""
    scale = min(shorter / min(image.shape[1:]), longest / max(image.shape[1:]))
    image = image / 255.0
    target = (image.shape[0], image.shape[1] * scale, image.shape[2] * scale)
    image = skimage.transform.resize(image, target, mode="reflect", anti_aliasing=False)
    if caffe:
        image = image[[2, 1, 0]] * 255
        return (image - np.array([122.7717, 115.9465, 102.9801]).reshape(3, 1, 1)).astype(np.float32)
    mean, std = (np.array(IMAGENET[name]).reshape(3, 1, 1) for name in ("mean", "std"))
    return ((image - mean) / std).astype(np.float32)


class Preprocessing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pipe = Pipe(EXECUTABLE)
        cls.rng = np.random.default_rng(2)

    @classmethod
    def tearDownClass(cls):
        assert cls.pipe.close() == 0

    def noise(self, width, height):
        return self.rng.integers(0, 256, (height, width, 3)).astype(np.uint8)

    def skimage_rule(self, shorter, longest, **more):
        self.pipe.rule(resize="skimage-bilinear", fit="within", shorter_side=shorter, longest_side=longest, **more)

    def torch_rule(self, shorter, longest):
        self.pipe.rule(
            resize="torch-bilinear",
            fit="within",
            shorter_side=shorter,
            longest_side=longest,
            multiple_of=32,
            channels="RGB",
            scale="1/255",
            **IMAGENET,
        )

    def test_sizes_are_those_of_scikit_image(self):
        self.skimage_rule(600, 1000, channels="RGB", scale="1/255", **IMAGENET)
        for width, height in sizes(1000):
            scale = min(600 / min(height, width), 1000 / max(height, width))
            if min(height, width) * scale <= 0.5:
                continue  # scikit-image makes no image of that
            # The sizes that the resized array would have, as the axes know nothing of each other.
            tall = skimage.transform.resize(np.zeros((height, 1)), (height * scale, 1), mode="reflect", anti_aliasing=False)
            wide = skimage.transform.resize(np.zeros((1, width)), (1, width * scale), mode="reflect", anti_aliasing=False)
            expected = (wide.shape[1], tall.shape[0])
            got, scales = self.pipe.fit(width, height)
            self.assertEqual(got, expected * 2, f"{width} x {height}")
            self.assertEqual(scales, (expected[0] / width,) * 2)

    def test_pixels_are_those_of_simple_faster_rcnn(self):
        variants = [
            (False, {"channels": "RGB", "scale": "1/255", **IMAGENET}),
            (True, {"channels": "BGR", "scale": 1, "mean": [122.7717, 115.9465, 102.9801], "std": [1, 1, 1]}),
        ]
        for caffe, keys in variants:
            self.skimage_rule(60, 100, **keys)
            worst = 0.0
            for width, height in [(50, 37), (37, 50), (1, 1), (61, 240), (100, 60), (33, 50), (7, 4)]:
                image = self.noise(width, height)
                expected = simple_faster_rcnn(image.transpose(2, 0, 1).astype(np.float32), caffe, 60, 100)
                got = self.pipe.run(image)
                self.assertEqual(got.shape, expected.shape)
                worst = max(worst, float(np.abs(got - expected).max()))
            # Theirs: a pixel / 255 is rounded, then the resized one, then the result. Ours: a pixel / 255, less the mean, over
            # the std, and twice (a weight, two products, their sum) of such, all rounded. A rounding is at most half an ulp
            # of the range, which the mean and the std make at most 1 / 0.224 wide, or 255.
            bound = (3 + 3 + 2 * 5) * EPSILON * (255 if caffe else 1 / 0.224)
            print(f"simple-faster-rcnn, caffe {caffe}: largest difference {worst:.2e}, bound {bound:.2e}")
            self.assertLess(worst, bound)

    def test_sizes_are_those_of_torchvision(self):
        for shorter, longest in [(800, 1333), (320, 640)]:
            self.torch_rule(shorter, longest)
            transform = GeneralizedRCNNTransform(shorter, longest, [0.0], [1.0]).eval()
            for width, height in sizes(150):
                image = torch.zeros(1, height, width)
                images, _ = transform([image])
                (resized_height, resized_width), padded = images.image_sizes[0], images.tensors.shape
                if 0 in (resized_height, resized_width):
                    continue
                got, scales = self.pipe.fit(width, height)
                self.assertEqual(got, (padded[3], padded[2], resized_width, resized_height), f"{width} x {height}")
                self.assertEqual(scales, (resized_width / width, resized_height / height))

    def test_pixels_are_those_of_torchvision(self):
        self.torch_rule(80, 133)
        transform = GeneralizedRCNNTransform(80, 133, IMAGENET["mean"], IMAGENET["std"]).eval()
        worst = 0.0
        for width, height in [(64, 48), (48, 64), (1, 1), (61, 240), (100, 80), (33, 50), (7, 4)]:
            image = self.noise(width, height)
            planes = torch.from_numpy(image).permute(2, 0, 1).float() / 255
            images, _ = transform([planes])
            got = self.pipe.run(image)
            self.assertEqual(got.shape, tuple(images.tensors.shape[1:]))
            worst = max(worst, float(np.abs(got - images.tensors[0].numpy()).max()))
            h, w = images.image_sizes[0]
            self.assertEqual(np.count_nonzero(got[:, h:]) + np.count_nonzero(got[:, :, w:]), 0)
        # A position of up to 240 pixels is rounded three times, and torch may fuse one of the operations; each moves the
        # result by as much of the range. The blend is twice a few roundings.
        bound = (3 * 240 + 2 * 5) * EPSILON / 0.224
        print(f"torchvision: largest difference {worst:.2e}, bound {bound:.2e}")
        self.assertLess(worst, bound)


if __name__ == "__main__":
    EXECUTABLE = sys.argv.pop(1)
    unittest.main()
