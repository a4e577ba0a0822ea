"""Detectors of two stages against their projects, step by step: what each step makes of tyto's own results before it."""
import copy
import json
import unittest
from functools import partial

import numpy as np
import PIL.Image
import torch
from torchvision.models.detection._utils import overwrite_eps

import reference_two_stage as ref
from detection_judge import UNIT
from parity_case import ParityCase, in_float64, lower_precisions
from reference_detectors import scenes
from tyto_process import DEVICE, load_tensors, save_tensors, tyto

# A comparison that rounding may decide: an overlap, a side or a score this near its threshold. Boxes of a hundred pixels are
# rounded to 2^-17 of one, and an overlap of them to some 2^-20.
NEAR = 1e-5


def same_boxes(rows, want, size):
    """Same boxes and order; coordinates and probabilities up to the rounding of some operations."""
    if rows.shape != want.shape:
        return False
    scores = np.abs(rows[:, 4] - want[:, 4]) <= 2 * UNIT * (40 + 100)
    corners = np.abs(np.float64(rows[:, :4]) - want[:, :4]).max(1, initial=0) <= 48 * UNIT * size
    return bool((scores & corners).all()) and (rows[:, 5:] == want[:, 5:]).all()


class TwoStageTests:
    """One detector, tested with an eighth of its channels."""

    shape = (160, 192)  # of the network's input
    sizes = ((150, 190, 75, 95), (160, 170, 200, 212))  # true extents, the last rows and columns being padding
    thresholds = {"iou_threshold": 0.7}  # of the first stage
    found = {"score_threshold": 0.05, "iou_threshold": 0.5}
    convert_options = ()
    preprocess = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.build()
        cls.convert(cls.state(cls.model), *cls.convert_options, model="default.safetensors")
        cls.x = cls.padded(scenes((2, 3, *cls.shape), 9, 1.0))
        cls.got = cls.run_step(cls.x, cls.sizes)

    @staticmethod
    def state(model):
        return model.state_dict()

    @classmethod
    def padded(cls, x):
        for image, (height, width, *_) in zip(x, cls.sizes):
            image[:, height:] = 0
            image[:, :, width:] = 0
        return x

    @classmethod
    def inputs(cls, x):
        return {"input": x.numpy(), "sizes": np.float32(cls.sizes[: len(x)])}

    @classmethod
    def run_step(cls, x, sizes, *options, model="default.safetensors"):
        save_tensors(cls.path("in.safetensors"), {"input": x.numpy(), "sizes": np.float32(sizes)})
        tyto("run", cls.path(model), "--input", cls.path("in.safetensors"), "--output", cls.path("out.safetensors"), *options)
        return load_tensors(cls.path("out.safetensors"))

    @staticmethod
    def sample(got, i):
        """One image's tensors, cut to their counts, as a trace has them."""
        count = {name: got[name + ".count"][i] for name in got if name + ".count" in got}
        out = {}
        for name, tensor in got.items():
            if name.endswith(".count"):
                continue
            tensor = tensor.reshape(len(got["rpn_logits"]), -1, *tensor.shape[1:])[i] if name == "roi_features" else tensor[i]
            out[name] = tensor[: count[name]] if name in count else tensor
        return out

    # --- steps ---

    def check_near(self, name, got, want, limit):
        self.assertEqual(got.shape, tuple(want.shape), name)
        if not len(got):
            return
        want = want.numpy()
        error = np.abs(got - want).max() / np.abs(want).max()
        print(f"  {self.id().split('.', 1)[-1]} {name} {list(want.shape)}: {error:.1e}")
        self.assertLess(error, limit, name)

    def check_rows(self, name, rows, run, thresholds, size):
        """run(**thresholds) -> what the project finds. Where a comparison falls on its threshold, either way is right."""
        if same_boxes(rows, run(**thresholds), size):
            return 0
        for key in thresholds:
            for step in (-NEAR, NEAR):
                if same_boxes(rows, run(**{**thresholds, key: thresholds[key] + step}), size):
                    return 1
        want = run(**thresholds)
        self.fail(f"{name}: {len(rows)} rows, the project has {len(want)}\n{rows[:4]}\n{want[:4]}")

    def check_boxes(self, model, x, sizes, maps, got):
        """Proposals and detections, each of the raw outputs that they were made of: in no precision are they rounded otherwise."""
        size = max(x.shape[2:]) * 4
        heads = [[torch.tensor(got[name]) for name in names] for names in (("rpn_locations", "rpn_logits"), ("locations", "logits"))]
        proposals = got["proposals"]
        near = self.check_rows("proposals", proposals[:, :5],
                               lambda **t: self.first_stage(model, *heads[0], maps, sizes, **t).numpy(), self.thresholds, size)
        boxes = torch.tensor(proposals[:, :4])
        near += self.check_rows("detections", got["detections"],
                                lambda **t: self.second_stage(model, boxes, *heads[1], sizes, **t), self.found, size)
        print(f"  {self.id().split('.', 1)[-1]}: {len(proposals)} proposals, {len(got['detections'])} detections, "
              f"{near} within rounding of a threshold")
        return len(got["detections"])

    def check_image(self, model, x, sizes, got, file="default.safetensors"):
        """Every step of one image. Returns how many detections there are."""
        limit, boxes = self.tolerance(file), torch.tensor(got["proposals"][:, :4])
        with torch.no_grad():
            locations, logits, maps = model.raw(x, sizes)
            self.check_near("rpn_locations", got["rpn_locations"], locations, limit)
            self.check_near("rpn_logits", got["rpn_logits"], logits, limit)
            if len(boxes):
                self.check_near("roi_features", got["roi_features"], model.features(maps, boxes, sizes), limit)
                locations, logits = model.run_head(torch.tensor(got["roi_features"]))
                self.check_near("locations", got["locations"], locations, limit)
                self.check_near("logits", got["logits"], logits, limit)
            return self.check_boxes(model, x, sizes, maps, got)

    def test_steps(self):
        found = [self.check_image(self.model, self.x[i : i + 1], self.sizes[i], self.sample(self.got, i)) for i in range(len(self.x))]
        self.assertGreater(min(found), 20)

    def test_neighbours_in_the_batch_change_nothing(self):
        swapped = self.run_step(self.x.flip(0), self.sizes[::-1])
        alone = self.run_step(self.x * torch.tensor((1.0, 0.0)).reshape(2, 1, 1, 1), (self.sizes[0], (0, 0, 0, 0)))
        for here, there in ((self.sample(self.got, 0), self.sample(swapped, 1)), (self.sample(self.got, 1), self.sample(swapped, 0)),
                            (self.sample(self.got, 0), self.sample(alone, 0))):
            for name, value in here.items():
                np.testing.assert_array_equal(there[name], value, name)
        for name in ("proposals", "detections"):
            self.assertEqual(alone[name + ".count"][1], 0, "a row of no image")

    def test_lower_precisions(self):
        """How far the first stage's raw outputs are off, and what is made of each stage's."""
        if not lower_precisions():
            self.skipTest("the device has fp32 alone")
        x, sizes = self.x[:1], self.sizes[0]
        first = ref.FirstStage(self.model, sizes)
        exact = in_float64(first, x)
        with torch.no_grad():
            *_, maps = self.model.raw(x, sizes)
        for precision in lower_precisions():
            got = self.sample(self.check_lower_precision(precision, first, x, exact, "default.safetensors"), 0)
            self.assertGreater(self.check_boxes(self.model, x, sizes, maps, got), 20)

    def test_boxes_that_are_no_numbers(self):
        """Offsets and logits overflow: nothing breaks, and every row that is there is finite."""
        for layers, raw in ((self.first_stage_layers, "rpn_locations"), (self.second_stage_layers, "locations")):
            model = copy.deepcopy(self.model)
            with torch.no_grad():
                for layer in layers(model):
                    layer.weight[::3] = 3e38
            self.convert(self.state(model), *self.convert_options)
            got = self.run_step(self.x, self.sizes, model="model.safetensors")
            self.assertFalse(np.isfinite(got[raw]).all())
            for i in range(len(self.x)):
                sample = self.sample(got, i)
                for name in ("proposals", "detections"):
                    self.assertTrue(np.isfinite(sample[name]).all(), name)

    # --- images ---

    IMAGES = ((150, 100), (100, 150), (97, 97), (260, 60), (64, 121))

    def images(self):
        for index, (width, height) in enumerate(self.IMAGES):
            scene = scenes((1, 3, height, width), 20 + index, 60)[0].permute(1, 2, 0).numpy()
            yield f"{index}.png", (scene + 118).clip(0, 255).astype(np.uint8)
        yield "black.png", np.zeros((80, 120, 3), np.uint8)

    def test_image_files_of_all_sizes(self):
        paths, images = [], []
        for name, image in self.images():
            paths.append(self.path(name))
            images.append(image)
            PIL.Image.fromarray(image).save(paths[-1])
        tyto("detect", self.path("default.safetensors"), *paths, "-o", self.path("out"), "--batch", 2, "--trace", self.path("trace"))
        with open(self.path("out/detections.jsonl")) as lines:
            found = {line["image"]: line for line in map(json.loads, lines)}
        total = 0
        for path, image in zip(paths, images):
            trace = load_tensors(self.path(f"trace/{path.split('/')[-1][:-4]}.safetensors"))
            x, sizes = self.model.preprocess(image, **self.preprocess)
            self.assertEqual(tuple(trace["sizes"]), tuple(sizes))
            # Places between pixels are rounded to float, and so is all that follows, of values up to 1, divided by 0.22.
            np.testing.assert_allclose(trace["input"], x[0], rtol=0, atol=(4 * max(image.shape) + 32) * UNIT / 0.22)
            total += self.check_image(self.model, torch.tensor(trace["input"][None]), sizes, trace)
            rows = self.model.to_original(np.float64(trace["detections"])[:, :4], sizes)
            boxes = [d["bbox"] for d in found[path]["detections"]]
            rows[:, 2:] -= rows[:, :2]
            np.testing.assert_allclose(np.float64(boxes).reshape(-1, 4), rows.reshape(-1, 4), rtol=0, atol=1e-4)
        self.assertGreater(total, 100)


class TestSimpleFasterRcnn(TwoStageTests, ParityCase):
    build = staticmethod(ref.simple_faster_rcnn)
    shape = (160, 208)
    sizes = ((160, 208, 80, 104), (160, 208, 150, 195))
    thresholds = {"iou_threshold": 0.7, "min_size": 16}
    found = {"score_threshold": 0.05, "iou_threshold": 0.3}
    convert_options = ("--preprocess=shorter_side=160", "--preprocess=longest_side=240")
    preprocess = {"shorter": 160, "longest": 240}

    def first_stage_layers(self, model):
        return model.rpn.loc, model.rpn.score

    def second_stage_layers(self, model):
        return model.head.cls_loc, model.head.score

    def first_stage(self, model, *given, **thresholds):
        return model.proposals(*given, **thresholds)

    def second_stage(self, model, *given, **thresholds):
        return model.detections(*given, **thresholds)

    def test_presets_and_limits(self):
        self.convert(self.model.state_dict(), "--set=preset=visualize", "--set=pre_nms=200", "--set=post_nms=20", "--set=min_size=40",
                     *self.convert_options)
        got = self.sample(self.run_step(self.x, self.sizes, model="model.safetensors"), 0)
        tests = type(self)(methodName=self._testMethodName)
        tests.thresholds, tests.found = {"iou_threshold": 0.7, "min_size": 40}, {"score_threshold": 0.7, "iou_threshold": 0.3}
        tests.first_stage = lambda model, *given, **t: model.proposals(*given, pre_nms=200, post_nms=20, **t)
        tests.check_image(self.model, self.x[:1], self.sizes[0], got, "model.safetensors")

    def test_nothing_is_large_enough(self):
        self.convert(self.model.state_dict(), "--set=min_size=5000")
        got = self.run_step(self.x, self.sizes, model="model.safetensors")
        for name in ("proposals", "detections"):
            np.testing.assert_array_equal(got[name + ".count"], 0)

    def test_names_with_dropout_and_the_trainers_file(self):
        model = ref.simple_faster_rcnn(classes=5, drops=True)
        trained = {"model": model.state_dict(), "config": {"caffe_pretrain": True, "lr": 1e-3}, "vis_info": None}
        self.convert(trained, *self.convert_options)
        info = json.loads(tyto("inspect", self.path("model.safetensors"), "--json")[0])
        self.assertEqual(info["options"]["pretrain"], "caffe")
        image = next(self.images())[1]
        PIL.Image.fromarray(image).save(self.path("caffe.png"))
        tyto("detect", self.path("model.safetensors"), self.path("caffe.png"), "-o", self.path("caffe"), "--trace", self.path("caffe"))
        trace = load_tensors(self.path("caffe/caffe.safetensors"))
        x, sizes = model.preprocess(image, caffe=True, **self.preprocess)
        np.testing.assert_allclose(trace["input"], x[0], rtol=0, atol=32 * UNIT * 255)
        self.check_image(model, torch.tensor(trace["input"][None]), sizes, trace, "model.safetensors")

    def test_an_image_too_flat_is_skipped(self):
        """Of 20 x 2000 pixels VGG's pools leave nothing."""
        for name, size in (("flat.png", (2000, 20)), ("good.png", (150, 100))):
            PIL.Image.new("RGB", size).save(self.path(name))
        tyto("detect", self.path("default.safetensors"), self.path("flat.png"), self.path("good.png"), "-o", self.path("flat"), expect=3)
        with open(self.path("flat/skipped.txt")) as lines:
            self.assertRegex(lines.read(), "flat.png: .*does not fit")
        with open(self.path("flat/detections.jsonl")) as lines:
            self.assertEqual(len(lines.readlines()), 1)


class TorchvisionTests(TwoStageTests):
    convert_options = ("--preprocess=shorter_side=96", "--preprocess=longest_side=160")

    def first_stage_layers(self, model):
        return model.wrapped.rpn.head.bbox_pred, model.wrapped.rpn.head.cls_logits

    def second_stage_layers(self, model):
        return model.wrapped.roi_heads.box_predictor.bbox_pred, model.wrapped.roi_heads.box_predictor.cls_score

    def first_stage(self, model, *given, iou_threshold):
        model.wrapped.rpn.nms_thresh = iou_threshold
        return model.proposals(*given)

    def second_stage(self, model, *given, score_threshold, iou_threshold):
        heads = model.wrapped.roi_heads
        heads.score_thresh, heads.nms_thresh = score_threshold, iou_threshold
        return model.detections(*given)


@unittest.skipIf(DEVICE, "of layers that others have as well")
class TestResnet18Fpn(TorchvisionTests, ParityCase):
    """As it is trained from nothing: batch norms are not frozen."""

    build = staticmethod(partial(ref.resnet_fpn, 18))
    IMAGES = (*TwoStageTests.IMAGES, (2000, 20))  # one row of pixels, and 31 of padding

    def test_options(self):
        changed = {"pre_nms": 60, "post_nms": 50, "rpn_score_threshold": 0.6, "rpn_iou_threshold": 0.5,
                   "score_threshold": 0.1, "iou_threshold": 0.3, "max_detections": 11}
        self.convert(self.model.state_dict(), *(f"--set={name}={value}" for name, value in changed.items()))
        model = copy.deepcopy(self.model)
        rpn, heads = model.wrapped.rpn, model.wrapped.roi_heads
        rpn._pre_nms_top_n["testing"], rpn._post_nms_top_n["testing"] = changed["pre_nms"], changed["post_nms"]
        rpn.score_thresh, heads.detections_per_img = changed["rpn_score_threshold"], changed["max_detections"]
        self.thresholds, self.found = {"iou_threshold": 0.5}, {"score_threshold": 0.1, "iou_threshold": 0.3}
        got = self.run_step(self.x, self.sizes, model="model.safetensors")
        found = [self.check_image(model, self.x[i : i + 1], self.sizes[i], self.sample(got, i), "model.safetensors") for i in range(2)]
        self.assertEqual(found, [11, 11])

    def test_old_names(self):
        self.convert(ref.old_names(self.model.state_dict()))
        for name, value in self.run_step(self.x, self.sizes, model="model.safetensors").items():
            np.testing.assert_array_equal(value, self.got[name], name)


class TestResnet50FpnFrozen(TorchvisionTests, ParityCase):
    """As its COCO weights run: frozen batch norms without an epsilon."""

    build = staticmethod(partial(ref.resnet_fpn, 50, 0.0, small=True))

    def test_the_epsilon_is_decided_and_can_be_set(self):
        output = tyto("inspect", self.path("default.safetensors"), "--json")[0]
        self.assertEqual(json.loads(output)["options"]["norm_eps"], "0")
        self.convert(self.model.state_dict(), "--set=norm_eps=1e-5")
        other = self.run_step(self.x, self.sizes, model="model.safetensors")
        self.assertGreater(np.abs(other["rpn_logits"] - self.got["rpn_logits"]).max(), 0.1)
        model = copy.deepcopy(self.model)
        overwrite_eps(model, 1e-5)
        self.check_image(model, self.x[:1], self.sizes[0], self.sample(other, 0), "model.safetensors")


class TestResnet50FpnV2(TorchvisionTests, ParityCase):
    build = staticmethod(partial(ref.by_name, "fasterrcnn_resnet50_fpn_v2"))


class TestMobilenetV3LargeFpn(TorchvisionTests, ParityCase):
    build = staticmethod(partial(ref.by_name, "fasterrcnn_mobilenet_v3_large_fpn"))
    convert_options = ("--network=fasterrcnn_mobilenet_v3_large_fpn", *TorchvisionTests.convert_options)


@unittest.skipIf(DEVICE, "of the same layers as the one above")
class TestMobilenetV3Large320Fpn(TorchvisionTests, ParityCase):
    build = staticmethod(partial(ref.by_name, "fasterrcnn_mobilenet_v3_large_320_fpn"))
    convert_options = ("--network=fasterrcnn_mobilenet_v3_large_320_fpn", *TorchvisionTests.convert_options)
