"""tyto extract, end to end from image files."""
import os
import subprocess
import unittest

import numpy as np
import scipy.io
import torch
from PIL import Image
from torch.nn.functional import interpolate
from torchvision import transforms

import reference_networks as ref
from tyto_process import TYTO, load_tensors, tyto
from workplace import Workplace, feature_paths, picture, read_bytes

# Cosine of the same image's features. Raw outputs agree within 1e-4 (test_networks.py), which costs a cosine 1e-8.
SAME = 0.99999
# Above this two images would not be told apart, and the comparison would prove nothing.
DIFFERENT = 0.999
# Batch sizes may choose other algorithms: fp32 rounding of features of unit length.
BATCH_ROUNDING = 1e-5

FT_NET_RULE = transforms.Compose([
    transforms.Resize((256, 128), interpolation=transforms.InterpolationMode.BICUBIC),
    transforms.ToTensor(),
    transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
])


def reference_features(network, files, scales=(1,), flip=True):
    """Person_reID_baseline_pytorch's test.py: the scales of an orientation compound."""
    batch = torch.stack([FT_NET_RULE(Image.open(f).convert("RGB")) for f in files])
    total = 0
    with torch.no_grad():
        for x in (batch, torch.flip(batch, (3,))) if flip else (batch,):
            for scale in scales:
                if scale != 1:
                    x = interpolate(x, scale_factor=scale**0.5, mode="bicubic", align_corners=False)
                total = total + network(x)["features"]
    return (total / total.norm(dim=1, keepdim=True)).numpy()


class AgainstPyTorch(Workplace):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        os.mkdir(cls.at("images"))
        rgba = picture(5).convert("RGBA")
        rgba.putalpha(Image.linear_gradient("L").resize(rgba.size))
        for name, image, options in (
                ("01.jpg", picture(1, 64, 128), {"quality": 90}), ("02.jpeg", picture(2, 301, 97), {"quality": 60}),
                ("03.JPG", picture(3).convert("L"), {}), ("04.png", picture(4, 128, 256), {}), ("05.png", rgba, {}),
                ("06.png", picture(6).convert("L"), {}), ("07.png", picture(7).convert("P"), {}),
                ("08.webp", picture(8), {"quality": 80}), ("09.webp", picture(9, 33, 47), {"lossless": True}),
                ("10.bmp", picture(10, 20, 500), {}), ("11.jpg", picture(11), {"progressive": True}),
                ("12.png", picture(12, 1, 1), {})):
            image.save(cls.at("images", name), **options)
        cls.files = [cls.at("images", name) for name in sorted(os.listdir(cls.at("images")))]

    def compare(self, features, network, **rule):
        want = reference_features(network, self.files, **rule)
        self.assertEqual(features.shape, want.shape)
        np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-6)
        cosines = features.astype(float) @ want.T.astype(float)
        self.assertGreater(cosines.diagonal().min(), SAME)
        self.assertLess((cosines - np.eye(len(want))).max(), DIFFERENT)

    def features(self, *options, threads=1):
        path, _ = self.extract("f.safetensors", "--gallery", self.at("images"), *options, threads=threads)
        self.assertEqual(feature_paths(path), {"gallery": [os.path.basename(f) for f in self.files]})
        return load_tensors(path)["gallery.features"]

    def test_every_image_format(self):
        self.compare(self.features(), self.network)

    def test_without_flip(self):
        self.compare(self.features("--no-flip"), self.network, flip=False)

    def test_scales_compound(self):
        self.compare(self.features("--multi-scale", "1,1.1"), self.network, scales=(1, 1.1))
        self.compare(self.features("--multi-scale", "1,1.1,0.8"), self.network, scales=(1, 1.1, 0.8))

    def test_batch_sizes_and_threads_agree(self):
        eight = self.features("--batch", "8")
        np.testing.assert_allclose(self.features("--batch", "1"), eight, atol=BATCH_ROUNDING)
        np.testing.assert_array_equal(self.features("--batch", "8", "--decoders", "3", threads=2), eight)

    def test_full_ft_net(self):
        network = ref.randomise(ref.FtNet(), seed=4)
        torch.save(network.state_dict(), self.at("full.pth"))
        tyto("convert", self.at("full.pth"), "-o", self.at("full.safetensors"))
        tyto("extract", self.at("full.safetensors"), "--query", self.at("images"), "-o", self.at("full"))
        self.compare(load_tensors(self.at("full"))["query.features"], network)


class NamesAndFormats(Workplace):
    def labels(self, folder, *options):
        path, _ = self.extract("labels.safetensors", "--gallery", self.at(folder), *options)
        tensors = load_tensors(path)
        rows = zip(feature_paths(path)["gallery"], tensors["gallery.ids"].tolist(), tensors["gallery.cameras"].tolist())
        return {name: (id_, camera) for name, id_, camera in rows}

    def test_datasets_tell_identity_and_camera(self):
        for dataset, expected in {
                "market1501": {"-1_c3s1_000451_03.png": (-1, 3), "0000_c2s1_000451_03.png": (0, 2),
                               "0002/0002_c1s1_000451_03.png": (2, 1), "1501_c6s4_001902_00.png": (1501, 6)},
                "dukemtmc": {"0005_c2_f0046985.png": (5, 2), "7140_c8_f0187389.png": (7140, 8)},
                "msmt17": {"0000_000_01_0303morning_0015_0.png": (0, 1), "0000_012_15_0303noon_0015_0.png": (0, 15)},
                "veri": {"0002_c002_00030600_0.png": (2, 2), "0776_c020_00000435_0.png": (776, 20)},
                "plain": {"holiday.png": (-1, -1)}}.items():
            self.make_images(dataset, expected, width=8, height=16)
            self.assertEqual(self.labels(dataset, "--dataset", dataset), expected)

    def test_name_pattern(self):
        self.make_images("own", ["camera7/person0031-a.png", "camera12/person5-b.png"], width=8, height=16)
        expected = {"camera7/person0031-a.png": (31, 7), "camera12/person5-b.png": (5, 12)}
        pattern = r"camera(?<camera>\d+)/person(?<id>\d+)-"
        self.assertEqual(self.labels("own", "--name-pattern", pattern), expected)

    def test_rows_are_sorted_by_path(self):
        names = ["b.png", "a/z.png", "a-b/x.png", "B.png", "ä.png", "a/10.png", "a/9.png"]
        self.make_images("order", names, width=8, height=16)
        self.assertEqual(list(self.labels("order")), sorted(names))

    def test_npz_and_mat_hold_the_same(self):
        names = ["0001_c1s1_0.png", "0002_c2s1_0.png", "0003_c3s1_0.png"]
        folder = self.make_images("formats", names, width=8, height=16)
        options = ("--gallery", folder, "--query", folder, "--dataset", "market1501")
        tensors = load_tensors(self.extract("f.safetensors", *options)[0])
        npz = np.load(self.extract("f.npz", *options, "--format", "npz")[0])
        mat = scipy.io.loadmat(self.extract("f.mat", *options, "--format", "mat")[0])
        for arrays in (npz, mat):
            for name in ("query", "gallery"):
                np.testing.assert_array_equal(arrays[name + "_f"], tensors[name + ".features"])
                np.testing.assert_array_equal(arrays[name + "_label"].ravel(), [1, 2, 3])
                np.testing.assert_array_equal(arrays[name + "_cam"].ravel(), [1, 2, 3])


class SkippedImages(Workplace):
    GOOD = [f"{i:04}_c1s1_0.png" for i in range(1, 14)]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_images("good", cls.GOOD, width=16, height=32)
        cls.make_images("mixed", cls.GOOD, width=16, height=32)
        picture(3, 64, 128).save(cls.at("whole.jpg"))
        whole = read_bytes(cls.at("whole.jpg"))
        cls.bad = {"0000_c1s1_0.jpg": whole[: len(whole) // 2], "0005_c1s1_1.png": b"no image at all",
                   "0009_c1s1_1.webp": b""}
        for name, data in cls.bad.items():
            cls.write("mixed/" + name, data)
            cls.write("bad/" + name, data)

    def test_an_unreadable_image_is_named_counted_and_listed_and_changes_nothing_else(self):
        clean, _ = self.extract("clean", "--gallery", self.at("good"))
        self.assertFalse(os.path.exists(clean + ".skipped.txt"))
        mixed, messages = self.extract("mixed.out", "--gallery", self.at("mixed"), expect=3)
        self.assertIn(f"3 of {len(self.GOOD) + 3} images skipped, see {mixed}.skipped.txt", messages)
        lines = read_bytes(mixed + ".skipped.txt").decode().splitlines()
        self.assertEqual(len(lines), 3)
        for name, line in zip(sorted(self.bad), sorted(lines)):
            self.assertIn(name, line)
            self.assertIn(name, messages)
        self.assertEqual(feature_paths(mixed)["gallery"], self.GOOD)
        np.testing.assert_array_equal(load_tensors(mixed)["gallery.features"], load_tensors(clean)["gallery.features"])
        self.assert_nothing_half("mixed.out.journal")

    def test_the_list_of_an_earlier_run_goes(self):
        self.extract("again", "--gallery", self.at("mixed"), expect=3)
        self.extract("again", "--gallery", self.at("good"))
        self.assertFalse(os.path.exists(self.at("again.skipped.txt")))

    def test_without_one_readable_image_there_is_no_output(self):
        message = self.fails("extract", self.model, "--gallery", self.at("bad"), "-o", self.at("none"))
        self.assertIn("none of 3 images could be read", message)
        self.assert_nothing_half("none")

    def test_a_name_that_does_not_follow_the_dataset_is_skipped(self):
        self.make_images("named", self.GOOD[:3] + ["holiday.png"], width=16, height=32)
        path, messages = self.extract("named.out", "--gallery", self.at("named"), "--dataset", "market1501", expect=3)
        self.assertIn("holiday.png", messages)
        self.assertIn("1 of 4 images skipped", messages)
        self.assertEqual(feature_paths(path)["gallery"], self.GOOD[:3])


class Shards(Workplace):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        gallery = cls.make_images("gallery", [f"{i:04}/{i:04}_c{j}s1_0.png" for i in range(1, 11) for j in (1, 2)],
                                  width=16, height=32)
        query = cls.make_images("query", ["0001_c3s1_0.png", "0002_c3s1_0.png"], seed=50, width=16, height=32)
        cls.folders = ("--gallery", gallery, "--query", query, "--dataset", "market1501")

    def test_merged_shards_are_the_bytes_of_the_whole_run(self):
        whole, _ = self.extract("whole", *self.folders)
        parts = [self.extract(f"part{i}", *self.folders, "--shard", f"{i}/3")[0] for i in range(3)]
        galleries = [feature_paths(p)["gallery"] for p in parts]
        self.assertEqual(sorted(sum(galleries, [])), feature_paths(whole)["gallery"])
        self.assertTrue(all(galleries))
        tyto("merge", *reversed(parts), "-o", self.at("merged"))
        self.assertEqual(read_bytes(self.at("merged")), read_bytes(whole))

    def test_a_shard_of_unreadable_images_only_does_not_stop_the_merge(self):
        folder = self.make_images("damaged", ["a.png"], width=16, height=32)
        self.write("damaged/b.png", b"no image")  # the two names fall into different halves
        whole, _ = self.extract("damaged.whole", "--gallery", folder, expect=3)
        codes, parts = [], [self.at("half0"), self.at("half1")]
        for i, part in enumerate(parts):
            codes.append(subprocess.run([TYTO, "extract", self.model, "--gallery", folder, "-o", part, "--shard",
                                         f"{i}/2"], capture_output=True).returncode)
        self.assertEqual(sorted(codes), [0, 3])
        tyto("merge", *parts, "-o", self.at("damaged.merged"))
        self.assertEqual(read_bytes(self.at("damaged.merged")), read_bytes(whole))

    def test_a_missing_or_doubled_shard_is_named(self):
        parts = [self.extract(f"part{i}", *self.folders, "--shard", f"{i}/3")[0] for i in range(3)]
        self.assertIn("missing shard 1/3", self.fails("merge", parts[0], parts[2], "-o", self.at("lacking")))
        self.assertIn("part0", self.fails("merge", *parts, parts[0], "-o", self.at("lacking")))
        self.assert_nothing_half("lacking")


if __name__ == "__main__":
    unittest.main()
