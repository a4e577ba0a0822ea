"""Operators, called by ctypes, against torch and torchvision in float64: values and gradients, in three types of elements."""
import unittest

import numpy as np
import torch
import torchvision.ops

import by_ctypes
from by_ctypes import CallError, call
from loss_case import LossCase, doubles, stored

# Of halves the CPU computes in float and rounds once: 2^-11 and 2^-8 of a value. A float differs by the roundings of sums of a few
# dozen.
OF_KIND = {"TYTO_FLOAT": 3e-6, "TYTO_HALF": 2.0**-11, "TYTO_BFLOAT16": 2.0**-8}


class Attention(LossCase):
    def leaves(self, kind, **values):
        """{name: as the library reads it}, {name: the same in float64}."""
        arrays = {name: stored(value, kind) for name, value in values.items()}
        return arrays, {name: torch.from_numpy(doubles(array, kind)).requires_grad_() for name, array in arrays.items()}

    def check(self, kind, heads_first, bias_shape, mask_shape, keys=9):
        batch, heads, queries, depth, width = 4, 3, 7, 5, 4
        q, k = (self.normal(batch, n, heads, depth) for n in (queries, keys))
        v, upstream = self.normal(batch, keys, heads, width), self.normal(batch, queries, heads, width)
        if heads_first:  # as torch's own scaled_dot_product_attention takes them: items of one head
            q, k, v, upstream = (np.ascontiguousarray(np.moveaxis(t, 2, 1)) for t in (q, k, v, upstream))
        given = {"q": q, "k": k, "v": v}
        sizes = {"elements": kind, "queries": queries, "keys": keys, "depth": depth, "width": width}
        sizes.update({"batch": batch * heads, "heads": 1} if heads_first else {"batch": batch, "heads": heads})
        if bias_shape:
            given["bias"] = self.normal(*bias_shape, queries, keys)
            sizes.update({"bias_batch": bias_shape[0] * bias_shape[1], "bias_heads": 1} if heads_first else
                         {"bias_batch": bias_shape[0], "bias_heads": bias_shape[1]})
        if mask_shape:
            mask = (self.random.uniform(size=(*mask_shape, keys)) > 0.4).astype(np.int32)
            mask[0, 0] = 0  # a query without a key
            sizes.update(mask=mask, mask_batch=mask_shape[0], mask_queries=mask_shape[1])
        arrays, leaf = self.leaves(kind, **given)

        of_heads = {name: leaf[name] if heads_first else leaf[name].transpose(1, 2) for name in "qkv"}
        scores = of_heads["q"] @ of_heads["k"].transpose(2, 3) / depth**0.5
        if bias_shape:
            scores = scores + leaf["bias"].repeat(batch // bias_shape[0], 1, 1, 1)
        if mask_shape:
            left_out = torch.from_numpy(mask == 0)[:, None]
            scores = scores.masked_fill(left_out.repeat(batch // mask_shape[0], 1, 1, 1), -1e300)
            weights = scores.softmax(3).masked_fill(left_out.repeat(batch // mask_shape[0], 1, 1, 1), 0)
        else:
            weights = scores.softmax(3)
        want = weights @ of_heads["v"]
        want = want if heads_first else want.transpose(1, 2)

        y = np.zeros_like(stored(upstream, kind))
        rows = {name: np.zeros((batch, heads, queries), np.float32) for name in ("maximum", "sum")}
        what = f"{kind} heads first {heads_first} bias {bias_shape} mask {mask_shape} keys {keys}"
        call("attention", **arrays, y=y, **rows, **sizes)
        self.near(doubles(y, kind), want.detach().numpy(), OF_KIND[kind], what)

        gradients = {f"{name}_gradient": np.zeros_like(array) for name, array in arrays.items()}
        if bias_shape:
            gradients["bias_gradient"] = np.zeros(given["bias"].shape, np.float32)
        call("attention_backward", **arrays, **rows, y_gradient=stored(upstream, kind), **gradients, **sizes)
        of_y = torch.from_numpy(doubles(stored(upstream, kind), kind))
        slopes = torch.autograd.grad((want * of_y).sum(), list(leaf.values()))
        for name, slope in zip(leaf, slopes):
            got = gradients[f"{name}_gradient"]
            got = got if name == "bias" else doubles(got, kind)
            self.near(got, slope.numpy(), OF_KIND[kind], f"{what}: d {name}")

    def test_attention(self):
        for kind in OF_KIND:
            self.check(kind, False, None, None)
            self.check(kind, False, (2, 1), (4, 7))
            self.check(kind, False, (1, 3), (2, 1))
            self.check(kind, True, (2, 3), None)
        self.check("TYTO_FLOAT", False, None, None, keys=0)

    def test_position_attention(self):
        batch, positions, depth, channels = 3, 35, 4, 6
        for kind in OF_KIND:
            for first in (False, True):
                def laid_out(values):
                    return np.ascontiguousarray(np.swapaxes(values, 1, 2)) if first else values

                values = {"q": self.normal(batch, positions, depth), "k": self.normal(batch, positions, depth),
                          "v": self.normal(batch, positions, channels), "x": self.normal(batch, positions, channels)}
                arrays, leaf = self.leaves(kind, **values)
                leaf["gamma"] = torch.tensor([0.625], dtype=torch.float64, requires_grad=True)
                upstream = stored(self.normal(batch, positions, channels), kind)
                want = leaf["gamma"] * ((leaf["q"] @ leaf["k"].transpose(1, 2)).softmax(2) @ leaf["v"]) + leaf["x"]
                common = {name: laid_out(arrays[name]) for name in "qkv"}
                common.update({name: np.zeros((batch, positions), np.float32) for name in ("maximum", "sum")},
                              gamma=np.array([0.625], np.float32), elements=kind, batch=batch, positions=positions, depth=depth,
                              channels=channels, layout=f"TYTO_OPERATORS_CHANNELS_{'FIRST' if first else 'LAST'}")
                y = laid_out(np.zeros_like(upstream))
                what = f"{kind} channels first {first}"
                call("position_attention", x=laid_out(arrays["x"]), y=y, **common)
                self.near(doubles(laid_out(y), kind), want.detach().numpy(), OF_KIND[kind], what)
                got = {name: np.zeros_like(common[name]) for name in ("q", "k", "v", "gamma")}
                call("position_attention_backward", y_gradient=laid_out(upstream), **common,
                     **{f"{name}_gradient": array for name, array in got.items()})
                of_y = torch.from_numpy(doubles(upstream, kind))
                slopes = torch.autograd.grad((want * of_y).sum(), [leaf[name] for name in got])
                for (name, array), slope in zip(got.items(), slopes):
                    values = array if name == "gamma" else doubles(laid_out(array), kind)
                    # gamma's is a sum of 600 products, of either sign.
                    tolerance = 1e-4 if name == "gamma" else OF_KIND[kind]
                    self.near(values, slope.numpy(), tolerance, f"{what}: d {name}")


class Regions(LossCase):
    IMAGES, CHANNELS, HEIGHT, WIDTH, ROWS, COLUMNS = 3, 5, 9, 13, 3, 2

    def check(self, name, reference, kind, first, scale, **options):
        corners = self.random.uniform(-2, 14, (9, 4)) / scale
        corners[:, 2:] = np.where(np.arange(9)[:, None] % 4 == 3, corners[:, 2:], corners[:, :2] + abs(corners[:, 2:]))
        numbers = np.array([2, 0, -1, 1, 2, 3, 0, np.nan, 1])  # three of no image
        rois = np.concatenate([numbers[:, None], corners], 1).astype(np.float32)
        here = (numbers >= 0) & (numbers < self.IMAGES)
        maps = stored(self.normal(self.IMAGES, self.CHANNELS, self.HEIGHT, self.WIDTH), kind)
        upstream = stored(self.normal(len(rois), self.CHANNELS, self.ROWS, self.COLUMNS), kind)

        def laid_out(values):
            return values if first else np.ascontiguousarray(np.moveaxis(values, 1, 3))

        def planes(values):
            return values if first else np.moveaxis(values, 3, 1)

        leaf = torch.from_numpy(doubles(maps, kind)).requires_grad_()
        want = torch.zeros(upstream.shape, dtype=torch.float64)
        want[torch.from_numpy(here)] = reference(leaf, torch.from_numpy(rois[here]).double(), (self.ROWS, self.COLUMNS), scale, **options)
        common = {"elements": kind, "images": self.IMAGES, "channels": self.CHANNELS, "height": self.HEIGHT, "width": self.WIDTH,
                  "regions": len(rois), "rows": self.ROWS, "columns": self.COLUMNS, "rois": rois, "spatial_scale": scale,
                  "layout": f"TYTO_OPERATORS_CHANNELS_{'FIRST' if first else 'LAST'}",
                  **{key: max(int(value), 0) for key, value in options.items()}}
        if name == "roi_pool":
            common["argmax"] = np.zeros(upstream.shape, np.int32)
        features, slopes = laid_out(np.zeros_like(upstream)), laid_out(np.zeros_like(maps))
        what = f"{name} {kind} channels first {first} scale {scale} {options}"
        call(name, maps=laid_out(maps), features=features, **common)
        # A sample's place is computed in float: 2^-24 of 30 cells, times a slope of 4 or so between cells.
        self.near(doubles(planes(features), kind), want.detach().numpy(), max(OF_KIND[kind], 1e-5), what)
        call(f"{name}_backward", features_gradient=laid_out(upstream), maps_gradient=slopes, **common)
        slope, = torch.autograd.grad((want * torch.from_numpy(doubles(upstream, kind))).sum(), leaf)
        self.near(doubles(planes(slopes), kind), slope.numpy(), max(OF_KIND[kind], 1e-5), f"{what}: d maps")

    def test_roi_align(self):
        for kind in OF_KIND:
            for first in (False, True):
                self.check("roi_align", torchvision.ops.roi_align, kind, first, 1.0, sampling_ratio=2, aligned=first)
        for aligned in (False, True):
            self.check("roi_align", torchvision.ops.roi_align, "TYTO_FLOAT", True, 0.25, sampling_ratio=-1, aligned=aligned)

    def test_roi_pool(self):
        for kind in OF_KIND:
            for first in (False, True):
                self.check("roi_pool", torchvision.ops.roi_pool, kind, first, 0.25)

    def test_take_no_regions_and_no_images(self):
        sizes = {"elements": "TYTO_BFLOAT16", "channels": 2, "height": 3, "width": 4, "rows": 2, "columns": 2}
        call("roi_align", images=1, regions=0, maps=np.zeros((1, 3, 4, 2), np.int16), **sizes)
        slopes = np.ones((1, 3, 4, 2), np.int16)
        call("roi_align_backward", images=1, regions=0, maps_gradient=slopes, **sizes)
        self.assertFalse(slopes.any())
        features = np.ones((1, 2, 2, 2), np.int16)
        call("roi_align", images=0, regions=1, rois=np.zeros((1, 5), np.float32), features=features, **sizes)
        self.assertFalse(features.any())


class Suppression(LossCase):
    def check(self, kind, limits=(0, 0, 0), agnostic=0):
        batch, classes, count, threshold = 2, 3, 60, 0.4
        corners = self.random.integers(0, 16, (batch, count, 4)) / 16
        boxes = stored(np.concatenate([corners[..., :2], corners[..., :2] + corners[..., 2:]], -1), kind)
        order = np.stack([self.random.permutation(classes * count) for _ in range(batch)])
        scores = stored(order.reshape(batch, classes, count) / 256, kind)  # no two alike, in any type
        top_k, max_per_class, max_detections = limits
        lists = 1 if agnostic else classes
        capacity = lists * min(classes * count // lists, *[n for n in (top_k, max_per_class) if n], 10**9)
        capacity = min(capacity, max_detections or capacity)
        detections = np.zeros((batch, capacity, 6), np.float32)
        kept, found = np.zeros((batch, capacity), np.int32), np.zeros(batch, np.int32)
        call("nms", elements=kind, batch=batch, classes=classes, count=count, capacity=capacity, boxes=boxes, scores=scores,
             detections=detections, kept=kept, found=found, top_k=top_k, max_per_class=max_per_class, max_detections=max_detections,
             agnostic=agnostic, iou_threshold=threshold, score_threshold=0.1)
        for image in range(batch):
            box = torch.from_numpy(doubles(boxes, kind)[image]).repeat(classes, 1)
            score = torch.from_numpy(doubles(scores, kind)[image]).flatten()
            label = torch.arange(classes).repeat_interleave(count)
            lists_of = torch.zeros_like(label) if agnostic else label
            candidates = torch.cat([rows[score[rows].argsort(descending=True)][:top_k or None] for rows in
                                    (torch.nonzero((lists_of == number) & (score > 0.1))[:, 0] for number in range(lists))])
            want = candidates[torchvision.ops.batched_nms(box[candidates], score[candidates], lists_of[candidates], threshold)]
            if max_per_class:
                want = torch.cat([want[lists_of[want] == number][:max_per_class] for number in range(lists)])
                want = want[score[want].argsort(descending=True)]
            want = want[:capacity].numpy()
            self.assertEqual(found[image], len(want))
            self.assertEqual(kept[image].tolist(), [*(want % count), *[-1] * (capacity - len(want))])
            self.assertTrue(np.array_equal(detections[image, :len(want), :4], box[want].numpy()))
            self.assertTrue(np.array_equal(detections[image, :len(want), 4], score[want].numpy()))
            self.assertEqual(detections[image, :, 5].tolist(), [*(want // count + 1), *[-1] * (capacity - len(want))])

    def test_nms(self):
        for kind in OF_KIND:
            for agnostic in (0, 1):
                self.check(kind, agnostic=agnostic)
                self.check(kind, limits=(20, 5, 9), agnostic=agnostic)


class Library(unittest.TestCase):
    def test_exports_what_the_header_declares(self):
        declared, exported = by_ctypes.declared_and_exported()
        self.assertEqual(exported, declared)
        self.assertEqual(len(declared), 3 * len(by_ctypes.STRUCTS) + 1)

    def test_refuses_doubles(self):
        with self.assertRaises(CallError) as caught:
            call("nms", elements="TYTO_DOUBLE")
        self.assertIn("elements is TYTO_DOUBLE", caught.exception.args[1])


if __name__ == "__main__":
    unittest.main()
