"""The losses of features and classifiers, called by ctypes, against autograd in float64 on random inputs. The references are what
papers and projects say, written for torch."""
import itertools
import math
import os
import re
import subprocess
import unittest

import numpy as np
import torch
import torch.nn.functional as F

import by_ctypes
from loss_case import LossCase
from by_ctypes import call

ROWS, WIDTH, CLASSES = 24, 17, 6

def unit(x):
    return x / x.norm(dim=1, keepdim=True)


def distances(a, b):
    """Without a gradient at 0."""
    return (a[:, None] - b[None]).norm(dim=-1)


class LossesOfRows(LossCase):
    def setUp(self):
        super().setUp()
        self.labels = self.random.permutation(np.repeat(np.arange(CLASSES, dtype=np.int32), ROWS // CLASSES))
        self.modalities = self.random.integers(0, 2, ROWS).astype(np.int32)
        self.y, self.m = torch.from_numpy(self.labels).long(), torch.from_numpy(self.modalities)

    def check_features(self, loss, reference, features=None, modalities=False, **given):
        def one(features, **_):
            value = reference(features)
            return [value], value
        features = self.normal(ROWS, WIDTH) if features is None else features
        more = {"modalities": self.modalities} if modalities else {}
        self.check(loss, one, {"features": (features, "gradient")}, labels=self.labels, rows=ROWS, width=WIDTH, **more, **given)

    # --- pairs ---

    def masks(self):
        same = self.y[:, None] == self.y[None]
        return same & ~torch.eye(ROWS, dtype=torch.bool), ~same

    def test_circle(self):
        def reference(f, margin, gamma):
            i, j = torch.triu_indices(ROWS, ROWS, 1)
            s, same = (unit(f) @ unit(f).T)[i, j], self.y[i] == self.y[j]
            p, n = s[same], s[~same]
            lp = -gamma * (1 + margin - p.detach()).relu() * (p - (1 - margin))
            ln = gamma * (n.detach() + margin).relu() * (n - margin)
            return torch.logaddexp(lp.logsumexp(0) + ln.logsumexp(0), torch.zeros((), dtype=f.dtype))
        self.check_features("circle_loss", lambda f: reference(f, 0.25, 32))
        self.check_features("circle_loss", lambda f: reference(f, 0.4, 8), margin=0.4, gamma=8)

    def triplets(self, f, margin, epsilon):
        positive, negative = self.masks()
        d, s = distances(unit(f), unit(f)), (unit(f) @ unit(f).T).detach()
        if epsilon is not None:
            least = s.masked_fill(~positive, math.inf).min(1, keepdim=True)[0]
            most = s.masked_fill(~negative, -math.inf).max(1, keepdim=True)[0]
            positive, negative = positive & (s - epsilon < most), negative & (s + epsilon > least)
        v = (d[:, :, None] - d[:, None] + margin)[positive[:, :, None] & negative[:, None]]
        return v[v > 0].mean()

    def test_triplet(self):
        self.check_features("triplet_loss", lambda f: self.triplets(f, 0.3, 0.1))
        self.check_features("triplet_loss", lambda f: self.triplets(f, 0.2, None), margin=0.2, mined=0)

    def test_contrastive(self):
        def reference(f, most, least):
            (positive, negative), d = self.masks(), distances(unit(f), unit(f))
            p, n = (d[positive] - most).relu(), (least - d[negative]).relu()
            return p[p > 0].mean() + (n[n > 0].mean() if (n > 0).any() else 0)
        features = self.normal(ROWS, WIDTH) + 1
        self.check_features("contrastive_loss", lambda f: reference(f, 0, 1), features)
        self.check_features("contrastive_loss", lambda f: reference(f, 0.5, 1.3), features, positive_margin=0.5, negative_margin=1.3)

    def test_lifted(self):
        def reference(f):
            (positive, negative), d = self.masks(), distances(unit(f), unit(f))
            a = d.masked_fill(~positive, -math.inf).logsumexp(1)
            return (a + (1 - d).masked_fill(~negative, -math.inf).logsumexp(1)).relu().mean()
        self.check_features("lifted_loss", reference)

    def test_instance(self):
        def reference(f, gamma):
            u = f / (f.norm(dim=1, keepdim=True) + 1e-8)
            return F.cross_entropy(gamma * u @ u.T, torch.arange(len(f)))
        features = self.normal(ROWS, WIDTH) + 1
        self.check_features("instance_loss", lambda f: reference(f, 8), features, gamma=8)
        self.check_features("instance_loss", lambda f: reference(torch.stack([f[self.y == k].mean(0) for k in range(CLASSES)]), 8),
                            features, gamma=8, by_identity=1)

    def test_batch_hard_triplet(self):
        def reference(f):
            same, d = self.y[:, None] == self.y[None], distances(f, f).clamp(min=1e-6)
            return (d.masked_fill(~same, 0).max(1)[0] - d.masked_fill(same, math.inf).min(1)[0] + 0.3).relu().mean()
        self.check_features("batch_hard_triplet_loss", reference)

    def test_weighted_regularized_triplet(self):
        def reference(f):
            same, d = self.y[:, None] == self.y[None], distances(f, f).clamp(min=1e-6)
            a = (d.masked_fill(~same, 0) - d.masked_fill(~same, 0).max(1, keepdim=True)[0]).exp() * same
            b = (-d).exp() * ~same
            w = a / (a.sum(1, keepdim=True) + 1e-6), b / (b.sum(1, keepdim=True) + 1e-6)
            z = (w[0] * d).sum(1) - (w[1] * d).sum(1)
            return torch.logaddexp(z, torch.zeros_like(z)).mean()
        self.check_features("weighted_regularized_triplet_loss", reference)

    # --- classifiers ---

    def test_cross_entropy(self):
        logits = self.normal(ROWS, CLASSES, scale=3)

        def reference(logits, **options):
            value = sum(F.cross_entropy(part, self.y, **options) for part in logits.view(-1, ROWS, CLASSES))
            return [value], value
        sizes = {"labels": self.labels, "rows": ROWS, "classes": CLASSES}
        self.check("cross_entropy", reference, {"logits": (logits, "gradient")}, **sizes)
        self.check("cross_entropy", lambda logits: reference(logits, label_smoothing=0.1), {"logits": (logits, "gradient")},
                   smoothing=0.1, **sizes)
        self.check("cross_entropy", lambda logits: reference(logits, ignore_index=2), {"logits": (logits, "gradient")},
                   ignores=1, ignored_label=2, **sizes)
        self.check("cross_entropy", reference, {"logits": (self.normal(6, ROWS, CLASSES), "gradient")}, parts=6, **sizes)

    def test_margin_softmax(self):
        def psi(c, method, margin):
            theta = c.clamp(-1, 1).acos()
            if method == "TYTO_ARC_FACE":
                return torch.where(theta <= math.pi - margin, (theta + margin).cos(), c - margin * math.sin(margin))
            if method == "TYTO_COS_FACE":
                return c - margin
            k = (margin * theta.detach() / math.pi).floor()
            return (-1) ** k * (margin * theta).cos() - 2 * k

        def reference(features, weights, method, margin, scale):
            c = unit(features) @ unit(weights.T).T
            value = F.cross_entropy(scale * torch.where(F.one_hot(self.y, CLASSES).bool(), psi(c, method, margin), c), self.y)
            return [value], value
        for method, margin, scale in (("TYTO_ARC_FACE", 28.6 * math.pi / 180, 64), ("TYTO_ARC_FACE", 2.0, 16),
                                      ("TYTO_COS_FACE", 0.35, 64), ("TYTO_SPHERE_FACE", 4, 1)):
            self.check("margin_softmax", lambda features, weights: reference(features, weights, method, margin, scale),
                       {"features": (self.normal(ROWS, WIDTH), "gradient"), "weights": (self.normal(WIDTH, CLASSES), "weights_gradient")},
                       labels=self.labels, rows=ROWS, width=WIDTH, classes=CLASSES, method=method, margin=margin, logit_scale=scale)

    def test_symmetric_kl(self):
        def reference(first, second):
            a, b = first.log_softmax(1), second.log_softmax(1)
            value = (F.kl_div(a, b, reduction="batchmean", log_target=True) + F.kl_div(b, a, reduction="batchmean", log_target=True)) / 2
            return [value], value
        self.check("symmetric_kl", reference, {"first": (self.normal(ROWS, CLASSES, scale=2), "gradient"),
                                               "second": (self.normal(ROWS, CLASSES, scale=2), "second_gradient")},
                   rows=ROWS, classes=CLASSES)

    # --- centres ---

    def centers(self, x, by_modality=True):
        """[(label, modality, centre)] in the order of labels, visible first."""
        found = []
        for k, m in itertools.product(range(CLASSES), (0, 1) if by_modality else (None,)):
            members = self.y == k if m is None else (self.y == k) & (self.m == m)
            if members.any():
                found.append((k, m, x[members].mean(0)))
        return found

    def cmdc(self, f, kind="modality", hard=False, bounds=(0.3, 1), weight=0, normalize=True, learned=None):
        x = unit(f) if normalize else f
        centers = [(k, None, learned[k]) for k in range(CLASSES)] if kind == "learned" else self.centers(x, kind == "modality")
        value = 0
        for k, _, center in centers:
            d = (x - center).norm(dim=1)
            near, far = (d[self.y == k] - bounds[0]).relu(), (bounds[1] - d[self.y != k]).relu()
            value = value + (near.max() + far.max() if hard else near.mean() + far.mean()) / len(centers)
        own = torch.stack([next(c for k, m, c in centers if k == y and m in (None, own)) for y, own in zip(self.y, self.m)])
        return value + weight / (2 * ROWS) * (x - own).square().sum()

    CMDC = [({}, {}), ({"hard": True}, {"mining": "TYTO_MINE_HARD"}), ({"kind": "joint"}, {"centers": "TYTO_CENTERS_JOINT"}),
            ({"bounds": (0.5, 1.2), "weight": 0.7}, {"positive_bound": 0.5, "negative_bound": 1.2, "center_weight": 0.7}),
            ({"kind": "joint", "weight": 1, "normalize": False}, {"centers": "TYTO_CENTERS_JOINT", "center_weight": 1, "normalize": 0})]

    def test_cmdc(self):
        features = self.normal(CLASSES, WIDTH)[self.labels] + self.normal(ROWS, WIDTH, scale=0.5)
        for ours, theirs in self.CMDC:
            self.check_features("cmdc_loss", lambda f: self.cmdc(f, **ours), features, modalities=True, **theirs)

        def reference(features, learned):
            value = self.cmdc(features, "learned", weight=0.5, learned=learned)
            return [value], value
        self.check("cmdc_loss", reference, {"features": (features, "gradient"), "learned": (self.normal(CLASSES, WIDTH, scale=0.3), "learned_gradient")},
                   labels=self.labels, rows=ROWS, width=WIDTH, classes=CLASSES, centers="TYTO_CENTERS_LEARNED", center_weight=0.5)

    def test_identity_and_cmdc(self):
        def reference(features, logits):
            identity, cmdc = F.cross_entropy(logits, self.y, label_smoothing=0.1), self.cmdc(features)
            return [identity + 3 * cmdc, identity, cmdc], identity + 3 * cmdc
        self.check("identity_and_cmdc_loss", reference,
                   {"features": (self.normal(ROWS, WIDTH), "gradient"), "logits": (self.normal(ROWS, CLASSES), "logits_gradient")},
                   labels=self.labels, modalities=self.modalities, rows=ROWS, width=WIDTH, classes=CLASSES)

    def test_center_loss(self):
        def reference(features, centers):
            value = (features - centers[self.y]).square().sum() / 2
            return [value], value
        self.check("center_loss", reference, {"features": (self.normal(ROWS, WIDTH), "gradient"), "centers": (self.normal(CLASSES, WIDTH), "centers_gradient")},
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
        def reference(f, distance, margin):
            centers, value = self.centers(f), 0
            for k in range(CLASSES):
                pair = [c for of, _, c in centers if of == k]
                if len(pair) == 2:
                    value = value + (distance(*pair) - margin).relu()
            return value
        for name, distance, margin in (("SQUARED", lambda a, b: (a - b).square().sum(), 0.1), ("ABSOLUTE", F.l1_loss, 0.1),
                                       ("COSINE", lambda a, b: 1 - F.cosine_similarity(a, b, 0), 0.1)):
            self.check_features("hetero_center_loss", lambda f: reference(f, distance, margin), modalities=True,
                                distance=f"TYTO_DISTANCE_{name}", margin=margin)

    def test_hetero_center_triplet(self):
        def reference(f):
            centers = self.centers(f)
            k, c = torch.tensor([k for k, _, _ in centers]), torch.stack([c for _, _, c in centers])
            d, same = distances(c, c), k[:, None] == k[None]
            return (d.masked_fill(~same, 0).max(1)[0] - d.masked_fill(same, math.inf).min(1)[0] + 0.3).relu().mean()
        self.check_features("hetero_center_triplet_loss", reference, modalities=True)

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
        with open(by_ctypes.HEADER, encoding="utf-8") as file:
            declared = set(re.findall(r"^(?:int|void) (tyto_\w+)\(", file.read(), re.M))
        symbols = subprocess.run(["nm", "-D", "--defined-only", os.environ["TYTO_C_LIBRARY"]], check=True, capture_output=True, text=True).stdout
        exported = {line.split()[2].split("@")[0] for line in symbols.splitlines() if line.split()[1] != "A"}
        self.assertEqual(exported, declared)
        self.assertEqual(len(declared), 3 * len(by_ctypes.STRUCTS) + 3)


if __name__ == "__main__":
    unittest.main()
