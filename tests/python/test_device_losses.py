"""Losses of detectors on a GPU, for which the emulated one stands in: addresses, lists, counts that are none."""
import unittest
from unittest import mock

import torch

import loss_samples
import tyto
from stand_in import StandIn
from tyto import losses

FUNCTIONS = ("multibox_loss", "multibox_distillation", "faster_rcnn_loss", "anchor_targets", "proposal_targets")


def moved(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers, one element behind an address that kernels take."""
    view = torch.zeros(tensor.numel() + 1, dtype=tensor.dtype)[1:].view(tensor.shape)
    view.copy_(tensor.detach())
    assert view.is_contiguous() and view.data_ptr() % (4 * view.element_size())
    return view.requires_grad_(tensor.requires_grad)


def outcome(function, arguments, **options):
    """Results, and gradients of what has some."""
    found = function(*arguments, **loss_samples.needed(function), **options)
    found = list(found) if isinstance(found, tuple) else [found]
    leaves = [t for t in arguments if t.requires_grad]
    return found + list(torch.autograd.grad(sum(t for t in found if t.requires_grad), leaves)) if leaves else found


class DeviceLosses(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(18)

    def test_rows_of_four_may_begin_anywhere(self):
        for name in FUNCTIONS:
            function = getattr(losses, name)
            for dtype in torch.float32, torch.float64:
                arguments = [t.detach().to(dtype).requires_grad_(t.requires_grad) if t.is_floating_point() else t
                             for t in loss_samples.arguments(function)]
                with self.subTest(f"{name}, {dtype}"), StandIn():
                    want = outcome(function, arguments)
                    for place, tensor in enumerate(arguments):
                        if tensor.is_floating_point():
                            given = [*arguments[:place], moved(tensor), *arguments[place + 1:]]
                            for a, b in zip(outcome(function, given), want):
                                self.assertTrue(torch.equal(a, b), f"argument {place}")

    def test_lists_are_padded_without_waiting(self):
        *given, boxes, classes, counts = loss_samples.arguments(losses.multibox_loss)
        objects = [b[:n] for b, n in zip(boxes, counts)], [c[:n] for c, n in zip(classes, counts)]
        anchors, of_anchors, sizes, _ = loss_samples.arguments(losses.anchor_targets)
        with StandIn() as device:
            want = losses.multibox_loss(*given, boxes, classes, counts), losses.anchor_targets(anchors, of_anchors, sizes, seed=1)
            numbers = "__bool__", "__int__", "__float__", "__index__", "tolist"
            with mock.patch.multiple(torch.Tensor, **{name: mock.Mock(side_effect=AssertionError(name)) for name in numbers}):
                found = (losses.multibox_loss(*given, *objects),
                         losses.anchor_targets(anchors, list(of_anchors), [(1, 1), (1, 1)], seed=1))
            self.assertEqual(device.items, 0)
        self.assertEqual(found[0], want[0])
        self.assertTrue(all(torch.equal(a, b) for a, b in zip(found[1], want[1])))

    def test_counts_that_are_none_are_faults_and_read_nothing_else(self):
        for name, place in [("multibox_loss", 5), ("multibox_distillation", 7), ("anchor_targets", 3), ("proposal_targets", 3),
                            ("proposal_targets", 4)]:
            function = getattr(losses, name)
            for bad in -1, -2**31, 9, 2**31 - 1, 2**40:
                arguments = loss_samples.arguments(function, learn=False)
                arguments[place] = torch.tensor([1, bad])
                with self.subTest(f"{name}, {bad}"), StandIn():  # which raises what kernels read beyond their arrays
                    function(*arguments, **loss_samples.needed(function))
                    with self.assertRaisesRegex(tyto.ArgumentError, f"^{name}: .*row [0-9]+ is out of range"):
                        function(*arguments, **loss_samples.needed(function), check=True)


if __name__ == "__main__":
    unittest.main()
