"""tyto convert and inspect: containers, element types, memory, and checkpoints that would run code."""
import json
import os
import subprocess
import sys
import unittest

import numpy as np
import torch
import torchvision

from tyto_process import TYTO, load_tensors, save_tensors, tyto
from workplace import Workplace, header, read_bytes

# Beyond the largest tensor, all that a conversion may hold: the program, its libraries, the header, buffers.
MEMORY_BESIDE_A_TENSOR = 120 << 20


class RunsCode:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def inspect(path):
    return json.loads(tyto("inspect", path, "--json")[0])


class Convert(Workplace):
    def test_both_containers_give_the_same_model(self):
        torch.save(self.network.state_dict(), self.at("legacy.pth"), _use_new_zipfile_serialization=False)
        tyto("convert", self.at("legacy.pth"), "-o", self.at("legacy.safetensors"))
        self.assertNotEqual(read_bytes(self.checkpoint)[:4], read_bytes(self.at("legacy.pth"))[:4])
        zip_hash, legacy_hash = (inspect(m)["source_sha256"].encode() for m in (self.model, self.at("legacy.safetensors")))
        self.assertNotEqual(zip_hash, legacy_hash)
        self.assertEqual(read_bytes(self.model).replace(zip_hash, legacy_hash), read_bytes(self.at("legacy.safetensors")))

    def test_converting_twice_gives_the_same_bytes(self):
        tyto("convert", self.checkpoint, "-o", self.at("again.safetensors"))
        self.assertEqual(read_bytes(self.at("again.safetensors")), read_bytes(self.model))

    def test_tensors_keep_names_and_values_without_prefixes(self):
        state = self.network.state_dict()
        nested = {"epoch": 60, "state_dict": {"module._orig_mod." + k: v for k, v in state.items()}}
        torch.save(nested, self.at("nested.pth"))
        tyto("convert", self.at("nested.pth"), "-o", self.at("nested.safetensors"))
        tensors = load_tensors(self.at("nested.safetensors"))
        self.assertIn("model.layer4.0.downsample.0.weight", tensors)
        for name, values in tensors.items():
            np.testing.assert_array_equal(values, state[name].numpy())

    def test_half_checkpoints_stay_half(self):
        half = {k: v.half() if v.is_floating_point() else v for k, v in self.network.state_dict().items()}
        torch.save(half, self.at("half.pth"))
        tyto("convert", self.at("half.pth"), "-o", self.at("half.safetensors"))
        tensors = {k: v for k, v in header(self.at("half.safetensors")).items() if k != "__metadata__"}
        self.assertEqual({t["dtype"] for t in tensors.values()}, {"F16"})
        self.assertLess(os.path.getsize(self.at("half.safetensors")), 0.65 * os.path.getsize(self.model))
        self.network_gives(self.at("half.safetensors"), {k: v.float() for k, v in half.items()})

    def network_gives(self, model, state):
        """The model's features are those of the reference network with these weights."""
        network = type(self.network)().eval()
        network.load_state_dict(state)
        x = torch.randn((2, 3, 64, 32), generator=torch.Generator().manual_seed(1))
        save_tensors(self.at("in"), {"input": x.numpy()})
        tyto("run", model, "--input", self.at("in"), "--output", self.at("out"), "--threads", 1)
        with torch.no_grad():
            want = network(x)["features"].numpy()
        np.testing.assert_allclose(load_tensors(self.at("out"))["features"], want, atol=1e-4 * np.abs(want).max())

    def test_of_two_networks_in_a_file_key_and_prefix_choose(self):
        state = self.network.state_dict()
        half = {k: v * 0.5 if v.is_floating_point() else v for k, v in state.items()}
        torch.save({"epoch": 3, "model": {"module." + k: v for k, v in state.items()}, "ema": half}, self.at("two.pth"))
        message = self.fails("convert", self.at("two.pth"), "-o", self.at("two"))
        for words in ("ft_net in 'model'", "ft_net in 'ema'", "choose with --key"):
            self.assertIn(words, message)
        self.assert_nothing_half("two")
        found = inspect(self.at("two.pth"))
        self.assertEqual((found["state_dict"], found["beside"]), ("model", [["epoch", "3"]]))
        self.assertEqual([other["key"] for other in found["others"]], ["ema"])
        printed = json.loads(tyto("convert", self.at("two.pth"), "-o", self.at("two"), "--key", "ema", "--json")[0])
        self.assertEqual((printed["key"], printed["prefix"]), ("ema", ""))
        self.network_gives(self.at("two"), half)
        student = {"student." + k: v for k, v in state.items()} | {"teacher." + k: v for k, v in half.items()}
        torch.save([student], self.at("distilled.pth"))
        self.assertIn("choose with --prefix", self.fails("convert", self.at("distilled.pth"), "-o", self.at("student")))
        said = tyto("convert", self.at("distilled.pth"), "-o", self.at("student"), "--prefix", "teacher")[0]
        self.assertIn("found in '[0]', names without 'teacher.'", said)
        self.assertIn(f"{len(state)} without the prefix", said)
        self.network_gives(self.at("student"), half)

    def test_options_may_stand_before_the_checkpoint(self):
        tyto("convert", "--set", "stride=1", "--preprocess", "size=[128,64]", self.checkpoint, "-o", self.at("s1"))
        model = inspect(self.at("s1"))
        self.assertEqual(model["options"], {"stride": "1"})
        self.assertEqual(model["inputs"]["input"]["preprocessing"]["size"], [128, 64])

    def test_a_big_checkpoint_takes_little_more_memory_than_its_largest_tensor(self):
        with torch.no_grad():
            state = torchvision.models.vgg16(weights=None, init_weights=False).state_dict()
        largest = max(t.numel() * t.element_size() for t in state.values())
        self.assertGreater(largest, 400 * 10**6)
        torch.save(state, self.at("vgg16.pth"))
        del state
        self.assertGreater(os.path.getsize(self.at("vgg16.pth")), 550 * 10**6)
        # A fresh Python, as a child starts with the memory of the process that it is forked from.
        measure = ("import resource, subprocess, sys; code = subprocess.call(sys.argv[1:], stdout=sys.stderr);"
                   "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)")
        done = subprocess.run([sys.executable, "-c", measure, TYTO, "convert", self.at("vgg16.pth"), "-o", self.at("vgg16")],
                              capture_output=True, text=True)
        os.remove(self.at("vgg16.pth"))
        self.assertEqual(done.returncode, 0, done.stderr)
        os.remove(self.at("vgg16"))
        print(f"  {int(done.stdout) / 1024:.0f} MiB at most, the largest tensor is {largest / 2**20:.0f} MiB")
        self.assertLess(int(done.stdout) * 1024, largest + MEMORY_BESIDE_A_TENSOR)


class HostileCheckpoints(Workplace):
    def test_nothing_in_a_checkpoint_runs(self):
        marker = self.at("it ran")
        for name, options in {"zip": {}, "legacy": {"_use_new_zipfile_serialization": False}}.items():
            path = self.at(f"hostile-{name}.pth")
            torch.save({**self.network.state_dict(), "hook": RunsCode(f"touch '{marker}'")}, path, **options)
            message = self.fails("convert", path, "-o", self.at("hostile.safetensors"))
            self.assertIn("posix.system", message)
            self.assertIn("tyto inspect", message)
            self.assert_nothing_half("hostile.safetensors")
            found = inspect(path)
            self.assertEqual(found["dangerous_globals"], ["posix.system"])
            self.assertIn("torch._utils._rebuild_tensor_v2", found["globals"])
            self.assertIn("posix.system", tyto("inspect", path)[0])
            self.assertFalse(os.path.exists(marker), "code in a checkpoint ran")
        torch.load(path)  # the proof that it would have
        self.assertTrue(os.path.exists(marker))


class Inspect(Workplace):
    def test_a_checkpoint(self):
        found = inspect(self.checkpoint)
        self.assertIn("zip", found["format"].lower())
        self.assertEqual(found["dangerous_globals"], [])
        self.assertIn("collections.OrderedDict", found["globals"])
        shapes = {t["name"]: t["shape"] for t in found["tensors"]}
        self.assertEqual(shapes, {k: list(v.shape) for k, v in self.network.state_dict().items()})
        self.assertIn("classifier.add_block.0.weight", tyto("inspect", self.checkpoint)[0])

    def test_a_model(self):
        found = inspect(self.model)
        self.assertEqual((found["format"], found["network"], found["intact"]), ("tyto model", "ft_net", True))
        self.assertEqual(found["options"], {"stride": "2"})
        self.assertEqual(found["inputs"]["input"]["preprocessing"]["resize"], "pil-bicubic")
        self.assertNotIn("classifier.classifier.0.weight", [t["name"] for t in found["tensors"]])
        changed = bytearray(read_bytes(self.model))
        changed[-1] ^= 1
        path = self.write("changed.safetensors", changed)
        printed, message = tyto("inspect", path, "--json", expect=1)
        self.assertFalse(json.loads(printed)["intact"])
        self.assertIn("altered", message)
        self.assertIn("altered", self.fails("extract", path, "--query", self.folder, "-o", self.at("features")))

    def test_features(self):
        folder = self.make_images("images", ["a.png", "b.png", "c.png"], width=8, height=16)
        features = self.extract("features", "--gallery", folder)[0]
        found = inspect(features)
        tensors = {t["name"]: (t["dtype"], t["shape"]) for t in found["tensors"]}
        self.assertEqual(tensors, {"gallery.features": ("F32", [3, 16]), "gallery.ids": ("I64", [3]),
                                   "gallery.cameras": ("I64", [3])})
        self.assertEqual((found["format"], found["network"]), ("tyto features", "ft_net"))
        self.assertEqual(found["rule"]["options"], {"stride": "2"})
        self.assertEqual(found["sets"], {"gallery": {"folder": folder, "images": 3, "paths": ["a.png", "b.png", "c.png"]}})
        text = tyto("inspect", features)[0]
        self.assertRegex(text, r"(?m)^network +ft_net$")
        self.assertRegex(text, rf"(?m)^gallery +3 images of {folder}: a\.png \.\.\. c\.png$")
        self.assertNotIn("\\", text)  # no JSON within JSON

    def test_a_plan(self):
        found = json.loads(tyto("inspect", self.model, "--plan", "--json", "--batch", 2)[0])
        self.assertEqual(found["steps"][-1]["shape"], [2, 16])
        self.assertLessEqual(found["activation_bytes"], 1.25 * found["activation_bound"])
        self.assertIn("the least possible", tyto("inspect", self.model, "--plan")[0])

    def test_a_plan_that_no_machine_holds(self):
        path = self.at("large.safetensors")
        tyto("convert", self.checkpoint, "-o", path, "--preprocess", "size=[16384,16384]")
        message = self.fails("inspect", path, "--plan", "--batch", 4096, "--device", "cpu")
        for part in ("[4096, 3, 16384, 16384]", "at least", "layer 'model.conv1'", "this machine has"):
            self.assertIn(part, message)


if __name__ == "__main__":
    unittest.main()
