"""Checks the demo's results against what PyTorch finds with the same weights, and its mosaics of a street against the
street. Usage: check_demo.py FOLDER"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "street"))
from check_mosaic import BOUND, mosaic_errors

COSINE_DIGITS = 0.0006  # the cosines below are rounded to three digits
# The boxes are rounded to tenths of a pixel, which is 0.05; and tests/parity lets float32 move a box code by 2e-5 of the
# largest (14), which moves an edge by a tenth of that times anchor and box together (less than 1000 pixels), 0.03.
PIXEL = 0.08

# query -> (nearest photograph, its cosine)
PHOTOGRAPHS = {
    "Blender_Suzanne1.jpg": ("Blender_Suzanne2.jpg", 0.967),
    "aero1.jpg": ("aero3.jpg", 0.884),
    "aloeL.jpg": ("aloeR.jpg", 0.953),
    "basketball1.png": ("basketball2.png", 0.972),
    "graf1.png": ("graf3.png", 0.856),
    "imageTextN.png": ("imageTextR.png", 0.786),
    "left01.jpg": ("right01.jpg", 0.907),
    "leuvenA.jpg": ("leuvenB.jpg", 0.893),
    "rubberwhale1.png": ("rubberwhale2.png", 0.992),
}
PEOPLE = {
    "vtest_f000100_02_person.jpg": ("vtest_f000060_02_person.jpg", 0.890),
    "vtest_f000200_00_person.jpg": ("vtest_f000180_06_person.jpg", 0.860),
    "vtest_f000300_00_person.jpg": ("vtest_f000280_04_person.jpg", 0.895),
    "vtest_f000400_02_person.jpg": ("vtest_f000420_00_person.jpg", 0.877),
}
# image -> boxes (left, top, right, bottom) of the people with a score of at least 1/2
BOXES = {
    "messi5.jpg": [(81.9, 65.0, 445.8, 326.7)],
    "basketball1.png": [(29.5, 80.7, 159.8, 477.2), (437.6, 18.3, 637.9, 472.5)],
    "vtest.avi#0": [(499.8, 160.3, 529.2, 232.8), (250.3, 219.4, 284.9, 311.3)],
}
# In every 20th frame of vtest.avi.
COUNTS = [2, 4, 4, 4, 5, 5, 4, 4, 3, 7, 6, 3, 6, 6, 6, 4, 4, 4, 3, 3, 3, 2, 3, 0, 3, 2, 5, 5, 4, 5, 3, 3, 4, 4, 5, 2, 7, 7, 3, 4]


def rows(*path):
    with open(os.path.join(sys.argv[1], *path)) as lines:
        return [json.loads(line) for line in lines]


def say(ok, text):
    print(f"  {'ok   ' if ok else 'WRONG'} {text}")
    return ok


def check_ranking(found, expected):
    nearest = {row["query"]: row["ranking"][0] for row in found}
    good = True
    for query, (path, cosine) in expected.items():
        got = nearest.get(query, {"path": "nothing", "score": float("nan")})
        ok = got["path"] == path and abs(got["score"] - cosine) <= COSINE_DIGITS
        good &= say(ok, f"{query:27} -> {got['path']:27} {got['score']:.3f}" + ("" if ok else f"   (PyTorch: {path} {cosine:.3f})"))
    return good


def corners(detection):
    left, top, width, height = detection["bbox"]
    return left, top, left + width, top + height


def check_people(found):
    people = {os.path.basename(row["image"]): [d for d in row["detections"] if d["score"] >= 0.5] for row in found}
    good = True
    for image, boxes in BOXES.items():
        got = [corners(d) for d in people.get(image, [])]
        near = len(got) == len(boxes) and all(abs(a - b) <= PIXEL for g, e in zip(got, boxes) for a, b in zip(g, e))
        good &= say(near, f"{image:27} {len(got)} people" + ("" if near else f"   {got} (PyTorch: {boxes})"))
    counts = [len(people.get(f"vtest.avi#{20 * i}", [])) for i in range(len(COUNTS))]
    return good & say(counts == COUNTS, f"{'vtest.avi, 40 frames':27} {sum(counts)} people" + ("" if counts == COUNTS else f"   {counts} (PyTorch: {COUNTS})"))


def check_street(street):
    good = True
    for sample, error, cells in mosaic_errors(street, os.path.join(street, "bev", "mosaics")):
        right = sample == "street"
        what = f"under {BOUND:g}" if right else f"over {BOUND:g}, as a calibration off by a degree must be"
        good &= say((error < BOUND) == right, f"{sample:27} {error:5.2f} grey levels on {cells} cells: {what}")
    return good


good = check_ranking(rows("ranking", "ranking.jsonl"), PHOTOGRAPHS)
good &= check_people(rows("people", "detections.jsonl"))
good &= check_ranking(rows("people", "ranking", "ranking.jsonl"), PEOPLE)
good &= check_street(os.path.join(sys.argv[1], "street"))
sys.exit(0 if good else 1)
