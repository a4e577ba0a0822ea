"""A PyTorch network computed as a plan of a lower precision computes it: fp32 arithmetic on rounded numbers.

fp16 and bf16: weights and biases are rounded once, and so is what one layer hands to the next. tf32: the operands of
convolutions and linear layers are rounded, but for depthwise ones, which no tensor core computes; all else is fp32.

bf16 on the CPU: weights of convolutions, what they read, and the maps that they make behind their activation; biases, linear
layers and what pooling makes stay fp32; what leaves the network is rounded.
"""
import copy

import torch
from torch import nn
from torch.nn.utils import fusion
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

import reference_networks as ref

STORE = {"fp16": lambda x: x.half().float(), "bf16": lambda x: x.bfloat16().float()}
PRECISIONS = ("tf32", *STORE)
CHANGES_NOTHING = (nn.Identity, nn.Dropout, LastLevelMaxPool)
ROWS = (nn.Linear, nn.GELU, ref.Product, ref.Stored)  # which on the CPU are fp32, whatever their dimensions
CPU_FUSES = (nn.Hardswish, nn.Hardsigmoid, nn.SiLU, nn.Sigmoid)  # into the convolution before; ReLU and ReLU6 commute with rounding


def round_to_tf32(x):
    """11 significant bits, to nearest, ties away from zero (PTX's cvt.rna.tf32)."""
    return ((x.contiguous().view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)


def fold_batch_norms(model):
    """Each batch norm right behind a convolution or linear layer becomes part of it, in place."""
    for parent in model.modules():
        children = list(parent.named_children())
        for (name, layer), (norm_name, norm) in zip(children, children[1:]):
            if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                fuse = fusion.fuse_conv_bn_eval
            elif isinstance(layer, nn.Linear) and isinstance(norm, nn.BatchNorm1d):
                fuse = fusion.fuse_linear_bn_eval
            else:
                continue
            setattr(parent, name, fuse(layer, norm))
            setattr(parent, norm_name, nn.Identity())
    return model


def multiply_in_tf32(model):
    for layer in model.modules():
        if isinstance(layer, nn.Linear) or isinstance(layer, nn.Conv2d) and layer.groups == 1:
            layer.weight.data = round_to_tf32(layer.weight.data)
            layer.register_forward_pre_hook(lambda _, inputs: round_to_tf32(inputs[0]))
        elif isinstance(layer, ref.Product):
            layer.register_forward_pre_hook(lambda _, inputs: tuple(map(round_to_tf32, inputs)))


def store_in(model, rounded):
    """A layer rounds what enters it, so that a sum with a residual and an activation behind it are one rounding, like tyto's."""
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            for parameter in module.parameters():
                parameter.data = rounded(parameter.data)
        if type(module) in ref.RESIDUAL_BLOCKS:  # a sum, which the next block adds to without a layer between
            module.register_forward_hook(lambda _, __, total: rounded(total))
        elif not list(module.children()) and not isinstance(module, (*CHANGES_NOTHING, ref.Product)):
            module.register_forward_pre_hook(lambda _, inputs: rounded(inputs[0]))
        for name in ("class_token", "pos_embedding", "layer_scale"):
            if name in dict(module.named_parameters(recurse=False)):
                getattr(module, name).data = rounded(getattr(module, name).data)
    model.register_forward_hook(lambda _, __, outputs: {name: rounded(x) for name, x in outputs.items()})


def store_maps_in(model, rounded):
    """As store_in, of convolutions alone."""
    def rounded_map(x):
        return rounded(x) if x.dim() == 4 else x

    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = rounded(module.weight.data)
        if type(module) in ref.LAST_NORM:
            module.register_forward_hook(lambda _, __, total: rounded(total))
        elif isinstance(module, CPU_FUSES):
            module.register_forward_hook(lambda _, __, result: rounded_map(result))
        elif not list(module.children()) and not isinstance(module, (*CHANGES_NOTHING, *ROWS)):
            module.register_forward_pre_hook(lambda _, inputs: rounded_map(inputs[0]))
    model.register_forward_hook(lambda _, __, outputs: {name: rounded(x) for name, x in outputs.items()})


def in_precision(model, precision, on_cpu=False):
    """A copy of a network whose forward gives a dict of tensors."""
    model = fold_batch_norms(copy.deepcopy(model))
    if precision == "tf32":
        multiply_in_tf32(model)
    elif on_cpu:
        store_maps_in(model, STORE[precision])
    else:
        store_in(model, STORE[precision])
    return model
