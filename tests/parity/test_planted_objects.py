"""Detectors of two stages find what is there: squares of three colours in pictures of five sizes, box by box."""
import json
import unittest

import numpy as np
import PIL.Image

import planted_detectors as planted
from parity_case import ParityCase
from tyto_process import tyto

SHORTER, LONGEST = 256, 448
PICTURES = ((300, 200), (200, 300), (256, 256), (448, 192), (150, 260))  # width, height


def overlap(a, b):
    """Of x1, y1, x2, y2."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    inter = sides.clip(0).prod()
    return inter / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inter)


def paint(size, seed, sides, gap):
    """A picture [height, width, 3] and its objects: rows of label, x1, y1, x2, y2. sides: of each colour's squares, and gap:
    between two, in pixels of the network's input. Squares of other colours are no objects."""
    generator = np.random.default_rng(seed)
    width, height = size
    scale = min(SHORTER / min(size), LONGEST / max(size))
    picture = generator.integers(0, 70, (height, width, 3), dtype=np.uint8)
    taken, objects = [], []
    for kind in np.arange(200) % 5:
        side = round(sides[kind % 3] / scale)
        corner = np.array([generator.integers(0, extent - side + 1) for extent in size])
        box = np.concatenate((corner, corner + side))
        if any((box[:2] < other[2:] + gap / scale).all() and (other[:2] < box[2:] + gap / scale).all() for other in taken):
            continue
        taken.append(box)
        picture[box[1] : box[3], box[0] : box[2]] = (*planted.COLOURS, *planted.OTHERS)[kind]
        if kind < 3:
            objects.append((kind + 1, *box))
    return picture, objects


class PlantedTests:
    def check_found(self, found, objects):
        """found: rows of label, x1, y1, x2, y2. One for each object, and nothing else. Returns how well they fit."""
        self.assertEqual(sorted(row[0] for row in found), sorted(row[0] for row in objects))
        overlaps = [max(overlap(np.array(box), np.array(row[1:])) for row in found if row[0] == label) for label, *box in objects]
        self.assertGreater(min(overlaps), 0.7)
        return overlaps

    def test_finds_them(self):
        pictures = [paint(size, seed, self.sides, self.gap) for seed, size in enumerate(PICTURES)]
        labels = [label for _, objects in pictures for label, *_ in objects]
        self.assertGreater(min(map(labels.count, (1, 2, 3))), 1)
        self.convert(self.build().state_dict(), f"--preprocess=shorter_side={SHORTER}", f"--preprocess=longest_side={LONGEST}")
        for index, (picture, _) in enumerate(pictures):
            PIL.Image.fromarray(picture).save(self.path(f"{index}.png"))
        paths = [self.path(f"{index}.png") for index in range(len(pictures))]
        tyto("detect", self.path("model.safetensors"), *paths, "-o", self.path("out"))
        with open(self.path("out/detections.jsonl")) as lines:
            found = {line["image"]: line["detections"] for line in map(json.loads, lines)}
        overlaps = []
        for path, (_, objects) in zip(paths, pictures):
            rows = [(d["label_id"], x, y, x + w, y + h) for d in found[path] for x, y, w, h in (d["bbox"],)]
            overlaps += self.check_found(rows, objects)
            self.assertGreater(min(d["score"] for d in found[path]), 0.99)
        print(f"  {self.id().split('.', 1)[-1]}: {len(overlaps)} objects, overlaps from {min(overlaps):.2f} to {max(overlaps):.2f}")


class TestPlantedSimpleFasterRcnn(PlantedTests, ParityCase):
    build = staticmethod(planted.simple_faster_rcnn)
    sides = (planted.CELLS * 16,) * 3
    gap = 3 * 16


class TestPlantedResnetFpn(PlantedTests, ParityCase):
    build = staticmethod(planted.fasterrcnn_resnet_fpn)
    sides = tuple(planted.CELLS * 2 ** (2 + level) for level in planted.LEVELS)
    gap = 3 * 16  # 3 cells of a square's own level; of green ones there is room for one


if __name__ == "__main__":
    unittest.main()
