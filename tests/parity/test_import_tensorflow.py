"""The import of a frozen TensorFlow graph: what was written into one comes out, and a broken one is named."""
import contextlib
import io
import os
import tempfile
import unittest
import zipfile
from unittest import mock

import numpy as np
import torch

import reference_detectors  # noqa: F401 (finds scripts/pedestrian)
import import_tensorflow
from ssdlite_mobilenet_v2 import SsdliteMobilenetV2

SOURCES = 6


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes((value,)))


def message(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def number_field(number, value):
    return varint(number << 3) + varint(value)


def constant(name, array):
    """A NodeDef of a float32 Const."""
    shape = b"".join(message(2, number_field(1, size)) for size in array.shape)
    tensor = number_field(1, 1) + message(2, shape) + message(4, np.ascontiguousarray(array, "<f4").tobytes())
    value = message(1, b"value") + message(2, message(8, tensor))
    kind = message(1, b"dtype") + message(2, number_field(6, 1))
    return message(1, message(1, name.encode()) + message(2, b"Const") + message(5, kind) + message(5, value))


def graph_constants(state):
    """A state dict's tensors by TensorFlow's names and in its layouts."""
    for scope, conv, norm in import_tensorflow.layers(SOURCES):
        weight = state[f"{conv}.weight"].numpy()
        if "depthwise" in scope:
            yield f"{scope}/depthwise_weights", weight.transpose(2, 3, 0, 1)
        else:
            weight = weight.transpose(2, 3, 1, 0)
            yield f"{scope}/weights", y_before_x(weight) if "BoxEncoding" in scope else weight
        if norm is None:
            bias = state[f"{conv}.bias"].numpy()
            yield f"{scope}/biases", y_before_x(bias) if "BoxEncoding" in scope else bias
        else:
            for ours, theirs in (("weight", "gamma"), ("bias", "beta"), ("running_mean", "moving_mean"),
                                 ("running_var", "moving_variance")):
                yield f"{scope}/BatchNorm/{theirs}", state[f"{norm}.{ours}"].numpy()


def y_before_x(array):
    """Swaps x with y and width with height in the last axis."""
    pairs = array.reshape(*array.shape[:-1], -1, 2, 2)
    return pairs[..., ::-1].reshape(array.shape)


class ImportTensorflow(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        torch.manual_seed(0)
        cls.state = SsdliteMobilenetV2(classes=4).state_dict()
        for name, value in cls.state.items():
            if value.dtype == torch.float32 and value.dim() == 1:
                value.uniform_(0.5, 1.5)
        cls.constants = dict(graph_constants(cls.state))

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.graph = os.path.join(folder.name, "frozen_inference_graph.pb")

    def write(self, constants):
        with open(self.graph, "wb") as file:
            file.write(b"".join(constant(name, array) for name, array in constants.items()))

    def refused(self, path=None):
        with self.assertRaises(import_tensorflow.ImportFailed) as raised:
            import_tensorflow.import_graph(path or self.graph)
        return str(raised.exception)

    def check(self, path):
        found = import_tensorflow.import_graph(path).state_dict()
        self.assertEqual(set(found), set(self.state))
        for name, value in self.state.items():
            self.assertTrue(torch.equal(found[name], value), name)

    def test_every_tensor_comes_through(self):
        self.write(self.constants)
        self.check(self.graph)

    def test_from_a_wheel(self):
        self.write(self.constants)
        wheel = self.graph + ".whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.write(self.graph, "package/frozen_inference_graph.pb")
        self.check(wheel)

    def test_names_the_missing_constant(self):
        name = "FeatureExtractor/MobilenetV2/Conv_1/BatchNorm/gamma"
        self.write({key: value for key, value in self.constants.items() if key != name})
        self.assertIn(f"no constant '{name}'", self.refused())

    def test_names_the_shape_that_does_not_fit(self):
        name = "FeatureExtractor/MobilenetV2/Conv/weights"
        self.write({**self.constants, name: self.constants[name][..., :16]})
        self.assertIn("'features.0.0.weight' is [16, 3, 3, 3]", self.refused())

    def test_a_cut_file(self):
        self.write(self.constants)
        with open(self.graph, "r+b") as file:
            file.truncate(os.path.getsize(self.graph) // 2)
        self.assertIn("not a TensorFlow graph", self.refused())

    def test_something_else(self):
        with open(self.graph, "wb") as file:
            file.write(b"\x93NUMPY and so on")
        self.assertIn("not a TensorFlow graph", self.refused())

    def test_an_archive_without_a_graph(self):
        with zipfile.ZipFile(self.graph, "w") as archive:
            archive.writestr("readme.txt", "nothing here")
        self.assertIn("holds no frozen_inference_graph.pb", self.refused())

    def wheel(self):
        """The bytes of a wheel that holds the graph, compressed, and where its data lies."""
        self.write(self.constants)
        with zipfile.ZipFile(self.graph + ".whl", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(self.graph, "frozen_inference_graph.pb")
            entry = archive.infolist()[0]
        with open(self.graph + ".whl", "rb") as file:
            return bytearray(file.read()), 30 + len(entry.filename), entry.compress_size  # after the 30 bytes of its header

    def test_a_damaged_wheel(self):
        whole, start, size = self.wheel()
        wheel = self.graph + ".whl"
        compression = whole.rindex(b"PK\1\2") + 10  # in the directory
        for at in (0, start, start + size // 2, compression):
            damaged = whole.copy()
            damaged[at] ^= 0xFF
            with open(wheel, "wb") as file:
                file.write(damaged)
            self.assertIn("cannot be read", self.refused(wheel), at)

    def run_command(self, output):
        """What the command says when it fails."""
        with mock.patch("sys.argv", ["import_tensorflow.py", self.graph, output]), self.assertRaises(SystemExit) as raised, \
                contextlib.redirect_stdout(io.StringIO()):
            import_tensorflow.main()
        return str(raised.exception)

    def test_a_failure_leaves_nothing_behind(self):
        self.write(self.constants)
        output = os.path.join(self.folder, "output")
        os.mkdir(output)
        self.assertIn("import_tensorflow: ", self.run_command(output))  # a folder cannot be replaced
        self.assertIn("import_tensorflow: ", self.run_command(os.path.join(self.folder, "nowhere", "net.pth")))
        self.assertEqual(sorted(os.listdir(self.folder)), ["frozen_inference_graph.pb", "output"])


if __name__ == "__main__":
    unittest.main()
