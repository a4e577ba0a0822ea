"""rank, evaluate, run, info, selftest and help on features that tyto extracted."""
import html.parser
import json
import os
import re
import unittest

import numpy as np
import torch
from PIL import Image

from tyto_process import load_tensors, save_tensors, tyto
from workplace import SmallTrunk, Workplace, feature_paths, small_resnet

# Inner products of unit vectors, summed in another order.
SCORE = 1e-6


def baseline(features):
    """Person_reID_baseline_pytorch's evaluate_gpu.py: order and junk a query, CMC, mAP by trapezoids."""
    order, cmc, precision = [], np.zeros(len(features["gallery.ids"])), 0
    ids, cameras = features["gallery.ids"], features["gallery.cameras"]
    queries = list(zip(features["query.features"], features["query.ids"], features["query.cameras"]))
    for feature, id_, camera in queries:
        ranked = np.argsort(-(features["gallery.features"] @ feature), kind="stable")
        junk = (ids == -1) | ((ids == id_) & (cameras == camera))
        ranked = ranked[~junk[ranked]]
        order.append(ranked)
        hits = np.flatnonzero(ids[ranked] == id_)
        if hits.size == 0:
            continue
        cmc[hits[0]:] += 1
        for i, rank in enumerate(hits):
            before = i / rank if rank else 1.0
            precision += (before + (i + 1) / (rank + 1)) / 2 / hits.size
    return order, cmc / len(queries), precision / len(queries)


class Page(html.parser.HTMLParser):
    """Collects the data and the files of a page, and checks that its elements close in order."""

    VOID = {"meta", "link", "img", "br", "hr", "input", "source", "area", "col", "wbr"}

    def __init__(self, text):
        super().__init__()
        self.open, self.files, self.data = [], [], None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        self.files += [v for k, v in attributes if k in ("src", "href") and not v.startswith(("#", "data:"))]

        if ("id", "data") in attributes:
            self.data = ""

    def handle_data(self, text):
        if self.data == "":
            self.data = json.loads(text)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise AssertionError(f"</{tag}> closes another element")


class Reports(Workplace):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        gallery = [f"{i:04}/{i:04}_c{c}s1_0.png" for i in range(1, 6) for c in (1, 2, 3)]
        gallery += ["-1_c1s1_0.png", "0000_c2s1_0.png"]
        query = [f"{i:04}_c{1 + i % 3}s1_0.png" for i in range(1, 6)] + ["0077_c1s1_<&>\"0.png"]
        cls.folders = {"query": cls.make_images("query", query, seed=300, width=16, height=32),
                       "gallery": cls.make_images("gallery", gallery, seed=100, width=16, height=32)}
        cls.features = cls.at("features")
        tyto("extract", cls.model, "-o", cls.features, "--threads", 1, "--query", cls.folders["query"],
             "--gallery", cls.folders["gallery"], "--dataset", "market1501")
        cls.tensors, cls.paths = load_tensors(cls.features), feature_paths(cls.features)
        cls.order, cls.cmc, cls.map = baseline(cls.tensors)

    def test_rank_equals_numpy(self):
        tyto("rank", self.features, "-o", self.at("ranking"), "--top-k", 30)
        with open(self.at("ranking", "ranking.jsonl")) as lines:
            ranking = [json.loads(line) for line in lines]
        self.assertEqual([r["query"] for r in ranking], self.paths["query"])
        scores = self.tensors["query.features"] @ self.tensors["gallery.features"].T
        for query, (line, order) in enumerate(zip(ranking, self.order)):
            self.assertEqual([r["path"] for r in line["ranking"]], [self.paths["gallery"][i] for i in order])
            np.testing.assert_allclose([r["score"] for r in line["ranking"]], scores[query, order], atol=SCORE)
        printed = tyto("rank", self.features, "--json", "--top-k", 30)[0]
        self.assertEqual([json.loads(line) for line in printed.splitlines()], ranking)

    def test_evaluate_equals_numpy(self):
        found = json.loads(tyto("evaluate", self.features, "--json")[0])
        self.assertAlmostEqual(found["map"], self.map, places=9)
        np.testing.assert_allclose(found["cmc"], self.cmc[: len(found["cmc"])], atol=1e-12)
        self.assertEqual(found["rank1"], found["cmc"][0])
        self.assertEqual((found["queries"], found["valid_queries"]), (6, 5))
        self.assertGreater(self.map, 0)

    def test_the_page_shows_every_query_and_all_its_files_exist(self):
        tyto("rank", self.features, "-o", self.at("page"), "--top-k", 5)
        with open(self.at("page", "index.html"), encoding="utf-8") as f:
            page = Page(f.read())
        self.assertEqual(page.open, [])
        self.assertEqual(page.files, [])  # it stands alone: no fonts, no scripts from elsewhere
        queries = page.data["queries"]
        self.assertEqual([q["path"] for q in queries], self.paths["query"])
        self.assertEqual(sorted(q["picture"] for q in queries),
                         sorted("pictures/" + f for f in os.listdir(self.at("page", "pictures"))))
        for query, order in zip(queries, self.order):
            self.assertEqual([i["path"] for i in query["images"]], [self.paths["gallery"][k] for k in order[:5]])
            with Image.open(self.at("page", query["picture"])) as image:
                self.assertEqual(list(image.size), query["size"])
                for x, y, width, height in [query["box"], *(i["box"] for i in query["images"])]:
                    thumbnail = np.asarray(image.crop((x, y, x + width, y + height)))
                    self.assertGreater(thumbnail.std(), 10)  # a photograph, not an empty frame

    def test_moved_images_are_counted_and_found_with_images(self):
        for set_, folder in self.folders.items():
            os.rename(folder, folder + "-moved")
        try:
            messages = tyto("rank", self.features, "-o", self.at("moved"), expect=3)[1]
            self.assertIn("images could not be read and are grey", messages)
        finally:
            for folder in self.folders.values():
                os.rename(folder + "-moved", folder)

    def test_evaluate_draws_its_curve(self):
        tyto("evaluate", self.features, "-o", self.at("evaluation"))
        with Image.open(self.at("evaluation", "cmc.png")) as image:
            self.assertGreater(min(image.size), 200)
        with open(self.at("evaluation", "evaluation.json")) as f:
            self.assertAlmostEqual(json.load(f)["map"], self.map, places=9)


class RawTensors(Workplace):
    def test_every_named_output_comes_back(self):
        network = small_resnet()
        torch.save(network.state_dict(), self.at("resnet.pth"))
        tyto("convert", self.at("resnet.pth"), "-o", self.at("resnet"))
        x = torch.randn((2, 3, 65, 97), generator=torch.Generator().manual_seed(3))
        save_tensors(self.at("in"), {"input": x.numpy()})
        tyto("run", self.at("resnet"), "--input", self.at("in"), "--output", self.at("all"))
        got = load_tensors(self.at("all"))
        with torch.no_grad():
            want = {name: value.numpy() for name, value in network(x).items()}
        self.assertEqual(set(got), {"map", "features", "logits"})
        self.assertEqual(got["features"].shape, (2, SmallTrunk.WIDTHS[-1]))
        for name, values in want.items():
            np.testing.assert_allclose(got[name], values, atol=1e-4 * np.abs(values).max())
        tyto("run", "--outputs", "features,logits", self.at("resnet"), "--input", self.at("in"), "--output", self.at("two"))
        self.assertEqual(set(load_tensors(self.at("two"))), {"features", "logits"})


class Profile(Workplace):
    STEP = {"name", "operation", "algorithm", "layout", "shape", "flop", "bytes_read", "bytes_written", "ms", "share",
            "gflops", "gb_per_s"}

    def test_json_tells_all_about_each_layer(self):
        found = json.loads(tyto("run", self.model, "--batch", 2, "--profile", "--repeat", 3, "--json")[0])
        plan = json.loads(tyto("inspect", self.model, "--plan", "--batch", 2, "--json")[0])["steps"]
        self.assertEqual(set(found), {"outputs", "runs", "run_ms", "images_per_second", "profile"})
        self.assertEqual((found["outputs"]["features"], found["runs"]), ([2, 16], 3))
        profile = found["profile"]
        self.assertEqual(set(profile), {"total_ms", "outside_ms", "outside_share", "peak_gflops", "peak_gb_per_s", "steps"})
        self.assertEqual([{key: step[key] for key in plan[0]} for step in profile["steps"]], plan)
        self.assertAlmostEqual(sum(s["share"] for s in profile["steps"]) + profile["outside_share"], 1, places=9)
        self.assertAlmostEqual(sum(s["ms"] for s in profile["steps"]) + profile["outside_ms"], profile["total_ms"], places=9)
        for step in profile["steps"]:
            self.assertEqual(set(step), self.STEP)
            self.assertGreater(step["ms"], 0)
            self.assertAlmostEqual(step["gflops"], step["flop"] / step["ms"] / 1e6, places=6)
        first = next(s for s in profile["steps"] if s["operation"] == "conv2d")
        self.assertEqual(first["flop"], 2 * np.prod(first["shape"]) * 3 * 7 * 7)

    def test_the_table_has_a_row_a_step_and_a_total(self):
        text = tyto("run", self.model, "--profile", "--repeat", 1)[0]
        steps = json.loads(tyto("inspect", self.model, "--plan", "--json")[0])["steps"]
        rows = re.findall(r"(?m)^ +(\d+) (.+?)  .* ([\d.]+) %", text)
        self.assertEqual([int(number) for number, *_ in rows], list(range(len(steps))))
        self.assertRegex(text, r"(?m)^ +outside of the layers .* %$")
        self.assertRegex(text, r"(?m)^ +total .* 100\.0 %")

    def test_what_does_not_go_together_is_said(self):
        self.assertIn("--output, --repeat or --profile", self.fails("run", self.model, code=2))
        self.fails("run", self.model, "--output", self.at("out"), code=2)
        self.fails("run", self.model, "--input", "x", "--batch", 2, "--profile", code=2)


class AboutItself(unittest.TestCase):
    OPTIONS = {
        "convert": "--output --network --set --preprocess --classes --allow-unused --json",
        "inspect": "--plan --set --batch --json --device --precision --threads --memory-limit",
        "extract": "--output --gallery --query --multi-query --dataset --name-pattern --format --no-flip --flip --multi-scale "
                   "--batch --decoders --exif-orientation --resume --shard --json --device --precision --threads "
                   "--memory-limit",
        "rank": "--output --top-k --camera-rule --images --no-pictures --json",
        "evaluate": "--protocol --ap --divisor --camera-rule --multi-query --coco-annotations --voc --split --voc-rule "
                    "--output --json",
        "merge": "--output",
        "run": "--input --output --outputs --set --repeat --batch --profile --json --device --precision --threads --memory-limit",
        "info": "--json --device",
        "selftest": "--set --json --device --precision --threads",
    }

    def test_help_lists_every_command_and_option(self):
        overview = tyto("--help")[0]
        for command, options in self.OPTIONS.items():
            self.assertRegex(overview, rf"(?m)^ +{command} ")
            text, messages = tyto(command, "--help")
            self.assertEqual(messages, "")
            self.assertLessEqual(set(options.split()), set(re.findall(r"--[a-z][a-z-]*", text)), command)

    def test_info_and_version(self):
        info = json.loads(tyto("info", "--json")[0])
        self.assertLessEqual({"tyto", "device", "instruction set", "threads", "precisions", "oneDNN", "OpenCV"}, set(info))
        self.assertLessEqual({"ft_net", "resnet", "mobilenet_v2", "mobilenet_v2_trunk", "vgg"},
                             {n["name"] for n in info["networks"]})
        self.assertEqual(tyto("--version")[0].strip(), info["tyto"])
        self.assertIn("ft_net", tyto("info")[0])

    def test_selftest_passes(self):
        result = json.loads(tyto("selftest", "--json")[0])
        self.assertEqual(result["failed"], 0)
        self.assertGreater(len(result["checks"]), 5)
        self.assertIn("checks passed", tyto("selftest")[0])


if __name__ == "__main__":
    unittest.main()
