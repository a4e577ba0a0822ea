"""tyto bev --ipm, end to end: a drawn street seen from above, and what a user may do wrong."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

import numpy as np
from PIL import Image

SCRIPTS = os.path.join(os.path.dirname(__file__), "../../../scripts/street")
sys.path.insert(0, SCRIPTS)
from check_mosaic import BOUND, mosaic_errors

TYTO = os.environ["TYTO"]
GRID = "-12,12,-12,12,0.2"


class MosaicTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        subprocess.run([sys.executable, os.path.join(SCRIPTS, "draw_street.py"), cls.at("street"), "--scale", "0.5", "--rays",
                        "2", "--grid=" + GRID], check=True)
        cls.samples = cls.at("street", "samples.jsonl")
        with open(cls.samples, encoding="utf-8") as file:
            cls.lines = [json.loads(line) for line in file]

    @classmethod
    def at(cls, *parts):
        return os.path.join(cls.folder, *parts)

    def tyto(self, *args, code=0):
        done = subprocess.run([TYTO, "-q", "bev", *args], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, code, (args, done.stdout, done.stderr))
        return done.stderr

    def mosaic(self, out, *options, samples=None, code=0, grid=GRID):
        """The lines of ipm.jsonl, and what stood on standard error."""
        messages = self.tyto("--ipm", "--samples", samples or self.samples, "--grid=" + grid, "-o", self.at(out), *options, code=code)
        with open(self.at(out, "ipm.jsonl"), encoding="utf-8") as file:
            return [json.loads(line) for line in file], messages

    def picture(self, out, name):
        return np.asarray(Image.open(self.at(out, "mosaics", name)))

    def write_samples(self, name, lines):
        with open(self.at("street", name), "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
        return self.at("street", name)

    def test_the_ground_is_there_again_and_a_degree_of_yaw_is_seen(self):
        lines, _ = self.mosaic("out")
        self.assertEqual([line["id"] for line in lines], [line["id"] for line in self.lines])
        errors = {sample: error for sample, error, _ in mosaic_errors(self.at("street"), self.at("out", "mosaics"))}
        self.assertEqual(set(errors), {line["id"] for line in lines})
        for sample, error in errors.items():
            (self.assertLess if sample == "street" else self.assertGreater)(error, BOUND, sample)
        # What no camera sees is transparent, and told.
        inside = np.load(self.at("street", "visible.npz"))["inside"].any(0)
        np.testing.assert_array_equal(self.picture("out", "street.png")[..., 3], inside * 255)
        self.assertEqual(lines[0]["mosaics"], [{"height": 0.0, "file": "mosaics/street.png", "seen": inside.mean()}])

    def test_a_height_has_a_picture_of_its_own(self):
        samples = self.write_samples("one.jsonl", self.lines[:1])
        lines, _ = self.mosaic("heights", "--heights", "0,0.5", samples=samples)
        self.assertEqual([m["file"] for m in lines[0]["mosaics"]], ["mosaics/street_z0.png", "mosaics/street_z0.5.png"])
        self.mosaic("ground", samples=samples)
        np.testing.assert_array_equal(self.picture("heights", "street_z0.png"), self.picture("ground", "street.png"))
        self.assertFalse(np.array_equal(self.picture("heights", "street_z0.5.png"), self.picture("ground", "street.png")))

    def test_the_blend_is_as_asked(self):
        """Where one camera sees a cell, blends agree; where two do, first and last are of one each, the mean lies between."""
        samples = self.write_samples("blends.jsonl", self.lines[:1])
        pictures = {}
        for blend in ("weighted", "mean", "first", "last"):
            self.mosaic(blend, "--blend", blend, samples=samples)
            pictures[blend] = self.picture(blend, "street.png").astype(int)
        several = np.load(self.at("street", "visible.npz"))["inside"].sum(0) > 1
        self.assertGreater(several.sum(), 100)
        for blend, picture in pictures.items():
            self.assertLessEqual(np.abs(picture - pictures["first"])[~several].max(), 1, blend)
        self.assertGreater(np.abs(pictures["first"] - pictures["last"])[several].max(), 20)
        for blend in ("weighted", "mean"):
            low, high = (f(pictures["first"], pictures["last"]) for f in (np.minimum, np.maximum))
            self.assertTrue(((pictures[blend] >= low - 1) & (pictures[blend] <= high + 1)).all(), blend)

    def test_a_sample_is_skipped_whole_and_the_others_are_as_without_it(self):
        broken = json.loads(json.dumps(self.lines[0]))
        broken["id"] = "broken"
        broken["cameras"][3]["image"] = "images/none.png"
        three = dict(self.lines[0], id="three", cameras=self.lines[0]["cameras"][:3])
        samples = self.write_samples("broken.jsonl", [broken, three, self.lines[0]])
        lines, messages = self.mosaic("skips", samples=samples, code=3)
        self.assertEqual([line["id"] for line in lines], ["three", "street"])
        self.assertIn("sample broken: ", messages)
        self.assertIn("none.png", messages)
        self.mosaic("unskipped", samples=self.write_samples("alone.jsonl", self.lines[:1]))
        np.testing.assert_array_equal(self.picture("skips", "street.png"), self.picture("unskipped", "street.png"))
        self.assertLess(lines[0]["mosaics"][0]["seen"], lines[1]["mosaics"][0]["seen"])

    def test_a_stopped_run_goes_on(self):
        samples = self.write_samples("resume.jsonl", self.lines[:3])
        self.mosaic("whole", samples=samples)
        self.mosaic("stopped", samples=samples)
        with open(self.at("whole", "ipm.jsonl"), "rb") as file:
            whole = file.read()
        with open(self.at("stopped", "ipm.jsonl"), "wb") as file:
            file.write(whole[: len(whole) // 2])
        with open(self.at("stopped", "run.json"), encoding="utf-8") as file:
            state = json.load(file)
        with open(self.at("stopped", "run.json"), "w", encoding="utf-8") as file:
            json.dump(dict(state, finished=False), file)
        os.remove(self.at("stopped", "mosaics", "yaw_all.png"))
        arguments = ("--ipm", "--samples", samples, "--grid=" + GRID, "-o", self.at("stopped"))
        self.assertIn("--resume", self.tyto(*arguments, code=2))
        self.assertIn("run.json", self.tyto(*arguments, "--blend", "mean", "--resume", code=2))
        with open(samples, "rb") as file:
            right = file.read()
        self.write_samples("resume.jsonl", [self.lines[0], self.lines[2], self.lines[1]])  # under the same name
        self.assertIn("run.json", self.tyto(*arguments, "--resume", code=2))
        with open(samples, "wb") as file:
            file.write(right)
        self.mosaic("stopped", "--resume", samples=samples)
        with open(self.at("stopped", "ipm.jsonl"), "rb") as file:
            self.assertEqual(file.read(), whole)
        np.testing.assert_array_equal(self.picture("stopped", "yaw_all.png"), self.picture("whole", "yaw_all.png"))

    def test_wrong_usage_is_one_sentence(self):
        base = ("--ipm", "--samples", self.samples, "-o", self.at("wrong"))
        for args, word in (((*base,), "--grid"), ((*base, "--grid=1,2,3"), "--grid"),
                           ((*base, "--grid=" + GRID, "--heights", "0,0"), "--heights"),
                           ((*base[1:],), "--ipm"), (("model.safetensors", *base, "--grid=" + GRID), "model.safetensors"),
                           ((*base, "--grid=" + GRID, "--draw"), "--draw"),
                           ((*base[1:], "--heights", "1"), "--ipm"), ((*base, "--grid=" + GRID, "--blend", "soft"), "blend")):
            self.assertRegex(self.tyto(*args, code=2), rf"\Atyto: [^\n]*{word}[^\n]*\n\Z")
        self.assertFalse(os.path.exists(self.at("wrong", "ipm.jsonl")))


if __name__ == "__main__":
    unittest.main()
