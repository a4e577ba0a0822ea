"""Decoding and preprocessing against PIL and torchvision. Usage: pil_test.py DECODE_PIPE"""

import io
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import torchvision.transforms as T
from PIL import Image

FORMAT = 2  # tyto::ErrorKind::Format
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class DecodeError(Exception):
    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


class Pipe:
    def __init__(self, executable):
        # libjpeg and libpng may remark on damaged files; nobody needs to read that here.
        self.process = subprocess.Popen(
            [executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def ask(self, command):
        self.process.stdin.write((command + "\n").encode())
        self.process.stdin.flush()
        answer = self.process.stdout.readline().decode("utf-8", "replace").split(" ", 2)
        if not answer[0]:
            raise RuntimeError(f"{command}: the decoder died with {self.process.wait()}")
        if answer[0] == "error":
            raise DecodeError(int(answer[1]), answer[2].strip())
        return int(answer[1]), int(answer[2])

    def decode(self, path, exif=False):
        width, height = self.ask(f"decode {int(exif)} {path}")
        return np.frombuffer(self.process.stdout.read(width * height * 3), np.uint8).reshape(height, width, 3)

    def preprocess(self, rule, path):
        self.ask("preprocess " + json.dumps(rule))
        width, height = self.ask(f"input {path}")
        return np.frombuffer(self.process.stdout.read(width * height * 12), np.float32).reshape(3, height, width)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()


def picture(width, height, seed=0):
    """Smooth shapes with edges and a little noise, as a photograph has."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    planes = [np.sin(x * rng.uniform(5, 30) + y * rng.uniform(5, 30) + c) > rng.uniform(-0.5, 0.5) for c in range(3)]
    image = np.stack(planes, -1) * 120 + np.stack([x, y, 1 - x], -1) * 100 + rng.normal(0, 6, (height, width, 3))
    return np.clip(image, 0, 255).astype(np.uint8)


class Images(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pipe = Pipe(EXECUTABLE)
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)

    @classmethod
    def tearDownClass(cls):
        assert cls.pipe.close() == 0
        cls.temporary.cleanup()

    def save(self, image, name, **options):
        path = self.folder / name
        image.save(path, **options)
        return path

    def assert_decodes_like_pil(self, path):
        expected = np.asarray(Image.open(path).convert("RGB"))
        got = self.pipe.decode(path)
        self.assertEqual(got.shape, expected.shape, path.name)
        self.assertEqual(np.count_nonzero(got != expected), 0, path.name)

    def test_jpeg_equals_pil(self):
        for i, (width, height) in enumerate([(1, 1), (7, 5), (16, 16), (333, 217), (640, 480)]):
            image = Image.fromarray(picture(width, height, i))
            for subsampling in (0, 1, 2):
                path = self.save(image, f"a{i}{subsampling}.jpg", quality=80, subsampling=subsampling)
                self.assert_decodes_like_pil(path)
                path = self.save(image, f"p{i}{subsampling}.jpg", progressive=True, subsampling=subsampling)
                self.assert_decodes_like_pil(path)
            self.assert_decodes_like_pil(self.save(image, f"o{i}.jpg", optimize=True, restart_interval=2))
            self.assert_decodes_like_pil(self.save(image.convert("L"), f"g{i}.jpg"))

    def test_png_equals_pil(self):
        rgb = Image.fromarray(picture(65, 43))
        alpha = rgb.convert("RGBA")
        alpha.putalpha(Image.fromarray(picture(65, 43, 1)[..., 0]))
        palette = rgb.quantize(50)
        images = {
            "rgb": rgb,
            "alpha": alpha,
            "grey": rgb.convert("L"),
            "grey_alpha": alpha.convert("LA"),
            "palette": palette,
            "two": rgb.quantize(2),
            "bilevel": rgb.convert("1"),
            "pixel": Image.fromarray(picture(1, 1)),
        }
        for name, image in images.items():
            self.assert_decodes_like_pil(self.save(image, name + ".png"))
        self.assert_decodes_like_pil(self.save(palette, "transparent.png", transparency=3))
        self.assert_decodes_like_pil(self.save(rgb, "key.png", transparency=(120, 100, 9)))
        self.assert_decodes_like_pil(self.save(rgb, "profile.png", icc_profile=b"not a colour profile"))

    def test_webp_bmp_tiff_and_pnm_equal_pil(self):
        rgb = Image.fromarray(picture(129, 77))
        paths = [self.save(rgb, "lossy.webp", quality=70), self.save(rgb, "lossless.webp", lossless=True)]
        for image, name in [(rgb, "rgb"), (rgb.convert("L"), "grey"), (rgb.quantize(40), "palette")]:
            paths += [self.save(image, name + ".bmp"), self.save(image, name + ".tif")]
        paths += [self.save(rgb, "lzw.tiff", compression="tiff_lzw"), self.save(rgb, "a.ppm")]
        paths += [self.save(rgb.convert("L"), "a.pgm")]
        for path in paths:
            self.assert_decodes_like_pil(path)

    def test_sixteen_bit_samples_lose_their_low_byte(self):
        samples = np.random.default_rng(7).integers(0, 65536, (33, 21)).astype(np.uint16)
        path = self.save(Image.fromarray(samples), "deep.png")
        self.assertTrue(np.array_equal(self.pipe.decode(path), np.repeat((samples >> 8)[..., None], 3, -1)))
        path = self.save(Image.fromarray(samples), "deep.tif")
        self.assertTrue(np.array_equal(self.pipe.decode(path), np.repeat((samples >> 8)[..., None], 3, -1)))

    def test_orientation_is_applied_only_when_asked(self):
        image = Image.fromarray(picture(40, 24))
        exif = Image.Exif()
        exif[0x0112] = 6
        path = self.save(image, "turned.jpg", exif=exif)
        self.assert_decodes_like_pil(path)
        upright = np.rot90(np.asarray(Image.open(path)), -1)
        self.assertTrue(np.array_equal(self.pipe.decode(path, exif=True), upright))

    def test_cmyk_jpeg_becomes_three_channels(self):
        path = self.save(Image.fromarray(picture(31, 17)).convert("CMYK"), "cmyk.jpg")
        self.assertEqual(self.pipe.decode(path).shape, (17, 31, 3))

    def assert_no_image(self, content, reason, name="bad.jpg"):
        path = self.folder / name
        path.write_bytes(content)
        with self.assertRaises(DecodeError) as caught:
            self.pipe.decode(path)
        self.assertEqual(caught.exception.kind, FORMAT)
        self.assertIn(f"{path}: not an image (", str(caught.exception))
        self.assertIn(reason, str(caught.exception))

    def encoded(self, image, **options):
        file = io.BytesIO()
        image.save(file, **options)
        return file.getvalue()

    def test_what_is_no_image_is_named_with_its_reason(self):
        image = Image.fromarray(picture(64, 48))
        jpeg, png = self.encoded(image, format="JPEG"), self.encoded(image, format="PNG")
        webp = self.encoded(image, format="WEBP")
        self.assert_no_image(b"", "the file is empty")
        self.assert_no_image(b"hello, this is text\n", "none of JPEG, PNG")
        for cut in (1, 2, 100, len(jpeg) // 2, len(jpeg) - 10):
            self.assert_no_image(jpeg[:-cut], f"truncated JPEG at byte {len(jpeg) - cut}")
        self.assert_no_image(png[:-50], f"truncated PNG at byte {len(png) - 50}")
        self.assert_no_image(png[:60] + b"\xff" + png[61:], "wrong checksum")
        self.assert_no_image(webp[:-9], "truncated WebP")
        self.assert_no_image(b"P6\n100000 100000\n255\nabc", "it declares 100000 x 100000 pixels")
        bmp = self.encoded(image, format="BMP")
        self.assert_no_image(bmp[:18] + struct.pack("<ii", 1 << 20, 1 << 20) + bmp[26:], "pixels; the limit is")
        self.assert_no_image(bmp[:-100], "cannot be decoded")

    def test_damaged_files_decode_or_are_refused(self):
        rng = np.random.default_rng(11)
        image = Image.fromarray(picture(48, 40))
        grey = image.convert("L")
        originals = [self.encoded(i, format=f) for i in (image, grey) for f in ("JPEG", "PNG", "BMP", "TIFF", "PPM")]
        originals += [self.encoded(image, format="WEBP"), self.encoded(image, format="WEBP", lossless=True)]
        originals += [self.encoded(image, format="JPEG", progressive=True), self.encoded(image.quantize(9), format="PNG")]
        originals += [self.encoded(image, format="TIFF", compression="tiff_lzw")]
        path = self.folder / "damaged"
        refused = 0
        for original in originals:
            for _ in range(60):
                content = bytearray(original)
                if rng.random() < 0.3:
                    del content[int(rng.integers(0, len(content))) :]
                # Half of the damage goes to the header, where sizes and offsets stand.
                reach = len(content) if rng.random() < 0.5 else min(len(content), 64)
                for _ in range(int(rng.integers(1, 5)) if reach else 0):
                    content[int(rng.integers(0, reach))] = int(rng.integers(0, 256))
                path.write_bytes(content)
                try:
                    self.assertEqual(self.pipe.decode(path).shape[2], 3)
                except DecodeError as error:
                    refused += 1
                    self.assertEqual(error.kind, FORMAT)
        self.assertGreater(refused, len(originals) * 10)

    def assert_input_equals_torchvision(self, rule, transform, sizes):
        for i, (width, height) in enumerate(sizes):
            path = self.save(Image.fromarray(picture(width, height, i)), "photo.png")
            expected = transform(Image.open(path).convert("RGB")).numpy()
            got = self.pipe.preprocess(rule, path)
            self.assertEqual(np.count_nonzero(got != expected), 0, f"{rule['fit']} of {width} x {height}")

    def test_stretched_input_equals_torchvision(self):
        names = {"pil-bilinear": 2, "pil-bicubic": 3, "pil-lanczos": 1}
        for name, pil_filter in names.items():
            rule = {"size": [256, 128], "resize": name, "fit": "stretch", "channels": "RGB", "scale": "1/255"}
            rule.update(mean=MEAN, std=STD)
            transform = T.Compose([lambda image, f=pil_filter: image.resize((128, 256), f), T.ToTensor()])
            transform.transforms.append(T.Normalize(MEAN, STD))
            self.assert_input_equals_torchvision(rule, transform, [(64, 128), (128, 256), (333, 77), (1, 1)])

    def test_center_cropped_input_equals_torchvision(self):
        sizes = [(640, 480), (480, 640), (256, 256), (255, 257), (300, 1000), (31, 7), (1, 1), (2000, 10), (337, 341)]
        for shorter, height, width in [(256, 224, 224), (235, 224, 199), (100, 131, 64), (20, 33, 31)]:
            rule = {"size": [height, width], "resize": "pil-bilinear", "fit": "center-crop", "shorter_side": shorter}
            rule.update(channels="RGB", scale="1/255", mean=MEAN, std=STD)
            steps = [T.Resize(shorter), T.CenterCrop((height, width)), T.ToTensor(), T.Normalize(MEAN, STD)]
            self.assert_input_equals_torchvision(rule, T.Compose(steps), sizes)

    def test_ssd_rule_subtracts_the_mean_in_bgr(self):
        rule = {"size": [30, 30], "resize": "pil-bilinear", "fit": "stretch", "channels": "BGR", "scale": 1}
        rule.update(mean=[104, 117, 123], std=[1, 1, 1])
        image = Image.fromarray(picture(30, 30))
        bgr = np.asarray(image)[..., ::-1].astype(np.float32) - np.array([104, 117, 123], np.float32)
        got = self.pipe.preprocess(rule, self.save(image, "ssd.png"))
        self.assertTrue(np.array_equal(got, bgr.transpose(2, 0, 1)))


if __name__ == "__main__":
    EXECUTABLE = sys.argv.pop(1)
    unittest.main()
