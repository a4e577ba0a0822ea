"""tyto evaluate --coco-annotations beside pycocotools, and on files with faults.

pycocotools_numbers.json keeps what pycocotools, which is not in Debian 12, makes of the random cases; scripts/test-pypi
runs it again and adds cases that the file lacks."""
import contextlib
import hashlib
import io
import json
import os
import sys
import unittest

import numpy as np

from evaluate_case import EvaluateTest

NUMBERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pycocotools_numbers.json")
PYCOCOTOOLS = os.environ.get("PYCOCOTOOLS")  # the folder that pip put it into

STATS = ["ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar1", "ar10", "ar100", "ar_small", "ar_medium",
         "ar_large"]
# Means of 101 x 10 x 5 numbers in [0, 1], added in another order: each of the two is off by at most 5050 x 2^-53.
COCO_TOLERANCE = 2 * 101 * 10 * 5 * 2.0**-53


def random_coco(rng):
    """Ground truth and results that are unkind: crowds, equal boxes, equal scores, areas on the limits, images without
    anything, a class without objects and one of crowds alone, more than 100 detections of a class in an image."""
    image_ids = [int(i) for i in rng.permutation(1000)[:9]]
    category_ids = [int(i) for i in rng.permutation(90)[:5]]
    images = [{"id": i, "file_name": f"{i:012}.jpg", "width": 640, "height": 480} for i in image_ids]
    categories = [{"id": c, "name": f"class {c}"} for c in category_ids]
    without_objects, crowds_alone = category_ids[:2]

    def box():
        if rng.random() < 0.3:  # on a coarse grid, so that boxes and IoUs are equal now and then
            return [float(v) for v in np.append(rng.integers(0, 8, 2) * 20, rng.choice([8, 16, 32, 64, 96, 128], 2))]
        return [float(v) for v in np.append(rng.uniform(0, 300, 2), rng.uniform(1, 150, 2))]

    annotations = []
    for image in image_ids[:-2]:
        for _ in range(rng.integers(0, 25)):
            category = int(rng.choice(category_ids[1:]))
            b = box()
            annotations.append({
                "id": len(annotations) + 1, "image_id": image, "category_id": category, "bbox": b,
                "area": float(rng.choice([b[2] * b[3], b[2] * b[3] * 0.7, 32**2, 96**2, 32**2 + 1e-9])),
                "iscrowd": int(category == crowds_alone or rng.random() < 0.15),
                "segmentation": [[0.0, 0.0, 1.0, 0.0, 1.0, 1.0]]})

    results = []
    for image in image_ids[1:]:
        boxes = [(a["category_id"], a["bbox"]) for a in annotations if a["image_id"] == image] * 3
        for category, b in boxes:
            shift = rng.choice([0, 0, 4, 8]) if rng.random() < 0.5 else rng.normal(0, 5)
            results.append((image, category, [b[0] + shift, b[1], b[2], b[3]]))
        for _ in range(rng.integers(0, 20)):
            results.append((image, int(rng.choice(category_ids)), box()))
    crowded = category_ids[2]
    results += [(image_ids[3], crowded, box()) for _ in range(130)]
    results += [(image_ids[4], without_objects, box()) for _ in range(3)]
    scores = rng.choice([0.1, 0.25, 0.5, 0.75, 0.9], len(results)) if rng.random() < 0.5 else rng.random(len(results))
    results = [{"image_id": i, "category_id": c, "bbox": [float(v) for v in b], "score": float(s)}
               for (i, c, b), s in zip(results, scores)]
    rng.shuffle(results)
    return {"images": images, "categories": categories, "annotations": annotations}, results


def in_odd_spelling(truth, results, rng, texts):
    """The same as other tools write it, and with what pycocotools evaluates although it looks wrong."""
    def spelt(number):
        return f"id {number}" if texts else [int, float][rng.integers(2)](number)

    truth, results = json.loads(json.dumps([truth, results]))
    for image in truth["images"]:
        image.update(id=spelt(image["id"]), width=-1, license=float("nan"), file_name=None)
        image.pop("height")
    truth["images"] += truth["images"][:2]  # again
    for category in truth["categories"]:
        category.update(id=spelt(category["id"]), name=["person", 3][rng.integers(2)])
    truth["categories"].append(truth["categories"][0])
    for annotation in truth["annotations"]:
        annotation.update(id=spelt(annotation["id"]), image_id=spelt(annotation["image_id"]), ignore=1,
                          category_id=spelt(annotation["category_id"]), iscrowd=[bool, float][rng.integers(2)](annotation["iscrowd"]))
        if rng.random() < 0.1:
            annotation["area"] = [-1, True][rng.integers(2)]
        if rng.random() < 0.1:
            annotation["bbox"][rng.integers(4)] *= -1
        if texts:
            annotation["id"] = len(annotation["id"]) * 1000 + int(annotation["id"][3:])  # pycocotools needs a number
    truth["annotations"] += [{"id": 2000, "image_id": spelt(5000), "category_id": truth["categories"][0]["id"]},
                             {"id": 2001, "image_id": truth["images"][0]["id"], "category_id": spelt(5000), "bbox": "none"}]
    for result in results:
        result.update(image_id=spelt(result["image_id"]), category_id=spelt(result["category_id"]))
        if rng.random() < 0.1:
            result["bbox"][2 + rng.integers(2)] *= -1
        if rng.random() < 0.05:
            result["category_id"] = spelt(5000)
        if rng.random() < 0.05:
            result["score"] = True
    return truth, results


def run_pycocotools(truth_file, results):
    """The twelve numbers, and [category id, AP, AP50] of each class."""
    sys.path.append(PYCOCOTOOLS)
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(truth_file)
        evaluation = COCOeval(truth, truth.loadRes([dict(r) for r in results]), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval["precision"][:, :, :, 0, 2]
    classes = [[np.asarray(c).item(), float(precision[:, :, k].mean()), float(precision[0, :, k].mean())]
               for k, c in enumerate(evaluation.params.catIds)]
    return {"stats": evaluation.stats.tolist(), "classes": classes}


def kept_numbers():
    try:
        with open(NUMBERS) as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def keep(name, numbers):
    table = dict(sorted({**kept_numbers(), name: numbers}.items()))
    with open(NUMBERS, "w") as file:
        file.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in table.items()) + "\n}\n")


class Coco(EvaluateTest):
    def pycocotools(self, truth_file, results):
        """What it makes of a case, which is named by its bytes."""
        with open(truth_file, "rb") as file:
            name = hashlib.sha256(file.read() + json.dumps(results).encode()).hexdigest()[:16]
        kept = kept_numbers().get(name)
        if not PYCOCOTOOLS:
            self.assertIsNotNone(kept, "pycocotools_numbers.json lacks this case; scripts/test-pypi adds it")
            return kept
        numbers = run_pycocotools(truth_file, results)
        if kept:
            self.assertEqual(numbers, kept)
        else:
            keep(name, numbers)
        return numbers

    def assert_equals_pycocotools(self, truth_file, detections_file, results):
        out, said = self.tyto("--coco-annotations", truth_file, detections_file, "--json")
        got = json.loads(out)
        want = self.pycocotools(truth_file, results)
        for name, number in zip(STATS, want["stats"]):
            self.assertAlmostEqual(got[name], number, delta=COCO_TOLERANCE, msg=name)
        self.assertEqual([c["id"] for c in got["classes"]], [c[0] for c in want["classes"]])
        for c, (_, ap, ap50) in zip(got["classes"], want["classes"]):
            self.assertAlmostEqual(c["ap"], ap, delta=COCO_TOLERANCE, msg=c)
            self.assertAlmostEqual(c["ap50"], ap50, delta=COCO_TOLERANCE, msg=c)
        return want["stats"], said

    def test_results_are_judged_as_pycocotools_does(self):
        all_stats = []
        for seed in range(20):
            with self.subTest(seed=seed):
                truth, results = random_coco(np.random.default_rng(seed))
                self.assertGreater(max(np.bincount([r["category_id"] for r in results])), 100)
                all_stats.append(self.assert_equals_pycocotools(self.write("truth.json", truth),
                                                                self.write("results.json", results), results)[0])
        spread = np.ptp(all_stats, axis=0)
        self.assertTrue(np.all(spread > 0.01), spread)  # the cases do differ, in every number

    def test_lines_are_judged_as_pycocotools_does(self):
        for seed in range(20, 28):
            with self.subTest(seed=seed):
                rng = np.random.default_rng(seed)
                truth, results = random_coco(rng)
                for r in results:  # what a float holds
                    r["bbox"] = [float(np.float32(v)) for v in r["bbox"]]
                    r["score"] = float(np.float32(r["score"]))
                lines = [(f"some/folder/{i['file_name']}",
                          [(f"class {r['category_id']}", 3, r["score"], r["bbox"]) for r in results
                           if r["image_id"] == i["id"]]) for i in truth["images"]]
                rng.shuffle(lines)
                halves = [self.write_lines("a.jsonl", lines[:4]), self.write_lines("b.jsonl", lines[4:])]
                whole = self.write_lines("whole.jsonl", lines)
                truth_file = self.write("truth.json", truth)
                self.assert_equals_pycocotools(truth_file, whole, results)
                self.assertEqual(self.evaluate("--coco-annotations", truth_file, *halves),
                                 self.evaluate("--coco-annotations", truth_file, whole))

    def test_odd_spellings_are_judged_as_pycocotools_does(self):
        for seed in range(28, 32):
            with self.subTest(seed=seed):
                rng = np.random.default_rng(seed)
                truth, results = in_odd_spelling(*random_coco(rng), rng, texts=seed % 2 == 1)
                truth_file, results_file = self.write("truth.json", truth), self.write("results.json", results)
                said = self.assert_equals_pycocotools(truth_file, results_file, results)[1]
                self.assertRegex(said, r"1 annotations of images that \S+truth.json does not list were left out: '\D*5000")
                self.assertRegex(said, r"1 annotations of categories that \S+truth.json does not list were left out: '\D*5000")
                strangers = sum("5000" in str(r["category_id"]) for r in results)
                self.assertRegex(said, rf"{strangers} detections of classes that \S+truth.json lacks were left out: '\D*5000")
                self.assertIn("3 images and categories of", said)

    TRUTH = {"images": [{"id": 7, "file_name": "a/one.jpg", "width": 100, "height": 100},
                        {"id": 139, "file_name": "b/one.jpg", "width": 100, "height": 100},
                        {"id": 8, "file_name": "two.jpg", "width": 100, "height": 100}],
             "categories": [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}],
             "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "bbox": [10, 10, 50, 50], "area": 2500,
                              "iscrowd": 0},
                             {"id": 2, "image_id": 139, "category_id": 3, "bbox": [0, 0, 20, 20], "area": 400,
                              "iscrowd": 0}]}
    PERSON, CAR = ("person", 5, 0.9, (10, 10, 50, 50)), ("car", 6, 0.8, (0, 0, 20, 20))

    def test_images_are_found_by_the_end_of_their_path_or_by_number(self):
        truth = self.write("truth.json", self.TRUTH)
        lines = [("x/a/one.jpg", [self.PERSON]), ("elsewhere/000000000139.png", [self.CAR]), ("y/two.jpg", [])]
        self.assertAlmostEqual(
            self.evaluate("--coco-annotations", truth, self.write_lines("d.jsonl", lines))["ap"], 1)
        self.assertEqual(self.tyto("--coco-annotations", truth, self.at("d.jsonl"))[1], "")

    def test_classes_are_found_by_number_where_a_name_is_unknown(self):
        truth = self.write("truth.json", self.TRUTH)
        lines = [("a/one.jpg", [("Person", 1, *self.PERSON[2:])]), ("b/one.jpg", [("car", 3, *self.CAR[2:])]),
                 ("two.jpg", [])]
        out, said = self.tyto("--coco-annotations", truth, self.write_lines("d.jsonl", lines), "--json")
        self.assertAlmostEqual(json.loads(out)["ap"], 1)
        self.assertIn("label_id was taken", said)
        lines[1] = ("b/one.jpg", [("car", 1, *self.CAR[2:])])  # no number that the file gives a car
        out, said = self.tyto("--coco-annotations", truth, self.write_lines("d.jsonl", lines), "--json")
        self.assertAlmostEqual(json.loads(out)["ap"], 0.5)
        self.assertRegex(said, "1 detections of classes that \\S+truth.json lacks were left out: 'Person'")

    def test_classes_that_the_file_lacks_are_left_out_and_told(self):
        truth = self.write("truth.json", self.TRUTH)
        unicorn = ("unicorn", 77, 0.5, (0, 0, 1, 1))
        lines = [("a/one.jpg", [self.PERSON, unicorn]), ("b/one.jpg", [self.CAR, unicorn]), ("two.jpg", [])]
        out, said = self.tyto("--coco-annotations", truth, self.write_lines("d.jsonl", lines), "--json")
        self.assertAlmostEqual(json.loads(out)["ap"], 1)
        self.assertRegex(said, r"\Atyto: 2 detections of classes that \S+truth.json lacks were left out: 'unicorn'\n\Z")
        self.assertIn("none of the detected classes is one of its categories, by name or by label_id; the first is 'unicorn', 77",
                      self.fails("--coco-annotations", truth, self.write_lines("d.jsonl", [("two.jpg", [unicorn])])))

    def test_a_name_that_two_bear_is_refused_where_it_is_needed(self):
        truth = json.loads(json.dumps(self.TRUTH))
        truth["images"].append({"id": 9, "file_name": "two.jpg"})
        truth["categories"].insert(0, {"id": 0, "name": "person"})  # no objects, so not the one that is meant
        results = self.write("r.json", [{"image_id": 7, "category_id": 1, "bbox": [10, 10, 50, 50], "score": 1}])
        lines = [("a/one.jpg", [self.PERSON]), ("b/one.jpg", [self.CAR])]
        file = self.write("truth.json", truth)
        self.assertAlmostEqual(self.evaluate("--coco-annotations", file, results)["ap"], 0.5)
        self.assertAlmostEqual(self.evaluate("--coco-annotations", file, self.write_lines("d.jsonl", lines))["ap"], 1)
        self.assertIn("the images 8 and 9 are both called 'two.jpg'", self.fails(
            "--coco-annotations", file, self.write_lines("t.jsonl", [("x/two.jpg", [self.CAR])])))
        truth["annotations"].append({**truth["annotations"][0], "id": 3, "category_id": 0})
        self.assertIn("the categories 0 and 1 are both called 'person'",
                      self.fails("--coco-annotations", self.write("truth.json", truth), self.at("d.jsonl")))

    def test_file_names_of_windows_have_folders(self):
        truth = json.loads(json.dumps(self.TRUTH).replace("/one", "\\\\one"))
        d = self.write_lines("d.jsonl", [("x/a/one.jpg", [self.PERSON]), ("b/one.jpg", [self.CAR]), ("two.jpg", [])])
        self.assertAlmostEqual(self.evaluate("--coco-annotations", self.write("truth.json", truth), d)["ap"], 1)

    def test_byte_order_marks_are_no_part_of_the_text(self):
        d = self.write_lines("d.jsonl", [("x/a/one.jpg", [self.PERSON]), ("b/one.jpg", [self.CAR]), ("two.jpg", [])])
        with open(d, encoding="utf-8") as f:
            lines = f.read()
        files = {"truth.json": json.dumps(self.TRUTH), "d.jsonl": lines, "r.json": "[]"}
        for name, text in files.items():
            self.write(name, "\ufeff" + text)
        self.assertAlmostEqual(self.evaluate("--coco-annotations", self.at("truth.json"), d)["ap"], 1)
        self.assertEqual(self.evaluate("--coco-annotations", self.at("truth.json"), self.at("r.json"))["ap"], 0)
        for name, text in files.items():
            with open(self.at("wide"), "w", encoding="utf-16") as f:
                f.write(text)
            args = (self.at("wide"), d) if name == "truth.json" else (self.at("truth.json"), self.at("wide"))
            self.assertRegex(self.fails("--coco-annotations", *args), "wide: .*UTF-16.* save it as UTF-8")

    def test_gaps_on_both_sides_are_told(self):
        truth = self.write("truth.json", self.TRUTH)
        d = self.write_lines("d.jsonl", [("a/one.jpg", [self.PERSON]), ("holiday.jpg", [self.CAR])])
        out, said = self.tyto("--coco-annotations", truth, d, "--json")
        self.assertAlmostEqual(json.loads(out)["ap"], 0.5)
        self.assertEqual(json.loads(out)["detections"], 1)
        self.assertIn("1 detected images are not in", said)
        self.assertIn("'holiday.jpg'", said)
        self.assertIn("2 images of", said)
        self.assertIn("'two.jpg', 'b/one.jpg'", said)
        strangers = self.write_lines("d.jsonl", [("holiday.jpg", [self.CAR])])
        self.assertIn("knows none of the 1 detected images", self.fails("--coco-annotations", truth, strangers))
        results = self.write("r.json", [{"image_id": 5, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}])
        self.assertIn("knows none of the 1 detected images", self.fails("--coco-annotations", truth, results))

    def test_nothing_found_at_all_is_a_zero(self):
        truth = self.write("truth.json", self.TRUTH)
        for name, text in (("empty.jsonl", ""), ("empty.json", "[]")):
            self.assertEqual(self.evaluate("--coco-annotations", truth, self.write(name, text))["ap"], 0)

    def test_the_report_is_read_by_people_and_programs(self):
        truth = self.write("truth.json", self.TRUTH)
        d = self.write_lines("d.jsonl", [("a/one.jpg", [self.PERSON]), ("b/one.jpg", []), ("two.jpg", [])])
        text = self.tyto("--coco-annotations", truth, d, "-o", self.at("new", "folder"))[0]
        self.assertRegex(text, r"(?m)^AP +IoU 0\.50:0\.95 +50\.00 %$")
        self.assertRegex(text, r"(?m)^AP +large +-")
        self.assertRegex(text, r"(?m)^person +1 +100\.00 % +100\.00 %$")
        with open(self.at("new", "folder", "evaluation.json"), encoding="utf-8") as f:
            self.assertEqual(json.load(f), self.evaluate("--coco-annotations", truth, d))

    def test_names_do_not_steer_the_terminal(self):
        truth = json.loads(json.dumps(self.TRUTH))
        truth["categories"][1]["name"] = "car\x1b[2J\n\u009b"
        d = self.write_lines("d.jsonl", [("a/one.jpg", [self.PERSON]), ("b/one.jpg", []), ("two\x07.jpg", [])])
        text, said = self.tyto("--coco-annotations", self.write("truth.json", truth), d)
        self.assertRegex(text, r"(?m)^car_\[2J__ +1 ")
        self.assertIn("'two_.jpg'", said)

    def test_an_annotation_of_id_0_counts_and_is_told(self):
        truth = json.loads(json.dumps(self.TRUTH))
        truth["annotations"][0]["id"] = 0
        d = self.write_lines("d.jsonl", [("a/one.jpg", [self.PERSON]), ("b/one.jpg", [self.CAR]), ("two.jpg", [])])
        out, said = self.tyto("--coco-annotations", self.write("truth.json", truth), d, "--json")
        self.assertAlmostEqual(json.loads(out)["ap"], 1)
        self.assertIn("id 0", said)

    def test_faults_in_the_annotations_are_named(self):
        d = self.write_lines("d.jsonl", [("two.jpg", [])])

        def fault(list_, change, words):
            truth = json.loads(json.dumps(self.TRUTH))
            change(truth[list_])
            said = self.fails("--coco-annotations", self.write("truth.json", truth), d)
            self.assertIn(f"truth.json: {words}", said)

        fault("images", lambda x: x[1].update(id=2**63), 'images[1] has a "id" that is not a whole number or a text')
        fault("images", lambda x: x[1].update(id=1.5), 'images[1] has a "id" that is not a whole number or a text')
        fault("images", lambda x: x[1].update(id="9"), 'images[1] has the id "9", but images[0] has 7; write all as')
        fault("images", lambda x: x.append(3), "images[3] is not a JSON object")
        fault("categories", lambda x: x[1].pop("id"), 'categories[1] has no "id"')
        fault("annotations", lambda x: x[1].update(id=1.0), "annotations[1] repeats the id 1; give each annotation an id")
        fault("annotations", lambda x: x[1].pop("iscrowd"), 'annotations[1] has no "iscrowd"')
        fault("annotations", lambda x: x[1].update(iscrowd=2), 'annotations[1] has a "iscrowd" that is not 0 or 1')
        fault("annotations", lambda x: x[1].update(image_id="7"),
              'annotations[1] has the image_id "7", where the file\'s ids are like 7; write both as numbers')
        fault("annotations", lambda x: x[0].pop("category_id"), 'annotations[0] has no "category_id"')
        fault("annotations", lambda x: x[0].update(bbox=[1, 2, 3]), 'annotations[0] has a "bbox" that is not [x, y, width')
        fault("annotations", lambda x: x[0].update(bbox=[1, 2, 3, "4"]), 'annotations[0] has a "bbox" that is not [x, y, width')
        fault("annotations", lambda x: x[0].update(area=float("nan")), 'annotations[0] has a "area" that is not a number')

    def test_files_that_are_none_are_named(self):
        truth = self.write("truth.json", self.TRUTH)
        d = self.write_lines("d.jsonl", [("two.jpg", [])])
        for text, words in (("", "not valid JSON"), ('{"images": [', "not valid JSON"), ("[]", "is not a JSON object"),
                            ("{}", "no list 'images'"), ('{"images": {}}', "no list 'images'"),
                            ('{"area": 1e999}', "not valid JSON"), ('{"area": nan}', "not valid JSON"), ("[" * 10000, "nested too deeply")):
            self.assertRegex(self.fails("--coco-annotations", self.write("bad.json", text), d), "bad.json.* " + words)
        image_info = {k: v for k, v in self.TRUTH.items() if k != "annotations"}
        self.assertIn("no list 'annotations' to judge detections by",
                      self.fails("--coco-annotations", self.write("image_info.json", image_info), d))
        for result, words in (({"image_id": 7, "category_id": "1", "bbox": [0, 0, 1, 1], "score": 1}, "category_id \"1\""),
                              ({"image_id": 7, "category_id": 1, "bbox": [0, 0, 1, 1]}, 'no "score"'),
                              ({"image_id": 7, "category_id": 1, "bbox": [0, 0, 1, 1], "score": "1"}, "not a number"),
                              (7, "not a JSON object")):
            said = self.fails("--coco-annotations", truth, self.write("bad.json", [result]))
            self.assertRegex(said, r"bad.json: result\[0\] .*" + words)
        self.assertIn("d.jsonl", self.fails("--coco-annotations", truth, d, d))  # two lines about one image
        self.assertIn("nowhere.json", self.fails("--coco-annotations", self.at("nowhere.json"), d))
        self.assertIn("nowhere.jsonl", self.fails("--coco-annotations", truth, self.at("nowhere.jsonl")))
        upside_down = self.write_lines("u.jsonl", [("two.jpg", [("person", 1, 0.5, (5, 5, -1, 4))])])
        self.assertIn("negative size", self.fails("--coco-annotations", truth, upside_down))

    def test_a_file_beyond_the_limit_is_told_so(self):
        path = self.at("huge.json")
        with open(path, "wb") as f:
            f.truncate((512 << 20) + 1)  # a hole: takes no room
        d = self.write_lines("d.jsonl", [("two.jpg", [])])
        self.assertRegex(self.fails("--coco-annotations", path, d), "huge.json: 536870913 bytes where at most 536870912")


if __name__ == "__main__":
    unittest.main()
