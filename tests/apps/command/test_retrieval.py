"""tyto rank, evaluate and merge, end to end on features files written here."""

import json
import os
import struct
import subprocess
import tempfile
import unittest

import numpy as np
from PIL import Image

TYTO = os.environ["TYTO"]


def write_features(path, sets, shard=None, **making):
    """The format as apps/reid/features_file.h states it. sets: name -> (root, paths, ids, cameras, features)"""
    metadata = {"kind": "features", "version": 1, "model": "ab12", "network": "ft_net", "rule": "{}", "precision": "fp32",
                "flip": True, "scales": [1.0], "exif": False, "dataset": "market1501", **making}
    if shard:
        metadata["shard"] = {"index": shard[0], "count": shard[1]}
    metadata["sets"] = {name: {"root": s[0], "paths": s[1]} for name, s in sets.items()}
    header, data = {"__metadata__": {"tyto": json.dumps(metadata)}}, b""
    for name, (_, _, ids, cameras, features) in sets.items():
        for part, values, dtype in (("features", np.asarray(features, np.float32), "F32"),
                                    ("ids", np.asarray(ids, np.int64), "I64"),
                                    ("cameras", np.asarray(cameras, np.int64), "I64")):
            header[f"{name}.{part}"] = {"dtype": dtype, "shape": values.shape,
                                        "data_offsets": [len(data), len(data) + values.nbytes]}
            data += values.tobytes()
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def golden_features(rows):
    """f of the reference's evaluation example, of unit length"""
    i, d = np.asarray(rows)[:, None], np.arange(6)
    f = np.sin(0.37 * (i + 1) * (d + 1)) + 0.05 * i
    return f / np.linalg.norm(f, axis=1, keepdims=True)


def names(ids, cameras):
    return [f"{k:02}_{i}_c{c}.png" for k, (i, c) in enumerate(zip(ids, cameras))]


class CommandTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        q_ids, q_cameras = [0, 1, 2, 0], [1, 1, 2, 2]
        g_ids, g_cameras = [0, 0, 0, 1, 1, 1, 2, 2, -1, 3, 3, 0], [1, 2, 3, 1, 2, 3, 1, 2, 1, 1, 2, 2]
        self.query = (self.at("query"), names(q_ids, q_cameras), q_ids, q_cameras, golden_features(range(4)))
        self.gallery = (self.at("gallery"), names(g_ids, g_cameras), g_ids, g_cameras, golden_features(range(4, 16)))
        for root, paths, *_ in (self.query, self.gallery):
            os.mkdir(root)
            for k, path in enumerate(paths):
                Image.new("RGB", (30, 60), (20 * k, 90, 160)).save(os.path.join(root, path))
        self.features = self.at("features.safetensors")
        write_features(self.features, {"query": self.query, "gallery": self.gallery})

    def at(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        with open(self.at(name), "rb") as file:
            return file.read()

    def run_tyto(self, *arguments, code=0):
        done = subprocess.run([TYTO, *arguments], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def test_evaluate_gives_the_golden_values_and_names_its_rule(self):
        result = json.loads(self.run_tyto("evaluate", self.features, "--json"))
        self.assertEqual((result["protocol"], result["ap"], result["divisor"]), ("baseline", "trapezoid", "all"))
        self.assertAlmostEqual(result["map"], 0.162566138, places=9)
        self.assertEqual(result["cmc"][:7], [0, 0, 0.5, 0.5, 0.5, 0.75, 1])
        plain = json.loads(self.run_tyto("evaluate", self.features, "--json", "--protocol", "torchreid"))
        self.assertAlmostEqual(plain["map"], 0.253339947, places=9)
        altered = json.loads(self.run_tyto("evaluate", self.features, "--json", "--ap", "plain"))
        self.assertEqual((altered["protocol"], altered["ap"]), ("baseline (altered)", "plain"))
        text = self.run_tyto("evaluate", self.features)
        self.assertIn("baseline: trapezoidal AP, mean over all queries", text)
        self.assertIn("mAP       16.26 %", text)

    def test_evaluate_draws_the_curve(self):
        self.run_tyto("evaluate", self.features, "-o", self.at("out"))
        self.assertEqual(sorted(os.listdir(self.at("out"))), ["cmc.png", "cmc.svg", "evaluation.json"])

    def test_evaluate_takes_multi_query_features(self):
        self.run_tyto("evaluate", self.features, "--multi-query", code=2)
        write_features(self.features, {"query": self.query, "gallery": self.gallery, "multi_query": self.query})
        same = self.run_tyto("evaluate", self.features, "--multi-query", "--json")
        self.assertEqual(same, self.run_tyto("evaluate", self.features, "--json"))

    def test_rank_writes_lines_pictures_and_a_page(self):
        self.run_tyto("rank", self.features, "-o", self.at("ranking"), "--top-k", "5")
        with open(self.at("ranking/ranking.jsonl")) as file:
            lines = [json.loads(line) for line in file]
        self.assertEqual([line["query"] for line in lines], self.query[1])
        # The golden order 9 10 7 8 4 ... without 8 (junk); 0 has the query's camera and comes later.
        self.assertEqual([image["path"] for image in lines[0]["ranking"]], [self.gallery[1][k] for k in (9, 10, 7, 4, 6)])
        self.assertEqual([image["correct"] for image in lines[0]["ranking"]], [False] * 5)
        self.assertEqual(len(os.listdir(self.at("ranking/pictures"))), 4)
        Image.open(self.at("ranking/pictures/1_00_0_c1.jpg")).verify()
        self.assertTrue(os.path.getsize(self.at("ranking/index.html")) > 5000)

    def test_rank_takes_several_files_and_prints_lines(self):
        write_features(self.at("q"), {"query": self.query})
        write_features(self.at("g"), {"gallery": self.gallery})
        self.assertEqual(self.run_tyto("rank", self.at("q"), self.at("g"), "--json"),
                         self.run_tyto("rank", self.features, "--json"))
        self.assertIn("no gallery features", self.run_tyto("rank", self.at("q"), "--json", code=2))
        write_features(self.at("g"), {"gallery": self.gallery}, model="other")
        self.assertIn("do not belong together", self.run_tyto("rank", self.at("q"), self.at("g"), "--json", code=1))

    def test_plain_folders_have_no_junk_and_find_no_image_in_itself(self):
        unknown = [-1] * 12
        photos = (self.gallery[0], self.gallery[1], unknown, unknown, self.gallery[4])
        write_features(self.features, {"query": photos, "gallery": photos}, dataset="plain")
        for line in map(json.loads, self.run_tyto("rank", self.features, "--json", "--top-k", "50").splitlines()):
            self.assertEqual(len(line["ranking"]), 11)
            self.assertNotIn(line["query"], [image["path"] for image in line["ranking"]])
            self.assertEqual({image["correct"] for image in line["ranking"]}, {None})
        self.assertIn("--dataset", self.run_tyto("evaluate", self.features, code=2))
        self.assertIn("--camera-rule", self.run_tyto("rank", self.features, "--json", "--camera-rule", "baseline", code=2))

    def test_merge_gives_the_same_file_whatever_the_order_of_the_shards(self):
        def part(s, i):
            return (s[0], s[1][i::2], s[2][i::2], s[3][i::2], s[4][i::2])

        for i in (0, 1):
            write_features(self.at(f"{i}"), {"query": part(self.query, i), "gallery": part(self.gallery, i)}, (i, 2))
        self.run_tyto("merge", self.at("0"), self.at("1"), "-o", self.at("merged"))
        self.run_tyto("merge", self.at("1"), self.at("0"), "-o", self.at("reversed"))
        self.run_tyto("merge", self.features, "-o", self.at("whole"))
        self.assertEqual(self.read("merged"), self.read("reversed"))
        self.assertEqual(self.read("merged"), self.read("whole"))
        self.assertIn("missing shard 1/2", self.run_tyto("merge", self.at("0"), "-o", self.at("x"), code=1))
        self.assertFalse(os.path.exists(self.at("x")))

    def test_a_feature_that_is_not_finite_is_named_and_comes_last(self):
        self.gallery[4][9] = np.nan
        write_features(self.features, {"query": self.query, "gallery": self.gallery})
        done = subprocess.run([TYTO, "rank", self.features, "--json", "--top-k", "50"], capture_output=True, text=True)
        self.assertIn(self.gallery[1][9], done.stderr)
        last = json.loads(done.stdout.splitlines()[0])["ranking"][-1]
        self.assertEqual((last["path"], last["score"]), (self.gallery[1][9], None))

    def test_mistakes_end_in_one_sentence(self):
        for arguments, code in ((["rank", self.features], 2), (["rank", "missing", "--json"], 1),
                                (["evaluate", __file__], 1), (["evaluate", self.features, "--protocol", "best"], 2),
                                (["rank", self.features, "--json", "--top-k", "0"], 2),
                                (["rank", self.features, "-o", __file__], 1)):
            message = self.run_tyto(*arguments, code=code)
            self.assertTrue(message.strip(), arguments)
            self.assertNotIn("unexpected", message)
