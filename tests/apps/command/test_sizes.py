"""tyto extract and detect where the network's input is as large as each image asks for."""
import json
import os
import shutil
import subprocess
import unittest

import numpy as np
import torch
from PIL import Image
from torchvision import transforms

from detection_place import DetectionPlace
from test_extract import BATCH_ROUNDING, SAME
from test_interrupt import limit_file_size
from tyto_process import TYTO, load_tensors, tyto
from workplace import feature_paths, picture, read_bytes

BATCH = 4
# Width and height of 23 images, of six sizes and input sizes, in an order in which batches overtake each other.
SIZES = [(48, 96), (96, 48), (64, 64), (40, 50), (48, 96), (48, 96), (96, 48), (30, 200), (48, 96), (64, 64), (96, 48),
         (200, 30), (40, 50), (64, 64), (96, 48), (48, 96), (40, 50), (64, 64), (40, 50), (96, 48), (48, 96), (64, 64), (40, 50)]
BROKEN = 6  # in the middle of a batch
RULE = ("fit=shorter-side", "shorter_side=40", "longest_side=100")


def together():
    """For each image but the broken one, whether it runs in a full batch."""
    groups, full = {}, [False] * len(SIZES)
    for i, size in enumerate(SIZES):
        if i == BROKEN:
            continue
        group = groups.setdefault(size, [])
        group.append(i)
        if len(group) == BATCH:
            for member in groups.pop(size):
                full[member] = True
    return np.array([f for i, f in enumerate(full) if i != BROKEN])


class ManySizes(DetectionPlace):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for checkpoint, model in (("net.pth", cls.model), ("detector.pth", cls.detector)):
            changes = [word for change in RULE for word in ("--preprocess", change)]
            tyto("convert", cls.at(checkpoint), "-o", model, *changes)
        os.mkdir(cls.at("in"))
        cls.files = []
        for i, (width, height) in enumerate(SIZES):
            cls.files.append(cls.at("in", f"{i:02}.png"))
            picture(i, width, height).save(cls.files[-1])
        cls.write("in/" + os.path.basename(cls.files[BROKEN]), b"no image")
        cls.whole = [file for i, file in enumerate(cls.files) if i != BROKEN]
        cls.together = together()

    def features(self, name, *options):
        path, messages = self.extract(name, "--gallery", self.at("in"), *options, expect=3)
        self.assertIn(os.path.basename(self.files[BROKEN]), messages)
        self.assertEqual(feature_paths(path)["gallery"], [os.path.basename(file) for file in self.whole])
        return load_tensors(path)["gallery.features"]

    def test_features_are_pytorchs_and_those_of_a_batch_are_those_of_images_alone(self):
        alone = self.features("alone", "--batch", 1, "--no-flip")
        prepare = transforms.Compose([
            transforms.Resize(40, interpolation=transforms.InterpolationMode.BICUBIC, max_size=100), transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
        with torch.no_grad():
            want = [self.network(prepare(Image.open(file))[None])["features"][0] for file in self.whole]
        want = np.stack([(w / w.norm()).numpy() for w in want]).astype(float)
        self.assertGreater((alone * want).sum(1).min(), SAME)

        batches = self.features("batches", "--batch", BATCH, "--no-flip")
        self.assertEqual(self.together.sum(), 4 * BATCH)
        np.testing.assert_array_equal(batches[~self.together], alone[~self.together])
        np.testing.assert_allclose(batches, alone, rtol=0, atol=BATCH_ROUNDING)
        many = self.features("many", "--batch", BATCH, "--no-flip", "--decoders", 7)
        np.testing.assert_array_equal(many, batches)

    def test_a_journal_cut_anywhere_resumes(self):
        arguments = ("--gallery", self.at("in"), "--batch", BATCH)
        whole, _ = self.extract("whole", *arguments, expect=3)
        # A disk that is full when the output is written leaves the journal of all images: where it is the smaller one.
        done = subprocess.run([TYTO, "extract", self.model, "-o", self.at("full"), "--threads", "1", *map(str, arguments)],
                              capture_output=True, text=True, preexec_fn=limit_file_size(os.path.getsize(whole) - 1))
        self.assertIn("full: cannot write", done.stderr)
        journal = read_bytes(self.at("full.journal"))
        head = journal.index(b"\n", journal.index(b"\n") + 1) + 1
        record = (len(journal) - head) // len(self.whole)
        for records in range(0, len(self.whole) + 1, 3):
            self.write("again.journal", journal[:head + records * record + (records % 2) * 7])
            self.extract("again", *arguments, "--resume", expect=3)
            self.assertEqual(read_bytes(self.at("again")), read_bytes(whole), records)

    def test_detections_stand_in_the_order_of_files(self):
        lines, messages = self.detect("lines", self.at("in"), "--batch", BATCH, "--draw", "--decoders", 3, expect=3)
        self.assertIn(os.path.basename(self.files[BROKEN]), messages)
        self.assertEqual([line["image"] for line in lines], self.whole)
        self.assertEqual([(line["width"], line["height"]) for line in lines], [s for i, s in enumerate(SIZES) if i != BROKEN])
        alone, _ = self.detect("lines1", self.at("in"), "--batch", 1, expect=3)
        for line, single, together in zip(lines, alone, self.together):
            if not together:
                self.assertEqual(line, single)
            else:  # the best of many boxes that rounding may reorder
                best, wanted = line["detections"][0], single["detections"][0]
                self.assertAlmostEqual(best["score"], wanted["score"], delta=1e-4)
        self.assertEqual(len(self.files_below("lines", "pictures")), len(self.whole))

    def test_lines_cut_anywhere_resume(self):
        arguments = (self.at("in"), "--batch", str(BATCH))
        self.detect("unbroken", *arguments, expect=3)
        whole = read_bytes(self.at("unbroken", "detections.jsonl"))
        state = self.state("unbroken")
        lines = whole.splitlines(keepends=True)
        for done in (0, 1, 5, 6, 13, 20, 22):
            shutil.rmtree(self.at("cut"), ignore_errors=True)
            shutil.copytree(self.at("unbroken"), self.at("cut"))
            self.write("cut/detections.jsonl", b"".join(lines[:done]) + lines[done % len(lines)][:9])
            self.write("cut/run.json", json.dumps({**state, "finished": False}).encode())
            tyto("-q", "detect", self.detector, "-o", self.at("cut"), "--threads", 1, *arguments, "--resume", expect=3)
            self.assertEqual(read_bytes(self.at("cut", "detections.jsonl")), whole, done)

    def test_a_plan_is_made_for_each_size(self):
        out, _ = tyto("extract", self.model, "-o", self.at("planned"), "--gallery", self.at("in"), "--batch", BATCH, "--json",
                      expect=3)
        found = json.loads(out)
        full = {s for s, f in zip([s for i, s in enumerate(SIZES) if i != BROKEN], self.together) if f}
        single = {s for s, f in zip([s for i, s in enumerate(SIZES) if i != BROKEN], self.together) if not f}
        self.assertEqual(found["plans"], len(full) + len(single))
        self.assertLess(0, found["planning_seconds"])
        self.assertLess(found["planning_seconds"], found["seconds"])

    def test_without_images_the_size_is_a_photographs(self):
        out, _ = tyto("run", self.detector, "--repeat", 1, "--json")
        self.assertEqual(json.loads(out)["outputs"]["detections"][0], 1)
        out, _ = tyto("inspect", self.model, "--plan")
        self.assertIn("[1, 8, 20, 27]", out)  # the first layer of 40 x 53
        message = self.fails("convert", self.at("net.pth"), "-o", self.at("m"), "--preprocess", "fit=shorter-side", code=2)
        self.assertIn("has no \"shorter_side\"", message)


if __name__ == "__main__":
    unittest.main()
