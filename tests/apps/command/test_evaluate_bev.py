"""tyto evaluate --bev beside numpy and OpenCV: labels from files of every kind, and nuScenes' boxes by Lift-Splat-Shoot's
rule; and what is missing, superfluous or of another size."""
import json
import os
import sys
import unittest

import cv2
import numpy as np
from PIL import Image

import nuscenes_tree as tree
from evaluate_case import EvaluateTest
from tyto_process import save_tensors

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../../scripts/street"))
from rig import rotation_of

ROWS, COLUMNS = 30, 20
GRID = {"lower": [-15, -8, -10], "step": [1, 0.8, 20], "cells": [ROWS, COLUMNS, 1], "rows": "x", "frame": "ego"}


class BevPlace(EvaluateTest):
    def write_run(self, name, maps, classes=("vehicle",), grid=GRID, suffix=".safetensors"):
        """A folder as `tyto bev` writes it. maps: {id: [classes, rows, columns]}"""
        self.write(f"{name}/run.json", {"identity": {}, "finished": True, "grid": grid, "classes": list(classes), "skipped": []})
        os.makedirs(self.at(name, "raw"), exist_ok=True)
        lines = ""
        for i, (sample, logits) in enumerate(maps.items()):
            raw = f"raw/{sample}{suffix}"
            if suffix == ".npz":
                np.savez(self.at(name, raw), map=logits)
            else:
                save_tensors(self.at(name, raw), {"map": logits})
            lines += json.dumps({"id": sample, "sequence": "s", "index": i, "raw": raw, "grids": [], "calibration_changed": False,
                                 "cells": {}}) + "\n"
        self.write(f"{name}/bev.jsonl", lines)
        return self.at(name)

    def random_maps(self, ids, classes=1, seed=1):
        rng = np.random.default_rng(seed)
        return {sample: np.round(rng.normal(size=(classes, ROWS, COLUMNS)), 1).astype(np.float32) for sample in ids}

    def assert_iou(self, report, logits, labels, threshold=0.0):
        """logits, labels: of each sample [classes, rows, columns]."""
        self.assertEqual(report["samples"], len(labels))
        for k, found in enumerate(report["classes"]):
            predicted = np.stack([m[k] > threshold for m in logits])
            labelled = np.stack([m[k] != 0 for m in labels])
            self.assertEqual(found["intersection"], (predicted & labelled).sum())
            self.assertEqual(found["union"], (predicted | labelled).sum())
            self.assertEqual((found["predicted"], found["labelled"]), (predicted.sum(), labelled.sum()))
            union = (predicted | labelled).sum()
            self.assertEqual(found["iou"], (predicted & labelled).sum() / union if union else -1)


class LabelFilesTest(BevPlace):
    def test_labels_are_read_of_every_kind(self):
        ids = ["png", "bool", "f64", "plain", "npz", "tensors", "dotted.name"]
        maps = self.random_maps(ids)
        labels = {sample: np.random.default_rng(i).random((1, ROWS, COLUMNS)) < 0.4 for i, sample in enumerate(ids)}
        run = self.write_run("run", maps)
        os.makedirs(self.at("labels"))
        at = lambda name: self.at("labels", name)
        Image.fromarray(labels["png"][0].astype(np.uint8) * 3).save(at("png.png"))
        np.save(at("bool.npy"), labels["bool"])
        np.save(at("f64.npy"), labels["f64"] * -0.5)
        np.save(at("plain.npy"), labels["plain"][0].astype(np.int64))
        np.savez_compressed(at("npz.npz"), labels=labels["npz"].astype(np.int16), other=np.zeros(3))
        save_tensors(at("tensors.safetensors"), {"anything": labels["tensors"].astype(np.uint8)})
        np.save(at("dotted.name.npy"), labels["dotted.name"].astype(np.float16))
        report = self.evaluate(run, "--bev", "--labels", self.at("labels"), "-o", self.at("report"))
        self.assert_iou(report, list(maps.values()), list(labels.values()))
        with open(self.at("report", "evaluation.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file), report)
        text, _ = self.tyto(run, "--bev", "--labels", self.at("labels"))
        self.assertIn(f"{100 * report['classes'][0]['iou']:.2f} %", text)

    def test_classes_threshold_and_shards(self):
        maps = self.random_maps(["a", "b", "c"], classes=3)
        for logits in maps.values():
            logits[2] = -9  # of the last class nothing is found
        labels = {sample: np.random.default_rng(7).random((3, ROWS, COLUMNS)) < 0.3 for sample in maps}
        os.makedirs(self.at("labels"))
        for sample, label in labels.items():
            label[2] = False
            Image.fromarray(label.reshape(-1, COLUMNS).astype(np.uint8) * 255).save(self.at("labels", sample + ".png"))
        classes = ("car", "person", "tram")
        first = self.write_run("first", {"a": maps["a"]}, classes)
        second = self.write_run("second", {k: maps[k] for k in "bc"}, classes, suffix=".npz")
        for threshold in (0.0, 0.5):
            report = self.evaluate(first, second, "--bev", "--labels", self.at("labels"), "--threshold", str(threshold))
            self.assert_iou(report, list(maps.values()), list(labels.values()), np.float32(threshold))
            self.assertEqual(report["classes"][2]["iou"], -1)
            self.assertAlmostEqual(report["mean_iou"], np.mean([c["iou"] for c in report["classes"][:2]]), delta=1e-15)

    def test_what_is_missing_is_named(self):
        maps = self.random_maps(["a", "b", "unlabelled"])
        run = self.write_run("run", maps)
        label = np.ones((1, ROWS, COLUMNS), np.uint8)
        os.makedirs(self.at("labels"))
        for sample in ("a", "b", "unseen"):
            np.save(self.at("labels", sample + ".npy"), label)
        out, messages = self.tyto(run, "--bev", "--labels", self.at("labels"), "--json")
        self.assertRegex(messages, "1 predicted samples have no labels .*: 'unlabelled'\n")
        self.assertRegex(messages, "1 samples of .* were not looked at, .*: 'unseen'\n")
        nothing = np.full_like(maps["a"], -1)
        self.assert_iou(json.loads(out), [maps["a"], maps["b"], nothing], [label] * 3)
        self.assertEqual(json.loads(out)["not_predicted"], 1)

    def test_what_does_not_fit_is_one_sentence(self):
        run = self.write_run("run", self.random_maps(["a"]))
        os.makedirs(self.at("labels"))
        judged = (run, "--bev", "--labels", self.at("labels"))
        np.save(self.at("labels", "b.npy"), np.zeros((1, ROWS, COLUMNS)))
        self.assertIn("none of 1 predicted samples", self.tyto(*judged, code=2)[1])
        os.remove(self.at("labels", "b.npy"))
        for array, word in ((np.zeros((COLUMNS, ROWS)), r"\[20, 30\]"), (np.zeros((2, ROWS, COLUMNS)), r"\[2, 30, 20\]"),
                            (np.zeros((1, ROWS, COLUMNS), np.complex64), "<c8")):
            np.save(self.at("labels", "a.npy"), array)
            self.assertRegex(self.fails(*judged), r"a\.npy.*" + word)
        os.remove(self.at("labels", "a.npy"))
        Image.new("L", (ROWS, COLUMNS)).save(self.at("labels", "a.png"))
        self.assertRegex(self.fails(*judged), r"a\.png.*30 x 20 pixels")
        Image.new("L", (COLUMNS, ROWS)).save(self.at("labels", "a.png"))
        save_tensors(self.at("run", "raw", "a.safetensors"), {"map": np.zeros((1, 5, 5), np.float32)})
        self.assertRegex(self.fails(*judged), r"a\.safetensors.*\[1, 5, 5\].*\[1, 30, 20\]")
        other = self.write_run("other", self.random_maps(["z"]), grid=dict(GRID, lower=[0, 0, 0]))
        self.assertRegex(self.fails(run, other, "--bev", "--labels", self.at("labels")), "different grids")
        self.assertRegex(self.fails(run, run, "--bev", "--labels", self.at("labels")), "a stands twice")
        for args in ((run, "--bev"), (run, "--labels", self.at("labels")), (*judged, "--scenes", "val"),
                     (*judged, "--nuscenes", "x"), (*judged, "--voc", "x"), (*judged, "--ap", "plain")):
            self.fails(*args, code=2)


def vehicle_labels(boxes, ego, grid, lidar=np.eye(4)):
    """As Lift-Splat-Shoot's data set draws them. boxes: [(translation, width length height, quaternion)]; ego: pose."""
    to_grid = np.linalg.inv(lidar) @ np.linalg.inv(ego)
    by_x = grid["rows"] == "x"
    rows, columns = grid["cells"][:2] if by_x else grid["cells"][1::-1]
    image = np.zeros((rows, columns))
    for translation, (width, length, height), quaternion in boxes:
        corners = np.array([[length, -width, -height], [length, width, -height], [-length, width, -height], [-length, -width, -height]]) / 2
        world = corners @ rotation_of(quaternion).T + translation
        at = (world @ to_grid[:3, :3].T + to_grid[:3, 3])[:, :2]
        cells = np.round((at - grid["lower"][:2]) / grid["step"][:2]).astype(np.int32)
        cv2.fillPoly(image, [cells[:, ::-1] if by_x else cells], 1.0)
    return image[None]


class NuscenesLabelsTest(BevPlace):
    SCENES = {"scene-0103": 2, "scene-0001": 2}

    def setUp(self):
        super().setUp()
        self.root = self.at("nuscenes")
        tree.write_tables(self.root, "v1.0-mini", self.SCENES)
        self.ids = [tree.token("a", scene, sample) for scene in range(2) for sample in range(2)]
        self.ego = np.eye(4)
        self.ego[:3, :3] = rotation_of([0.9, 0.001, -0.02, 0.43])
        rng = np.random.default_rng(5)
        self.boxes = {sample: [] for sample in self.ids}
        categories = ["vehicle.car", "vehicle.bus.rigid", "human.pedestrian.adult", "vehicles"]
        self.table("category", [{"token": f"c{i}", "name": name} for i, name in enumerate(categories)])
        self.table("instance", [{"token": f"i{i}", "category_token": f"c{i}"} for i in range(len(categories))])
        rows = []
        for n in range(200):
            place = int(rng.integers(4))
            quaternion = rng.normal(size=4) * [1, 0.05, 0.05, 1]
            translation = (self.pose(place) @ [*rng.uniform(-18, 18, 2), 1, 1])[:3]
            size = rng.uniform(0.3, 6, 3)
            kind = int(rng.integers(len(categories)))
            rows.append({"token": f"b{n}", "sample_token": self.ids[place], "instance_token": f"i{kind}", "visibility_token": "",
                         "attribute_tokens": [], "translation": translation.tolist(), "size": size.tolist(),
                         "rotation": quaternion.tolist(), "prev": "", "next": "", "num_lidar_pts": 5, "num_radar_pts": 0})
            if kind < 2:
                self.boxes[self.ids[place]].append((translation, size, quaternion))
        self.table("sample_annotation", rows)

    def table(self, name, rows):
        self.write(f"nuscenes/v1.0-mini/{name}.json", rows)

    def pose(self, place):
        pose = self.ego.copy()
        pose[:3, 3] = [1000.123456789 + place % 2, 600.987654321, 0.0]
        return pose

    def labels(self, places, grid, lidar=np.eye(4)):
        return [vehicle_labels(self.boxes[self.ids[i]], self.pose(i), grid, lidar) for i in places]

    def judge(self, run, *options):
        return self.evaluate(run, "--bev", "--nuscenes", self.root, "--version", "v1.0-mini", *options)

    def test_boxes_of_vehicles_are_drawn_as_lift_splat_shoot_does(self):
        maps = self.random_maps(self.ids)
        report = self.judge(self.write_run("run", maps))
        labels = self.labels(range(4), GRID)
        self.assertGreater(min(map(np.sum, labels)), 50)
        self.assert_iou(report, list(maps.values()), labels)
        # A map that is the labels finds them all, cell by cell.
        perfect = {sample: label.astype(np.float32) for sample, label in zip(self.ids, labels)}
        self.assertEqual(self.judge(self.write_run("perfect", perfect))["classes"][0]["iou"], 1)

    def test_other_axes_and_the_lidars_frame(self):
        lidar = np.eye(4)
        lidar[:3, :3], lidar[:3, 3] = rotation_of(tree.LIDAR_POSE["rotation"]), tree.LIDAR_POSE["translation"]
        for rows, frame in (("y", "ego"), ("x", "lidar"), ("y", "lidar")):
            grid = dict(GRID, rows=rows, frame=frame)
            labels = self.labels(range(4), grid, lidar if frame == "lidar" else np.eye(4))
            perfect = {sample: label.astype(np.float32) for sample, label in zip(self.ids, labels)}
            self.assertEqual(self.judge(self.write_run(f"run_{rows}_{frame}", perfect, grid=grid))["classes"][0]["iou"], 1, grid)

    def test_scenes_are_chosen(self):
        maps = self.random_maps(self.ids[2:])
        report = self.judge(self.write_run("run", maps), "--scenes", "scene-0001")
        self.assert_iou(report, list(maps.values()), self.labels((2, 3), GRID))
        self.assertEqual(report["not_predicted"], 0)
        out, messages = self.tyto(self.at("run"), "--bev", "--nuscenes", self.root, "--version", "v1.0-mini", "--json")
        self.assertRegex(messages, "2 samples of .* were not looked at")
        self.assertEqual(json.loads(out)["not_predicted"], 2)

    def test_a_broken_table_is_named(self):
        run = self.write_run("run", self.random_maps(self.ids))
        judged = (run, "--bev", "--nuscenes", self.root, "--version", "v1.0-mini")
        self.table("instance", [{"token": "i0", "category_token": "c9"}])
        self.assertRegex(self.fails(*judged), "instance.json: row 1 .*c9.*category.json")
        self.table("instance", [{"token": "i0", "category_token": "c0"}])
        self.assertRegex(self.fails(*judged), "sample_annotation.json: row [0-9]+ .*instance.json")
        classes = self.write_run("two", self.random_maps(self.ids, classes=2), ("car", "person"))
        self.assertRegex(self.tyto(classes, *judged[1:], code=2)[1], "2 classes")


if __name__ == "__main__":
    unittest.main()
