"""Re-identification across visible and thermal cameras against PyTorch: both modalities of each network, every raw output."""
import os
import unittest
from functools import partial

import numpy as np
import PIL.Image
import torch
from torch.nn import functional as F
from torchvision import transforms

import reference_cross_modality as cm
import reference_networks as ref
from narrow import narrow
from network_case import NetworkCase
from tyto_process import DEVICE, load_tensors, tyto

AS_AGW_TESTS = transforms.Compose([
    transforms.Lambda(lambda image: image.resize((144, 288), PIL.Image.LANCZOS)),
    transforms.ToTensor(),
    transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
])

on_the_cpu = unittest.skipIf(DEVICE, "says nothing of a device")

# Six rows of the last map, so that stripes divide them.
INPUT = 4, 3, 96, 64


def both(model):
    """Whatever a network is asked for, in one modality and the other."""
    for modality in cm.MODALITIES:
        model.modality = modality
        yield modality


class CrossModality(NetworkCase):
    def ways(self, model):
        for modality in both(model):
            yield "--set", f"modality={modality}"

    def check(self, build, *options, **keywords):
        super().check(build, *options, narrow_input=INPUT, **keywords)

    def convert_narrow(self, build, *options, change=lambda state: state, **keywords):
        model = ref.randomise(narrow(build()), seed=3)
        self.convert(change(model.state_dict()), *options, **keywords)
        return model

    def features(self, *options, **keywords):
        return [self.run_tyto(self.input(INPUT), "--set", f"modality={modality}", *options, **keywords) for modality in cm.MODALITIES]

    def assert_same(self, got, want):
        self.assertEqual(set(got), set(want))
        for name, value in want.items():
            np.testing.assert_array_equal(got[name], value, name)

    # --- networks ---

    @on_the_cpu
    def test_agw_as_its_training_saves_it(self):
        state = cm.Agw().state_dict()
        self.assertEqual(len(state), 1025)
        self.assertEqual(sum(tensor.numel() for tensor in state.values()), 71_537_652)
        model = ref.randomise(cm.Agw(), seed=3)
        self.convert(cm.checkpoint(model.state_dict()))
        self.check_full_width(model, [(2, 3, 288, 144)])

    @on_the_cpu
    def test_dpan_at_its_full_width(self):
        model = ref.randomise(cm.Dpan(), seed=3)
        self.convert(cm.checkpoint(model.state_dict()))
        self.check_full_width(model, [(2, 3, 288, 144)])

    def test_agw(self):
        self.check(cm.Agw, rename=cm.checkpoint)

    def test_base(self):
        self.check(partial(cm.Agw, base=True))

    def test_ddag(self):
        self.check(cm.Ddag, shapes=[(1, 3, 288, 144)])

    def test_hetero_center_triplet(self):
        self.check(cm.HeteroCenterTriplet, shapes=[(1, 3, 288, 144)])

    @on_the_cpu
    def test_hetero_center_triplet_shares_from_any_layer(self):
        for share_net in (1, 3, 4):
            model = self.convert_narrow(partial(cm.HeteroCenterTriplet, share_net))
            for way in self.ways(model):
                with torch.no_grad():
                    want = model(self.input(INPUT))
                self.compare(self.run_tyto(self.input(INPUT), *way), want)

    def test_hetero_center_triplet_of_regdb(self):
        """Whose 206 identities tell the power of its pooling."""
        self.check(partial(cm.HeteroCenterTriplet, power=10, classes=206))

    @on_the_cpu
    def test_hetero_center_triplet_without_stripes(self):
        self.check(partial(cm.HeteroCenterTriplet, stripes=0))

    def test_dpan(self):
        self.check(cm.Dpan)

    def test_dpan_read_otherwise(self):
        """Every option at its other value."""
        other = {"attention_after": "stem", "attention_of": "shared", "pooling": "gem", "last_stride": 2}
        self.check(partial(cm.Dpan, attention_after=0, attention_of=("visible",), power=3, last_stride=2),
                   *(word for key, value in other.items() for word in ("--set", f"{key}={value}")))

    # --- modalities ---

    def test_modalities_that_change_places_give_the_others_features(self):
        """And no feature of one modality is one of the other's."""
        for build in (cm.Agw, cm.Dpan):
            self.convert_narrow(build)
            visible, thermal = self.features()
            self.convert_narrow(build, change=cm.exchanged)
            as_visible, as_thermal = self.features()
            self.assert_same(as_visible, thermal)
            self.assert_same(as_thermal, visible)
            for name, value in visible.items():
                self.assertTrue((value != thermal[name]).all(), name)

    def test_dpan_whose_attention_counts_nothing_is_dpan_without(self):
        def silent(state):
            return {name: torch.zeros(1) if name.endswith("gamma") else tensor for name, tensor in state.items()}

        self.convert_narrow(cm.Dpan, change=silent)
        with_nothing = self.features()
        without = self.features("--set", "attention=none")
        for got, want in zip(with_nothing, without):
            self.assert_same(got, want)

    @on_the_cpu
    def test_photographs_of_both_modalities_have_pytorchs_features(self):
        """From files: resized as AGW's test code does, each through its own stem, of unit length."""
        model = self.convert_narrow(cm.Agw)
        folders = {"gallery": ("day", "visible"), "query": ("night", "thermal")}
        for folder, _ in folders.values():
            os.mkdir(self.path(folder))
        x = {name: torch.stack([AS_AGW_TESTS(image) for image in self.photographs(folder)]) for name, (folder, _) in folders.items()}
        sets = [word for name, (folder, _) in folders.items() for word in (f"--{name}", self.path(folder))]
        tyto("extract", self.path("model.safetensors"), "-o", self.path("features.safetensors"), "--thermal", self.path("night"), *sets)
        got, want = load_tensors(self.path("features.safetensors")), {}
        for name, (_, model.modality) in folders.items():
            with torch.no_grad():
                want.update({f"{name}.{key}": F.normalize(value) for key, value in model(x[name]).items()})
        self.compare(got, want)

    def photographs(self, folder):
        """As they come out of files of the folder, in the order of their names."""
        generator = np.random.default_rng(7)
        for i, size in enumerate(((60, 131), (144, 288), (301, 97))):
            coarse = PIL.Image.fromarray(generator.integers(0, 256, (5, 4, 3), dtype=np.uint8))
            image = coarse.resize(size, PIL.Image.BICUBIC).convert("L" if i == 2 else "RGB")
            image.save(self.path(f"{folder}/{i}.jpg"))
            yield PIL.Image.open(self.path(f"{folder}/{i}.jpg")).convert("RGB")

    # --- checkpoints ---

    @on_the_cpu
    def test_it_is_found_wherever_a_checkpoint_keeps_it(self):
        def in_data_parallel(state):
            return {f"module.{name}": tensor for name, tensor in state.items()}

        def model_of(state, **keywords):
            self.convert(state, **keywords)
            return load_tensors(self.path("model.safetensors"))

        state = ref.randomise(narrow(cm.Agw()), seed=3).state_dict()
        plain = model_of(state)
        self.assert_same(model_of(cm.checkpoint(state)), plain)
        self.assert_same(model_of(cm.checkpoint(state), legacy=True), plain)
        self.assert_same(model_of(in_data_parallel(state)), plain)
        self.assert_same(model_of(cm.checkpoint(in_data_parallel(state))), plain)

    @on_the_cpu
    def test_a_file_that_lacks_a_modality_is_refused(self):
        state = narrow(cm.Agw()).state_dict()
        for lacking in cm.MODALITIES:
            torch.save({name: tensor for name, tensor in state.items() if lacking not in name}, self.path("half.t"))
            convert = "convert", self.path("half.t"), "-o", self.path("none.safetensors")
            tyto(*convert, expect=1)
            self.assertIn(f"'{lacking}_module.{lacking}.conv1.weight' [any, 3, 7, 7] is missing",
                          tyto(*convert, "--network", "agw", expect=1)[1])
            self.assertFalse(os.path.exists(self.path("none.safetensors")))


if __name__ == "__main__":
    unittest.main()
