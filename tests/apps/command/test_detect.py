"""tyto detect on images, end to end: what it finds, draws, cuts out and refuses."""
import json
import math
import os
import shutil
import subprocess
import unittest

import numpy as np
from PIL import Image

from detection_place import DetectionPlace, clip
from raw_video import avi
from tyto_process import TYTO, load_tensors, save_tensors, tyto
from workplace import feature_paths, picture, read_bytes

# OpenCV's JPEG of quality 95 of noisy cut-outs; the mean error of a channel is 2 levels, another place's 50.
JPEG_ERROR = 6


def pixel_box(bbox, width, height):
    """(left, top, right, bottom) of the pixels that a box touches."""
    x, y, w, h = bbox
    return (max(0, math.floor(x)), max(0, math.floor(y)), min(width, math.ceil(np.float32(x) + np.float64(np.float32(w)))),
            min(height, math.ceil(np.float32(y) + np.float64(np.float32(h)))))


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

    def test_traces(self):
        """The raw tensors of each step, a file an image; what `tyto run` makes of the traced input, and what the line says."""
        lines, _ = self.detect("traced", self.images, "--trace", self.at("traces"))
        self.assertEqual(self.files_below("traces"),
                         [f"{name}.safetensors" for name in ("a", "b/10", "b/2", "ü__quoted_")])
        for line in lines:
            name = os.path.splitext(os.path.relpath(line["image"], self.images))[0].translate(str.maketrans('" ', "__"))
            trace = load_tensors(self.at("traces", name + ".safetensors"))
            self.assertEqual(list(trace), ["detections", "input", "locations", "logits"])
            self.assertEqual(len(trace["detections"]), len(line["detections"]))
            boxes = np.float64([d["bbox"] for d in line["detections"]])
            boxes[:, 2:] += boxes[:, :2]
            sides = np.float64(trace["input"].shape[:0:-1] * 2)
            np.testing.assert_allclose(trace["detections"][:, :4] / sides, boxes / np.float64((70, 50) * 2), rtol=0, atol=1e-5)
            save_tensors(self.at("in.safetensors"), {"input": np.repeat(trace["input"][None], 4, 0)})
            tyto("run", self.detector, "--input", self.at("in.safetensors"), "--output", self.at("raw.safetensors"))
            for output, value in load_tensors(self.at("raw.safetensors")).items():
                if output in ("locations", "logits"):
                    np.testing.assert_array_equal(value[0], trace[output])

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

    def test_class_names_come_from_a_text_as_editors_write_it(self):
        for text in ("\ufeffbackground\r\nperson\r\ntraffic light\r\n\r\n", "background\n\nperson\ntraffic light"):
            self.write("names.txt", text.encode())
            tyto("convert", self.at("detector.pth"), "-o", self.at("m"), "--preprocess", "size=[96,96]", "--classes", self.at("names.txt"))
            self.assertEqual(json.loads(tyto("inspect", self.at("m"), "--json")[0])["class_names"],
                             ["background", "person", "traffic light"])
        for encoding in ("utf-16", "latin-1"):
            self.write("names.txt", "background\nFu\u00dfg\u00e4nger\n".encode(encoding))
            self.assertRegex(self.fails("convert", self.at("detector.pth"), "-o", self.at("n"), "--classes", self.at("names.txt")),
                             "names.txt: .* save it as UTF-8")

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
                 "categories": [{"id": 1, "name": "person"}, {"id": 10, "name": "traffic light"}]}  # image_info files end here
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


if __name__ == "__main__":
    unittest.main()
