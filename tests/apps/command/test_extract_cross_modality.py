"""tyto extract across visible and thermal cameras, end to end from image files: SYSU-MM01, RegDB and own folders."""
import json
import os
import shutil
import subprocess
import unittest

import numpy as np
import torch
from PIL import Image
from torchvision import transforms

import reference_cross_modality as cm
import reference_networks as ref
from cross_modality_trees import INFRARED_CAMERAS, RegdbTree, SysuTree
from narrow import narrow
from test_interrupt import limit_file_size
from tyto_process import TYTO, load_tensors, tyto
from workplace import Workplace, feature_paths, header, read_bytes

SAME = 0.99999  # cosine of one image's features, see test_extract.py
DIFFERENT = 0.9999  # random pixels look alike to a random network

AGW_RULE = transforms.Compose([
    transforms.Resize((288, 144), interpolation=transforms.InterpolationMode.LANCZOS),
    transforms.ToTensor(),
    transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
])


def labels(path):
    """set -> {path: (identity, camera)}"""
    tensors = load_tensors(path)
    return {kind: dict(zip(paths, zip(tensors[kind + ".ids"].tolist(), tensors[kind + ".cameras"].tolist())))
            for kind, paths in feature_paths(path).items()}


def matrices(path, *sets):
    tensors = load_tensors(path)
    return [tensors[f"{kind}.{name}"] for kind in sets or ("query", "gallery") for name in ("fc", "pool")]


class CrossModality(Workplace):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.one_stem = cls.model
        cls.agw = ref.randomise(narrow(cm.Agw()), seed=3)
        torch.save(cm.checkpoint(cls.agw.state_dict()), cls.at("agw.t"))
        cls.model = cls.at("agw.safetensors")
        tyto("convert", cls.at("agw.t"), "-o", cls.model)
        cls.sysu = SysuTree(cls.at("SYSU"), most=3)
        cls.root = ("--dataset", "sysu", "--root", cls.sysu.root)

    def of_pytorch(self, modality, paths):
        """fc and pool, of unit length"""
        self.agw.modality = modality
        with torch.no_grad():
            outputs = self.agw(torch.stack([AGW_RULE(Image.open(path).convert("RGB")) for path in paths]))
        return [(v / v.norm(dim=1, keepdim=True)).numpy() for v in (outputs["fc"], outputs["pool"])]

    def assert_same(self, got, want):
        for a, b in zip(got, want, strict=True):
            np.testing.assert_array_equal(a, b)


class Sysu(CrossModality):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = cls.at("whole")
        tyto("-q", "extract", cls.model, *cls.root, "--threads", 1, "-o", cls.whole)

    def test_all_images_of_the_test_identities_are_labelled_and_go_through_their_own_stem(self):
        path = self.whole
        want = {name: {p: (int(p[5:9]), int(p[3])) for p in paths}
                for name, paths in (("query", self.sysu.queries()), ("gallery", self.sysu.gallery()))}
        self.assertEqual(labels(path), want)
        metadata = json.loads(header(path)["__metadata__"]["tyto"])
        self.assertEqual((metadata["version"], metadata["dataset"], metadata["features"], metadata["flip"]),
                         (2, "sysu", ["fc", "pool"], False))
        self.assertEqual(json.loads(tyto("inspect", path, "--json")[0])["features"], ["fc", "pool"])
        for name, modality in (("query", "thermal"), ("gallery", "visible")):
            files = [os.path.join(self.sysu.root, p) for p in feature_paths(path)[name]]
            other = "visible" if modality == "thermal" else "thermal"
            for got, same, swapped in zip(matrices(path, name), self.of_pytorch(modality, files), self.of_pytorch(other, files)):
                np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, atol=1e-6)
                self.assertGreater((got.astype(float) * same).sum(1).min(), SAME)
                self.assertLess((got.astype(float) * swapped).sum(1).max(), DIFFERENT)

    def test_rank_leaves_out_the_camera_of_the_same_room(self):
        def cameras(*options):
            """Those of the images that queries of camera 3 are shown."""
            lines = map(json.loads, tyto("rank", self.whole, "--json", "--top-k", 1000, *options)[0].splitlines())
            return {image["camera"] for line in lines if line["camera"] == 3 for image in line["ranking"]}

        self.assertEqual(cameras(), {1, 4, 5})
        self.assertEqual(cameras("--camera-rule", "none"), {1, 2, 4, 5})

    def test_evaluate_scores_the_features_that_are_named_and_says_which(self):
        def scores(*options):
            return json.loads(tyto("evaluate", "--protocol", "sysu", self.whole, "--json", *options)[0])

        self.assertEqual(scores(), scores("--feature", "fc"))
        fc, pool = (scores("--feature", name) for name in ("fc", "pool"))
        self.assertEqual((fc["feature"], pool["feature"]), ("fc", "pool"))
        self.assertNotEqual(fc["map"], pool["map"])
        self.assertIn("by their pool features", tyto("evaluate", "--protocol", "sysu", self.whole, "--feature", "pool")[0])

    def test_modalities_that_change_places_change_every_feature(self):
        swapped, _ = self.extract("swapped", *self.root, "--thermal", "1,2,4,5", "--visible", "3,6")
        for a, b in zip(matrices(self.whole), matrices(swapped)):
            self.assertTrue((a != b).any(1).all())

    def test_however_modalities_are_told_the_bytes_are_the_same(self):
        whole = read_bytes(self.whole)
        visible, thermal = ([self.sysu.root + f"/cam{c}" for c in range(1, 7) if (c in INFRARED_CAMERAS) == ir] for ir in (0, 1))
        repeated = [argument for folder in thermal for argument in ("--thermal", folder)]
        for told in (["--visible", "1,2", "--visible", "4,5"], ["--thermal", "3,6", "--visible", ",".join(visible)], repeated,
                     ["--modality-pattern", r"(?<thermal>cam[36])"]):
            self.assertEqual(read_bytes(self.extract("told", *self.root, *told)[0]), whole, told)

    def test_copied_folders_are_read_by_the_names_rule(self):
        for name, paths in (("query", self.sysu.queries()), ("gallery", self.sysu.gallery())):
            for p in paths:
                os.makedirs(os.path.dirname(self.at(name, p)), exist_ok=True)
                shutil.copy(os.path.join(self.sysu.root, p), self.at(name, p))
        copied, _ = self.extract("copied", "--dataset", "sysu", "--query", self.at("query"), "--gallery", self.at("gallery"))
        self.assertEqual(labels(copied), labels(self.whole))
        self.assert_same(matrices(copied), matrices(self.whole))

    def test_an_image_has_the_same_bits_whatever_modality_stands_beside_it(self):
        mixed, _ = self.extract("mixed", "--gallery", self.sysu.root, "--dataset", "sysu")
        row = {p: k for k, p in enumerate(feature_paths(mixed)["gallery"])}
        self.assertGreater(len(row), len(self.sysu.queries() + self.sysu.gallery()))  # also those of other identities
        for name in ("query", "gallery"):
            rows = [row[p] for p in feature_paths(self.whole)[name]]
            self.assert_same([m[rows] for m in matrices(mixed, "gallery")], matrices(self.whole, name))

    def test_merged_shards_are_the_bytes_of_the_whole_run(self):
        parts = [self.extract(f"part{i}", *self.root, "--shard", f"{i}/3")[0] for i in range(3)]
        self.assertTrue(all(feature_paths(p)["query"] and feature_paths(p)["gallery"] for p in parts))
        tyto("merge", *reversed(parts), "-o", self.at("merged"))
        self.assertEqual(read_bytes(self.at("merged")), read_bytes(self.whole))

    def journal(self, *options):
        """Of all images: as a disk leaves it that is full when the output is written."""
        size = os.path.getsize(self.extract("all", *options)[0])
        done = subprocess.run([TYTO, "extract", self.model, "-o", self.at("full"), "--threads", "1", *options],
                              capture_output=True, text=True, preexec_fn=limit_file_size(size - 1))
        self.assertIn("full: cannot write", done.stderr)
        journal = read_bytes(self.at("full.journal"))
        os.remove(self.at("full.journal"))
        return journal

    def refuses_to_resume(self, journal, *options):
        self.write("again.journal", journal)
        message = self.fails("extract", self.model, "-o", self.at("again"), *options, "--resume", code=2)
        self.assertIn("belongs to a run with", message)

    def test_a_run_that_was_stopped_anywhere_goes_on_to_the_same_bytes(self):
        journal, whole = self.journal(*self.root), read_bytes(self.whole)
        for cut in range(len(journal) // 9, len(journal), len(journal) // 2):
            self.write("again.journal", journal[:cut])
            self.assertEqual(read_bytes(self.extract("again", *self.root, "--resume")[0]), whole, cut)
        for told in (("--thermal", "3"), ("--visible", "1"), ("--modality-pattern", "(?<thermal>a)")):
            self.refuses_to_resume(journal, *self.root, *told)

    def test_a_run_goes_on_with_other_names_where_they_tell_no_modality(self):
        place = ("--query", self.sysu.root + "/cam3", "--thermal")
        by_camera, by_folder = (*place, "6"), (*place, self.sysu.root)
        names = ("--name-pattern", r"(?<id>\d+)/\d\d\d(?<camera>\d)")
        self.refuses_to_resume(self.journal(*by_camera, "--dataset", "sysu"), *by_camera, *names)
        self.write("again.journal", self.journal(*by_folder, "--dataset", "sysu"))
        self.extract("again", *by_folder, *names, "--resume")

    def test_what_the_tree_lacks_is_named(self):
        root = shutil.copytree(self.sysu.root, self.at("lacking"))
        arguments = ("--dataset", "sysu", "--root", root)
        with open(os.path.join(root, "exp/test_id.txt"), "a") as file:
            file.write(",417")
        _, messages = self.extract("out", *arguments, expect=3)
        self.assertIn("cam*/0417: identity 417", messages)
        with open(os.path.join(root, "exp/test_id.txt"), "a") as file:
            file.write(",one")
        message = self.fails("extract", self.model, *arguments, "-o", self.at("none"))
        self.assertIn("something else than identities, whole numbers with commas between them: 'one'", message)
        os.remove(os.path.join(root, "exp/test_id.txt"))
        self.assertIn("test_id.txt: no such list", self.fails("extract", self.model, *arguments, "-o", self.at("none")))
        self.assert_nothing_half("none", "none.journal")


class Regdb(CrossModality):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.regdb = RegdbTree(cls.at("RegDB"), people=4, images=2)

    def arguments(self, split):
        return "--dataset", "regdb", "--root", self.regdb.root, "--split", split

    def test_a_split_names_queries_and_gallery(self):
        for split in (1, 10):
            path, _ = self.extract("regdb", *self.arguments(split))
            self.assertEqual(labels(path), {name: {p: (k, camera) for p, k in self.regdb.lists["test", modality, split]}
                                            for name, modality, camera in (("query", "visible", 1), ("gallery", "thermal", 2))})
            metadata = json.loads(header(path)["__metadata__"]["tyto"])
            self.assertEqual((metadata["dataset"], metadata["split"]), ("regdb", split))
            for name, modality in (("query", "visible"), ("gallery", "thermal")):
                files = [os.path.join(self.regdb.root, p) for p in feature_paths(path)[name]]
                for got, want in zip(matrices(path, name), self.of_pytorch(modality, files)):
                    self.assertGreater((got.astype(float) * want).sum(1).min(), SAME)

    def test_an_image_that_is_not_there_is_named_and_skipped(self):
        root = shutil.copytree(self.regdb.root, self.at("lacking"))
        missing = self.regdb.lists["test", "thermal", 2][0][0]
        os.remove(os.path.join(root, missing))
        path, messages = self.extract("lacking.out", "--dataset", "regdb", "--root", root, "--split", 2, expect=3)
        self.assertIn(missing, messages)
        self.assertEqual(len(feature_paths(path)["gallery"]), len(self.regdb.lists["test", "thermal", 2]) - 1)

    def test_a_list_that_is_not_there_or_not_one_is_named(self):
        root = shutil.copytree(self.regdb.root, self.at("broken"))
        arguments = ("extract", self.model, "--dataset", "regdb", "--root", root, "--split", 2, "-o", self.at("none"))
        self.write("broken/idx/test_thermal_2.txt", b"Thermal/1/a.bmp\n")
        self.assertIn("test_thermal_2.txt: line 1 is not a path, a space and a label", self.fails(*arguments))
        os.remove(self.at("broken/idx/test_thermal_2.txt"))
        self.assertIn("test_thermal_2.txt: no such list", self.fails(*arguments))
        self.assert_nothing_half("none", "none.journal")


class OwnFolders(CrossModality):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.night = cls.make_images("night", ["n1.png", "n2.png"], width=16, height=32)
        cls.day = cls.make_images("day", ["d1.png", "d2.png", "d3.png"], seed=9, width=16, height=32)
        cls.folders = ("--query", cls.night, "--gallery", cls.day)

    def test_rank_shows_thermal_queries_beside_visible_galleries(self):
        path, _ = self.extract("own", *self.folders, "--thermal", self.night)
        tyto("rank", path, "-o", self.at("ranking"))
        with open(self.at("ranking/ranking.jsonl")) as file:
            lines = [json.loads(line) for line in file]
        self.assertEqual([line["query"] for line in lines], ["n1.png", "n2.png"])
        query, gallery = matrices(path, "query")[0], matrices(path, "gallery")[0]
        for line, scores in zip(lines, query.astype(float) @ gallery.T):
            self.assertEqual([image["path"] for image in line["ranking"]], [f"d{k + 1}.png" for k in np.argsort(-scores)])
        self.assertEqual(sorted(os.listdir(self.at("ranking/pictures"))), ["1_n1.jpg", "2_n2.jpg"])

    def test_options_of_the_network_may_be_others(self):
        options = (*self.folders, "--thermal", self.night)
        gem, _ = self.extract("gem", *options, "--set", "pooling=gem")  # which the model file says, too
        self.assertEqual(read_bytes(gem), read_bytes(self.extract("own", *options)[0]))
        average, _ = self.extract("average", *options, "--set", "pooling=average")
        for a, b in zip(matrices(gem), matrices(average)):
            self.assertTrue((a != b).any(1).all())
        self.assertIn("do not belong together", self.fails("merge", gem, average, "-o", self.at("none")))
        unknown = self.fails("extract", self.model, "-o", self.at("none"), *options, "--set", "poolling=gem", code=2)
        self.assertIn("poolling", unknown)

    def test_rank_takes_the_features_that_are_named(self):
        path, _ = self.extract("own", *self.folders, "--thermal", self.night)
        by = {name: tyto("rank", path, "--json", "--feature", name)[0] for name in ("fc", "pool")}
        self.assertEqual(tyto("rank", path, "--json")[0], by["fc"])
        self.assertNotEqual(by["pool"], by["fc"])
        self.assertIn("it has fc, pool", self.fails("rank", path, "--json", "--feature", "features", code=2))

    def test_nothing_is_guessed(self):
        def says(part, *options, model=None, code=2):
            message = self.fails("extract", model or self.model, "-o", self.at("none"), *options, code=code)
            self.assertIn(part, message)
            self.assert_nothing_half("none", "none.journal")

        folders = self.folders
        says("say which are thermal: --thermal", *folders)
        says("--set modality: each image has its own", *folders, "--set", "modality=thermal")
        says("leave --visible, --thermal and --modality-pattern out", *folders, "--thermal", self.night, model=self.one_stem)
        both = "--thermal", self.night, "--visible", self.night
        says("n1.png: by --visible or --thermal it is visible and thermal", *folders, *both)
        says("d1.png: --visible or --thermal does not say", *folders, "--thermal", self.night, "--visible", self.at("SYSU"))
        says("n1.png: its camera", *folders, "--thermal", "3")
        says("--thermal nigth: neither a camera's number nor a folder", *folders, "--thermal", "nigth")
        says("d1.png: --modality-pattern does not say", *folders, "--modality-pattern", "(?<thermal>night)|(?<visible>Day)")
        says("no group (?<visible>...) or (?<thermal>...)", *folders, "--modality-pattern", "night")
        both = "--thermal", self.night, "--modality-pattern", "(?<thermal>night)"
        says("--thermal excludes --modality-pattern", *folders, *both)

    def test_options_that_contradict_each_other_are_named(self):
        def says(part, *options):
            self.assertIn(part, self.fails("extract", self.model, "-o", self.at("none"), *options, code=2))

        says("--root is the folder of --dataset sysu or regdb", "--root", self.at("SYSU"))
        says("leave --query, --gallery and --multi-query out", *self.root, "--query", self.night)
        says("leave --name-pattern out", *self.root, "--name-pattern", r"(\d+)")
        says("name its folder with --root", "--dataset", "regdb", "--query", self.night)
        says("name one with --split", "--dataset", "regdb", "--root", self.at("SYSU"))
        says("--split is of --dataset regdb", *self.root, "--split", "1")
        says("--split", "--dataset", "regdb", "--root", self.at("SYSU"), "--split", "11")
        says("nothing to extract", "--dataset", "sysu")


if __name__ == "__main__":
    unittest.main()
