"""Every network against PyTorch: same checkpoint, same input, every raw output."""
import json
import unittest
from unittest import mock

import numpy as np
import torch

import reference_networks as ref
from lower_precision import PRECISIONS
from parity_case import FP32_DIRECT, ParityCase, errors_alike, in_float64, lower_precisions, run_in_precision
from tyto_process import DEVICE, tyto


class Networks(ParityCase):
    def check(self, model, shapes, *options, legacy=False, rename=None):
        ref.randomise(model, seed=3)
        state = model.state_dict()
        self.convert(rename(state) if rename else state, *options, legacy=legacy)
        # Emulation is slow: one image, once, of the size that the network was made for. So are lower precisions judged.
        one = 1, *shapes[0][1:]
        for shape in [one] if DEVICE else shapes:
            x = self.input(shape)
            with torch.no_grad():
                want = model(x)
            got = self.run_tyto(x)
            self.assertEqual(set(got), set(want))
            if DEVICE:
                self.compare_in_float64(got, want, in_float64(model, x))
            else:
                self.compare(got, want)
        if lower_precisions():
            x = self.input(one)
            exact = in_float64(model, x)
            for precision in lower_precisions():
                self.assertIsNotNone(self.check_lower_precision(precision, model, x, exact))

    @staticmethod
    def input(shape):
        return torch.randn(shape, generator=torch.Generator().manual_seed(1))

    def compare_in_float64(self, got, want, exact):
        """Against the exact result: within the limit, or within thrice PyTorch's own error where the network magnifies it."""
        for name, truth in exact.items():
            ours, pytorch = (np.abs(side - truth).max() / np.abs(truth).max() for side in (got[name], want[name].numpy()))
            print(f"  {self.id().split('.', 1)[-1]} {name} {list(truth.shape)}: {ours:.1e}, PyTorch {pytorch:.1e}")
            self.assertLess(ours, max(FP32_DIRECT, 3 * pytorch), name)

    def test_ft_net(self):
        self.check(ref.FtNet(), [(1, 3, 256, 128), (8, 3, 256, 128), (2, 3, 288, 144)])

    def test_ft_net_stride_1(self):
        self.check(ref.FtNet(stride=1), [(2, 3, 256, 128)], "--set", "stride=1", legacy=True)

    def test_ft_net_without_projection(self):
        self.check(ref.FtNet(width=0), [(3, 3, 256, 128)])

    def test_ft_net_ibn(self):
        self.check(ref.FtNet(ibn=True, width=256), [(1, 3, 256, 128), (8, 3, 128, 64)])

    def test_resnet18(self):
        self.check(ref.resnet(18), [(1, 3, 224, 224), (2, 3, 97, 161)])

    def test_resnet34_trunk(self):
        self.check(ref.resnet(34, classifier=False), [(2, 3, 224, 224)], legacy=True)

    def test_resnet50(self):
        self.check(ref.resnet(50), [(1, 3, 224, 224), (8, 3, 224, 224), (1, 3, 320, 480)])

    def test_resnet101_trunk(self):
        self.check(ref.resnet(101, classifier=False), [(1, 3, 224, 224)])

    def test_resnet152(self):
        self.check(ref.resnet(152), [(1, 3, 224, 224)])

    def test_mobilenet_v2(self):
        self.check(ref.mobilenet_v2(), [(1, 3, 224, 224), (8, 3, 224, 224), (3, 3, 161, 97)])

    def test_mobilenet_v2_trunk_with_flat_names(self):
        self.check(ref.mobilenet_v2(classifier=False), [(1, 3, 224, 224)], legacy=True, rename=ref.flatten_names)

    def test_vgg16(self):
        self.check(ref.vgg("vgg16"), [(1, 3, 224, 224), (2, 3, 300, 260)])

    def test_vgg16_bn_trunk(self):
        self.check(ref.vgg("vgg16_bn", classifier=False), [(2, 3, 224, 224)])

    def test_neighbours_in_the_batch_change_nothing(self):
        batch = 2 if DEVICE else 8
        order = torch.arange(batch).roll(3)
        for model in (ref.FtNet(ibn=True), ref.mobilenet_v2()):
            ref.randomise(model, seed=5)
            self.convert(model.state_dict())
            x = torch.randn((batch, 3, 256, 128))
            straight = self.run_tyto(x)
            shuffled = self.run_tyto(x[order])
            alone = torch.zeros_like(x)
            alone[-1] = x[0]
            beside_zeros = self.run_tyto(alone)
            for name, value in straight.items():
                np.testing.assert_array_equal(shuffled[name], value[order.numpy()])
                np.testing.assert_array_equal(beside_zeros[name][-1], value[0])

    def test_bf16_is_refused_where_the_cpu_lacks_it(self):
        if "bf16" in lower_precisions():
            self.skipTest("it has bf16, in which the networks are judged")
        model = ref.randomise(ref.FtNet(), seed=3)
        self.convert(model.state_dict())
        message = self.try_tyto(torch.randn((2, 3, 256, 128)), "--precision", "bf16", expect=1)
        self.assertIn("AVX512_BF16", message)

    def test_activation_memory_is_near_its_bound(self):
        for model, options in ((ref.FtNet(), ()), (ref.mobilenet_v2(), ()), (ref.vgg("vgg16_bn", classifier=False), ())):
            self.convert(ref.randomise(model, seed=1).state_dict(), *options)
            for batch in (1, 8):
                plan = json.loads(tyto("inspect", self.path("model.safetensors"), "--plan", "--json", "--batch", batch)[0])
                self.assertLessEqual(plan["activation_bytes"], 1.25 * plan["activation_bound"])


def keep_bits(x, mask):
    return (x.contiguous().view(torch.int32) & mask).view(torch.float32)


class TestErrorsAlike(unittest.TestCase):
    """The comparison itself: it must see a precision computed wrongly."""

    TRUNCATED = {"fp16": lambda x: keep_bits(x, ~0x1FFF), "bf16": lambda x: keep_bits(x, ~0xFFFF)}

    @classmethod
    def setUpClass(cls):
        cls.model = ref.randomise(ref.resnet(18), seed=3)
        cls.x = torch.randn((1, 3, 96, 96), generator=torch.Generator().manual_seed(1))
        cls.exact = in_float64(cls.model, cls.x)
        cls.right = {precision: run_in_precision(cls.model, precision, cls.x) for precision in PRECISIONS}

    def sees(self, wrong, precision):
        for name, exact in self.exact.items():
            alike, numbers = errors_alike(wrong[name], self.right[precision][name], exact)
            self.assertFalse(alike, f"{precision} {name}: {numbers}")

    def test_sees_truncation(self):
        with mock.patch.dict("lower_precision.STORE", self.TRUNCATED):
            for precision in self.TRUNCATED:
                self.sees(run_in_precision(self.model, precision, self.x), precision)

    def test_sees_another_precision(self):
        with torch.no_grad():
            fp32 = {name: value.numpy() for name, value in self.model(self.x).items()}
        for precision in PRECISIONS:
            self.sees(fp32, precision)
        self.sees(self.right["fp16"], "bf16")
        self.sees(self.right["bf16"], "fp16")
        self.sees(self.right["bf16"], "tf32")
        self.sees(self.right["tf32"], "bf16")


if __name__ == "__main__":
    unittest.main()
