"""tyto evaluate --voc beside VOC's rules written out here, on files with faults, and beside other kinds of evaluation."""
import json
import os
import re
import unittest
from fractions import Fraction

import numpy as np

from evaluate_case import EvaluateTest


def pixels_iou(a, b):
    """Of pixels, both ends included, as VOC's development kit counts them."""
    width, height = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) + 1 for i in (0, 1))
    if width <= 0 or height <= 0:
        return 0.0
    area = lambda c: (c[2] - c[0] + 1) * (c[3] - c[1] + 1)
    return width * height / (area(a) + area(b) - width * height)


def corners_iou(a, b):
    width, height = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1))
    if width <= 0 or height <= 0:
        return 0.0
    area = lambda c: (c[2] - c[0]) * (c[3] - c[1])
    return width * height / (area(a) + area(b) - width * height)


def overlap(rule, xml, found):
    """xml: xmin, ymin, xmax, ymax of the file; found: x, y, width, height as detected."""
    x, y, width, height = found
    if rule == "devkit":
        return pixels_iou(xml, (x + 1, y + 1, x + width, y + height))
    shifted = [v - 1 for v in xml]
    box = [x, y, x + width, y + height]
    if rule == "chainercv":  # one more to the right and below, on both sides
        return corners_iou([*shifted[:2], shifted[2] + 1, shifted[3] + 1], [*box[:2], box[2] + 1, box[3] + 1])
    return corners_iou(shifted, box)


def voc_class(rule, objects, detections):
    """(11-point AP, area AP) of one class, or None. objects: {image: [(box, difficult)]}; detections: [(image, score,
    box)] in the order in which ties stand."""
    positives = sum(not difficult for found in objects.values() for _, difficult in found)
    if positives == 0:
        return None
    taken, hits = set(), []
    for image, _, box in sorted(detections, key=lambda d: -d[1]):
        overlaps = [overlap(rule, xml, box) for xml, _ in objects.get(image, [])]
        best = int(np.argmax(overlaps)) if overlaps else None
        if best is None or not (overlaps[best] > 0.5 or (overlaps[best] == 0.5 and rule != "ssd.pytorch")):
            hits.append(0)
        elif not objects[image][best][1]:
            hits.append(int((image, best) not in taken))
            taken.add((image, best))
    found = np.cumsum(hits)
    precision = [float(f) / (i + 1) for i, f in enumerate(found)]
    steps = [Fraction(k, 10) for k in range(11)] if rule == "devkit" else np.arange(0.0, 1.1, 0.1)
    recall = [Fraction(int(f), positives) if rule == "devkit" else f / positives for f in found]
    points = [max((p for p, r in zip(precision, recall) if r >= step), default=0) for step in steps]
    # The area under the curve that never rises: a step a hit.
    area = sum(max(precision[i:]) / positives for i, hit in enumerate(hits) if hit)
    return sum(points) / 11, area


# Sums of at most 60 numbers in [0, 1] (hits of a class, classes), in another order.
VOC_TOLERANCE = 2 * 60 * 2.0**-53


def random_voc(rng):
    """objects: {image: [(class, box, difficult)]}; detections: {image: [(class, score, box)]}; quarters of pixels, so
    that overlaps are exact where a rule draws its line."""
    objects, detections = {}, {}
    for k in range(12):
        image = f"{2007 + k}_{k:06}"
        objects[image], detections[image] = [], []
        for _ in range(rng.integers(0, 6) if k > 1 else 0):
            x, y = rng.integers(1, 200, 2)
            width, height = rng.choice([4, 10, 11, 20, 51], 2)
            name = str(rng.choice(["cat", "dog", "person", "sofa"]))
            objects[image].append((name, [int(v) for v in (x, y, x + width - 1, y + height - 1)],
                                   bool(name == "sofa" or rng.random() < 0.2)))
        for name, (xmin, ymin, xmax, ymax), _ in objects[image] * 3:
            width, height = xmax - xmin + 1, ymax - ymin + 1
            cut = rng.choice([1, 1, 0.75, 0.5, 0.25])
            shift = rng.integers(-8, 9) / 4 if rng.random() < 0.5 else 0
            detections[image].append((name, xmin - 1 + shift, ymin - 1, width * cut, height))
        for _ in range(rng.integers(0, 4)):
            detections[image].append((str(rng.choice(["cat", "dog", "person"])), *(rng.integers(1, 200, 4) / 4)))
        detections[image] = [(name, float(rng.integers(1, 8) / 8), [float(v) for v in box])
                             for name, *box in detections[image]]
        detections[image].sort(key=lambda d: -d[1])
    return objects, detections


class Voc(EvaluateTest):
    RULES = ("devkit", "ssd.pytorch", "chainercv")

    def write_xml(self, image, objects, folder="voc"):
        text = "<annotation><filename>x.jpg</filename>\n"
        for name, (xmin, ymin, xmax, ymax), difficult in objects:
            text += (f"<object><name>{name}</name><part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"
                     f"<difficult>{int(difficult)}</difficult><bndbox><xmax>{xmax}</xmax><xmin>{xmin}</xmin>"
                     f"<ymax> {ymax} </ymax><ymin>{ymin}</ymin></bndbox></object>\n")
        return self.write(f"{folder}/Annotations/{image}.xml", text + "</annotation>")

    def write_detections(self, detections, name="d.jsonl"):
        return self.write_lines(name, [(f"JPEGImages/{image}.jpg", [(c, 1, score, box) for c, score, box in found])
                                       for image, found in detections.items()])

    def test_both_rules_and_every_reading_equal_the_rule_written_out(self):
        differ = set()
        for seed in range(12):
            objects, detections = random_voc(np.random.default_rng(seed))
            for image, found in objects.items():
                self.write_xml(image, found, f"voc{seed}")
            file = self.write_detections(detections)
            maps = {}
            for rule in self.RULES:
                with self.subTest(seed=seed, rule=rule):
                    got = self.evaluate("--voc", self.at(f"voc{seed}"), "--voc-rule", rule, file)
                    want = {}
                    for name in sorted({n for found in objects.values() for n, _, _ in found}):
                        want[name] = voc_class(
                            rule, {i: [(b, d) for n, b, d in found if n == name] for i, found in objects.items()},
                            [(i, s, b) for i, found in sorted(detections.items()) for n, s, b in found if n == name])
                    self.assertEqual([c["name"] for c in got["classes"]], list(want))
                    for c in got["classes"]:
                        points, area = want[c["name"]] or (-1, -1)
                        self.assertAlmostEqual(c["ap_11_point"], points, delta=VOC_TOLERANCE, msg=c)
                        self.assertAlmostEqual(c["ap_area"], area, delta=VOC_TOLERANCE, msg=c)
                    counted = [v for v in want.values() if v]
                    self.assertAlmostEqual(got["map_11_point"], np.mean([v[0] for v in counted]), delta=VOC_TOLERANCE)
                    self.assertAlmostEqual(got["map_area"], np.mean([v[1] for v in counted]), delta=VOC_TOLERANCE)
                    maps[rule] = got["map_area"]
            differ |= {pair for pair in (("devkit", "chainercv"), ("devkit", "ssd.pytorch"))
                       if maps[pair[0]] != maps[pair[1]]}
        self.assertEqual(len(differ), 2)  # the readings are told apart

    CAT = ("cat", [1, 1, 10, 10], False)
    FOUND = ("cat", 0.5, (0, 0, 10, 10))

    def test_splits_choose_images(self):
        for image in ("a", "b", "c"):
            self.write_xml(image, [self.CAT])
        self.assertEqual(self.evaluate("--voc", self.at("voc"), self.write_detections({"a": [self.FOUND]}))["images"], 3)
        self.assertIn("leave --split out",
                      self.fails("--voc", self.at("voc"), "--split", "val", self.at("d.jsonl"), code=2))
        self.write("voc/ImageSets/Main/val.txt", "a\nb\n")
        self.write("voc/ImageSets/Main/cat_train.txt", "c  1\na -1\n")
        got = self.evaluate("--voc", self.at("voc"), self.at("d.jsonl"))
        self.assertEqual((got["split"], got["images"], got["map_area"]), ("val", 2, 0.5))
        self.assertIn("b", self.tyto("--voc", self.at("voc"), self.at("d.jsonl"))[1])
        got = self.evaluate("--voc", self.at("voc"), "--split", "cat_train", self.at("d.jsonl"))
        self.assertEqual((got["split"], got["images"]), ("cat_train", 2))
        self.write("voc/ImageSets/Main/test.txt", "a\n")
        self.assertEqual(self.evaluate("--voc", self.at("voc"), self.at("d.jsonl"))["split"], "test")
        self.assertIn("cat_train, test, val",
                      self.fails("--voc", self.at("voc"), "--split", "train", self.at("d.jsonl"), code=2))

    def test_the_report_is_read_by_people_and_programs(self):
        self.write_xml("a", [self.CAT, ("dog", [1, 1, 5, 5], True)])
        d = self.write_detections({"a": [self.FOUND]})
        text = self.tyto("--voc", self.at("voc"), d, "-o", self.at("out"))[0]
        self.assertIn("IoU >= 0.5", text)
        self.assertRegex(text, r"(?m)^cat +1 +100\.00 % +100\.00 %$")
        self.assertRegex(text, r"(?m)^dog +0 +- +- *$")
        self.assertRegex(text, r"(?m)^mAP +1 +100\.00 % +100\.00 %$")
        with open(self.at("out", "evaluation.json"), encoding="utf-8") as f:
            self.assertEqual(json.load(f), self.evaluate("--voc", self.at("voc"), d))

    def test_strangers_are_told(self):
        self.write_xml("a", [self.CAT])
        d = self.write_detections({"a": [self.FOUND, ("sofa", 0.4, (0, 0, 1, 1))], "z": [self.FOUND]})
        out, said = self.tyto("--voc", self.at("voc"), d, "--json")
        self.assertEqual(json.loads(out)["map_area"], 1)
        self.assertIn("1 detected images", said)
        self.assertRegex(said, r"1 detections of classes that \S+voc lacks")
        self.assertIn("'sofa'", said)
        self.assertIn("of a detected class", self.fails(
            "--voc", self.at("voc"), self.write_detections({"a": [("sofa", 0.4, (0, 0, 1, 1))]})))
        self.assertIn("knows none", self.fails("--voc", self.at("voc"), self.write_detections({"z": [self.FOUND]})))

    def test_lists_name_images_as_people_write_them(self):
        names = ("000001", "IMG 1 (2)", "IMG 1 (3)", "x 1", "v1.2")
        for image in names:
            self.write_xml(image, [self.CAT])
        d = self.write_detections({image: [self.FOUND] for image in names})
        for split in ("000001\r\nIMG 1 (2)\r\nIMG 1 (3)\r\nx 1\r\nv1.2\r\n", "\ufeff000001\nIMG 1 (2)\nIMG 1 (3)\nx 1\nv1.2",
                      "000001  1\nIMG 1 (2) -1\nIMG 1 (3)\t0\nx 1 -1\nv1.2 -1\n",
                      " 000001.jpg\nIMG 1 (2).png\nIMG 1 (3).JPG 1\n\nx 1.jpg\nv1.2.jpeg \n"):
            self.write("voc/ImageSets/Main/test.txt", split)
            got = self.evaluate("--voc", self.at("voc"), d)
            self.assertEqual((got["images"], got["map_area"]), (5, 1), split)

    def test_faults_of_files_are_named(self):
        good = self.write_xml("a", [self.CAT])
        d = self.write_detections({"a": [self.FOUND]})
        with open(good, encoding="utf-8") as f:
            text = f.read()
        for old, new, words in (("</annotation>", "", "not valid XML at byte"), ("annotation>", "notes>", "no <annotation>")):
            self.write("voc/Annotations/a.xml", text.replace(old, new))
            said = self.fails("--voc", self.at("voc"), d)
            self.assertIn("a.xml: ", said)
            self.assertIn(words, said)

    def test_objects_with_faults_are_named_and_skipped(self):
        text = "".join(f"<object><name>{name}</name><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>10</xmax>"
                       "<ymax>10</ymax></bndbox></object>" for name in ("cat", "dog"))
        d = self.write_detections({"a": [self.FOUND]})
        for old, new, words in (
                ("<name>dog</name>", "", "has no name"), ("<xmin>1</xmin>", "", "no number in <bndbox><xmin>"),
                ("<xmax>10<", "<xmax>ten<", "no number in <bndbox><xmax>"), ("<xmax>10<", "<xmax>inf<", "no number in"),
                ("<xmax>10<", "<xmax>10px<", "no number in"), ("<xmax>10<", "<xmax>0<", "ends before it begins"),
                ("<difficult>0<", "<difficult>maybe<", "<difficult>")):
            at = text.rindex(old)
            self.write("voc/Annotations/a.xml", f"<annotation>{text[:at]}{new}{text[at + len(old):]}</annotation>")
            out, said = self.tyto("--voc", self.at("voc"), d, "--json", code=3)
            self.assertEqual((json.loads(out)["objects"], json.loads(out)["map_area"]), (1, 1))
            self.assertRegex(said, rf"\Atyto: \S+a.xml: object 2 [^\n]*{words}[^\n]*; skipped\ntyto: 1 of 2 objects of \S+voc skipped")

    def test_encodings_are_read_or_named(self):
        d = self.write_detections({"a": [("c\u00e4t", *self.FOUND[1:]), ("cat", *self.FOUND[1:])]})

        def annotation(name, declared, encoding, path="a.jpg"):
            box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>10</xmax><ymax>10</ymax></bndbox>"
            text = f"<annotation><path>{path}</path><object><name>{name}</name>{box}</object></annotation>"
            os.makedirs(self.at("voc/Annotations"), exist_ok=True)
            with open(self.at("voc/Annotations/a.xml"), "w", encoding=encoding) as f:
                f.write((f'<?xml version="1.0" encoding="{declared}"?>' if declared else "") + text)

        for declared, encoding in (("", "utf-8"), ("UTF-8", "utf-8-sig"), ("utf-16", "utf-16"), ("UTF-16", "utf-16-be"),
                                   ("ISO-8859-1", "iso-8859-1"), ("latin1", "utf-8-sig")):
            annotation("c\u00e4t", declared, encoding)
            self.assertEqual(self.evaluate("--voc", self.at("voc"), d)["map_area"], 1, (declared, encoding))
        for declared, encoding in (("gb2312", "gb2312"), ("GBK", "gbk"), ("", "gb2312")):
            annotation("cat", declared, encoding, path="D:\\\u684c\u9762\\a.jpg")
            self.assertEqual(self.evaluate("--voc", self.at("voc"), d)["map_area"], 1, (declared, encoding))
            annotation("\u72d7", declared, encoding)
            self.assertRegex(self.fails("--voc", self.at("voc"), d),
                             rf"a.xml: a class name is written in {declared or 'an encoding that is not declared'}, .* UTF-8")

    def test_lists_with_faults_are_named(self):
        with open(self.write_xml("a", [self.CAT]), encoding="utf-8") as f:
            text = f.read()
        d = self.write_detections({"a": [self.FOUND]})
        self.write("voc/Annotations/a.xml", text.replace("<difficult>0</difficult>", ""))
        self.assertEqual(self.evaluate("--voc", self.at("voc"), d)["map_area"], 1)
        for split, words in (("a\nb\n", "b.xml"), ("a\na\n", "'a' stands there twice"), ("../a\n", "without folder")):
            self.write("voc/ImageSets/Main/test.txt", split)
            self.assertIn(words, self.fails("--voc", self.at("voc"), d))
        self.assertIn("VOCdevkit/VOC2007", self.fails("--voc", self.folder, d))


class Options(EvaluateTest):
    def test_kinds_of_evaluation_exclude_each_other(self):
        for args in (["--voc", "x", "--coco-annotations", "y"], ["--voc", "x", "--protocol", "sysu"],
                     ["--coco-annotations", "y", "--multi-query"], ["--coco-annotations", "y", "--ap", "plain"],
                     ["--split", "val"], ["--voc-rule", "devkit"], ["--coco-annotations", "y", "--voc-rule", "devkit"]):
            said = self.fails(*args, "file", code=2)
            self.assertTrue(re.search("excludes|requires", said), said)
        self.assertIn("devkit,ssd.pytorch,chainercv", self.fails("--voc", "x", "--voc-rule", "coco", "file", code=2))


if __name__ == "__main__":
    unittest.main()
