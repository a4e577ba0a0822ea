"""Every network against PyTorch: same checkpoint, same input, every raw output."""
import unittest
from functools import partial
from unittest import mock

import numpy as np
import torch

import reference_efficientnet as efficientnet
import reference_networks as ref
from lower_precision import PRECISIONS
from narrow import narrow
from network_case import NetworkCase
from parity_case import LARGE, errors_alike, in_float64, lower_precisions, run_in_precision
from tyto_process import DEVICE


class Networks(NetworkCase):
    def test_ft_net(self):
        self.check(ref.FtNet, shapes=[(1, 3, 256, 128), (8, 3, 256, 128), (2, 3, 288, 144)])

    def test_ft_net_stride_1(self):
        self.check(partial(ref.FtNet, stride=1), "--set", "stride=1", shapes=[(2, 3, 256, 128)], legacy=True)

    def test_ft_net_without_projection(self):
        self.check(partial(ref.FtNet, width=0))

    def test_ft_net_ibn(self):
        self.check(partial(ref.FtNet, ibn=True, width=256), shapes=[(3, 3, 256, 128)])

    def test_resnet18(self):
        self.check(partial(ref.resnet, 18), shapes=[(2, 3, 97, 161)])

    def test_resnet34_trunk(self):
        self.check(partial(ref.resnet, 34, classifier=False), legacy=True)

    def test_resnet50(self):
        self.check(partial(ref.resnet, 50), shapes=[(1, 3, 224, 224), (1, 3, 320, 480)])

    def test_resnet101_trunk(self):
        self.check(partial(ref.resnet, 101, classifier=False))

    def test_resnet152(self):
        self.check(partial(ref.resnet, 152), shapes=[(1, 3, 224, 224)])

    def test_mobilenet_v2(self):
        self.check(ref.mobilenet_v2, shapes=[(1, 3, 224, 224), (8, 3, 224, 224), (3, 3, 161, 97)])

    def test_mobilenet_v2_trunk_with_flat_names(self):
        self.check(partial(ref.mobilenet_v2, classifier=False), legacy=True, rename=ref.flatten_names)

    def test_vgg16(self):
        self.check(partial(ref.vgg, "vgg16"), shapes=[(1, 3, 224, 224)])

    def test_vgg16_bn_trunk(self):
        self.check(partial(ref.vgg, "vgg16_bn", classifier=False), shapes=[(2, 3, 150, 130)])

    def test_convnext_tiny(self):
        self.check(ref.convnext_tiny, shapes=[(1, 3, 224, 224)])

    def test_convnext_tiny_trunk(self):
        self.check(partial(ref.convnext_tiny, classifier=False))

    def test_densenet121(self):
        self.check(ref.densenet121, shapes=[(1, 3, 224, 224)])

    def test_densenet121_trunk_with_names_of_old(self):
        self.check(partial(ref.densenet121, classifier=False), legacy=True, rename=ref.densenet_names_of_old)

    def test_efficientnet_b0(self):
        self.check(efficientnet.EfficientNet, shapes=[(1, 3, 224, 224), (2, 3, 128, 352)])

    def test_efficientnet_b2_trunk(self):
        """Its padding is that of 260 x 260 pixels, symmetric where B0's is not."""
        self.check(partial(efficientnet.EfficientNet, "b2", classes=None), legacy=True)

    def test_vit_b_16(self):
        """In the suite with 2 of its 12 layers, which are equal."""
        for layers in (12, 2) if LARGE else (2,):
            self.check(partial(ref.vision_transformer, layers, 224), "--set", "heads=12", shapes=[(1, 3, 224, 224)],
                       narrow_build=partial(ref.vision_transformer, 2, 64, in_steps=True), narrow_input=(4, 3, 64, 64),
                       rename=ref.packed_names)

    def test_vit_b_16_trunk_with_names_of_old(self):
        self.check(partial(ref.vision_transformer, 2, 64, in_steps=True, classifier=False), "--set", "heads=12",
                   narrow_input=(4, 3, 64, 64), rename=lambda state: ref.mlp_names_before_0_14(ref.packed_names(state)))

    def test_vit_b_16_with_a_layer_before_its_classifier(self):
        self.check(partial(ref.vision_transformer, 1, 64, in_steps=True, representation=512), "--set", "heads=12",
                   narrow_input=(4, 3, 64, 64), rename=ref.packed_names)

    def test_neighbours_in_the_batch_change_nothing(self):
        batch, width = (2, narrow) if DEVICE else (4, lambda model: model)
        order = torch.arange(batch).roll(3)
        for build in (partial(ref.FtNet, ibn=True), ref.mobilenet_v2):
            self.convert(ref.randomise(width(build()), seed=5).state_dict())
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
        model = ref.randomise(narrow(ref.FtNet()), seed=3)
        self.convert(model.state_dict())
        message = self.try_tyto(torch.randn((2, 3, 256, 128)), "--precision", "bf16", expect=1)
        self.assertIn("AVX512_BF16", message)


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
