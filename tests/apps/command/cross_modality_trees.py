"""Folders that look like the visible-thermal data sets: SYSU-MM01 and RegDB, with small images of random pixels."""
import os

import numpy as np
import scipy.io
from PIL import Image

VISIBLE_CAMERAS, INFRARED_CAMERAS = (1, 2, 4, 5), (3, 6)
OUTDOOR_CAMERAS = (4, 5, 6)
SPLITS = range(1, 11)


def save_image(path, rng, grey=False, width=12, height=24):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    pixels = rng.integers(0, 256, (height, width, 1 if grey else 3), dtype=np.uint8)
    Image.fromarray(np.broadcast_to(pixels, (height, width, 3))).save(path)


def write_lines(root, name, lines):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write("".join(line + "\n" for line in lines))


def cells(values):
    """A MATLAB column of cells, for scipy.io.savemat."""
    column = np.empty((len(values), 1), object)
    for i, value in enumerate(values):
        column[i, 0] = value
    return column


class SysuTree:
    """root/cam1 to cam6/IIII/NNNN.jpg and root/exp/{train_id,val_id,test_id}.txt, rand_perm_cam.mat.

    As in SYSU-MM01, ids in the lists need no order, some identities were never indoors, a camera need not have seen an
    identity at all, and the number of images differs from camera to camera.
    """

    TRIALS = 10  # rows of every permutation

    def __init__(self, root, test=(17, 6, 10, 25), train=(1, 3), val=(2,), outdoors=(25,), most=14, seed=0):
        self.root = str(root)
        self.test, self.train, self.val = test, train, val
        rng = np.random.default_rng(seed)
        self.images = {}  # (camera, identity) -> sorted paths below root
        for identity in sorted(test + train + val):
            for camera in OUTDOOR_CAMERAS if identity in outdoors else range(1, 7):
                if (identity, camera) == (test[0], 2):
                    continue
                names = [f"cam{camera}/{identity:04}/{n:04}.jpg" for n in range(1, int(rng.integers(1, most + 1)) + 1)]
                self.images[camera, identity] = names
                for name in names:
                    save_image(os.path.join(self.root, name), rng, grey=camera in INFRARED_CAMERAS)
        for name, identities in (("train", train), ("val", val), ("test", test)):
            write_lines(self.root, f"exp/{name}_id.txt", [",".join(map(str, identities))])
        self.permutations = {key: np.stack([rng.permutation(len(names)) + 1 for _ in range(self.TRIALS)])
                             for key, names in self.images.items()}  # [TRIALS, images], from 1
        self.write_permutations(os.path.join(self.root, "exp", "rand_perm_cam.mat"))

    def write_permutations(self, path):
        """The official file: a cell a camera, in it a cell an identity (from 1), in it a row a trial."""
        never_seen = np.zeros((self.TRIALS, 0), np.uint8)
        last = max(identity for _, identity in self.images)
        scipy.io.savemat(path, {"rand_perm_cam": cells([
            cells([self.permutations.get((camera, identity), never_seen).astype(np.uint8)
                   for identity in range(1, last + 1)]) for camera in range(1, 7)])}, do_compression=True)

    def of(self, cameras, identities=None):
        """Sorted paths of the test identities' images (or others') that these cameras took."""
        wanted = self.test if identities is None else identities
        return sorted(path for (camera, identity), paths in self.images.items() for path in paths
                      if camera in cameras and identity in wanted)

    def queries(self):
        return self.of(INFRARED_CAMERAS)

    def gallery(self):
        return self.of(VISIBLE_CAMERAS)


class RegdbTree:
    """root/Visible/<person>/*.bmp, root/Thermal/<person>/*.bmp and root/idx/{train,test}_{visible,thermal}_{1..10}.txt
    with lines `path label`: every split has its own halves of the people, labelled from 0 on."""

    def __init__(self, root, people=8, images=3, seed=0):
        self.root = str(root)
        rng = np.random.default_rng(seed)
        self.images = {}  # (folder, person) -> paths below root
        for person in range(1, people + 1):
            for folder in ("Visible", "Thermal"):
                names = [f"{folder}/{person}/person_{folder[0].lower()}_{int(n):05}_{person}.bmp"
                         for n in rng.choice(99999, images, replace=False)]
                self.images[folder, person] = names
                for name in names:
                    save_image(os.path.join(self.root, name), rng, grey=folder == "Thermal")
        self.lists = {}  # (part, modality, split) -> [(path, label)]
        for split in SPLITS:
            order = [int(p) for p in rng.permutation(people) + 1]
            for part, chosen in (("train", order[: people // 2]), ("test", order[people // 2 :])):
                for folder in ("Visible", "Thermal"):
                    lines = [(path, label) for label, person in enumerate(chosen) for path in self.images[folder, person]]
                    self.lists[part, folder.lower(), split] = lines
                    write_lines(self.root, f"idx/{part}_{folder.lower()}_{split}.txt", [f"{p} {k}" for p, k in lines])
