"""tyto detect, end to end from images and videos, sound and broken ones."""
import json
import math
import os
import shutil
import signal
import subprocess
import time
import unittest

import numpy as np
import torch
from PIL import Image

import reference_detectors
import reference_networks
from raw_video import avi, avi_facts
from test_interrupt import limit_file_size
from tyto_process import TYTO, tyto
from workplace import Workplace, feature_paths, picture, read_bytes

# OpenCV's JPEG of quality 95 of noisy cut-outs; the mean error of a channel is 2 levels, another place's 50.
JPEG_ERROR = 6


def clip(seed, frames, width=40, height=30):
    """Noise that changes from frame to frame, [frames, height, width, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def pixel_box(bbox, width, height):
    """(left, top, right, bottom) of the pixels that a box touches."""
    x, y, w, h = bbox
    return (max(0, math.floor(x)), max(0, math.floor(y)), min(width, math.ceil(np.float32(x) + np.float64(np.float32(w)))),
            min(height, math.ceil(np.float32(y) + np.float64(np.float32(h)))))


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


class Images(DetectionPlace):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.images = cls.make_images("images", ["a.png", "b/2.png", "b/10.jpg", "ü \"quoted\".png"], width=70, height=50)

    def test_lines(self):
        lines, _ = self.detect("out", self.images)
        self.assertEqual([os.path.relpath(line["image"], self.images) for line in lines],
                         ["a.png", "b/10.jpg", "b/2.png", "ü \"quoted\".png"])
        for line in lines:
            self.assertTrue(os.path.exists(line["image"]))
            self.assertEqual(list(line), ["image", "width", "height", "detections"])
            self.assertEqual((line["width"], line["height"]), (70, 50))
            self.assertGreater(len(line["detections"]), 10)
            scores = [d["score"] for d in line["detections"]]
            self.assertEqual(scores, sorted(scores, reverse=True))
            for d in line["detections"]:
                self.assertEqual(list(d), ["label", "label_id", "score", "bbox"])
                self.assertEqual(d["label"], ["background", "person", "traffic light"][d["label_id"]])
                x, y, width, height = d["bbox"]
                self.assertTrue(0 <= x <= x + width <= 70.001 and 0 <= y <= y + height <= 50.001, d)  # fp32 of the sum
        self.assertEqual(len({json.dumps(line["detections"]) for line in lines}), 4)
        self.assertEqual(self.files_below("out"), ["detections.jsonl", "run.json"])

    def test_paths_are_those_from_where_it_was_started(self):
        here = os.getcwd()
        os.chdir(self.folder)
        try:
            lines, _ = self.detect("out", "images/b", "images/a.png")
        finally:
            os.chdir(here)
        self.assertEqual([line["image"] for line in lines], ["images/b/10.jpg", "images/b/2.png", "images/a.png"])

    def test_threads_do_not_change_a_byte(self):
        self.detect("one", self.images, "--decoders", "1", "--batch", "3")
        tyto("detect", self.detector, "-o", self.at("many"), self.images, "--decoders", "5", "--batch", "3", "--threads", 2)
        self.assertEqual(read_bytes(self.at("one", "detections.jsonl")), read_bytes(self.at("many", "detections.jsonl")))

    def test_thresholds_and_classes(self):
        everything, _ = self.detect("all", self.images)
        middle = sorted(d["score"] for line in everything for d in line["detections"])[200]
        lines, _ = self.detect("above", self.images, "--score-threshold", middle)
        for kept, line in zip(lines, everything):
            # What a box of a lower score had suppressed does not come back: non-maximum suppression goes by falling score.
            self.assertEqual(kept["detections"], [d for d in line["detections"] if d["score"] > middle])
        lights, _ = self.detect("lights", self.images, "--classes", "traffic light")
        self.assertEqual(lights, self.detect("lights", self.images, "--classes", "2")[0])
        self.assertEqual(everything, self.detect("both", self.images, "--classes", "person,2")[0])
        for kept, line in zip(lights, everything):
            self.assertEqual(kept["detections"], [d for d in line["detections"] if d["label_id"] == 2])
        for no_class in ("owl", "background", "0", "3", "-1"):
            message = self.detect_fails(self.images, f"--classes=person,{no_class}", code=2)
            self.assertIn(f"finds no '{no_class}'; it finds person, traffic light", message)

    def test_network_options(self):
        few, _ = self.detect("few", self.images, "--set", "max_detections=3")
        self.assertEqual([len(line["detections"]) for line in few], [3] * 4)
        self.assertIn("owls", self.detect_fails(self.images, "--set", "owls=3", code=2))

    def test_no_detections(self):
        lines, _ = self.detect("none", self.images, "--score-threshold", "1", "--draw", "--crops", self.at("none.crops"))
        self.assertEqual([line["detections"] for line in lines], [[]] * 4)
        self.assertEqual(len(self.files_below("none", "pictures")), 4)
        self.assertEqual(self.files_below("none.crops"), [])

    def test_summary(self):
        out, _ = tyto("-q", "detect", self.detector, self.images, "-o", self.at("summary"), "--json")
        found = json.loads(out)
        lines = self.lines("summary")
        shown = [d["label"] for line in lines for d in line["detections"] if d["score"] >= 0.5]
        self.assertEqual((found["images"], found["shown"], found["skipped"]), (4, len(shown), 0))
        self.assertEqual(found["detections"], sum(len(line["detections"]) for line in lines))
        self.assertEqual(found["shown_by_class"], {name: shown.count(name) for name in sorted(set(shown))})
        out, _ = tyto("-q", "detect", self.detector, self.images, "-o", self.at("summary"))
        self.assertIn(f"4 images, {found['detections']} detections", out)

    def test_class_names_do_not_steer_the_terminal(self):
        self.write("names.txt", "background\nred \x1b[31m\x7f\nbell\x07 \u009b2J Fußgänger\n".encode())
        model = self.at("names.safetensors")
        tyto("convert", self.at("detector.pth"), "-o", model, "--preprocess", "size=[96,96]", "--classes", self.at("names.txt"))
        out, _ = tyto("-q", "detect", model, self.images, "-o", self.at("names"), "--show-threshold", 0)
        shown, _ = tyto("inspect", model)
        for text in (out, shown, self.fails("detect", model, self.images, "-o", self.at("names"), "--classes", "owl", code=2)):
            self.assertIn("Fußgänger", text)
            self.assertNotRegex(text, "[\x00-\x09\x0b-\x1f\x7f-\x9f]")
        self.assertIn(" red _[31m_\n", out)
        self.assertIn(" bell_ _2J Fußgänger\n", out)
        self.assertEqual({d["label"] for line in self.lines("names") for d in line["detections"]},
                         {"red \x1b[31m\x7f", "bell\x07 \u009b2J Fußgänger"})  # as they are

    def test_the_batch_is_no_larger_than_needed(self):
        video = self.write("none/v.avi", avi(clip(1, 1), 10))
        for options, batch in (((self.images,), 4), ((self.images, "--batch", "3"), 3), ((self.images, video), 8),
                               ((self.at("images", "a.png"), self.write("none/b.png", b"no image")), 2)):
            self.detect("out", *options, expect=3 if batch == 2 else 0)
            self.assertEqual(self.state("out")["identity"]["batch"], batch)

    def test_a_resumed_run_keeps_its_batch(self):
        self.detect("out", self.images)
        whole = read_bytes(self.at("out", "detections.jsonl"))
        self.write("out/run.json", json.dumps({**self.state("out"), "finished": False}).encode())
        self.write("out/detections.jsonl", whole[: whole.rindex(b"\n", 0, -1) + 1])
        tyto("-q", "detect", self.detector, "-o", self.at("out"), "--threads", 1, self.images, "--resume")
        self.assertEqual(read_bytes(self.at("out", "detections.jsonl")), whole)

    def test_extreme_sizes(self):
        for size in ((1, 1), (20000, 40), (40, 20000)):
            name = "{}x{}.png".format(*size)
            self.make_images("extreme", [name], width=size[0], height=size[1])
        lines, _ = self.detect("out", self.at("extreme"), "--draw", "--crops", self.at("extreme.crops"), "--batch", "2")
        self.assertEqual([(line["width"], line["height"]) for line in lines], [(1, 1), (20000, 40), (40, 20000)])
        for line in lines:
            with Image.open(self.at("out", "pictures", os.path.basename(line["image"]).replace("png", "jpg"))) as drawn:
                self.assertEqual(drawn.size, (line["width"], line["height"]))
            self.assertTrue(line["detections"])

    def test_exif_orientation(self):
        upright = picture(7, 60, 30)
        os.makedirs(self.at("turned"))
        exif = Image.Exif()
        exif[0x0112] = 6  # turn right to see it upright
        upright.rotate(90, expand=True).save(self.at("turned", "a.png"), exif=exif)
        upright.save(self.at("upright.png"))
        (as_stored,), _ = self.detect("out", self.at("turned"))
        (turned,), _ = self.detect("out", self.at("turned"), "--exif-orientation")
        (expected,), _ = self.detect("out", self.at("upright.png"))
        self.assertEqual((as_stored["width"], as_stored["height"]), (30, 60))
        self.assertEqual(turned["detections"], expected["detections"])


class Pictures(DetectionPlace):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.images = cls.make_images("images", ["a/x.png", "a/x.jpg", "y z.png"], width=90, height=60)

    def test_drawn(self):
        lines, _ = self.detect("out", self.images, "--draw", "--set", "max_detections=2")
        self.assertEqual(self.files_below("out", "pictures"), ["a/x-2.jpg", "a/x.jpg", "y_z.jpg"])
        whole, drawn = (np.asarray(Image.open(p).convert("RGB")).astype(int)
                        for p in (lines[2]["image"], self.at("out", "pictures", "y_z.jpg")))
        self.assertEqual(whole.shape, drawn.shape)
        inside = np.zeros(whole.shape[:2], bool)
        for d in lines[2]["detections"]:
            left, top, right, bottom = pixel_box(d["bbox"], 90, 60)
            inside[max(0, top - 24) : bottom + 8, max(0, left - 8) :] = True  # box, tag and what JPEG's blocks blur
        difference = np.abs(whole - drawn).mean(2)
        self.assertLess(difference[~inside].mean() if (~inside).any() else 0, 12)
        frame = pixel_box(lines[2]["detections"][0]["bbox"], 90, 60)
        self.assertGreater(difference[frame[1] : frame[3], frame[0] : frame[2]].mean(), 5)

    def test_shown_from(self):
        everything, _ = self.detect("out", self.images, "--crops", self.at("crops"))
        scores = sorted(d["score"] for line in everything for d in line["detections"])
        self.assertGreater(scores[0], 0.5)
        self.assertEqual(len(self.files_below("crops")), len(scores))
        shutil.rmtree(self.at("crops"))
        again, _ = self.detect("out", self.images, "--crops", self.at("crops"), "--show-threshold", scores[-7])
        self.assertEqual(again, everything)
        self.assertEqual(len(self.files_below("crops")), sum(s >= scores[-7] for s in scores))

    def test_crops_are_the_boxes(self):
        lines, _ = self.detect("out", self.images, "--crops", self.at("cut"), "--set", "max_detections=9")
        names = []
        for line, stem in zip(lines, ("a/x", "a/x-2", "y_z")):
            image = np.asarray(Image.open(line["image"]).convert("RGB")).astype(int)
            for i, d in enumerate(line["detections"]):
                left, top, right, bottom = pixel_box(d["bbox"], 90, 60)
                names.append(f"{stem}_{i:02}_{d['label'].replace(' ', '_')}.jpg")
                cut = np.asarray(Image.open(self.at("cut", names[-1]))).astype(int)
                self.assertEqual(cut.shape, (bottom - top, right - left, 3))
                # JPEG keeps half of the colours' columns and rows: compare grey values
                self.assertLess(np.abs(cut.mean(2) - image[top:bottom, left:right].mean(2)).mean(), JPEG_ERROR)
        self.assertEqual(self.files_below("cut"), sorted(names))

    def test_extract_takes_crops(self):
        frames = self.video("clip.avi", clip(3, 4))
        self.detect("out", self.images, frames, "--crops", self.at("gallery"), "--set", "max_detections=2")
        features, _ = self.extract("features", "--gallery", self.at("gallery"))
        paths = feature_paths(features)["gallery"]
        self.assertEqual(paths, sorted(self.files_below("gallery"), key=lambda p: p.split("/")))
        self.assertEqual(len(paths), 2 * (3 + 4))
        self.assertEqual(sum(p.startswith("clip_f000003_0") for p in paths), 2)


class Coco(DetectionPlace):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.images = cls.make_images("val", ["000000397133.png", "000000000139.png"], width=50, height=40)

    def results(self, *options):
        lines, _ = self.detect("out", self.images, "--coco", self.at("results.json"), *options)
        with open(self.at("results.json")) as f:
            return lines, json.load(f)

    def check(self, lines, results, ids, categories):
        expected = [{"image_id": i, "category_id": categories[d["label"]], "bbox": d["bbox"], "score": d["score"]}
                    for i, line in zip(ids, lines) for d in line["detections"]]
        self.assertEqual(results, expected)

    def test_ids_from_names(self):
        self.check(*self.results(), [139, 397133], {"person": 1, "traffic light": 2})

    def test_ids_from_annotations(self):
        truth = {"images": [{"id": 5, "file_name": "000000397133.png", "width": 50, "height": 40},
                            {"id": 6, "file_name": "000000000139.png", "width": 50, "height": 40}],
                 "categories": [{"id": 1, "name": "person"}, {"id": 10, "name": "traffic light"}], "annotations": []}
        self.write("truth.json", json.dumps(truth).encode())
        options = ("--coco-annotations", self.at("truth.json"))
        self.check(*self.results(*options), [6, 5], {"person": 1, "traffic light": 10})
        other = self.make_images("other", ["owl.png"])
        self.assertIn("owl.png", self.detect_fails(other, "--coco", self.at("r.json"), *options, code=2))
        self.assertIn("--coco FILE", self.detect_fails(self.images, *options, code=2))

    def test_without_ids_no_work_begins(self):
        named = self.make_images("named", ["owl.png"])
        for inputs in ((named,), (self.video("7.avi", clip(1, 2)),), (self.images, self.at("val/../val"))):
            self.assertIn("--coco: ", self.detect_fails(*inputs, "--coco", self.at("r.json"), code=2))
            self.assertFalse(os.path.exists(self.at("failed")))


class Videos(DetectionPlace):
    FRAMES = 23

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.frames = clip(5, cls.FRAMES)
        cls.clip = cls.write("videos/clip.avi", avi(cls.frames, 10))
        for i, frame in enumerate(cls.frames):
            os.makedirs(cls.at("frames"), exist_ok=True)
            Image.fromarray(frame).save(cls.at("frames", f"{i:03}.png"))

    def expect_frames(self, lines, video, numbers):
        self.assertEqual([line["image"] for line in lines], [f"{video}#{n}" for n in numbers])
        for line, n in zip(lines, numbers):
            self.assertEqual(line["detections"], self.of_frame[n]["detections"])

    @property
    def of_frame(self):
        if "of_frame_" not in type(self).__dict__:
            type(self).of_frame_, _ = self.detect("of_frames", self.at("frames"))
        return self.of_frame_

    def test_frames_are_images(self):
        lines, _ = self.detect("out", self.clip)
        self.expect_frames(lines, self.clip, range(self.FRAMES))

    def test_every(self):
        for every in (1, 7, 22, 23, 1000):
            lines, _ = self.detect("out", self.clip, "--every", every, "--decoders", "3")
            self.expect_frames(lines, self.clip, range(0, self.FRAMES, every))

    def test_among_images(self):
        shutil.copy(self.at("frames", "004.png"), self.at("videos", "a.png"))
        shutil.copy(self.at("frames", "002.png"), self.at("videos", "x.png"))
        lines, _ = self.detect("out", self.at("videos"), "--every", "10")
        for name in ("a.png", "x.png"):
            os.remove(self.at("videos", name))
        self.assertEqual([os.path.basename(line["image"]) for line in lines],
                         ["a.png", "clip.avi#0", "clip.avi#10", "clip.avi#20", "x.png"])
        self.assertEqual(lines[4]["detections"], self.of_frame[2]["detections"])

    def test_annotated_video(self):
        self.detect("out", self.clip, "--every", "4", "--draw")
        self.assertEqual(self.files_below("out", "pictures"), ["clip.avi"])
        rate, frames, width, height = avi_facts(read_bytes(self.at("out", "pictures", "clip.avi")))
        self.assertEqual((frames, width, height), (6, 40, 30))
        self.assertAlmostEqual(rate, 10 / 4, places=3)
        again, _ = self.detect("again", self.at("out", "pictures"))
        self.assertEqual(len(again), 6)

    def test_broken_tail(self):
        broken = self.write("broken/tail.avi", read_bytes(self.clip)[: 15 * 40 * 30 * 3])
        lines, messages = self.detect("out", self.at("broken"), self.at("frames", "001.png"), "--draw", expect=3)
        self.assertGreater(len(lines), 10)
        self.assertLess(len(lines), 16)
        self.expect_frames(lines[:-1], broken, range(len(lines) - 1))
        sentence = f"{broken}: breaks off after frame {len(lines) - 2}, {24 - len(lines)} of the 23 frames"
        self.assertIn(sentence, messages)
        self.assertIn("1 of 2 images and videos skipped", messages)
        self.assertIn(sentence, read_bytes(self.at("out", "skipped.txt")).decode())
        self.assertEqual(avi_facts(read_bytes(self.at("out", "pictures", "tail.avi")))[1], len(lines) - 1)

    def test_videos_without_frames(self):
        data = read_bytes(self.clip)
        headers = self.write("bad/headers.avi", data[: data.index(b"movi") + 50])
        other = self.write("bad/other.mp4", b"no video at all")
        empty = self.write("bad/empty.mkv", b"")
        lines, messages = self.detect("out", self.at("bad"), self.clip, "--every", "11", expect=3)
        self.expect_frames(lines, self.clip, (0, 11, 22))
        for file in (headers, other, empty):
            self.assertIn(f"tyto: {file}: no video (", messages)
        self.assertEqual(len(messages.splitlines()), 4)  # and nothing of FFmpeg's own
        self.assertIn("none of 3 inputs could be read", self.detect_fails(self.at("bad")))


class Skipped(DetectionPlace):
    def test_an_unreadable_image_is_named_counted_and_listed_and_changes_nothing_else(self):
        good = self.make_images("good", [f"{i}.png" for i in range(9)], width=30, height=20)
        clean, _ = self.detect("clean", good)
        shutil.copytree(good, self.at("mixed"))
        bad = [self.write("mixed/3a.png", b"no image"), self.write("mixed/7.jpg", b"")]
        lines, messages = self.detect("out", self.at("mixed"), "--draw", expect=3)
        self.assertEqual([line["detections"] for line in lines], [line["detections"] for line in clean])
        listed = read_bytes(self.at("out", "skipped.txt")).decode().splitlines()
        for file, sentence in zip(bad, listed):
            self.assertTrue(sentence.startswith(file + ": not an image"), sentence)
            self.assertIn(f"tyto: {sentence}; skipped\n", messages)
        self.assertIn("2 of 11 images and videos skipped, see " + self.at("out", "skipped.txt"), messages)
        tyto("-q", "detect", self.detector, good, "-o", self.at("out"))
        self.assertFalse(os.path.exists(self.at("out", "skipped.txt")))
        self.assertIn("none of 1 inputs could be read", self.detect_fails(bad[0]))

    def test_a_name_that_is_not_utf8(self):
        self.make_images("names", ["a.png"])
        shutil.copy(self.at("names", "a.png").encode(), self.at("names").encode() + b"/caf\xe9.png")
        done = subprocess.run([TYTO, "-q", "detect", self.detector, self.at("names"), "-o", self.at("out")],
                              capture_output=True)
        self.assertEqual(done.returncode, 3)
        self.assertIn(b"not UTF-8", done.stderr)
        self.assertEqual(len(self.lines("out")), 1)


class BadUsage(DetectionPlace):
    def test_sentences(self):
        images = self.make_images("images", ["a.png"])
        for options in (["--every", "0"], ["--batch", "0"], ["--score-threshold", "2"], ["--score-threshold", "much"],
                        ["--show-threshold", "-1"], ["--set", "x"], ["--precision", "fp8"], ["--frobnicate"],
                        ["--classes", ""]):
            self.detect_fails(images, *options, code=2)
        self.fails("detect", self.detector, "-o", self.at("failed"), code=2)
        self.fails("detect", self.detector, images, code=2)
        self.assertIn("nowhere", self.detect_fails(self.at("nowhere")))
        os.mkdir(self.at("empty"))
        self.assertIn("holds no images", self.detect_fails(self.at("empty")))
        self.assertIn("finds no boxes", self.fails("detect", self.model, images, "-o", self.at("failed")))
        self.assertFalse(os.path.exists(self.at("failed")))

    def test_outputs_that_cannot_be_written(self):
        images = self.make_images("images", ["a.png"])
        for output in (os.path.join(self.detector, "out"), self.detector, "/proc/out"):
            self.assertIn(output, self.fails("detect", self.detector, images, "-o", output))
        self.assertIn("classes.txt", self.detect_fails(images, "--crops", self.at("classes.txt")))
        shutil.rmtree(self.at("failed"))
        numbered = self.make_images("numbered", ["7.png"])
        for results, code in ((self.at("nowhere", "r.json"), 1), (images, 2)):
            self.assertIn(results, self.detect_fails(numbered, "--coco", results, code=code))
            self.assertFalse(os.path.exists(self.at("failed")))  # no work had begun


class Interrupted(DetectionPlace):
    DEADLINE = 60  # seconds

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_images("in", [f"a{i:02}.png" for i in range(6)], width=30, height=20)
        cls.write("in/b.avi", avi(clip(1, 5), 10))
        cls.make_images("in", ["c.png"], seed=50)
        cls.write("in/d.avi", avi(clip(2, 150), 10))
        cls.make_images("in", ["e.png"], seed=60)
        cls.arguments = (cls.at("in"), "--batch", "4", "--draw", "--threads", "1", "--set", "max_detections=5")
        tyto("-q", "detect", cls.detector, "-o", cls.at("whole"), *cls.arguments)
        cls.whole = read_bytes(cls.at("whole", "detections.jsonl"))

    def check_resumes(self, name, *options):
        tyto("-q", "detect", self.detector, "-o", self.at(name), *self.arguments, "--resume", *options)
        self.assertEqual(read_bytes(self.at(name, "detections.jsonl")), self.whole)
        self.assertEqual(self.files_below(name), self.files_below("whole"))
        for file in ("pictures/b.avi", "pictures/d.avi", "pictures/e.jpg"):
            self.assertEqual(read_bytes(self.at(name, file)), read_bytes(self.at("whole", file)), file)

    def start_and_stop(self, name, number):
        """Starts a run into the folder `name` and sends the signal amid the second video."""
        process = subprocess.Popen([TYTO, "-q", "detect", self.detector, "-o", self.at(name), *self.arguments],
                                   stderr=subprocess.PIPE, text=True)
        lines, until = self.at(name, "detections.jsonl"), time.monotonic() + self.DEADLINE
        while not os.path.exists(lines) or b"d.avi#4" not in read_bytes(lines):
            self.assertIsNone(process.poll(), "it ended before the signal")
            self.assertLess(time.monotonic(), until)
            time.sleep(0.001)
        process.send_signal(number)
        _, messages = process.communicate(timeout=self.DEADLINE)
        return process.returncode, messages

    def test_signals(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)):
            name = f"stopped{number}"
            got, messages = self.start_and_stop(name, number)
            self.assertEqual(got, code, messages)
            if number != signal.SIGKILL:
                self.assert_one_sentence(messages)
                self.assertIn("interrupted", messages)
                self.assertNotIn("pictures/d.avi.tmp.avi", self.files_below(name))
            self.assertTrue(self.whole.startswith(read_bytes(self.at(name, "detections.jsonl"))))
            self.assertNotIn("pictures/d.avi", self.files_below(name))
            self.check_resumes(name)

    def test_lines_cut_anywhere_resume(self):
        first_of_d = self.whole.index(b"{\"image\": \"" + self.at("in", "d.avi").encode())
        state = self.state("whole")
        state["finished"] = False
        del state["videos"][self.at("in", "d.avi")]
        for cut in (0, 1, self.whole.index(b"\n"), self.whole.index(b"\n") + 1, first_of_d - 1, first_of_d):
            shutil.rmtree(self.at("cut"), ignore_errors=True)
            shutil.copytree(self.at("whole"), self.at("cut"))
            self.write("cut/detections.jsonl", self.whole[:cut])
            self.write("cut/run.json", json.dumps(state).encode())
            self.check_resumes("cut")

    def test_a_finished_run_resumes_to_itself(self):
        shutil.copytree(self.at("whole"), self.at("finished"))
        written = os.stat(self.at("finished", "pictures", "d.avi")).st_mtime_ns
        self.check_resumes("finished")
        self.assertEqual(os.stat(self.at("finished", "pictures", "d.avi")).st_mtime_ns, written)

    def test_output_among_the_inputs(self):
        images = self.make_images("among", ["1.png", "2.png"], width=30, height=20)
        options = (images, "--draw", "--crops", os.path.join(images, "crops"))
        first, _ = self.detect("among/out", *options)
        self.assertEqual(len(first), 2)
        tyto("-q", "detect", self.detector, "-o", self.at("among/out"), *options)
        self.assertEqual(self.lines("among/out"), first)

    def test_other_options_are_refused(self):
        shutil.copytree(self.at("whole"), self.at("refused"))
        self.write("refused/detections.jsonl", self.whole[:-10])
        for change in (("--every", "2"), ("--score-threshold", "0.2"), ("--set", "max_detections=4"), ("--classes", "1"),
                       ("--crops", self.at("c")), ("--show-threshold", "0.3"), ("--exif-orientation",),
                       (self.at("in", "c.png"),)):
            message = self.fails("detect", self.detector, "-o", self.at("refused"), *self.arguments, "--resume", *change,
                                 code=2)
            self.assertIn("run.json belongs to a run with another model, other options or other inputs", message)
        self.assertEqual(read_bytes(self.at("refused", "detections.jsonl")), self.whole[:-10])

    def test_without_resume_what_was_done_is_not_thrown_away(self):
        shutil.copytree(self.at("whole"), self.at("kept"))
        tyto("-q", "detect", self.detector, "-o", self.at("kept"), *self.arguments)  # a finished run may be replaced
        state = self.state("kept")
        self.write("kept/run.json", json.dumps({**state, "finished": False}).encode())
        message = self.fails("detect", self.detector, "-o", self.at("kept"), *self.arguments, code=2)
        self.assertIn("--resume", message)
        self.assertEqual(read_bytes(self.at("kept", "detections.jsonl")), self.whole)

    def test_a_broken_video_is_reported_again(self):
        data = read_bytes(self.at("in", "b.avi"))
        self.write("broken/b.avi", data[: len(data) // 2])
        self.make_images("broken", ["c.png"], seed=50)
        _, first = self.detect("again", self.at("broken"), expect=3)
        _, messages = tyto("-q", "detect", self.detector, "-o", self.at("again"), "--threads", 1, self.at("broken"), "--resume",
                           expect=3)
        self.assertEqual(messages, first)
        self.assertIn("breaks off", messages)

    def test_full_disk(self):
        for limit, file in ((3000, "detections.jsonl"), (len(self.whole) // 2, None)):
            message = self.fails("detect", self.detector, "-o", self.at("failed"), *self.arguments,
                                 preexec_fn=limit_file_size(limit))
            if file:
                self.assertIn(f"{file}: cannot write: File too large", message)
            self.assertTrue(self.whole.startswith(read_bytes(self.at("failed", "detections.jsonl"))[:limit]))
            self.check_resumes("failed")
            shutil.rmtree(self.at("failed"))

    def test_full_disk_under_a_video(self):
        size = os.path.getsize(self.at("whole", "pictures", "b.avi"))
        lines, _ = self.detect("small", self.at("in", "b.avi"), "--set", "max_detections=1")
        self.assertLess(os.path.getsize(self.at("small", "detections.jsonl")), size - 2000)
        message = self.detect_fails(self.at("in", "b.avi"), "--set", "max_detections=1", "--draw",
                                    preexec_fn=limit_file_size(size - 100))
        self.assertIn("pictures/b.avi: cannot write this video", message)
        self.assertEqual(self.files_below("failed", "pictures"), [])
        shutil.rmtree(self.at("failed"))


if __name__ == "__main__":
    unittest.main()
