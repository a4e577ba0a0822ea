"""tyto.Detector: the command's numbers, whatever the images come as; and what is refused, by a sentence."""
import json
import os
import pathlib
import subprocess
import sys
import threading
import unittest
from unittest import mock

import numpy as np
import torch
from PIL import Image

import tyto
from detection_place import DetectionPlace, clip
from inference_garbage import assert_garbage_is_refused
from raw_video import avi
from tyto_process import load_tensors

BATCH = 3
THRESHOLD = 0.2

# Runs with a detector's file as argv[1] and a picture as argv[2]; a crash of it is a failure, not the end of the tests.
PRELUDE = "import os, signal, sys, threading, numpy as np, tyto; model, picture = sys.argv[1:3]\n"


def line_of(detections):
    return json.loads(json.dumps(detections.to_dict()))


class Detectors(DetectionPlace):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pictures = cls.make_images("pictures", ["b/one.png", "b/two.png", "c.png", "d.png", "e.png"], width=64, height=48)
        cls.one = cls.at("pictures", "c.png")
        cls.network = tyto.Detector(cls.detector, threads=1, batch=BATCH, score_threshold=THRESHOLD)
        cls.addClassCleanup(cls.network.close)

    def command(self, name, *arguments, expect=0):
        return self.detect(name, *arguments, "--batch", BATCH, "--score-threshold", THRESHOLD, expect=expect)[0]

    def in_a_process(self, code):
        arguments = [sys.executable, "-c", PRELUDE + code, self.detector, self.one]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_a_folders_images_and_frames_are_the_commands_lines(self):
        for name in ("clip.avi", "b/a.avi"):
            self.video(os.path.join("mixed", name), clip(1, 5))
        self.make_images("mixed", ["a.png", "b/z.png", "d.png"], width=50, height=70)
        lines = self.command("out", self.at("mixed"), "--every", 2)
        with self.network.folder(self.at("mixed"), every=2) as run:
            self.assertEqual(len(run.inputs), 5)
            self.assertEqual([line_of(found) for found in run], lines)
        self.assertEqual(len(lines), 3 + 2 * 3)
        self.assertTrue(any("clip.avi#4" in line["image"] for line in lines))
        self.assertGreater(sum(len(line["detections"]) for line in lines), 100)

    def test_several_folders_and_files_are_looked_at_in_the_order_given(self):
        roots = [self.at("pictures", "d.png"), self.at("pictures", "b")]
        lines = self.command("several", *roots)
        self.assertEqual([line_of(found) for found in self.network.folder(roots)], lines)

    def test_an_image_has_the_same_numbers_whatever_it_comes_as(self):
        (line,) = self.command("alone", self.one, self.at("pictures", "d.png"))[:1]
        pixels = tyto.read_image(self.one)
        wide = np.zeros((48, 128, 3), np.uint8)
        wide[:, ::2] = pixels
        upside_down = np.ascontiguousarray(pixels[::-1])[::-1]
        mirrored = np.ascontiguousarray(pixels[:, ::-1])[:, ::-1]
        bgr = np.ascontiguousarray(pixels[..., ::-1])[..., ::-1]
        self.assertTrue(upside_down.strides[0] < 0 and mirrored.strides[1] < 0 and bgr.strides[2] < 0)
        planes = torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
        ways = [self.one, pathlib.Path(self.one), pixels, wide[:, ::2], upside_down, mirrored, bgr, torch.from_numpy(pixels),
                planes.permute(1, 2, 0), Image.fromarray(pixels)]
        # The command's batch is as large as the images are many.
        with tyto.Detector(self.detector, threads=1, batch=2, score_threshold=THRESHOLD) as detector:
            for found in detector.detect(ways):
                self.assertEqual(line_of(found)["detections"], line["detections"])
                self.assertEqual((found.width, found.height), (64, 48))
            found = detector.detect(np.stack([pixels, pixels]))
        self.assertEqual([f.image for f in found], ["image 0", "image 1"])
        self.assertEqual(self.network.detect(self.one)[0].image, self.one)
        self.assertEqual(self.network.detect([]), [])

    def test_images_beside_an_image_do_not_matter(self):
        alone = self.network.detect(self.one)[0]
        rng = np.random.default_rng(0)
        beside = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((1, 1), (7, 200), (48, 64))]
        self.assertEqual(line_of(self.network.detect([self.one, *beside])[0]), line_of(alone))
        self.assertEqual(line_of(self.network.detect([*beside, self.one])[3]), line_of(alone))

    def test_results_are_arrays_and_tables(self):
        found = self.network.detect(self.one)[0]
        self.assertEqual((found.boxes.shape, found.boxes.dtype, found.scores.dtype, found.labels.dtype),
                         ((len(found), 4), np.float32, np.float32, np.int32))
        np.testing.assert_array_equal(found.boxes[:, 2:], found.xywh[:, :2] + found.xywh[:, 2:])
        self.assertTrue((np.diff(found.scores) <= 0).all() and (found.scores > THRESHOLD).all())
        self.assertEqual(found.names, [self.network.class_names[label] for label in found.labels])
        table = found.to_pandas()
        self.assertEqual(list(table.columns), ["image", "name", "label", "score", "x1", "y1", "x2", "y2"])
        np.testing.assert_array_equal(table[["x1", "y1", "x2", "y2"]].to_numpy(), found.boxes)
        middle = float(np.median(found.scores))
        kept = found.above(middle)
        self.assertEqual(kept.to_dict()["detections"], found.to_dict()["detections"][:len(kept)])
        self.assertTrue(kept.scores.min() >= middle > found.scores[len(kept):].max())
        with mock.patch.dict(sys.modules, {"pandas": None}):
            with self.assertRaisesRegex(tyto.Error, "pandas is not installed") as raised:
                found.to_pandas()
        self.assertEqual(raised.exception.kind, "unsupported")

    def test_nothing_found_is_empty_arrays(self):
        with tyto.Detector(self.detector, score_threshold=1, threads=1) as detector:
            found = detector.detect(self.one)[0]
        self.assertEqual((found.boxes.shape, found.scores.shape, found.labels.shape, found.names), ((0, 4), (0,), (0,), []))
        self.assertEqual(len(found.to_pandas()), 0)

    def test_classes_are_kept_by_name_or_number(self):
        for classes in ["traffic light"], [2]:
            lines = self.command("classes", self.pictures, "--classes", classes[0])
            options = {"batch": BATCH, "classes": classes, "set": {"score_threshold": THRESHOLD}}
            with tyto.Detector(self.detector, threads=1, **options) as detector:
                self.assertEqual([line_of(found) for found in detector.folder(self.pictures)], lines)
        with self.assertRaisesRegex(tyto.ArgumentError, "classes: the model finds no 'cat'; it finds person, traffic light"):
            tyto.Detector(self.detector, classes=["cat"])

    def test_traces_are_the_commands(self):
        self.command("traced", self.pictures, "--trace", self.at("traces"))
        with tyto.Detector(self.detector, threads=1, batch=BATCH, score_threshold=THRESHOLD, trace=True) as detector:
            for found in detector.folder(self.pictures):
                below = os.path.relpath(os.path.splitext(found.image)[0], self.pictures)
                theirs = load_tensors(self.at("traces", below + ".safetensors"))
                self.assertEqual(found.trace.keys(), theirs.keys())
                for name, values in theirs.items():
                    np.testing.assert_array_equal(found.trace[name], values, name)
        self.assertIsNone(self.network.detect(self.one)[0].trace)

    def test_what_cannot_be_read_is_raised_or_skipped_with_the_commands_sentence(self):
        good = self.make_images("holes", ["a.png", "b.png", "z.png"], width=64, height=48)
        self.write("holes/c.png", b"no image")
        self.write("holes/d.avi", b"no video")
        self.write("holes/e.png", b"")
        data = avi(clip(3, 4), 10)
        self.write("holes/torn.avi", data[:len(data) * 3 // 5])
        lines = self.command("skipping", good, expect=3)
        with self.network.folder(good, on_error="skip") as run:
            self.assertEqual([line_of(found) for found in run], lines)
        with open(self.at("skipping", "skipped.txt"), encoding="utf-8") as file:
            self.assertEqual(run.skipped, file.read().splitlines())
        with self.network.folder(good) as run, self.assertRaisesRegex(tyto.Error, "c.png: not an image") as raised:
            list(run)
        self.assertEqual(raised.exception.kind, "format")
        with self.assertRaisesRegex(tyto.Error, "d.avi"):
            list(self.network.folder(self.at("holes", "d.avi")))
        with self.assertRaisesRegex(tyto.Error, "e.png"):
            self.network.detect([self.one, self.at("holes", "e.png")])
        for nothing in self.at("nowhere"), self.make_images("hidden/.x", ["a.png"]) and self.at("hidden"):
            with self.assertRaises(tyto.Error) as raised:
                self.network.folder(nothing)
            self.assertEqual(raised.exception.kind, "file")
        self.assertEqual(len(self.network.detect(self.one)), 1)  # none of these keeps the detector

    def test_progress_counts_images_and_videos(self):
        self.make_images("counted", ["a.png", "b.png"], width=40, height=40)
        self.video("counted/c.avi", clip(2, 7))
        told = []
        self.assertEqual(len(list(self.network.folder(self.at("counted"), progress=lambda *told_now: told.append(told_now)))), 9)
        self.assertEqual((told[-1], {total for _, total in told}), ((3, 3), {3}))

    def test_a_run_that_is_left_frees_the_detector(self):
        run = self.network.folder(self.pictures)
        first = next(run)
        with self.assertRaisesRegex(tyto.ArgumentError, "this detector is in the midst of other images"):
            self.network.detect(self.one)
        with self.assertRaisesRegex(tyto.ArgumentError, "this detector is in the midst of other images"):
            self.network.folder(self.pictures)
        run.close()
        self.assertEqual(list(run), [])
        run = self.network.folder(self.pictures)
        self.assertEqual(line_of(next(run)), line_of(first))
        del run
        self.assertEqual(len(self.network.detect(self.one)), 1)

    def test_threads_take_turns(self):
        want, got = line_of(self.network.detect(self.one)[0]), []

        def detect():
            for _ in range(3):
                got.append(line_of(self.network.detect([self.one])[0]))

        run = self.network.folder(self.pictures)
        found = []
        threads = [threading.Thread(target=lambda: found.extend(run)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(f.image for f in found), sorted(run.inputs))
        threads = [threading.Thread(target=detect) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(got, [want] * 9)

    def test_what_was_closed_or_forked_is_a_sentence(self):
        said = self.in_a_process("""
model = tyto.Model(model)
detector = tyto.Detector(model, threads=1)
model.close()
want = detector.detect(picture)[0].to_dict()  # the detector keeps what it needs
run = detector.folder(picture)
child = os.fork()
if child == 0:
    for use in (lambda: detector.detect(picture), lambda: next(run), lambda: tyto.Detector(model)):
        try:
            use()
            os._exit(1)
        except tyto.ArgumentError as error:
            assert "forked" in str(error) or "closed" in str(error), error
    run.close()
    detector.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
detector.close()
detector.close()
assert next(run).to_dict() == want  # a run that is under way goes on
for use in (lambda: detector.detect(picture), lambda: detector.folder(picture)):
    try:
        use()
        raise SystemExit("no error")
    except tyto.ArgumentError as error:
        assert "this detector was closed; make another" == str(error), error
print("done")
""")
        self.assertEqual(said, "done\n")

    def test_ctrl_c_ends_a_run_and_leaves_the_detector_usable(self):
        said = self.in_a_process("""
detector = tyto.Detector(model, threads=1, batch=2)
for images in range(2):
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        detector.detect([picture] * 100000)
    except KeyboardInterrupt:
        print(len(detector.detect(picture)))
""")
        self.assertEqual(said, "1\n1\n")

    def test_no_argument_ends_the_process_and_what_is_raised_is_tytos(self):
        assert_garbage_is_refused(self, "detector", self.detector, self.one)

    def test_a_network_that_detects_nothing_is_refused(self):
        with self.assertRaises(tyto.Error) as raised:
            tyto.Detector(self.model)
        self.assertEqual(raised.exception.kind, "unsupported")
        self.assertIn(self.fails("detect", self.model, self.one, "-o", self.at("none")).strip().removeprefix("tyto: "),
                      str(raised.exception))


if __name__ == "__main__":
    unittest.main()
