"""Decoding and preprocessing against PIL and torchvision. Usage: pil_test.py DECODE_PIPE"""

import io
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import torchvision.transforms as T
from image_files import END, SIGNATURE, bmp, chunk, gif, png, run_lengths, tiff
from PIL import Image, ImageOps

FORMAT = 2  # tyto::ErrorKind::Format
FUZZ = int(os.environ.get("TYTO_FUZZ", 30))  # damaged copies of each file
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class DecodeError(Exception):
    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


class Pipe:
    def __init__(self, executable):
        self.remarks = tempfile.TemporaryFile()  # what libraries print
        self.process = subprocess.Popen(
            [executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.remarks
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
        assert self.process.wait() == 0
        self.remarks.seek(0)
        assert self.remarks.read() == b""
        self.remarks.close()


def picture(width, height, seed=0):
    """Smooth shapes with edges and a little noise, as a photograph has."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    planes = [np.sin(x * rng.uniform(5, 30) + y * rng.uniform(5, 30) + c) > rng.uniform(-0.5, 0.5) for c in range(3)]
    image = np.stack(planes, -1) * 120 + np.stack([x, y, 1 - x], -1) * 100 + rng.normal(0, 6, (height, width, 3))
    return np.clip(image, 0, 255).astype(np.uint8)


def noise(height, width, channels, bits=8):
    return np.random.default_rng(bits).integers(0, 1 << bits, (height, width, channels))


def grey_rows(values):
    return np.repeat(np.array(values)[..., None], 3, -1)


class Images(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pipe = Pipe(EXECUTABLE)
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)

    @classmethod
    def tearDownClass(cls):
        cls.pipe.close()
        cls.temporary.cleanup()

    def save(self, image, name, **options):
        path = self.folder / name
        image.save(path, **options)
        return path

    def assert_decodes_like_pil(self, path):
        with Image.open(path) as image:
            expected = np.asarray(image.convert("RGB"))
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
            "wide": Image.new("1", (1_000_001, 1), 1),
        }
        for name, image in images.items():
            self.assert_decodes_like_pil(self.save(image, name + ".png"))
        self.assert_decodes_like_pil(self.save(palette, "transparent.png", transparency=3))
        self.assert_decodes_like_pil(self.save(rgb, "key.png", transparency=(120, 100, 9)))
        self.assert_decodes_like_pil(self.save(rgb, "profile.png", icc_profile=b"not a colour profile"))
        self.assert_decodes_like_pil(self.save(rgb, "moving.png", save_all=True, append_images=[rgb.rotate(90)]))
        private = chunk(b"prVt", bytes(8_000_001))
        self.assert_bytes_decode_like_pil(png(noise(2, 2, 1), 8, 0, extra=private), "private.png")

    def test_webp_bmp_tiff_and_pnm_equal_pil(self):
        rgb = Image.fromarray(picture(129, 77))
        paths = [self.save(rgb, "lossy.webp", quality=70), self.save(rgb, "lossless.webp", lossless=True)]
        for image, name in [(rgb, "rgb"), (rgb.convert("L"), "grey"), (rgb.quantize(40), "palette")]:
            paths += [self.save(image, name + ".bmp"), self.save(image, name + ".tif")]
        paths += [self.save(rgb, "lzw.tiff", compression="tiff_lzw"), self.save(rgb, "a.ppm")]
        paths += [self.save(rgb.convert("L"), "a.pgm")]
        for path in paths:
            self.assert_decodes_like_pil(path)

    def assert_bytes_decode_like_pil(self, content, name):
        path = self.folder / name
        path.write_bytes(content)
        self.assert_decodes_like_pil(path)

    def assert_bytes_decode_to(self, content, expected, name):
        path = self.folder / name
        path.write_bytes(content)
        self.assertTrue(np.array_equal(self.pipe.decode(path), expected), name)

    def test_every_depth_and_colour_type_of_png_equals_pil(self):
        kinds = [
            (1, 0, 1),
            (2, 0, 1),
            (4, 0, 1),
            (8, 0, 1),
            (8, 2, 3),
            (16, 2, 3),
            (8, 4, 2),
            (16, 4, 2),
            (8, 6, 4),
            (16, 6, 4),
        ]
        kinds += [(bits, 3, 1) for bits in (1, 2, 4, 8)]
        for bits, colour, channels in kinds:
            # Fewer colours than indices: PIL has grey for the others.
            palette = chunk(b"PLTE", bytes(range(3, 3 + 3 * min(70, 1 << bits)))) if colour == 3 else b""
            for interlaced in (False, True):
                for height, width in [(9, 21), (1, 1), (2, 3)]:
                    content = png(noise(height, width, channels, bits), bits, colour, interlaced, palette)
                    self.assert_bytes_decode_like_pil(content, f"{bits}-{colour}-{interlaced}-{width}.png")

    def test_png_is_read_on_where_pil_reads_on(self):
        pixels = noise(7, 5, 3)
        whole = png(pixels, 8, 2)
        start, data = whole[:33], whole[41:-16]
        text = chunk(b"tEXt", b"a\0b", 5)
        after = {"data checksum": chunk(b"IDAT", data, 5) + END, "text checksum": chunk(b"IDAT", data) + text + END}
        after["no end"] = chunk(b"IDAT", data)
        after["neither checksum nor end"] = chunk(b"IDAT", data)[:-6]
        after["in pieces"] = (
            chunk(b"IDAT", b"") + chunk(b"IDAT", data[:9]) + chunk(b"IDAT", b"") + chunk(b"IDAT", data[9:]) + END
        )
        after["junk"] = chunk(b"IDAT", data) + END + b"junk"
        for name, rest in after.items():
            self.assert_bytes_decode_like_pil(start + rest, name + ".png")
            self.assert_bytes_decode_to(start + rest, pixels, name + ".png")
        self.assert_no_image(start + text + chunk(b"IDAT", data) + END, "tEXt: CRC error")
        self.assert_no_image(start + chunk(b"IDAT", data[:-4] + b"abcd") + END, "IDAT: ADLER32 checksum mismatch")

    def test_every_kind_of_tiff_equals_pil(self):
        kinds = [(p, bits, 1, ()) for p in (0, 1, 3) for bits in (1, 2, 4, 8)] + [(1, 8, 2, (2,)), (3, 8, 2, (2,))]
        kinds += [(2, 8, 3, ()), (2, 8, 4, ()), (2, 8, 4, (0,)), (2, 8, 4, (1,)), (2, 8, 4, (2,)), (2, 8, 4, (999,))]
        kinds += [(2, 8, 5, (0, 0)), (2, 8, 5, (1, 0)), (2, 8, 6, (2, 0, 0)), (5, 8, 4, ()), (5, 8, 5, (0,))]
        kinds += [(2, 16, 3, ()), (2, 16, 4, (0,)), (2, 16, 4, (1,)), (2, 16, 4, (2,))]
        for photometric, bits, channels, extra in kinds:
            more = [(320, 3, list(range(500, 500 + 80 * (3 << bits), 80)))] if photometric == 3 else []
            for options in ({"order": ">"}, {"tile": 16}, {"big": True}):
                content = tiff(noise(11, 19, channels, bits), photometric, bits, extra=extra, more=more, **options)
                self.assert_bytes_decode_like_pil(content, f"{photometric}-{bits}-{channels}{extra}{options}.tif")
        for extra in ((), (0,), (2,)):
            self.assert_bytes_decode_like_pil(
                tiff(noise(11, 19, 3 + len(extra)), 2, planes=True, extra=extra), "planes.tif"
            )
        for orientation in range(1, 9):
            self.assert_bytes_decode_like_pil(tiff(noise(5, 7, 3), 2, more=[(274, 3, [orientation])]), "turned.tif")

    def test_every_compression_of_tiff_equals_pil(self):
        rgb = Image.fromarray(picture(41, 27))
        for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma"):
            for mode in ("L", "RGB", "CMYK"):
                self.assert_decodes_like_pil(self.save(rgb.convert(mode), "a.tif", compression=compression))
        for compression in ("group3", "group4", "tiff_ccitt"):
            self.assert_decodes_like_pil(self.save(rgb.convert("1"), "a.tif", compression=compression))
        self.assert_decodes_like_pil(self.save(rgb, "a.tif", compression="tiff_lzw", tiffinfo={317: 2}))
        self.assert_decodes_like_pil(self.save(rgb.convert("YCbCr"), "a.tif", compression="jpeg"))

    def test_sixteen_bit_grey_loses_its_low_byte(self):
        samples = noise(33, 21, 1, 16)
        high = np.repeat(samples >> 8, 3, -1)
        self.assert_bytes_decode_to(png(samples, 16, 0), high, "deep.png")
        self.assert_bytes_decode_to(tiff(samples, 1, 16, order=">"), high, "deep.tif")
        self.assert_bytes_decode_to(b"P5 21 33 65535\n" + samples.astype(">u2").tobytes(), high, "deep.pgm")
        top = samples.astype(int).max()
        scaled = np.repeat(np.rint(samples / top * 65535).astype(int) >> 8, 3, -1)
        self.assert_bytes_decode_to(b"P5 21 33 %d\n" % top + samples.astype(">u2").tobytes(), scaled, "deep.pgm")

    def test_every_depth_and_header_of_bmp_equals_pil(self):
        rng = np.random.default_rng(4)
        for bits in (1, 4, 8, 16, 24, 32):
            rows = rng.bytes((19 * bits + 31) // 32 * 4 * 7)
            for header, colour in [(12, 3), (40, 4), (64, 4), (108, 4), (124, 4)]:
                colours = rng.bytes(colour << bits) if bits <= 8 else b""
                self.assert_bytes_decode_like_pil(
                    bmp(19, 7, bits, rows, colours=colours, header=header), f"{bits}-{header}.bmp"
                )
            colours = rng.bytes(8) if bits <= 8 else b""
            self.assert_bytes_decode_like_pil(
                bmp(19, -7, bits, rows, colours=colours, count=len(colours) // 4), "down.bmp"
            )
            self.assert_bytes_decode_like_pil(
                bmp(19, 7, bits, rows, colours=colours, count=len(colours) // 4, file_header=False), "a.dib"
            )

    def test_masks_of_bmp_equal_pil(self):
        rng = np.random.default_rng(5)
        layouts = [(16, 0xF800, 0x7E0, 0x1F, 0), (16, 0x7C00, 0x3E0, 0x1F, 0), (24, 0xFF0000, 0xFF00, 0xFF, 0)]
        layouts += [
            (32, 0xFF0000, 0xFF00, 0xFF, 0),
            (32, 0xFF000000, 0xFF0000, 0xFF00, 0),
            (32, 0xFF, 0xFF00, 0xFF0000, 0xFF000000),
        ]
        layouts += [
            (32, 0xFF0000, 0xFF00, 0xFF, 0xFF000000),
            (32, 0xFF000000, 0xFF0000, 0xFF00, 0xFF),
            (32, 0, 0, 0, 0),
        ]
        for bits, *masks in layouts:
            rows = rng.bytes((19 * bits + 31) // 32 * 4 * 7)
            self.assert_bytes_decode_like_pil(bmp(19, 7, bits, rows, 3, masks=masks, header=108), f"{masks}.bmp")
            if masks[3] == 0:
                self.assert_bytes_decode_like_pil(
                    bmp(19, 7, bits, rows, 3, masks=masks[:3], header=52, size=40), f"{masks}.bmp"
                )

    def test_run_lengths_of_bmp_equal_pil(self):
        rng = np.random.default_rng(6)
        for bits, compression in ((8, 1), (4, 2)):
            content = bmp(19, 7, bits, run_lengths(rng, 19, 7, bits), compression, colours=rng.bytes(4 << bits))
            self.assert_bytes_decode_like_pil(content, f"rle{bits}.bmp")
        # Where PIL 9.4 loses its way: a skip (a column on and a row up), odd numbers of half bytes.
        greys = bytes(v // 4 for v in range(1024))
        skip = bmp(4, 3, 8, bytes([2, 1, 0, 2, 1, 1, 3, 5, 0, 0, 2, 7, 0, 0, 0, 1]), 1, colours=greys)
        self.assert_bytes_decode_to(skip, grey_rows([[7, 7, 0, 0], [0, 0, 0, 5], [1, 1, 0, 0]]), "skip.bmp")
        halves = bmp(3, 1, 4, bytes([0, 3, 0x12, 0x30, 0, 1]), 2, colours=greys[:64])
        self.assert_bytes_decode_to(halves, grey_rows([[1, 2, 3]]), "halves.bmp")
        self.assert_no_image(bmp(4, 3, 8, bytes([2, 1, 0, 1]), 1, colours=greys), "run lengths end before its pixels")

    def test_white_of_netpbm_is_its_maximum(self):
        rng = np.random.default_rng(7)
        for kind, channels in ((2, 1), (3, 3), (5, 1), (6, 3)):
            for top in (1, 15, 100, 254, 255) + ((256, 1000, 65535) if channels == 3 else ()):
                samples = rng.integers(0, top + 1, 5 * 7 * channels)
                text = " ".join(map(str, samples)).encode()
                content = text if kind <= 3 else samples.astype(">u2" if top > 255 else "u1").tobytes()
                self.assert_bytes_decode_like_pil(
                    b"P%d\n# by a camera\n7 5 %d\n" % (kind, top) + content, f"{kind}-{top}.pnm"
                )
        self.assert_bytes_decode_like_pil(b"P5 4 1 100\n" + bytes([99, 100, 101, 255]), "beyond white.pgm")
        self.assert_bytes_decode_like_pil(b"P4 11 2\n" + rng.bytes(4), "binary.pbm")
        self.assert_bytes_decode_like_pil(b"P1\n7 2 # size\n10101 01\n1#ones\n 1 1 0 0 0 0", "text.pbm")

    def test_first_frame_of_gif_equals_pil(self):
        rgb = Image.fromarray(picture(61, 43))
        for mode in ("P", "L", "1"):
            for interlace in (0, 1):
                self.assert_decodes_like_pil(self.save(rgb.convert(mode), "a.gif", interlace=interlace))
        self.assert_decodes_like_pil(self.save(rgb.quantize(30), "clear.gif", transparency=3))
        self.assert_decodes_like_pil(self.save(rgb, "moving.gif", save_all=True, append_images=[rgb.rotate(90)]))
        rng = np.random.default_rng(8)
        colours, others = rng.bytes(48), rng.bytes(24)
        for frame in ((0, 0, 9, 7), (2, 1, 5, 4), (5, 4, 9, 7)):
            for clear in (None, 7):
                for own in (b"", others):
                    for shared in (colours, b""):
                        self.assert_bytes_decode_like_pil(gif(rng, (9, 7), frame, shared, own, clear), "frame.gif")
        self.assert_bytes_decode_like_pil(gif(rng, (9, 7), (0, 0, 9, 7), colours[:12]), "few colours.gif")
        whole = gif(rng, (9, 7), (0, 0, 9, 7), colours)
        for content in (whole[:-1], whole[:-2], whole + b"junk", whole[:61] + b"junk" + whole[61:]):
            self.assert_bytes_decode_like_pil(content, "odd.gif")

    def test_webp_with_alpha_and_animations_equal_pil(self):
        rgba = Image.fromarray(np.concatenate([picture(61, 43), picture(61, 43, 1)[..., :1]], -1), "RGBA")
        for image in (rgba, rgba.convert("RGB")):
            for options in ({}, {"lossless": True, "exact": True}):
                self.assert_decodes_like_pil(self.save(image, "still.webp", **options))
                options.update(save_all=True, append_images=[image.rotate(90)])
                self.assert_decodes_like_pil(self.save(image, "moving.webp", **options))

    def test_cmyk_jpeg_equals_pil(self):
        image = Image.fromarray(picture(31, 17)).convert("CMYK")
        self.assert_decodes_like_pil(self.save(image, "cmyk.jpg"))
        ycck = self.encoded(image, format="JPEG", subsampling=2)
        adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x02"
        self.assert_bytes_decode_like_pil(ycck[:2] + adobe + ycck[ycck.index(b"\xff\xdb") :], "ycck.jpg")

    def test_jpeg_may_lack_its_end_or_have_a_trailer(self):
        image = Image.fromarray(picture(64, 48))
        for options in ({}, {"restart_interval": 2}, {"progressive": True}):
            jpeg = self.encoded(image, format="JPEG", **options)
            pixels = np.asarray(Image.open(io.BytesIO(jpeg)))
            self.assert_bytes_decode_to(jpeg + b"\0\1SEFT" * 50, pixels, "trailer.jpg")
            if "progressive" in options:  # more scans might have come
                self.assert_no_image(jpeg[:-2], "truncated JPEG")
                continue
            for end in (b"", b"\xff", b"\0\1SEFT" * 50):
                self.assert_bytes_decode_to(jpeg[:-2] + end, pixels, "no end.jpg")
            for cut in (3, 4, 10, len(jpeg) // 3, len(jpeg) // 2):
                self.assert_no_image(jpeg[:-cut], f"truncated JPEG at byte {len(jpeg) - cut}")

    def test_orientation_is_applied_only_when_asked(self):
        image = Image.fromarray(picture(40, 24))
        for orientation in range(1, 9):
            exif = Image.Exif()
            exif[0x0112] = orientation
            for name in ("turned.jpg", "turned.png", "turned.webp"):
                path = self.save(image, name, exif=exif)
                self.assert_decodes_like_pil(path)
                upright = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
                self.assertTrue(np.array_equal(self.pipe.decode(path, exif=True), upright), f"{name} {orientation}")

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
        png_file, webp, bmp_file = (self.encoded(image, format=f) for f in ("PNG", "WEBP", "BMP"))
        self.assert_no_image(b"", "the file is empty")
        self.assert_no_image(b"hello, this is text\n", "none of JPEG, PNG")
        self.assert_no_image(png_file[:-50], f"truncated PNG at byte {len(png_file) - 50}")
        self.assert_no_image(png_file[:20] + b"\xff" + png_file[21:], "IHDR: CRC error")
        self.assert_no_image(webp[:-9], "truncated WebP")
        self.assert_no_image(self.encoded(image, format="GIF")[:-90], "truncated GIF")
        self.assert_no_image(b"GIF89a\1\0\1\0\0\0\0;", "a GIF without a picture")
        self.assert_no_image(b"GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\1\x3c\0;", "a code that no code precedes")
        self.assert_no_image(b"GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\1\5\0;", "a GIF with too little image data")
        self.assert_no_image(b"P6\n100000 100000\n255\nabc", "it declares 100000 x 100000 pixels")
        self.assert_no_image(
            bmp_file[:18] + struct.pack("<ii", 1 << 20, 1 << 20) + bmp_file[26:], "pixels; the limit is"
        )
        self.assert_no_image(bmp_file[:-100], "truncated BMP")
        self.assert_no_image(self.encoded(image, format="TIFF")[:-100], "a TIFF that cannot be decoded: ")

    def test_a_header_that_its_decoder_refuses_is_no_image(self):
        jpeg = self.encoded(Image.fromarray(picture(64, 48)), format="JPEG")
        frame, table = jpeg.index(b"\xff\xc0"), jpeg.index(b"\xff\xdb")
        self.assert_no_image(jpeg[: frame + 1] + b"\xc3" + jpeg[frame + 2 :], "SOF type 0xc3")
        self.assert_no_image(jpeg[: frame + 1] + b"\xc5" + jpeg[frame + 2 :], "SOF type 0xc5")
        self.assert_no_image(jpeg[: frame + 4] + b"\x0c" + jpeg[frame + 5 :], "Unsupported JPEG data precision 12")
        self.assert_no_image(jpeg[: table + 4] + b"\x07" + jpeg[table + 5 :], "a JPEG that cannot be decoded")
        self.assert_no_image(SIGNATURE + png(noise(2, 2, 1), 8, 0)[8:33] + END, "a PNG without image data")
        self.assert_no_image(png(noise(2, 4, 1, 4), 4, 2), "Invalid color type/bit depth combination")
        self.assert_no_image(b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(10), "WebP")
        self.assert_no_image(
            bmp(4, 4, 16, bytes(32), 3, masks=(0xF00, 0xF0, 0xF, 0), header=108), "masks f00, f0, f and 0"
        )
        self.assert_no_image(bmp(4, 4, 0, jpeg, 4), "a BMP of 0 bits a pixel")
        self.assert_no_image(bmp(4, 4, 24, jpeg, 4), "a BMP that holds a JPEG")
        self.assert_no_image(bmp(4, 4, 2, bytes(16)), "a BMP of 2 bits")
        self.assert_no_image(b"P5\n4 4\n70000\n" + bytes(64), "white is 70000")
        self.assert_no_image(b"P2 2 1 100 101 3", "a sample of 101")

    def test_tiff_without_a_white_is_refused_by_its_kind(self):
        kinds = {"floating-point samples": (1, 32, 1, (), 3), "a grey TIFF of 32-bit": (1, 32, 1, (), 1)}
        kinds.update(
            {"16-bit signed": (1, 16, 1, (), 2), "CIE Lab": (8, 8, 3, (), None), "7 a pixel": (2, 8, 7, (0,) * 4, None)}
        )
        kinds["a grey (white is 0) TIFF of 16-bit"] = (0, 16, 1, (), None)
        for reason, (photometric, bits, channels, extra, sample_format) in kinds.items():
            samples = noise(3, 4, channels, min(bits, 15))
            self.assert_no_image(tiff(samples, photometric, bits, extra=extra, format=sample_format), reason)

    def test_formats_that_are_not_read_are_named(self):
        starts = {
            "HEIC": b"\0\0\0\x18ftypheic",
            "AVIF": b"\0\0\0\x1cftypavif",
            "JPEG XL": b"\xff\x0a",
            "PAM": b"P7\nWIDTH 1",
        }
        starts.update(
            {
                "PFM": b"PF\n2 2\n-1\n",
                "a Photoshop document": b"8BPS\0\1",
                "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1",
            }
        )
        for name, start in starts.items():
            self.assert_no_image(start + bytes(40), f"({name}")
        image = Image.fromarray(picture(16, 16))
        for format, name in (("JPEG2000", "JPEG 2000"), ("TGA", "Targa"), ("ICO", "an icon")):
            self.assert_no_image(self.encoded(image, format=format), f"({name}")

    def test_damaged_files_decode_or_are_refused(self):
        rng = np.random.default_rng(11)
        image = Image.fromarray(picture(48, 40))
        grey = image.convert("L")
        frames = {"save_all": True, "append_images": [image.rotate(90)]}
        originals = [
            self.encoded(i, format=f) for i in (image, grey) for f in ("JPEG", "PNG", "BMP", "TIFF", "PPM", "GIF")
        ]
        originals += [self.encoded(image, format="WEBP"), self.encoded(image, format="WEBP", lossless=True)]
        originals += [self.encoded(image, format="WEBP", **frames), self.encoded(image, format="GIF", **frames)]
        originals += [
            self.encoded(image, format="JPEG", progressive=True),
            self.encoded(image.quantize(9), format="PNG"),
        ]
        originals += [self.encoded(image, format="JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0")]
        originals += [self.encoded(image.convert("CMYK"), format="JPEG"), png(noise(9, 11, 4, 16), 16, 6, True)]
        originals += [
            self.encoded(image, format="TIFF", compression=c) for c in ("tiff_lzw", "jpeg", "tiff_adobe_deflate")
        ]
        originals += [self.encoded(image.convert("1"), format="TIFF", compression="group4")]
        originals += [
            tiff(noise(19, 9, 4), 2, tile=16, big=True),
            tiff(noise(19, 9, 3), 2, planes=True),
            tiff(noise(6, 6, 3), 6),
        ]
        originals += [bmp(19, 7, 8, run_lengths(rng, 19, 7, 8), 1, colours=rng.bytes(1024))]
        originals += [
            bmp(19, 7, 4, run_lengths(rng, 19, 7, 4), 2, colours=rng.bytes(64)),
            b"P3 2 2 9\n1 2 3 4 5 6 7 8 9 1 2 3",
            b"P1 4 2 01011010",
        ]
        path = self.folder / "damaged"
        refused = 0
        for original in originals:
            for _ in range(FUZZ):
                content = bytearray(original)
                if rng.random() < 0.3:
                    del content[int(rng.integers(0, len(content))) :]
                # Half of the damage goes to the header, where sizes and offsets stand.
                reach = len(content) if rng.random() < 0.5 else min(len(content), 64)
                for _ in range(int(rng.integers(1, 5)) if reach else 0):
                    content[int(rng.integers(0, reach))] = int(rng.integers(0, 256))
                path.write_bytes(content)
                try:
                    self.assertEqual(self.pipe.decode(path, exif=True).shape[2], 3)
                except DecodeError as error:
                    refused += 1
                    self.assertEqual(error.kind, FORMAT)
        self.assertGreater(refused, len(originals) * 10)

    def assert_input_equals_torchvision(self, rule, transform, sizes):
        for i, (width, height) in enumerate(sizes):
            path = self.save(Image.fromarray(picture(width, height, i)), "photo.png")
            expected = transform(Image.open(path).convert("RGB")).numpy()
            got = self.pipe.preprocess(rule, path)
            self.assertEqual(got.shape, expected.shape, f"{rule['fit']} of {width} x {height}")
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

    def test_bottom_cropped_input_equals_pil(self):
        """Lift-Splat-Shoot's arithmetic (sample_augmentation, img_transform)."""
        sizes = [(1600, 900), (900, 1600), (1601, 903), (1600, 400), (50, 37), (64, 9), (1, 1), (7, 300)]
        for bottom, height, width in [(0.11, 128, 352), (0.21, 33, 31), (0.0, 20, 60)]:
            rule = {"size": [height, width], "resize": "pil-bicubic", "fit": "bottom-crop", "bottom": bottom}
            rule.update(channels="RGB", scale="1/255", mean=MEAN, std=STD)

            def crop(image, bottom=bottom, height=height, width=width):
                scale = max(height / image.height, width / image.width)
                across, down = int(image.width * scale), int(image.height * scale)
                left, top = int(max(0, across - width) / 2), int((1 - bottom) * down) - height
                return image.resize((across, down), Image.BICUBIC).crop((left, top, left + width, top + height))

            steps = [crop, T.ToTensor(), T.Normalize(MEAN, STD)]
            self.assert_input_equals_torchvision(rule, T.Compose(steps), sizes)

    def test_input_as_large_as_the_resized_image_equals_torchvision(self):
        sizes = [(64, 48), (48, 64), (30, 30), (29, 31), (300, 70), (31, 7), (7, 31), (1, 1), (337, 341), (1000, 30)]
        for shorter, longest in [(30, None), (30, 50), (41, 42), (30, 34)]:
            rule = {"resize": "pil-bilinear", "fit": "shorter-side", "shorter_side": shorter}
            rule.update({} if longest is None else {"longest_side": longest})
            rule.update(channels="RGB", scale="1/255", mean=MEAN, std=STD)
            steps = [T.Resize(shorter, max_size=longest), T.ToTensor(), T.Normalize(MEAN, STD)]
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
