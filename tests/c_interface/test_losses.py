"""The losses of features and classifiers, called by ctypes, against autograd in float64 on random inputs."""
import math
import unittest

import numpy as np
import torch

import by_ctypes
import loss_references as references
from loss_case import LossCase
from by_ctypes import call

ROWS, WIDTH, CLASSES = 24, 17, 6


class LossesOfRows(LossCase):
    def setUp(self):
        super().setUp()
        self.labels = self.random.permutation(np.repeat(np.arange(CLASSES, dtype=np.int32), ROWS // CLASSES))
        self.modalities = self.random.integers(0, 2, ROWS).astype(np.int32)
        self.y, self.m = torch.from_numpy(self.labels).long(), torch.from_numpy(self.modalities)

    def check_features(self, loss, reference, features=None, modalities=False, **given):
        """reference: of features and labels, and of modalities where they are given."""
        def one(features, **_):
            value = reference(features, self.y, self.m) if modalities else reference(features, self.y)
            return [value], value
        features = self.normal(ROWS, WIDTH) if features is None else features
        more = {"modalities": self.modalities} if modalities else {}
        self.check(loss, one, {"features": (features, "gradient")}, labels=self.labels, rows=ROWS, width=WIDTH, **more, **given)

    # --- pairs ---

    def test_circle(self):
        self.check_features("circle_loss", references.circle)
        self.check_features("circle_loss", lambda f, y: references.circle(f, y, 0.4, 8), margin=0.4, gamma=8)

    def test_triplet(self):
        self.check_features("triplet_loss", references.triplet)
        self.check_features("triplet_loss", lambda f, y: references.triplet(f, y, 0.2, None), margin=0.2, mined=0)

    def test_contrastive(self):
        features = self.normal(ROWS, WIDTH) + 1
        self.check_features("contrastive_loss", references.contrastive, features)
        self.check_features("contrastive_loss", lambda f, y: references.contrastive(f, y, 0.5, 1.3), features, positive_margin=0.5,
                            negative_margin=1.3)

    def test_lifted(self):
        self.check_features("lifted_loss", references.lifted)
        self.check_features("lifted_loss", lambda f, y: references.lifted(f, y, 0.4, 1.3), positive_margin=0.4, negative_margin=1.3)

    def test_instance(self):
        features = self.normal(ROWS, WIDTH) + 1
        self.check_features("instance_loss", lambda f, y: references.instance(f, y, 8), features, gamma=8)
        self.check_features("instance_loss", lambda f, y: references.instance(f, y, 8, by_identity=True), features, gamma=8,
                            by_identity=1)

    def test_batch_hard_triplet(self):
        self.check_features("batch_hard_triplet_loss", references.batch_hard_triplet)

    def test_weighted_regularized_triplet(self):
        self.check_features("weighted_regularized_triplet_loss", references.weighted_regularized_triplet)

    # --- classifiers ---

    def test_cross_entropy(self):
        logits = self.normal(ROWS, CLASSES, scale=3)

        def reference(logits, **options):
            value = references.cross_entropy(logits, self.y, **options)
            return [value], value
        sizes = {"labels": self.labels, "rows": ROWS, "classes": CLASSES}
        self.check("cross_entropy", reference, {"logits": (logits, "gradient")}, **sizes)
        self.check("cross_entropy", lambda logits: reference(logits, label_smoothing=0.1), {"logits": (logits, "gradient")},
                   smoothing=0.1, **sizes)
        self.check("cross_entropy", lambda logits: reference(logits, ignore_index=2), {"logits": (logits, "gradient")},
                   ignores=1, ignored_label=2, **sizes)
        self.check("cross_entropy", reference, {"logits": (self.normal(6, ROWS, CLASSES), "gradient")}, parts=6, **sizes)

    def test_margin_softmax(self):
        def reference(features, weights, method, margin, scale):
            value = references.margin_softmax(features, self.y, weights, method, margin, scale)
            return [value], value
        for method, margin, scale in (("arc_face", 28.6 * math.pi / 180, 64), ("arc_face", 2.0, 16), ("cos_face", 0.35, 64),
                                      ("sphere_face", 4, 1)):
            self.check("margin_softmax", lambda features, weights: reference(features, weights, method, margin, scale),
                       {"features": (self.normal(ROWS, WIDTH), "gradient"), "weights": (self.normal(WIDTH, CLASSES), "weights_gradient")},
                       labels=self.labels, rows=ROWS, width=WIDTH, classes=CLASSES, method=f"TYTO_{method.upper()}", margin=margin,
                       logit_scale=scale)

    def test_symmetric_kl(self):
        def reference(first, second):
            value = references.symmetric_kl(first, second)
            return [value], value
        self.check("symmetric_kl", reference, {"first": (self.normal(ROWS, CLASSES, scale=2), "gradient"),
                                               "second": (self.normal(ROWS, CLASSES, scale=2), "second_gradient")},
                   rows=ROWS, classes=CLASSES)

    # --- centres ---

    CMDC = [({}, {}), ({"hard": True}, {"mining": "TYTO_MINE_HARD"}), ({"kind": "joint"}, {"centers": "TYTO_CENTERS_JOINT"}),
            ({"bounds": (0.5, 1.2), "weight": 0.7}, {"positive_bound": 0.5, "negative_bound": 1.2, "center_weight": 0.7}),
            ({"kind": "joint", "weight": 1, "normalize": False}, {"centers": "TYTO_CENTERS_JOINT", "center_weight": 1, "normalize": 0})]

    def test_cmdc(self):
        features = self.normal(CLASSES, WIDTH)[self.labels] + self.normal(ROWS, WIDTH, scale=0.5)
        for ours, theirs in self.CMDC:
            self.check_features("cmdc_loss", lambda f, y, m: references.cmdc(f, y, m, **ours), features, modalities=True, **theirs)

        def reference(features, learned):
            value = references.cmdc(features, self.y, self.m, "learned", weight=0.5, learned=learned)
            return [value], value
        self.check("cmdc_loss", reference,
                   {"features": (features, "gradient"), "learned": (self.normal(CLASSES, WIDTH, scale=0.3), "learned_gradient")},
                   labels=self.labels, rows=ROWS, width=WIDTH, classes=CLASSES, centers="TYTO_CENTERS_LEARNED", center_weight=0.5)

    def test_identity_and_cmdc(self):
        def reference(features, logits):
            terms = references.identity_and_cmdc(logits, features, self.y, self.m)
            return terms, terms[0]
        self.check("identity_and_cmdc_loss", reference,
                   {"features": (self.normal(ROWS, WIDTH), "gradient"), "logits": (self.normal(ROWS, CLASSES), "logits_gradient")},
                   labels=self.labels, modalities=self.modalities, rows=ROWS, width=WIDTH, classes=CLASSES)

    def test_center_loss(self):
        def reference(features, centers):
            value = references.center(features, self.y, centers)
            return [value], value
        self.check("center_loss", reference,
                   {"features": (self.normal(ROWS, WIDTH), "gradient"), "centers": (self.normal(CLASSES, WIDTH), "centers_gradient")},
                   labels=self.labels, rows=ROWS, width=WIDTH, classes=CLASSES)

    def test_update_centers(self):
        x, centers = self.normal(ROWS, WIDTH), self.normal(CLASSES, WIDTH)
        want = centers.copy()
        for k in range(CLASSES):
            members = x[self.labels == k]
            want[k] -= 0.5 * (centers[k] - members).sum(0) / (1 + len(members))
        call("update_centers", features=x, labels=self.labels, centers=centers, rows=ROWS, width=WIDTH, classes=CLASSES)
        self.near(centers, want, 1e-12, "update_centers")

    def test_hetero_center(self):
        for distance in references.HETERO_DISTANCES:
            self.check_features("hetero_center_loss", lambda f, y, m: references.hetero_center(f, y, m, distance), modalities=True,
                                distance=f"TYTO_DISTANCE_{distance.upper()}")

    def test_hetero_center_triplet(self):
        self.check_features("hetero_center_triplet_loss", references.hetero_center_triplet, modalities=True)

    def test_golden_numbers(self):
        """What layumi's and AGW's code gave (double), to the printed digits: the value and the length of the gradient."""
        i, d = np.arange(8.0)[:, None], np.arange(6.0)
        features = np.sin(0.37 * (i + 1) * (d + 1)) + 0.05 * i
        mixed, paired = np.array([0, 0, 0, 1, 1, 2, 2, 3], np.int32), np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int32)
        weights = np.cos(0.53 * (d[:, None] + 1) * (np.arange(5.0) + 1))
        modalities = np.repeat(np.arange(2, dtype=np.int32), 4)
        for loss, labels, value, length, given in (
                ("circle_loss", mixed, 47.023863981, 35.859166791, {}),
                ("triplet_loss", mixed, 0.382354847, 0.334532976, {}),
                ("triplet_loss", mixed, 0.286834585, 0.302669766, {"mined": 0}),
                ("contrastive_loss", mixed, 1.449906294, 0.829920369, {}),
                ("lifted_loss", mixed, 2.779136701, 0.285978289, {}),
                ("instance_loss", mixed, 0.000025516, 0.000458949, {}),
                ("margin_softmax", mixed, 37.425649377, 15.849934531, {"weights": weights, "classes": 5}),
                ("batch_hard_triplet_loss", paired, 0.7360927506, 0.7544291221, {}),
                ("weighted_regularized_triplet_loss", paired, 0.6691020932, 0.2569070508, {}),
                ("hetero_center_triplet_loss", paired, 0.3614611613, 0.7187867346, {"modalities": modalities}),
                ("hetero_center_loss", paired, 7.1181376157, 5.4104113025, {"modalities": modalities}),
                ("cmdc_loss", paired, 0.5568615646, 0.1506276552, {"modalities": modalities}),
                ("cmdc_loss", paired, 0.9220419074, 0.3362081768, {"modalities": modalities, "mining": "TYTO_MINE_HARD"})):
            got, gradient = np.zeros(1), np.zeros_like(features)
            call(loss, features=features, labels=labels, rows=8, width=6, value=got, gradient=gradient, **given)
            self.assertAlmostEqual(got[0], value, 9, loss)
            self.assertAlmostEqual(np.linalg.norm(gradient), length, 9, loss)


class Library(unittest.TestCase):
    def test_exports_what_the_header_declares(self):
        declared, exported = by_ctypes.declared_and_exported()
        self.assertEqual(exported, declared)
        self.assertEqual(len(declared), 3 * len(by_ctypes.STRUCTS) + 3)


if __name__ == "__main__":
    unittest.main()
