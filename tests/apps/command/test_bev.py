"""tyto bev, end to end on made-up trees: what it writes, skips, refuses, resumes and merges."""
import json
import os
import shutil
import signal
import subprocess
import time
import unittest

import numpy as np
import torch
from PIL import Image

import nuscenes_tree as tree
import reference_bev as bev
from bev_place import IMAGE, SCALE, SCENES, BevPlace
from tyto_process import TYTO, tyto
from workplace import read_bytes

# Two implementations in fp32, of logits of a few units; another image or calibration moves them by tenths.
ROUNDING = 2e-3


class Samples(BevPlace):
    def reference(self, scene, sample):
        """The map of the reference network, its images prepared as Lift-Splat-Shoot's test code does."""
        images = []
        for camera in tree.CAMERAS:
            image = Image.open(os.path.join(self.root, tree.file_of(camera, scene, sample)))
            scale = max(IMAGE[0] / image.height, IMAGE[1] / image.width)
            width, height = int(image.width * scale), int(image.height * scale)
            left, top = int(max(0, width - IMAGE[1]) / 2), int((1 - 0.11) * height) - IMAGE[0]
            x = np.asarray(image.resize((width, height), Image.BICUBIC).crop((left, top, left + IMAGE[1], top + IMAGE[0])))
            images.append((x / 255.0 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225))
        rig = {"intrinsics": [], "camera_to_ego": [], "image_augmentation": []}
        for i in range(6):
            pose = torch.eye(4, dtype=torch.float64)
            placed = tree.camera_pose(i, 0.01 * scene)
            pose[:3, :3], pose[:3, 3] = bev.rotation(placed["rotation"]), torch.tensor(placed["translation"])
            rig["intrinsics"].append(torch.tensor(tree.intrinsics(i, SCALE), dtype=torch.float64))
            rig["camera_to_ego"].append(pose)
            rig["image_augmentation"].append(torch.tensor([[scale, 0, -left], [0, scale, -top], [0, 0, 1]], dtype=torch.float64))
        self.lss.rig = {name: torch.stack(m)[None].float() for name, m in rig.items()}
        with torch.no_grad():
            return self.lss(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float())["map"][0].numpy()

    def test_maps_are_the_networks_and_lines_tell_of_them(self):
        lines, _ = self.bev("out")
        expected = [(scene, sample) for scene, samples in enumerate(SCENES.values()) for sample in range(samples)]
        self.assertEqual([line["id"] for line in lines], [tree.token("a", *s) for s in expected])
        for line, (scene, sample) in zip(lines, expected):
            self.assertEqual(list(line), ["id", "sequence", "index", "raw", "grids", "calibration_changed", "cells"])
            self.assertEqual(line["sequence"], list(SCENES)[scene])
            self.assertEqual(line["calibration_changed"], sample == 0)
            got = self.map_of("out", line)
            self.assertEqual(got.shape, (1, 32, 16))
            np.testing.assert_allclose(got, self.reference(scene, sample), rtol=0, atol=ROUNDING)
            self.assertEqual(line["cells"], {"0": int((got > 0).sum())})
            grey = np.asarray(Image.open(self.at("out", line["grids"][0])))
            self.assertEqual(grey.shape, (32 * 20, 16 * 20))
            want = 255 / (1 + np.exp(-got[0, ::-1, ::-1].astype(float)))  # ahead is up, left is left
            np.testing.assert_allclose(grey[10::20, 10::20], want, rtol=0, atol=0.5001)
        maps = [self.map_of("out", line) for line in lines]
        self.assertGreater(min(abs(a - b).max() for i, a in enumerate(maps) for b in maps[:i]), 20 * ROUNDING)
        names = [tree.token("a", *s) for s in expected]
        self.assertEqual(self.files_below("out"), sorted(["bev.jsonl", "run.json", *(f"grids/{n}.png" for n in names),
                                                          *(f"raw/{n}.safetensors" for n in names)]))
        run = json.loads(read_bytes(self.at("out", "run.json")))
        self.assertEqual(run["grid"], {"lower": [-16, -8, -10], "step": [1, 1, 20], "cells": [32, 16, 1], "rows": "x", "frame": "ego"})
        self.assertTrue(run["finished"])

    def test_batches_and_decoders_change_rounding_at_most(self):
        lines, _ = self.bev("one")
        for name, options in (("three", ("--batch", "3", "--decoders", "4")), ("three again", ("--batch", "3", "--decoders", "1"))):
            again, _ = self.bev(name, *options)
            self.assertEqual([line["id"] for line in again], [line["id"] for line in lines])
            for line in lines:
                np.testing.assert_allclose(self.map_of(name, line), self.map_of("one", line), rtol=0, atol=ROUNDING)
        self.assertEqual(self.files_below("three"), self.files_below("three again"))
        for line in again:
            np.testing.assert_array_equal(self.map_of("three", line), self.map_of("three again", line))

    def test_a_samples_file_says_the_same(self):
        lines, _ = self.bev("nuscenes.out")
        samples = [self.jsonl_sample(scene, i) for scene, n in enumerate(SCENES.values()) for i in range(n)]
        again, _ = self.bev("jsonl.out", "--samples", self.write_samples("samples.jsonl", samples))
        self.assertEqual(again, lines)
        for line in lines:
            np.testing.assert_array_equal(self.map_of("jsonl.out", line), self.map_of("nuscenes.out", line))

    def test_an_augmented_image_has_the_geometry_of_its_camera(self):
        """Images cut and turned over, which the augmentation says: cells are where they were."""
        sample = self.jsonl_sample(0, 0, "plain")
        moved = self.jsonl_sample(0, 0, "moved")
        for i, camera in enumerate(moved["cameras"]):  # the camera's own pixels lie 7 further right, of which the image shows the rest
            camera["intrinsics"][0][2] += 7
            camera["augmentation"] = [[1, 0, -7], [0, 1, 0], [0, 0, 1]]
        lines, _ = self.bev("augmented", "--samples", self.write_samples("augmented.jsonl", [sample, moved]))
        np.testing.assert_allclose(self.map_of("augmented", lines[1]), self.map_of("augmented", lines[0]), rtol=0, atol=ROUNDING)

    def test_npz_holds_the_same(self):
        lines, _ = self.bev("npz", "--scenes", "mini_val", "--format", "npz")
        others, _ = self.bev("safetensors", "--scenes", "scene-0103,scene-0916")
        self.assertEqual(len(lines), 5)
        for line, other in zip(lines, others):
            arrays = np.load(self.at("npz", line["raw"]))
            self.assertEqual(list(arrays), ["map"])
            np.testing.assert_array_equal(arrays["map"], self.map_of("safetensors", other))

    def test_pictures(self):
        lines, _ = self.bev("drawn", "--draw", "--scenes", "scene-0001")
        for line in lines:
            with Image.open(self.at("drawn", line["picture"])) as drawn:
                self.assertEqual(drawn.size, (3 * 480 + 4 * 8, 2 * 270 + 640 + 4 * 8))
        names = [line["picture"] for line in lines]
        self.assertEqual(names, [f"pictures/{line['id']}.jpg" for line in lines])

    def test_calibrations_are_counted(self):
        text, _ = tyto("-q", *self.arguments("counted", "--json", "--profile"))
        told = json.loads(text)
        self.assertEqual((told["samples"], told["skipped"]), (7, 0))
        self.assertEqual(told["calibrations"], {"samples": 7, "built": len(SCENES)})
        self.assertGreater(told["profile"]["changed_run_ms"], 0)
        self.assertGreater(told["profile"]["run_ms"], 0)

    def test_strange_ids_have_files_of_their_own(self):
        ids = ["../x", "a/b", "a_b", "ü" * 100, ""]
        path = self.write_samples("strange.jsonl", [{**self.jsonl_sample(0, 0), "id": id_} for id_ in ids])
        lines, messages = self.bev("strange", "--samples", path, expect=3)
        self.assertEqual([line["id"] for line in lines], ids[:4])
        self.assertEqual([line["raw"] for line in lines],
                         [f"raw/{n}.safetensors" for n in ("_.._x", "a_b", "a_b-2", "ü" * 60)])
        self.assertIn('strange.jsonl: line 5 has a "id"', messages)


class Refusals(BevPlace):
    def test_an_unreadable_camera_takes_its_sample_and_no_other(self):
        whole, _ = self.bev("whole", "--batch", "2")
        shutil.copytree(self.root, self.at("damaged"))
        bad = [os.path.join(self.at("damaged"), tree.file_of(camera, *s)) for camera, s in
               (("CAM_FRONT", (0, 1)), ("CAM_BACK", (0, 1)), ("CAM_BACK_RIGHT", (2, 1)))]
        for path in bad[:2]:
            with open(path, "wb") as f:
                f.write(b"no image")
        os.remove(bad[2])
        lines, messages = self.bev("holes", "--batch", "2", root=self.at("damaged"), expect=3)
        self.assertEqual([line["id"] for line in lines], [line["id"] for i, line in enumerate(whole) if i not in (1, 6)])
        for line in lines:
            for file in (line["raw"], *line["grids"]):
                self.assertEqual(read_bytes(self.at("holes", file)), read_bytes(self.at("whole", file)), file)
        skipped = read_bytes(self.at("holes", "skipped.txt")).decode().splitlines()
        self.assertEqual(len(skipped), 2)
        self.assertRegex(skipped[0], f"sample {tree.token('a', 0, 1)}: .*CAM_FRONT/.*not an image")
        self.assertIn("CAM_BACK_RIGHT", skipped[1])
        self.assertIn("2 of 7 samples skipped", messages)

    def test_bad_lines_are_named_and_skipped(self):
        good = self.jsonl_sample(0, 0)
        flat = self.jsonl_sample(0, 1)
        flat["cameras"][2]["intrinsics"] = [[0, 0, 0], [0, 1, 0], [0, 0, 1]]
        five = self.jsonl_sample(0, 2, cameras=range(5))
        path = self.write_samples("mixed.jsonl", [good, {"id": "x"}, {**good, "a\nb": 1}, flat, five])
        lines, messages = self.bev("mixed", "--samples", path, expect=3)
        self.assertEqual([line["id"] for line in lines], [good["id"]])
        skipped = read_bytes(self.at("mixed", "skipped.txt")).decode().splitlines()
        self.assertEqual(len(skipped), 4)
        self.assertIn('mixed.jsonl: line 2 has no "sequence"', skipped[0])
        self.assertIn('line 3 has a "a_b", which is not a key', skipped[1])
        self.assertRegex(skipped[2], f"sample {flat['id']}: camera 2.*intrinsics has no inverse")
        self.assertRegex(skipped[3], f"sample {five['id']} has 5 cameras where the network takes 6.*--cameras.*--set cameras=5")
        self.assertIn("4 of 5 samples skipped", messages)

    def test_other_numbers_of_cameras(self):
        two = ("--cameras", "CAM_BACK,CAM_FRONT")
        message = self.fails(*self.arguments("none", *two), code=2)
        self.assertIn("has 2 cameras where the network takes 6", message)
        self.assertIn("--set cameras=2", message)
        lines, _ = self.bev("two", *two, "--set", "cameras=2")
        self.assertEqual(len(lines), 7)
        self.assertIn("CAM_TOP", self.fails(*self.arguments("none", "--cameras", "CAM_TOP"), code=2))
        self.assertIn("twice", self.fails(*self.arguments("none", "--cameras", "CAM_BACK,CAM_BACK"), code=2))

    def test_broken_tables(self):
        for table, change, words in (
                ("sample_data", lambda t: t[: len(t) // 2], "not valid JSON at byte"),
                ("sample_data", lambda t: t.replace(b"true", b"1", 1), "is_key_frame"),
                ("ego_pose", lambda t: b"[]", "the pose of the sample"),
                ("calibrated_sensor", lambda t: b"[" * 100000, "row 1 is not a JSON object"),
                ("sample", lambda t: b'[{"token": ' + b"[" * 100000, "nested too deeply"),
                ("scene", lambda t: b'{"token": 1}', "is not a list of rows"),
                ("sensor", lambda t: t.replace(b"CAM_BACK\"", b"CAM_REAR\""), "has no camera CAM_BACK"),
                ("ego_pose", None, "cannot open")):
            shutil.rmtree(self.at("broken"), ignore_errors=True)
            shutil.copytree(os.path.join(self.root, "v1.0-mini"), self.at("broken", "v1.0-mini"))
            path = self.at("broken", "v1.0-mini", table + ".json")
            data = read_bytes(path)
            os.remove(path)
            if change:
                self.write(f"broken/v1.0-mini/{table}.json", change(data))
            message = self.fails("bev", self.bev_model, "--nuscenes", self.at("broken"), "--version", "v1.0-mini", "-o",
                                 self.at("none"), code=2 if table == "sensor" else 1)
            self.assertIn(table + ".json", message)
            self.assertIn(words, message)
        self.assertFalse(os.path.exists(self.at("none")))

    def test_contradictions(self):
        path = self.write_samples("one.jsonl", [self.jsonl_sample(0, 0)])
        model, out = self.bev_model, ("-o", self.at("none"))
        for arguments, code, words in (
                ((model,), 2, "--samples or a folder with --nuscenes"),
                ((model, "--samples", path, "--nuscenes", self.root), 2, "leave one out"),
                ((model, "--samples", path, "--scenes", "val"), 2, "--scenes is of --nuscenes"),
                ((model, "--samples", self.at("absent.jsonl")), 1, "absent.jsonl: cannot read"),
                ((model, "--nuscenes", self.root), 1, "--version v1.0-mini"),
                ((model, "--nuscenes", self.folder), 1, "holds no tables of nuScenes"),
                ((model, "--nuscenes", self.root, "--version", "v1.0-mini", "--scenes", "mini_train"), 2, "none of its scenes"),
                ((model, "--samples", path, "--shard", "3/3"), 2, "--shard 3/3"),
                ((model, "--samples", path, "--format", "mat"), 2, "safetensors or npz"),
                ((model, "--samples", self.write("empty.jsonl", b"\n")), 1, "empty.jsonl: holds no samples"),
                ((model, "--samples", self.write("bad.jsonl", b"{}\n")), 1, "none of 1 samples could be read"),
                ((self.model, "--samples", path), 1, "no output 'map'")):
            self.assertIn(words, self.fails("bev", *arguments, *out, code=code), arguments)
        self.assertFalse(os.path.exists(self.at("none")))


class GoingOn(BevPlace):
    DEADLINE = 60  # seconds

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        bad = os.path.join(cls.root, tree.file_of("CAM_BACK", 0, 1))
        with open(bad, "wb") as f:
            f.write(b"no image")

    def test_stopped_runs_resume_to_the_same_bytes(self):
        many = [{**self.jsonl_sample(scene, i), "id": f"{k:03}_{scene}{i}"} for k in range(9)
                for scene, n in enumerate(SCENES.values()) for i in range(n)]
        source = ("--samples", self.write_samples("many.jsonl", many), "--draw")
        self.bev("many", *source, expect=3)
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)):
            name = f"stopped{number}"
            process = subprocess.Popen([TYTO, "-q", *map(str, self.arguments(name, *source))], stderr=subprocess.PIPE, text=True)
            lines, until = self.at(name, "bev.jsonl"), time.monotonic() + self.DEADLINE
            while not os.path.exists(lines) or read_bytes(lines).count(b"\n") < 3:
                self.assertIsNone(process.poll(), "it ended before the signal")
                self.assertLess(time.monotonic(), until)
                time.sleep(0.001)
            process.send_signal(number)
            _, messages = process.communicate(timeout=self.DEADLINE)
            self.assertEqual(process.returncode, code, messages)
            self.assertTrue(read_bytes(self.at("many", "bev.jsonl")).startswith(read_bytes(lines)))
            if number != signal.SIGKILL:
                self.assert_one_sentence(messages)
                self.assertIn("--resume", self.fails(*self.arguments(name, *source), code=2))
            self.bev(name, *source, "--resume", expect=3)
            for left in [f for f in self.files_below(name) if f.endswith(".tmp")]:
                os.remove(self.at(name, left))  # of the killed one
            self.assert_same_folders(name, "many")

    def test_every_option_that_decides_the_maps_is_refused_when_it_changes(self):
        self.bev("decided", expect=3)
        state = json.loads(read_bytes(self.at("decided", "run.json")))
        self.write("decided/run.json", json.dumps({**state, "finished": False}).encode())
        deciding = {"--batch": ["2"], "--set": ["cameras=6"], "--threshold": ["0.5"], "--format": ["npz"], "--draw": [],
                    "--exif-orientation": [], "--scenes": ["mini_val"], "--cameras": [",".join(tree.CAMERAS)], "--autotune": [],
                    "--precision": None, "--samples": None, "--nuscenes": None, "--version": None,
                    "--ipm": None, "--grid": None, "--heights": None, "--blend": None, "--shard": ["0/2"]}
        self.assert_options_are("bev", deciding, ("--output", "--decoders", "--profile", "--resume", "--json", "--device", "--threads",
                                                  "--memory-limit", "--synchronous", "--help"))
        for option, value in deciding.items():
            if value is not None:
                message = self.fails(*self.arguments("decided", option, *value, "--resume"), code=2)
                self.assertIn("run.json belongs to a run with another model, other options or other inputs", message)
        before = read_bytes(self.at("decided", "bev.jsonl"))
        self.bev("decided", "--resume", expect=3)
        self.assertEqual(read_bytes(self.at("decided", "bev.jsonl")), before)

    def test_merged_shards_are_the_bytes_of_the_whole_run(self):
        # Sequences take turns, a line is bad, and so is a camera.
        samples = [self.jsonl_sample(scene, i) for i in range(3) for scene, n in enumerate(SCENES.values()) if i < n]
        source = ("--samples", self.write_samples("turns.jsonl", [*samples[:2], {"id": 1}, *samples[2:]]), "--draw", "--batch", "2")
        self.bev("unsharded", *source, expect=3)
        codes = []
        for i in range(4):  # one of each sequence, and one of none
            done = subprocess.run([TYTO, "-q", *map(str, self.arguments(f"part{i}", *source, "--shard", f"{i}/4"))], capture_output=True)
            codes.append(done.returncode)
        self.assertIn(3, codes)
        self.assertIn(0, codes)
        parts = [self.at(f"part{i}") for i in range(4)]
        self.assertEqual([os.path.getsize(os.path.join(p, "bev.jsonl")) > 0 for p in parts], [True, True, True, False])
        tyto("merge", *reversed(parts), "-o", self.at("merged"))
        self.assert_same_folders("merged", "unsharded")
        self.assertIn("missing shard 1/4", self.fails("merge", parts[0], *parts[2:], "-o", self.at("lacking")))
        self.assertIn("the same shard 0", self.fails("merge", *parts, parts[0], "-o", self.at("lacking")))
        self.assertIn("is no shard", self.fails("merge", self.at("unsharded"), "-o", self.at("lacking")))
        self.assertIn("holds a run", self.fails("merge", *parts, "-o", self.at("merged"), code=2))
        state = json.loads(read_bytes(self.at("part1", "run.json")))
        for change, words in (({"finished": False}, "finish it with --resume"), ({"identity": {}}, "do not belong together")):
            self.write("part1/run.json", json.dumps({**state, **change}).encode())
            self.assertIn(words, self.fails("merge", *parts, "-o", self.at("lacking")))
        self.assertFalse(os.path.exists(self.at("lacking")))


if __name__ == "__main__":
    unittest.main()
