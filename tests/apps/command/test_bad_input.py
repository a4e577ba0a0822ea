"""Whatever is wrong with what it is given, tyto ends in one sentence and the right exit code."""
import os
import random
import subprocess
import unittest

import numpy as np
import torch

from tyto_process import TYTO, save_tensors, tyto
from workplace import Workplace, read_bytes, small_resnet


class BadInput(Workplace):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.images = cls.make_images("images", ["0001_c1s1_0.png", "0002_c2s1_0.png"], width=16, height=32)
        cls.features = cls.at("features")
        tyto("extract", cls.model, "--gallery", cls.images, "--query", cls.images, "-o", cls.features, "--threads", 1,
             "--dataset", "market1501")
        cls.input = cls.at("input.safetensors")
        save_tensors(cls.input, {"input": np.zeros((1, 3, 64, 32), np.float32)})

    def extract_fails(self, *options, code=1, model=None):
        folders = () if "--gallery" in options else ("--gallery", self.images)
        message = self.fails("extract", model or self.model, "-o", self.at("out"), *folders, *options, code=code)
        self.assert_nothing_half("out", "out.journal")
        return message

    def raw(self, output):
        return ["--input", self.input, "--output", self.at(output), "--threads", "1"]

    def run_fails(self, model):
        message = self.fails("run", model, *self.raw("out"))
        self.assert_nothing_half("out")
        return message


class Files(BadInput):
    def test_missing_files(self):
        missing = self.at("missing.safetensors")
        for arguments in (["inspect", missing], ["inspect", missing, "--plan"], ["rank", missing, "--json"],
                          ["evaluate", missing], ["merge", missing, "-o", self.at("out")],
                          ["convert", missing, "-o", self.at("out")], ["extract", missing, "-o", "x", "--gallery", "."],
                          ["run", self.model, "--input", missing, "--output", self.at("out")], ["selftest", missing]):
            self.assertIn("missing.safetensors", self.fails(*arguments))
        self.assertIn("nowhere", self.extract_fails("--gallery", self.at("nowhere")))
        os.mkdir(self.at("empty"))
        self.assertIn("holds no images", self.extract_fails("--gallery", self.at("empty")))
        self.assert_nothing_half("out")

    def test_truncated_models(self):
        model = read_bytes(self.model)
        for length in sorted({0, 1, 7, 8, 9, 100, *range(500, len(model), len(model) // 18), len(model) - 1}):
            self.assertIn("truncated.safetensors", self.run_fails(self.write("truncated.safetensors", model[:length])))

    def test_altered_headers_end_in_a_sentence_or_run(self):
        model, rng, refused = read_bytes(self.model), random.Random(1), 0
        end = 8 + int.from_bytes(model[:8], "little")
        for at in [*range(8), *(rng.randrange(8, end) for _ in range(32))]:
            altered = bytearray(model)
            altered[at] ^= 1 << rng.randrange(8)
            path = self.write("altered.safetensors", altered)
            done = subprocess.run([TYTO, "-q", "run", path, *self.raw("altered.out")], capture_output=True, text=True)
            if done.returncode == 0:
                continue  # not every bit matters: one of a hash or a mean still is a model
            self.assertEqual(done.returncode, 1, at)
            self.assert_one_sentence(done.stderr, at)
            self.assertIn("altered.safetensors", done.stderr)
            refused += 1
        self.assertGreater(refused, 20)

    def test_a_file_of_another_kind(self):
        self.assertIn("net.pth", self.run_fails(self.checkpoint))
        self.assertIn("not a tyto model but a file of features", self.run_fails(self.features))
        self.assertIn("not a tyto model", self.run_fails(self.input))
        self.run_fails(self.images)
        picture = os.path.join(self.images, "0001_c1s1_0.png")
        self.run_fails(picture)
        for command in (["rank", "--json"], ["evaluate"], ["merge", "-o", self.at("out")]):
            for file in (self.model, self.checkpoint, self.input, picture, self.images):
                self.assertIn(os.path.basename(file), self.fails(*command, file))
        for file in (self.features, self.input, picture, self.images):
            self.assertIn(os.path.basename(file), self.fails("convert", file, "-o", self.at("out")))
        self.assert_nothing_half("out")

    def test_raw_input_that_does_not_fit(self):
        for tensors in ({"inputs": np.zeros((1, 3, 64, 32), np.float32)}, {"input": np.zeros((3, 64, 32), np.float32)},
                        {"input": np.zeros((1, 4, 64, 32), np.float32)}, {"input": np.zeros((0, 3, 64, 32), np.float32)},
                        {"input": np.zeros((1, 3, 0, 32), np.float32)}):
            save_tensors(self.at("odd.safetensors"), tensors)
            self.fails("run", self.model, "--input", self.at("odd.safetensors"), "--output", self.at("out"))
        self.assertIn("'feature'", self.fails("run", self.model, "--input", self.input, "--output", self.at("out"),
                                              "--outputs", "feature", code=2))
        self.assert_nothing_half("out")

    def test_outputs_that_cannot_be_written(self):
        below_a_file, proc = os.path.join(self.model, "out"), "/proc/out"
        for output in (below_a_file, proc, self.at("nowhere", "out"), self.at("x" * 300)):
            self.assertIn(output, self.fails("extract", self.model, "--gallery", self.images, "-o", output))
            self.assertIn(output, self.fails("convert", self.checkpoint, "-o", output))
            self.assertIn(output, self.fails("merge", self.features, "-o", output))
            self.assertIn(output, self.fails("run", self.model, "--input", self.input, "--output", output))
        for output in (below_a_file, proc, self.model):
            self.assertIn(output, self.fails("rank", self.features, "-o", output))
            self.assertIn(output, self.fails("evaluate", self.features, "-o", output))
        self.fails("convert", self.checkpoint, "-o", self.images)


class Checkpoints(BadInput):
    def convert_fails(self, state, *options, code=1):
        torch.save(state, self.at("bad.pth"))
        message = self.fails("convert", self.at("bad.pth"), "-o", self.at("bad.safetensors"), *options, code=code)
        self.assert_nothing_half("bad.safetensors")
        return message

    def test_a_renamed_tensor_is_named_with_the_nearest(self):
        state = self.network.state_dict()
        state["model.layer4.0.conv2_.weight"] = state.pop("model.layer4.0.conv2.weight")
        message = self.convert_fails(state)
        self.assertIn("ft_net", message)
        self.assertIn("'model.layer4.0.conv2.weight'", message)
        self.assertIn("nearest: 'model.layer4.0.conv2_.weight'", message)

    def test_another_network(self):
        state = {f"features.denseblock1.denselayer{i}.conv1.weight": torch.zeros(4, 4, 1, 1) for i in range(5)}
        message = self.convert_fails(state)
        self.assertIn("fits no network that tyto knows; none of its tensors has the name of one of theirs", message)
        self.assertIn("`tyto inspect`", message)
        self.assertIn("is no ft_net", self.convert_fails(small_resnet().state_dict(), "--network", "ft_net"))

    def test_a_left_over_tensor_is_named_and_can_be_allowed(self):
        state = {**self.network.state_dict(), "model.attention.gamma": torch.zeros(1)}
        self.assertIn("model.attention.gamma", self.convert_fails(state))
        tyto("convert", self.at("bad.pth"), "-o", self.at("allowed.safetensors"), "--network", "ft_net", "--allow-unused")
        self.assertIn("'model.bn1.bias' is [9], not [8]",
                      self.convert_fails({**self.network.state_dict(), "model.bn1.bias": torch.zeros(9)}))

    def test_no_tensors_at_all(self):
        for state in ({}, [], "a word", {"epoch": 3}):
            self.convert_fails(state)

    def test_a_weight_that_is_not_finite_is_named(self):
        for value in (float("nan"), float("inf")):
            state = {k: v.clone() for k, v in self.network.state_dict().items()}
            state["model.layer2.0.conv2.weight"][1, 2, 0, 1] = value
            self.assertIn("model.layer2.0.conv2.weight", self.convert_fails(state))


class Options(BadInput):
    def test_options_that_do_not_exist(self):
        for command in ("convert", "inspect", "extract", "rank", "evaluate", "merge", "run", "info", "selftest"):
            required = {"run": ["x", "--input", "y", "--output", "z"], "info": [], "selftest": [], "inspect": ["x"],
                        "rank": ["x"], "evaluate": ["x"]}.get(command, ["x", "-o", "y"])
            self.assertIn("--frobnicate", self.fails(command, *required, "--frobnicate", code=2))
        self.assertIn("which command? There are convert, inspect, ", self.fails(code=2))
        self.fails("extract", code=2)

    def test_a_misspelt_word_is_named_with_the_nearest(self):
        self.assertIn("no command 'detekt' (did you mean detect?)", self.fails("detekt", "x", "--output", "y", code=2))
        self.assertIn("no command 'nosuch'; there are convert, inspect, ", self.fails("nosuch", code=2))
        self.assertIn("no option '--verson' (did you mean --version?)", self.fails("--verson", code=2))
        self.assertIn("--coco-anotations=y (did you mean --coco-annotations?)", self.fails("evaluate", "x", "--coco-anotations=y", code=2))
        self.assertIn("--quite (did you mean --quiet?)", self.fails("info", "--quite", code=2))

    def test_values_that_cannot_be(self):
        for options in (["--shard", "3/3"], ["--shard", "-1/3"], ["--shard", "1"], ["--shard", "1/0"],
                        ["--shard", "1/3x"], ["--batch", "0"], ["--batch", "many"], ["--threads", "-1"],
                        ["--multi-scale", "0"], ["--multi-scale", "1,nan"], ["--multi-scale", "a"],
                        ["--dataset", "market"], ["--name-pattern", "(("], ["--name-pattern", r"\d+"],
                        ["--format", "csv"], ["--precision", "fp8"], ["--device", "tpu"],
                        ["--memory-limit", "much"], ["--memory-limit", "-1G"]):
            self.extract_fails(*options, code=2)
        self.fails("extract", self.model, "-o", self.at("out"), code=2)
        for options in (["--set", "strid=1"], ["--set", "stride=3"], ["--set", "stride"]):
            self.fails("convert", self.checkpoint, "-o", self.at("out"), *options, code=2)
        self.assertIn("resnet", self.fails("convert", self.checkpoint, "-o", self.at("out"), "--network", "ft-net", code=2))
        for options in (["--preprocess", "fit=wide"], ["--preprocess", "siez=[1,2]"], ["--preprocess", "size=0"]):
            self.fails("convert", self.checkpoint, "-o", self.at("out"), *options, code=2)
        self.assertIn("stride", self.fails("convert", self.checkpoint, "-o", self.at("out"), "--set", "strid=1", code=2))
        self.assert_nothing_half("out")

    def test_what_this_machine_has_not(self):
        self.assertIn("cpu", self.extract_fails("--device", "cuda"))
        self.assertIn("--memory-limit", self.extract_fails("--memory-limit", "100K"))
        if "bf16" not in tyto("info", "--json")[0]:
            self.assertIn("AVX512_BF16", self.extract_fails("--precision", "bf16"))


if __name__ == "__main__":
    unittest.main()
