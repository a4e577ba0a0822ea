"""tyto.BevSegmenter: the command's bits, whatever a sample's images come as; and what is refused, by a sentence."""
import dataclasses
import json
import subprocess
import sys
import threading
import unittest

import numpy as np
import torch
from PIL import Image

import tyto
from bev_place import SCENES, BevPlace
from inference_garbage import assert_garbage_is_refused

BATCH = 2


class BevSegmenters(BevPlace):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        place = cls("assert_maps")
        cls.listed = [place.jsonl_sample(scene, i) for scene, n in enumerate(SCENES.values()) for i in range(n)]
        cls.file = place.write_samples("samples.jsonl", cls.listed)
        cls.lines, _ = place.bev("out", "--samples", cls.file, "--batch", BATCH)
        cls.maps = [place.map_of("out", line) for line in cls.lines]
        cls.network = tyto.BevSegmenter(cls.bev_model, threads=1, batch=BATCH)
        cls.addClassCleanup(cls.network.close)

    def setUp(self):
        self.samples = tyto.read_samples(self.file)

    def assert_maps(self, found, maps):
        self.assertEqual(len(found), len(maps))
        for seen, map_ in zip(found, maps):
            self.assertEqual(seen.map.dtype, np.float32)
            np.testing.assert_array_equal(seen.map, map_)

    def test_a_files_samples_have_the_bits_of_the_commands_raw_files(self):
        with self.network.samples(self.file) as run:
            self.assertEqual(len(run), 7)
            found = list(run)
        self.assert_maps(found, self.maps)
        for seen, line in zip(found, self.lines):
            self.assertEqual((seen.id, list(seen.outputs)), (line["id"], ["map"]))
            self.assertEqual({name: int(m.sum()) for name, m in zip(seen.class_names, seen.mask())}, line["cells"])
            self.assertIs(seen.outputs["map"], seen.map)

    def test_the_grid_is_the_run_files(self):
        with open(self.at("out", "run.json"), encoding="utf-8") as file:
            self.assertEqual(json.loads(json.dumps(dataclasses.asdict(self.network.grid))), json.load(file)["grid"])
        self.assertEqual(self.maps[0].shape[1:], (len(self.network.grid.row_centers), len(self.network.grid.column_centers)))
        self.assertEqual(self.network.grid.row_centers[[0, -1]].tolist(), [-15.5, 15.5])
        self.assertEqual(self.network.grid.column_centers[[0, -1]].tolist(), [-7.5, 7.5])

    def test_images_and_matrices_may_come_as_anything(self):
        sample = self.samples[0]
        pixels = [tyto.read_image(path) for path in sample.images]
        upside_down = [np.ascontiguousarray(p[::-1])[::-1] for p in pixels]
        turned = [dataclasses.replace(camera, intrinsics=torch.from_numpy(camera.intrinsics), augmentation=None,
                                      camera_to_ego=np.asfortranarray(camera.camera_to_ego).tolist()) for camera in sample.cameras]
        ways = [pixels, upside_down, np.stack(pixels), torch.from_numpy(np.stack(pixels)), [Image.fromarray(p) for p in pixels],
                [*sample.images[:3], *pixels[3:]]]
        for images in ways:
            found = self.network.segment([dataclasses.replace(sample, images=images, cameras=turned, lidar_to_ego=None),
                                          self.samples[1]])
            self.assert_maps(found, self.maps[:2])
        self.assert_maps(self.network.segment(self.samples[0]), self.maps[:1])
        self.assertEqual(self.network.segment([]), [])

    def test_samples_beside_a_sample_do_not_matter_and_calibrations_do(self):
        order = [4, 0, 6, 1, 5]
        self.assert_maps(self.network.segment([self.samples[i] for i in order]), [self.maps[i] for i in order])
        moved = [dataclasses.replace(c, camera_to_ego=c.camera_to_ego.copy()) for c in self.samples[0].cameras]
        self.assert_maps(self.network.segment(dataclasses.replace(self.samples[0], cameras=moved)), self.maps[:1])
        moved[0].camera_to_ego[0, 3] += 3
        (found,) = self.network.segment(dataclasses.replace(self.samples[0], cameras=moved))
        self.assertGreater(np.abs(found.map - self.maps[0]).max(), 0.02)

    def test_other_cameras_are_chosen_by_name(self):
        names = ["CAM_BACK", "CAM_FRONT"]
        lines, _ = self.bev("two", "--samples", self.file, "--cameras", ",".join(names), "--set", "cameras=2")
        with tyto.BevSegmenter(self.bev_model, cameras=2, threads=1) as segmenter:
            self.assertEqual(segmenter.cameras, 2)
            self.assert_maps(list(segmenter.samples(self.file, cameras=names)), [self.map_of("two", line) for line in lines])
        for cameras, text in ((["CAM_TOP"], "has no camera CAM_TOP"), (["a", "a"], "names a twice"),
                              ("CAM_BACK", "a list of names")):
            with self.assertRaisesRegex(tyto.Error, text):
                self.network.samples(self.file, cameras=cameras)
        with self.assertRaisesRegex(tyto.ArgumentError, "has 2 cameras where the network takes 6.*cameras=2"):
            self.network.samples(self.file, cameras=names)

    def test_a_matrix_that_makes_no_sense_is_named_with_its_camera(self):
        singular, nan, turned = np.zeros((3, 3)), np.full((4, 4), np.nan), np.eye(3)
        turned[2] = 0, 1, 1
        for name, value, text in (("intrinsics", singular, "sample 1: camera 2.*intrinsics has no inverse"),
                                  ("camera_to_ego", nan, "sample 1: camera 2.*camera_to_ego.*not finite"),
                                  ("camera_to_ego", np.ones((4, 4)), "sample 1: camera 2.*camera_to_ego"),
                                  ("augmentation", turned, "sample 1: camera 2.*augmentation ends in the row 0 1 1"),
                                  ("intrinsics", np.eye(4), r"sample 1: camera 2: intrinsics is \[4, 4\], not \[3, 3\]"),
                                  ("intrinsics", None, "sample 1: camera 2: intrinsics is None"),
                                  ("camera_to_ego", np.eye(4) * 1j, "sample 1: camera 2: camera_to_ego is no matrix of numbers")):
            cameras = list(self.samples[1].cameras)
            cameras[2] = dataclasses.replace(cameras[2], **{name: value})
            with self.assertRaisesRegex(tyto.ArgumentError, text):
                self.network.segment([self.samples[0], dataclasses.replace(self.samples[1], cameras=cameras)])
        with self.assertRaisesRegex(tyto.ArgumentError, "sample 0: .*lidar_to_ego"):
            self.network.segment(dataclasses.replace(self.samples[0], lidar_to_ego=nan))

    def test_what_does_not_fit_is_named(self):
        sample = self.samples[0]
        empty = np.zeros((0, 4, 3), np.uint8)
        for change, text in (({"images": sample.images[:5]}, "sample 0 has 5 images for 6 cameras"),
                             ({"cameras": sample.cameras[:5]}, "sample 0 has 5 cameras where the network takes 6.*cameras=5"),
                             ({"cameras": [*sample.cameras[:5], None]}, "sample 0: camera 5 is no tyto.Camera, but NoneType"),
                             ({"images": [*sample.images[:5], empty]}, "sample 0: image 5 is .*0, 4, 3"),
                             ({"images": [*sample.images[:5], 7]}, "sample 0: image 5 is neither an array nor a path")):
            with self.assertRaisesRegex(tyto.ArgumentError, text):
                self.network.segment(dataclasses.replace(sample, **change))

    def test_what_cannot_be_read_is_raised_or_skipped_with_the_commands_sentence(self):
        bad = {**self.listed[2], "cameras": [dict(c) for c in self.listed[2]["cameras"]]}
        bad["cameras"][1]["image"] = "samples.jsonl"
        flat = {**self.listed[1], "cameras": [dict(c) for c in self.listed[1]["cameras"]]}
        flat["cameras"][2]["intrinsics"] = [[0, 0, 0], [0, 1, 0], [0, 0, 1]]
        path = self.write_samples("holes.jsonl", [self.listed[0], {"id": "x"}, flat, bad, self.listed[3]])
        lines, _ = self.bev("holes", "--samples", path, "--batch", BATCH, expect=3)
        with self.network.samples(path, on_error="skip") as run:
            self.assert_maps(list(run), [self.map_of("holes", line) for line in lines])
        with open(self.at("holes", "skipped.txt"), encoding="utf-8") as file:
            self.assertEqual(run.skipped, file.read().splitlines())
        self.assertEqual(len(tyto.read_samples(path, on_error="skip")), 3)
        with self.assertRaisesRegex(tyto.Error, 'holes.jsonl: line 2 has no "sequence"'):
            tyto.read_samples(path)
        with self.network.samples(self.write_samples("bad.jsonl", [self.listed[0], bad])) as run:
            with self.assertRaisesRegex(tyto.Error, "samples.jsonl: not an image") as raised:
                list(run)
        self.assertEqual(raised.exception.kind, "format")
        for content, text in ((b"\n", "holds no samples"), (b"{}\n", "line 1"), (None, "cannot read")):
            file = self.at("none.jsonl") if content is None else self.write("some.jsonl", content)
            with self.assertRaisesRegex(tyto.Error, text):
                self.network.samples(file)
        self.assert_maps(self.network.segment(self.samples[0]), self.maps[:1])  # none of these keeps the segmenter

    def test_maps_have_probabilities_and_masks(self):
        (found,) = self.network.segment(self.samples[0])
        wide = dataclasses.replace(found, map=np.array([[[-200, -1, 0, 1, 200]]], np.float32))
        with np.errstate(all="raise", under="ignore"):
            # One rounding of exp, one of the sum and one of the quotient, in float32.
            np.testing.assert_allclose(wide.probabilities(), 1 / (1 + np.exp(-wide.map.astype(float))), rtol=4 * 2**-24, atol=1e-45)
        self.assertEqual(wide.probabilities().dtype, np.float32)
        self.assertEqual(wide.mask().tolist(), [[[False, False, False, True, True]]])
        self.assertEqual(wide.mask(-1).tolist(), [[[False, False, True, True, True]]])

    def test_a_run_that_is_left_frees_the_segmenter_and_threads_take_turns(self):
        run = self.network.samples(self.samples)
        next(run)
        with self.assertRaisesRegex(tyto.ArgumentError, "this segmenter is in the midst of other images"):
            self.network.segment(self.samples[0])
        run.close()
        self.assertEqual(list(run), [])
        got = []
        threads = [threading.Thread(target=lambda: got.append(self.network.segment(self.samples[:3]))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(got), 3)
        for found in got:
            self.assert_maps(found, self.maps[:3])

    def test_what_was_closed_or_forked_is_a_sentence(self):
        code = """
import os, sys, numpy as np, tyto
segmenter = tyto.BevSegmenter(sys.argv[1], threads=1)
samples = tyto.read_samples(sys.argv[2])[:1]
want = segmenter.segment(samples)[0].map
run = segmenter.samples(samples)
child = os.fork()
if child == 0:
    for use in (lambda: segmenter.segment(samples), lambda: next(run)):
        try:
            use()
            os._exit(1)
        except tyto.ArgumentError as error:
            assert "forked" in str(error), error
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
segmenter.close()
assert np.array_equal(next(run).map, want)  # a run that is under way goes on
try:
    segmenter.segment(samples)
except tyto.ArgumentError as error:
    print(error)
"""
        done = subprocess.run([sys.executable, "-c", code, self.bev_model, self.file], capture_output=True, text=True, timeout=120)
        self.assertEqual((done.returncode, done.stdout), (0, "this segmenter was closed; make another\n"), done.stderr)

    def test_no_argument_ends_the_process_and_what_is_raised_is_tytos(self):
        assert_garbage_is_refused(self, "segmenter", self.bev_model, self.file)

    def test_a_network_of_another_task_is_refused(self):
        with self.assertRaisesRegex(tyto.Error, "no output 'map'") as raised:
            tyto.BevSegmenter(self.model)
        self.assertEqual(raised.exception.kind, "unsupported")


if __name__ == "__main__":
    unittest.main()
