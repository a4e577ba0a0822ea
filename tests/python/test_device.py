"""The package's way to a GPU, without one: the libraries' device side runs on emulated kernels, and host memory stands in for a
GPU's. What PyTorch is asked for, and what reaches the kernels."""
import unittest

import torch

import loss_samples
import op_samples
import tyto
from stand_in import StandIn, on_gpu
from tyto import losses, ops

# Kernels on a GPU and on a CPU sum float32 in orders of their own: as the C interface's tests have it (loss_case.py), of the
# largest element.
NEAR = 3e-5


def bev_index():
    intrinsics = torch.tensor([[20.0, 0, 12], [0, 20, 8], [0, 0, 1]]).expand(1, 2, 3, 3)
    to_grid = torch.tensor([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 1], [0, 0, 0, 1]]).repeat(1, 2, 1, 1)
    return ops.bev_index(intrinsics, to_grid, bins=3, height=2, width=3, image_size=(16, 24), first_depth=1, grid=(4, 3, 1),
                         lower=(0, -3, -2), step=(1, 2, 4))


def bev_maps():
    return torch.randn(1, 2, 3, 2, 3), torch.randn(1, 2, 4, 2, 3)


class Device(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(18)
        self.features = torch.randn(8, 5)
        self.labels = (torch.arange(8) // 2).int()

    def near(self, got, want):
        self.assertEqual((got.shape, got.dtype), (want.shape, want.dtype))
        got, want = got.detach().double(), want.detach().double()
        self.assertLessEqual((got - want).abs().max().item() if got.numel() else 0, NEAR * max(want.abs().max().item(), 1e-3))

    def of(self, function, arguments, **options):
        """Results of a call, and gradients of their sum."""
        found = function(*arguments, **options)
        found = list(found) if isinstance(found, tuple) else [found]
        found = [t for t in found if t is not None]
        inputs = [t for t in arguments if isinstance(t, torch.Tensor) and t.requires_grad]
        differentiated = [t for t in found if t.requires_grad]
        if differentiated:
            found += torch.autograd.grad(sum(t.sum() for t in differentiated), inputs, allow_unused=True)
        return found

    def same(self, function, arguments, **options):
        """On the device as on the CPU. Calls into C that it took."""
        want = self.of(function, arguments, **options)
        with StandIn() as device:
            got = self.of(function, arguments, **options)
        self.assertEqual(len(got), len(want))
        for a, b in zip(got, want):
            self.near(a, b) if b is not None else self.assertIsNone(a)
        return device.calls

    def test_losses_and_their_gradients(self):
        for name, function in loss_samples.functions().items():
            with self.subTest(name):
                arguments = loss_samples.arguments(function)
                if function is losses.update_centers:  # in place
                    continue
                calls = self.same(function, arguments, **loss_samples.needed(function))
                self.assertGreaterEqual(len(calls), 1)

    def test_centers_are_updated_in_place(self):
        centers, *others = loss_samples.arguments(losses.update_centers)
        want = centers.clone()
        losses.update_centers(want, *others)
        with StandIn():
            losses.update_centers(centers, *others)
        self.near(centers, want)

    def test_bev_pool_and_its_gradients(self):
        for reduction in "sum", "mean", "max":
            for last in False, True:
                maps = [t.requires_grad_() for t in bev_maps()]
                if last:
                    maps = [t.detach().permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3).requires_grad_() for t in maps]
                calls = self.same(lambda *maps: ops.bev_pool(*maps, bev_index(), reduction=reduction), maps)
                self.assertEqual([call.name for call in calls], ["bev_index", "bev_pool", "bev_pool_backward"])

    def test_other_operators_and_their_gradients(self):
        for name in op_samples.LEARNED:
            if name == "bev_pool":
                continue
            with self.subTest(name):
                arguments, options = op_samples.arguments(name)
                calls = self.same(getattr(ops, name), arguments, **options)
                self.assertEqual([call.name for call in calls], [name, f"{name}_backward"])

    def test_suppression(self):
        for name in "nms", "batched_nms", "multiclass_nms":
            with self.subTest(name):
                arguments, options = op_samples.arguments(name)
                want = getattr(ops, name)(*arguments, **options)
                with StandIn():
                    got = getattr(ops, name)(*arguments, **options)
                for field, expected in vars(want).items():
                    self.assertTrue(torch.equal(getattr(got, field), expected), field)

    def test_kernels_start_on_pytorchs_current_stream(self):
        with StandIn() as device:
            first = device.stream
            losses.circle_loss(self.features, self.labels)
            device.stream = device.new_stream()
            losses.circle_loss(self.features, self.labels)
            self.assertNotEqual(first, device.stream)
            self.assertEqual([call.stream for call in device.calls], [first, device.stream])

    def test_calls_are_made_with_the_tensors_gpu_as_the_current_one(self):
        with StandIn() as device:
            for gpu in 0, 1:
                losses.circle_loss(on_gpu(self.features, gpu), on_gpu(self.labels, gpu))
            devices = [torch.device("cuda", 0), torch.device("cuda", 1)]
            self.assertEqual([call.device for call in device.calls], devices)
            self.assertEqual(device.asked, devices)

    def test_nothing_waits_for_the_device_unless_it_is_asked_to(self):
        with StandIn(lazy=True) as device:
            waits = device.waits()
            value = losses.circle_loss(self.features, self.labels)
            value.detach().fill_(-1)
            index = bev_index()
            depth, features = (t.requires_grad_() for t in bev_maps())
            of_features, = torch.autograd.grad(ops.bev_pool(depth, features, index).sum(), features)
            of_features.fill_(-1)
            self.assertEqual((device.waits(), device.items), (waits, 0))
            self.assertEqual((float(value.detach().numpy()), of_features.numpy().max()), (-1, -1))  # no kernel has run
            device.wait()
            self.assertNotEqual(float(value.detach().numpy()), -1)
            self.assertGreater(of_features.numpy().max(), -1)

    def test_faults_are_raised_where_the_status_is_asked_for(self):
        bad = self.features.clone()
        bad[3, 2] = float("nan")
        with StandIn() as device:
            self.assertTrue(losses.circle_loss(bad, self.labels).isnan())
            self.assertEqual(device.items, 0)
            with self.assertRaisesRegex(tyto.ArgumentError, "circle_loss: .*row 3 .*not finite") as on_gpu_raised:
                losses.circle_loss(bad, self.labels, check=True)
            with self.assertRaisesRegex(tyto.ArgumentError, "row 1"):
                losses.circle_loss(self.features, torch.tensor([0, -1, 1, 1, 2, 2, 3, 3]), check=True)
            self.assertEqual(device.items, 2)
            losses.circle_loss(self.features, self.labels, check=True)
        with self.assertRaises(tyto.ArgumentError) as on_cpu_raised:
            losses.circle_loss(bad, self.labels)
        self.assertEqual(str(on_gpu_raised.exception), str(on_cpu_raised.exception))

    def test_the_status_of_a_call_is_its_own(self):
        bad = torch.full_like(self.features, float("nan"))
        with StandIn():
            with self.assertRaises(tyto.ArgumentError):
                losses.circle_loss(bad, self.labels, check=True)
            losses.circle_loss(self.features, self.labels, check=True)

    def test_tensors_of_several_gpus_are_refused_by_name(self):
        with StandIn() as device:
            with self.assertRaisesRegex(tyto.ArgumentError, "circle_loss: labels is on cuda:1, features on cuda:0; bring them"):
                losses.circle_loss(self.features, on_gpu(self.labels, 1))
            index = bev_index()
            depth, features = bev_maps()
            with self.assertRaisesRegex(tyto.ArgumentError, "bev_pool: features is on cuda:1, depth on cuda:0"):
                ops.bev_pool(depth, on_gpu(features, 1), index)
            with self.assertRaisesRegex(tyto.ArgumentError, r"bev_pool: index is on cuda:0, depth on cuda:1; index.to\(\)"):
                ops.bev_pool(on_gpu(depth, 1), on_gpu(features, 1), index)
            self.assertEqual([call.name for call in device.calls], ["bev_index"])


if __name__ == "__main__":
    unittest.main()
