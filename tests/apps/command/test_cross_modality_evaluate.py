"""tyto evaluate by the protocols of SYSU-MM01 and RegDB, against a transcription of them into plain Python."""
import json
import os
import random
import statistics
import subprocess
import tempfile
import unittest

import numpy as np
import scipy.io

from cross_modality_trees import SPLITS, RegdbTree, SysuTree
from test_retrieval import write_features

TYTO = os.environ["TYTO"]
CAMERAS = {"all": (1, 2, 4, 5), "indoor": (1, 2)}
ROUNDING = 12  # decimal places: orders are equal, so means differ in the rounding of doubles only


# --- the protocols ---


def test_identities(root):
    with open(os.path.join(root, "exp/test_id.txt")) as f:
        return sorted(int(number) for number in f.readline().split(","))


def images_of(root, camera, identity):
    folder = f"cam{camera}/{identity:04}"
    if not os.path.isdir(os.path.join(root, folder)):
        return []
    return sorted(f"{folder}/{name}" for name in os.listdir(os.path.join(root, folder)))


def drawn_by_random(root, cameras, shots, trial):
    random.seed(trial)
    gallery = []
    for identity in test_identities(root):
        for camera in cameras:
            images = images_of(root, camera, identity)
            if images and shots == 1:
                gallery.append(random.choice(images))
            elif images:
                gallery += random.sample(images, min(shots, len(images)))
    return gallery


def drawn_by_permutations(root, cameras, shots, trial):
    cells = scipy.io.loadmat(os.path.join(root, "exp/rand_perm_cam.mat"))["rand_perm_cam"]
    gallery = []
    for camera in cameras:
        for identity in test_identities(root):
            for number in cells[camera - 1, 0][identity - 1, 0][trial][:shots]:
                gallery.append(f"cam{camera}/{identity:04}/{number:04}.jpg")
    return gallery


def judge(score, queries, gallery, label, skipped, collapse):
    """CMC, mAP and mINP of the queries that find their identity. score(q, g), label(image), skipped(q, g)"""
    ranks, precisions, penalties = [], [], []
    for q in queries:
        ranking = sorted((g for g in gallery if not skipped(q, g)), key=lambda g: -score(q, g))
        labels = [label(g) for g in ranking]
        hits = [place for place, found in enumerate(labels, 1) if found == label(q)]
        if not hits:
            continue
        precisions.append(sum(n / place for n, place in enumerate(hits, 1)) / len(hits))
        penalties.append(len(hits) / hits[-1])
        ranks.append(list(dict.fromkeys(labels)).index(label(q)) + 1 if collapse else hits[0])
    valid = len(ranks)
    cmc = [sum(rank <= k for rank in ranks) / valid for k in range(1, len(gallery) + 1)]
    return {"valid_queries": valid, "gallery": len(gallery), "cmc": cmc, "map": sum(precisions) / valid,
            "minp": sum(penalties) / valid}


# --- features ---


def exact_features(paths, seed):
    """Features whose products float32 holds exactly."""
    return dict(zip(paths, np.random.default_rng(seed).integers(-500, 501, (len(paths), 8)).astype(float)))


def feature_set(root, labels, features):
    """labels: path -> (identity, camera)"""
    paths = sorted(labels)
    return (root, paths, [labels[p][0] for p in paths], [labels[p][1] for p in paths], [features[p] for p in paths])


class Evaluate(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def at(self, *parts):
        return os.path.join(self.folder, *parts)

    def run_tyto(self, *arguments):
        return subprocess.run([TYTO, "evaluate", *map(str, arguments)], capture_output=True, text=True, timeout=120)

    def tyto(self, *arguments):
        done = self.run_tyto(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def fails(self, *arguments, code=2):
        done = self.run_tyto(*arguments)
        self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
        self.assertRegex(done.stderr, r"\Atyto: [^\n]+\n\Z")
        return done.stderr

    def score_of(self, features, queries, gallery):
        """Inner products, as a function of two images; no query may score two gallery images alike."""
        scores = {q: {g: float(features[q] @ features[g]) for g in gallery} for q in queries}
        for of_query in scores.values():
            self.assertEqual(len(set(of_query.values())), len(gallery))
        return lambda q, g: scores[q][g]

    def expect_trials(self, result, expected):
        """JSON of tyto against one dictionary of judge() a trial."""
        self.assertEqual(len(result["trials"]), len(expected))
        measures = {"map": lambda e: e["map"], "minp": lambda e: e["minp"]}
        for k in (1, 5, 10, 20):
            measures[f"rank{k}"] = lambda e, k=k: e["cmc"][min(k, len(e["cmc"])) - 1]
        for trial, e in zip(result["trials"], expected):
            self.assertEqual((trial["valid_queries"], trial["gallery"]), (e["valid_queries"], e["gallery"]))
            for key, measure in measures.items():
                self.assertAlmostEqual(trial[key], measure(e), ROUNDING, key)
        for key, measure in measures.items():
            values = [measure(e) for e in expected]
            self.assertAlmostEqual(result[key], statistics.mean(values), ROUNDING, key)
            spread = result["spread"][key]
            for name, value in (("deviation", statistics.stdev(values)), ("min", min(values)), ("max", max(values))):
                self.assertAlmostEqual(spread[name], value, ROUNDING, (key, name))
        self.assertEqual(len(result["cmc"]), min(50, max(len(e["cmc"]) for e in expected)))
        for k, value in enumerate(result["cmc"]):
            self.assertAlmostEqual(value, statistics.mean(e["cmc"][min(k, len(e["cmc"]) - 1)] for e in expected), ROUNDING)


class SysuTest(Evaluate):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.tree = SysuTree(os.path.join(folder.name, "SYSU-MM01"))
        cls.permutations = os.path.join(cls.tree.root, "exp/rand_perm_cam.mat")
        cls.images = exact_features(cls.tree.queries() + cls.tree.gallery(), 1)

    def setUp(self):
        super().setUp()
        self.write()

    def labels(self, paths):
        return {path: (int(path[5:9]), int(path[3])) for path in paths}

    def write(self, **changes):
        """features.safetensors; changes: path -> (identity, camera)"""
        sets = {}
        for name, paths in (("query", self.tree.queries()), ("gallery", self.tree.gallery())):
            labels = self.labels(paths)
            labels.update((path, label) for path, label in changes.get(name, {}).items())
            sets[name] = feature_set(self.tree.root, labels, self.images)
        write_features(self.at("features.safetensors"), sets, dataset="sysu")

    def evaluate(self, *options):
        return self.tyto("--protocol", "sysu", self.at("features.safetensors"), *options)

    def refuses(self, *options, **how):
        return self.fails("--protocol", "sysu", self.at("features.safetensors"), *options, **how)

    def expected(self, draw, mode, shots, trials):
        score = self.score_of(self.images, self.tree.queries(), self.tree.gallery())
        label = lambda path: path[5:9]
        skipped = lambda q, g: q.startswith("cam3/") and g.startswith("cam2/")
        return [judge(score, self.tree.queries(), draw(self.tree.root, CAMERAS[mode], shots, trial), label, skipped, True)
                for trial in range(trials)]

    def test_galleries_drawn_as_agw_draws_them(self):
        for mode in ("all", "indoor"):
            for shots in (1, 10):
                with self.subTest(mode=mode, shots=shots):
                    result = json.loads(self.evaluate("--mode", mode, "--shots", shots, "--trials", 10, "--json"))
                    self.expect_trials(result, self.expected(drawn_by_random, mode, shots, 10))

    def test_galleries_of_the_official_permutations(self):
        for mode in ("all", "indoor"):
            for shots in (1, 10):
                with self.subTest(mode=mode, shots=shots):
                    result = json.loads(self.evaluate("--mode", mode, "--shots", shots, "--permutations",
                                                      self.permutations, "--json"))
                    self.expect_trials(result, self.expected(drawn_by_permutations, mode, shots, 10))

    def test_ten_trials_of_one_shot_in_all_cameras_are_the_default(self):
        self.assertEqual(self.evaluate("--json"),
                         self.evaluate("--mode", "all", "--shots", 1, "--trials", 10, "--json"))

    def test_a_gallery_that_was_drawn_already_gives_equal_trials(self):
        drawn = drawn_by_random(self.tree.root, CAMERAS["all"], 1, 0)
        write_features(self.at("features.safetensors"), {
            "query": feature_set(self.tree.root, self.labels(self.tree.queries()), self.images),
            "gallery": feature_set(self.tree.root, self.labels(drawn), self.images)}, dataset="sysu")
        result = json.loads(self.evaluate("--json"))
        self.expect_trials(result, self.expected(drawn_by_random, "all", 1, 1) * 10)
        self.assertEqual({s["deviation"] for s in result["spread"].values()}, {0})

    def test_text_and_report_show_mean_and_spread(self):
        result = json.loads(self.evaluate("--json"))
        text = self.evaluate("-o", self.at("out"))
        self.assertIn("all search, 1 shot, galleries drawn by Python's random.choice as in AGW, seeds 0 to 9", text)
        self.assertIn("10 trials: ", text)
        spread = result["spread"]["map"]
        self.assertRegex(text, "mAP +%.2f %% +%.2f +%.2f to +%.2f\n" % tuple(
            100 * value for value in (result["map"], spread["deviation"], spread["min"], spread["max"])))
        with open(self.at("out/evaluation.json")) as f:
            self.assertEqual(json.load(f), result)
        with open(self.at("out/cmc.svg")) as f:
            self.assertIn("mean of 10 trials", f.read())
        one = self.evaluate("--trials", 1)
        self.assertNotIn("deviation", one)

    def test_images_that_are_no_query_and_no_gallery_are_named(self):
        first = self.tree.gallery()[0]
        for label, wrong in (((-1, 1), "no identity"), ((6, -1), "no known camera"), ((6, 3), "camera 3")):
            self.write(gallery={first: label})
            message = self.refuses()
            self.assertIn(f"gallery image '{first}'", message)
            self.assertIn(wrong, message)
        query = self.tree.queries()[0]
        self.write(query={query: (6, 1)})
        self.assertIn(f"query image '{query}' is of camera 1", self.refuses())

    def test_wrong_options_are_named(self):
        for option, value in (("--mode", "all"), ("--shots", 1), ("--trials", 3), ("--permutations", self.permutations)):
            message = self.fails(self.at("features.safetensors"), option, value)
            self.assertIn(f"{option} is an option of --protocol sysu", message)
        for option, value in (("--trials", 0), ("--shots", 0), ("--mode", "outdoor"), ("--direction", "visible-to-thermal")):
            self.assertIn(option, self.refuses(option, value))
        self.assertIn("--trials 10", self.refuses("--permutations", self.permutations, "--trials", 11))

    def test_permutations_that_are_none_are_refused(self):
        def with_file(content):
            with open(self.at("p.mat"), "wb") as f:
                f.write(content)
            return self.refuses("--permutations", self.at("p.mat"), code=1)

        self.assertIn("missing.mat", self.refuses("--permutations", self.at("missing.mat"), code=1))
        self.assertIn("p.mat: not a MAT-file", with_file(b"no such thing"))
        with open(self.permutations, "rb") as f:
            whole = f.read()
        self.assertIn("truncated", with_file(whole[: len(whole) // 2]))
        self.assertIn("another version", with_file(whole[:124] + b"\0\2IM"))
        self.assertIn("no array 'rand_perm_cam'", with_file(whole[:128]))
        scipy.io.savemat(self.at("p.mat"), {"other": np.ones((2, 2))})
        self.assertIn("'rand_perm_cam'", self.refuses("--permutations", self.at("p.mat"), code=1))
        scipy.io.savemat(self.at("p.mat"), {"rand_perm_cam": np.ones((6, 1))})
        self.assertIn("cells", self.refuses("--permutations", self.at("p.mat"), code=1))

        official = self.tree.permutations[4, 10]
        self.addCleanup(self.tree.permutations.update, {(4, 10): official})
        twice = official.copy()
        twice[3, 0] = twice[3, 1]
        self.tree.permutations[4, 10] = twice
        self.tree.write_permutations(self.at("p.mat"))
        self.assertIn("row 4 of the cell of camera 4, identity 10", self.refuses("--permutations", self.at("p.mat"), code=1))
        self.tree.permutations[4, 10] = np.ones((10, 1))
        self.tree.write_permutations(self.at("p.mat"))
        self.assertIn("orders 1 images of identity 10 in camera 4",
                      self.refuses("--permutations", self.at("p.mat"), code=1))


class RegdbTest(Evaluate):
    def setUp(self):
        super().setUp()
        self.tree = RegdbTree(self.at("RegDB"))
        everything = [path for paths in self.tree.images.values() for path in paths]
        self.features = {split: exact_features(everything, split) for split in SPLITS}  # a model a split
        self.lists = {(modality, split): dict(self.tree.lists["test", modality, split])
                      for modality in ("visible", "thermal") for split in SPLITS}
        for split in SPLITS:
            self.write(self.file(split), split)

    def file(self, split):
        return self.at(f"split{split}.safetensors")

    def write(self, path, split, keep=lambda path: True, shard=None, named=True, **making):
        sets = {name: feature_set(self.tree.root,
                                  {p: (label, -1) for p, label in self.lists[modality, split].items() if keep(p)},
                                  self.features[split])
                for name, modality in (("query", "visible"), ("gallery", "thermal"))}
        write_features(path, sets, shard, dataset="regdb", model=f"model {split}", **({"split": split} if named else {}), **making)

    def expected(self, split, direction="visible-to-thermal"):
        queries, gallery = (self.lists[modality, split] for modality in direction.split("-to-"))
        label = (queries | gallery).get
        score = self.score_of(self.features[split], queries, gallery)
        return judge(score, queries, gallery, label, lambda q, g: False, False)

    def test_ten_splits_are_ten_trials_in_both_directions(self):
        for direction in ("visible-to-thermal", "thermal-to-visible"):
            result = json.loads(self.tyto("--protocol", "regdb", *map(self.file, SPLITS), "--direction", direction, "--json"))
            self.expect_trials(result, [self.expected(split, direction) for split in SPLITS])
            self.assertEqual(result["setting"],
                             direction.replace("-", " ") + ", splits 1, 2, 3, 4, 5, 6, 7, 8, 9, 10")

    def test_shards_of_a_split_are_one_trial(self):
        for i in (0, 1):
            self.write(self.at(f"shard{i}"), 3, lambda path, i=i: int(path[-7]) % 2 == i, (i, 2))
        result = json.loads(self.tyto("--protocol", "regdb", self.at("shard0"), self.file(5), self.at("shard1"), "--json"))
        self.expect_trials(result, [self.expected(3), self.expected(5)])

    def test_files_without_a_split_are_one_gallery(self):
        self.write(self.at("plain"), 3, named=False)
        result = json.loads(self.tyto("--protocol", "regdb", self.at("plain"), "--json"))
        self.assertNotIn("trials", result)
        self.assertAlmostEqual(result["map"], self.expected(3)["map"], ROUNDING)
        self.assertIn("does not say of which split it is", self.fails("--protocol", "regdb", self.at("plain"), self.file(1)))

    def test_wrong_files_and_options_are_named(self):
        self.assertIn("--direction is an option of --protocol regdb",
                      self.fails(self.file(1), "--direction", "visible-to-thermal"))
        self.assertIn("--trials is an option of --protocol sysu", self.fails("--protocol", "regdb", self.file(1), "--trials", 10))
        self.write(self.at("other"), 2, network="ddag")
        self.assertIn("no common mean: they were made with networks ft_net and ddag",
                      self.fails("--protocol", "regdb", self.file(1), self.at("other"), code=1))
        self.assertIn("different splits", self.fails(self.file(1), self.file(2), code=1))
        self.write(self.at("twice"), 1)
        self.assertIn("stands in both", self.fails("--protocol", "regdb", self.file(1), self.at("twice"), code=1))


if __name__ == "__main__":
    unittest.main()
