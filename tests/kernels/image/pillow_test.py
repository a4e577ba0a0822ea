"""The image kernels against Pillow, torch and scikit-image. Usage: pillow_test.py IMAGE_PIPE"""

import math
import subprocess
import sys
import unittest

import numpy as np
import skimage.transform
import torch
from PIL import Image

BILINEAR, BICUBIC, LANCZOS, _, TORCH, SKIMAGE = range(6)  # tyto::kernels::Resampling
PIL_FILTER = {BILINEAR: Image.BILINEAR, BICUBIC: Image.BICUBIC, LANCZOS: Image.LANCZOS}


class Pipe:
    def __init__(self, executable):
        self.process = subprocess.Popen([executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, command, array, count, dtype):
        self.process.stdin.write((command + "\n").encode() + array.tobytes())
        self.process.stdin.flush()
        return np.frombuffer(self.process.stdout.read(count * np.dtype(dtype).itemsize), dtype)

    def resize(self, image, width, height, method, window=None):
        x, y, w, h = window or (0, 0, width, height)
        command = f"resize {method} {image.shape[1]} {image.shape[0]} {width} {height} {x} {y} {w} {h}"
        return self.ask(command, image, w * h * 3, np.uint8).reshape(h, w, 3)

    def bicubic(self, planes, scale):
        n, h, w = planes.shape
        height, width = math.floor(h * scale), math.floor(w * scale)
        command = f"bicubic {n} {h} {w} {scale!r}"
        return self.ask(command, planes, n * height * width, np.float32).reshape(n, height, width)

    def floats(self, image, width, height, method, window=None):
        x, y, w, h = window or (0, 0, width, height)
        command = f"floats {method} {image.shape[1]} {image.shape[0]} {width} {height} {x} {y} {w} {h}"
        return self.ask(command, image, w * h * 3, np.float32).reshape(3, h, w)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()


def noise(rng, width, height):
    """Bytes of which many are 0 or 255, so that overshoot of the filters is clamped."""
    image = rng.integers(-128, 384, (height, width, 3))
    return np.clip(image, 0, 255).astype(np.uint8)


class ImageKernels(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pipe = Pipe(EXECUTABLE)

    @classmethod
    def tearDownClass(cls):
        assert cls.pipe.close() == 0

    def assert_equals_pillow(self, image, width, height):
        for method, pil_filter in PIL_FILTER.items():
            expected = np.asarray(Image.fromarray(image).resize((width, height), pil_filter))
            differing = np.count_nonzero(self.pipe.resize(image, width, height, method) != expected)
            self.assertEqual(differing, 0, f"filter {method}, {image.shape} to {height} x {width}")

    def test_resize_equals_pillow_on_ugly_sizes(self):
        rng = np.random.default_rng(1)
        sizes = [(1, 1), (1, 2), (1, 97), (61, 1), (2, 3), (3, 2), (7, 9), (8, 8), (11, 33), (31, 64), (101, 103)]
        for w, h in sizes:
            image = noise(rng, w, h)
            for width, height in sizes + [(w, 50), (50, h), (2 * w, 2 * h), (max(w // 2, 1), max(h // 2, 1))]:
                self.assert_equals_pillow(image, width, height)

    def test_resize_equals_pillow_on_random_sizes(self):
        rng = np.random.default_rng(2)
        for _ in range(150):
            w, h, width, height = (int(2 ** rng.uniform(0, 9)) for _ in range(4))
            self.assert_equals_pillow(noise(rng, w, h), width, height)

    def test_resize_equals_pillow_on_photograph_and_panorama_sizes(self):
        rng = np.random.default_rng(3)
        for w, h in [(640, 480), (64, 128), (3001, 997), (20000, 30), (3, 9000)]:
            image = noise(rng, w, h)
            for width, height in [(128, 256), (224, 224), (300, 300)]:
                self.assert_equals_pillow(image, width, height)

    def test_a_window_is_a_crop_of_the_whole(self):
        rng = np.random.default_rng(4)
        for _ in range(100):
            w, h, width, height = (int(rng.integers(1, 120)) for _ in range(4))
            if rng.random() < 0.3:
                width = w
            if rng.random() < 0.3:
                height = h
            x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
            window = (x, y, int(rng.integers(1, width - x + 1)), int(rng.integers(1, height - y + 1)))
            image = noise(rng, w, h)
            for method in range(4):
                whole = self.pipe.resize(image, width, height, method)
                part = self.pipe.resize(image, width, height, method, window)
                self.assertTrue(np.array_equal(part, whole[y : y + window[3], x : x + window[2]]), window)

    def test_bicubic_rescaling_equals_torch(self):
        rng = np.random.default_rng(5)
        worst = 0.0
        for scale in [math.sqrt(1.1), math.sqrt(1.2), 1.0, 0.5, 0.77, 2.0, 3.3]:
            for n, h, w in [(3, 256, 128), (2, 7, 5), (1, 2, 3), (6, 33, 17)]:
                planes = rng.normal(size=(n, h, w)).astype(np.float32)
                expected = torch.nn.functional.interpolate(
                    torch.from_numpy(planes)[None], scale_factor=scale, mode="bicubic", align_corners=False
                )[0].numpy()
                got = self.pipe.bicubic(planes, scale)
                self.assertEqual(got.shape, expected.shape)
                worst = max(worst, float(np.abs(got - expected).max() / np.abs(planes).max()))
        # Torch fuses some multiplications with the additions after them; each such rounding moves a weight, at most
        # 1.05, or a partial sum by half an ulp. A weight takes 4 roundings, a sum of four products 7 more, and the
        # absolute weights of an axis add up to less than 1.5: (4 + 7) roundings an axis, two axes, 1.5^2 in size.
        bound = 2 * 11 * 1.5**2 * 2.0**-24
        print(f"bicubic: largest difference {worst:.2e} of the largest input, bound {bound:.2e}")
        self.assertLess(worst, bound)

    def test_bilinear_resize_of_floats_equals_torch(self):
        rng = np.random.default_rng(6)
        worst = 0.0
        sizes = [(1, 1), (1, 7), (3, 2), (300, 300), (301, 299), (640, 480), (20000, 3), (97, 1001)]
        for w, h in sizes:
            image = noise(rng, w, h)
            planes = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]
            for width, height in [(300, 300), (320, 320), (1, 1), (2, 5), (w, h)]:
                expected = torch.nn.functional.interpolate(planes, size=(height, width), mode="bilinear", align_corners=False)
                got = self.pipe.floats(image, width, height, TORCH)
                worst = max(worst, float(np.abs(got - expected[0].numpy()).max()) / 255)
                window = (width // 3, height // 4, width - width // 3, height - height // 4)
                part = self.pipe.floats(image, width, height, TORCH, window)
                self.assertTrue(np.array_equal(part, got[:, window[1] :, window[0] :]))
        # A position along an axis of up to 20000 pixels is rounded three times: 20000 * 3 * 2^-24 pixels, and torch may fuse
        # one of the operations. Each moves the result by at most as much of the range; the blend itself is a few ulp.
        bound = 20000 * 3 * 2.0**-24 + 8 * 2.0**-24
        print(f"bilinear: largest difference {worst:.2e} of the range, bound {bound:.2e}")
        self.assertLess(worst, bound)

    def test_bilinear_resize_of_floats_equals_scikit_image(self):
        rng = np.random.default_rng(7)
        worst = 0.0
        sizes = [(1, 1), (1, 7), (3, 2), (2, 3), (97, 61), (301, 299), (640, 480), (5000, 3)]
        for w, h in sizes:
            image = noise(rng, w, h)
            planes = image.astype(np.float32).transpose(2, 0, 1)
            for width, height in [(300, 300), (1, 1), (2, 5), (w, h), (w + 1, 2 * h)]:
                # As simple-faster-rcnn-pytorch calls it.
                expected = skimage.transform.resize(planes, (3, height, width), mode="reflect", anti_aliasing=False)
                got = self.pipe.floats(image, width, height, SKIMAGE)
                worst = max(worst, float(np.abs(got - expected).max()) / 255)
                window = (width // 3, height // 4, width - width // 3, height - height // 4)
                part = self.pipe.floats(image, width, height, SKIMAGE, window)
                self.assertTrue(np.array_equal(part, got[:, window[1] :, window[0] :]))
        # Positions are doubles on both sides. A weight is rounded to float, and so is the other, which is 1 less it; a blend
        # is two products and a sum, each rounded: half an ulp of the range each, and that twice. Theirs is rounded once.
        bound = (2 * 5 + 1) * 2.0**-24
        print(f"scikit-image: largest difference {worst:.2e} of the range, bound {bound:.2e}")
        self.assertLess(worst, bound)


if __name__ == "__main__":
    EXECUTABLE = sys.argv.pop(1)
    unittest.main()
