"""tyto.ops' non-maximum suppression against torchvision.ops."""
import unittest

import torch
import torchvision

import tyto
from tyto import ops

N, CLASSES, IMAGES = 60, 4, 3


class OpsNms(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(18)
        corner = torch.rand(N, 2) * 40
        self.boxes = torch.cat([corner, corner + 5 + torch.rand(N, 2) * 20], 1)
        self.scores = torch.rand(N)

    def test_keeps_what_torchvision_keeps(self):
        for threshold in 0.0, 0.3, 0.5, 1.0:
            kept = ops.nms(self.boxes, self.scores, threshold)
            want = torchvision.ops.nms(self.boxes, self.scores, threshold)
            self.assertTrue(torch.equal(kept.trim(), want))
            self.assertEqual((list(kept.indices.shape), kept.indices.dtype, kept.count.item()), ([N], torch.int64, len(want)))
            self.assertTrue((kept.indices[len(want):] == -1).all())

    def test_of_equal_scores_the_first_box_wins(self):
        scores = (self.scores * 4).round() / 4
        self.assertTrue(torch.equal(ops.nms(self.boxes, scores, 0.3).trim(), torchvision.ops.nms(self.boxes, scores, 0.3)))

    def test_halves_are_computed_in_float32(self):
        for dtype in torch.float16, torch.bfloat16:
            boxes, scores = self.boxes.to(dtype), self.scores.to(dtype)
            want = torchvision.ops.nms(boxes.float(), scores.float(), 0.4)
            self.assertTrue(torch.equal(ops.nms(boxes, scores, 0.4).trim(), want))
            with torch.autocast("cpu", torch.bfloat16):
                self.assertTrue(torch.equal(ops.nms(boxes, scores, 0.4).trim(), want))

    def test_strides_do_not_matter_and_there_is_no_gradient(self):
        boxes = self.boxes.t().contiguous().t().requires_grad_()
        kept = ops.nms(boxes, self.scores.repeat_interleave(2)[::2].requires_grad_(), 0.3)
        self.assertFalse(kept.indices.requires_grad)
        self.assertTrue(torch.equal(kept.trim(), torchvision.ops.nms(self.boxes, self.scores, 0.3)))

    def test_no_boxes_and_boxes_of_which_one_stays(self):
        empty = ops.nms(self.boxes[:0], self.scores[:0], 0.5)
        self.assertEqual((list(empty.indices.shape), empty.count.item(), empty.trim().tolist()), ([0], 0, []))
        kept = ops.nms(self.boxes[:1].expand(N, 4), self.scores, 0.5)
        self.assertEqual(kept.trim().tolist(), [self.scores.argmax().item()])

    def test_an_overlap_of_just_the_threshold_is_the_rules(self):
        boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 1]])
        scores = torch.tensor([2.0, 1.0])
        self.assertEqual(ops.nms(boxes, scores, 0.5).trim().tolist(), [0, 1])
        self.assertEqual(ops.nms(boxes, scores, 0.5, rule="greater_equal").trim().tolist(), [0])

    def test_boxes_and_scores_of_nan_are_no_candidates(self):
        self.boxes[self.scores.argmax(), 2] = float("nan")
        self.boxes[7, 0] = float("inf")
        self.scores[3] = float("nan")
        good = self.boxes.isfinite().all(1) & ~self.scores.isnan()
        want = good.nonzero()[:, 0][torchvision.ops.nms(self.boxes[good], self.scores[good], 0.3)]
        self.assertTrue(torch.equal(ops.nms(self.boxes, self.scores, 0.3).trim(), want))
        nothing = ops.nms(torch.full((3, 4), float("nan")), torch.ones(3), 0.3)
        self.assertEqual((nothing.indices.tolist(), nothing.count.item()), ([-1, -1, -1], 0))

    def test_batched_keeps_what_torchvision_keeps(self):
        idxs = torch.randint(0, CLASSES, (N,)) * 7 - 3  # not from 0, and with gaps
        want = torchvision.ops.batched_nms(self.boxes, self.scores, idxs, 0.3)
        for numbers in idxs, idxs.to(torch.int32), idxs + 2**40:
            self.assertTrue(torch.equal(ops.batched_nms(self.boxes, self.scores, numbers, 0.3).trim(), want))
        none = ops.batched_nms(self.boxes[:0], self.scores[:0], idxs[:0], 0.3)
        self.assertEqual(none.trim().tolist(), [])

    def test_classes_that_are_told_leave_out_those_above(self):
        idxs = torch.randint(0, CLASSES, (N,))
        below = (idxs < CLASSES - 1).nonzero()[:, 0]
        want = below[torchvision.ops.batched_nms(self.boxes[below], self.scores[below], idxs[below], 0.3)]
        self.assertTrue(torch.equal(ops.batched_nms(self.boxes, self.scores, idxs, 0.3, classes=CLASSES - 1).trim(), want))

    def images(self):
        corner = torch.rand(IMAGES, N, 2) * 40
        return torch.cat([corner, corner + 5 + torch.rand(IMAGES, N, 2) * 20], 2), torch.rand(IMAGES, CLASSES, N)

    def wanted(self, boxes, scores, threshold, above=0.0, top_k=N, per_class=N, most=N * CLASSES):
        """(label, index) of an image by torchvision, a class at a time."""
        rows = []
        for label in range(CLASSES):
            best = scores[label].argsort(descending=True)[:top_k]
            best = best[scores[label][best] > above]
            kept = best[torchvision.ops.nms(boxes[best], scores[label][best], threshold)][:per_class]
            rows += [(-scores[label][i].item(), label, i.item()) for i in kept]
        return [(label, i) for _, label, i in sorted(rows)[:most]]

    def test_multiclass_is_torchvisions_a_class_at_a_time(self):
        boxes, scores = self.images()
        for options, of in (({}, {}), ({"score_threshold": 0.6}, {"above": 0.6}),
                            ({"top_k": 9, "max_per_class": 3, "max_detections": 10}, {"top_k": 9, "per_class": 3, "most": 10})):
            found = ops.multiclass_nms(boxes, scores, 0.3, **options)
            for image, each in enumerate(found.trim()):
                self.assertEqual(list(zip(each.labels.tolist(), each.indices.tolist())),
                                 self.wanted(boxes[image], scores[image], 0.3, **of))
                self.assertTrue(torch.equal(each.boxes, boxes[image][each.indices]))
                self.assertTrue(torch.equal(each.scores, scores[image][each.labels, each.indices]))
                self.assertEqual(each.count.item(), len(each.labels))
        self.assertEqual(list(found.boxes.shape), [IMAGES, 10, 4])

    def test_rows_behind_the_last_are_padded(self):
        boxes, scores = self.images()
        found = ops.multiclass_nms(boxes, scores, 0.3, counts=torch.tensor([0, 2, N]))
        self.assertEqual(found.count[0].item(), 0)
        self.assertLessEqual(found.indices[1].max().item(), 1)
        for image, count in enumerate(found.count.tolist()):
            self.assertTrue((found.labels[image, count:] == -1).all() and (found.indices[image, count:] == -1).all())
            self.assertTrue((found.labels[image, :count] >= 0).all())
            self.assertEqual(found.boxes[image, count:].abs().sum().item(), 0)

    def test_agnostic_classes_suppress_each_other(self):
        boxes, scores = self.images()
        each = ops.multiclass_nms(boxes, scores, 0.3, agnostic=True).trim()[0]
        want = torchvision.ops.nms(boxes[0].repeat(CLASSES, 1), scores[0].flatten(), 0.3)
        self.assertEqual(list(zip(each.labels.tolist(), each.indices.tolist())), [divmod(i, N) for i in want.tolist()])

    def test_nothing_in_is_nothing_out(self):
        boxes, scores = self.images()
        for b, s in (boxes[:0], scores[:0]), (boxes[:, :0], scores[..., :0]):
            found = ops.multiclass_nms(b, s, 0.3)
            self.assertEqual((len(found.trim()), found.count.sum().item()), (len(b), 0))

    def test_messages_name_the_argument(self):
        b, s, i = self.boxes, self.scores, torch.zeros(N, dtype=torch.int64)
        for arguments, text in [((b, s[:-1], 0.5), "scores is .*, whose dimension 0 is not 60: boxes has 60 count"),
                                ((b[:, :3], s, 0.5), "boxes is .*, whose dimension 1 is not 4"),
                                ((b[0], s, 0.5), r"boxes is .*, not \[count, 4\]"),
                                ((b.double(), s, 0.5), "boxes is of torch.float64, not of float32"),
                                ((b, s.half(), 0.5), "scores is of torch.float16, boxes of torch.float32"),
                                ((b.tolist(), s, 0.5), "boxes is no torch.Tensor"),
                                ((b, s, 1.5), "iou_threshold"), ((b, s, "x"), "iou_threshold cannot be 'x'")]:
            with self.assertRaisesRegex(tyto.ArgumentError, "nms: .*" + text):
                ops.nms(*arguments)
        with self.assertRaisesRegex(tyto.ArgumentError, "nms: rule cannot be 'less'; it is one of greater, greater_equal"):
            ops.nms(b, s, 0.5, rule="less")
        for idxs, options, text in (i[:-1], {}, "idxs is"), (i.float(), {}, "idxs is of torch.float32, not of integers"), \
                (None, {}, "idxs is no torch.Tensor"), (i, {"classes": 0}, "classes"), (i, {"classes": "x"}, "classes cannot be 'x'"):
            with self.assertRaisesRegex(tyto.ArgumentError, "batched_nms: .*" + text):
                ops.batched_nms(b, s, idxs, 0.5, **options)
        boxes, scores = self.images()
        for options, text in ({"top_k": 0}, "top_k cannot be 0"), ({"max_per_class": "x"}, "max_per_class cannot be 'x'"), \
                ({"max_detections": -1}, "max_detections cannot be -1"), ({"counts": torch.zeros(2)}, "counts is of torch.float32"), \
                ({"counts": torch.zeros(2, dtype=torch.int32)}, "counts is .*, whose dimension 0 is not 3"), \
                ({"score_threshold": None}, "score_threshold cannot be None"):
            with self.assertRaisesRegex(tyto.ArgumentError, "multiclass_nms: " + text):
                ops.multiclass_nms(boxes, scores, 0.3, **options)


if __name__ == "__main__":
    unittest.main()
