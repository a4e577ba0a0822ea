"""Networks with an eighth of their channels, like `narrow` in tests/engine/cuda/network_shapes.h: wherever a network's full
width proves nothing that the kernels' tests do not."""
import re

from torch import nn

import reference_networks as ref

PREDICTS = re.compile(r"(^|\.)((loc|conf)\.\d+|loc|score|cls_loc|cls_logits|bbox_pred|cls_score)$|_head\.module_list\.\d+(\.1)?$")


def narrow(model):
    """In place: the first channels of every layer. What heads predict, and the image, stay."""
    for name, module in model.named_modules():
        first = 1 if PREDICTS.search(name) else 0
        for key, tensor in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
            shape = list(tensor.shape)
            channels = slice(2, 3) if key in ("class_token", "pos_embedding") else slice(first, 2)
            shape[channels] = [size // 8 if size % 8 == 0 else size for size in shape[channels]]
            tensor.data = tensor.data[tuple(map(slice, shape))].clone()
        if isinstance(module, nn.Conv2d):
            if module.groups > 1:  # depthwise
                module.groups = len(module.weight)
            module.out_channels, module.in_channels = len(module.weight), module.weight.shape[1] * module.groups
        elif isinstance(module, nn.Linear):
            module.out_features, module.in_features = module.weight.shape
        elif isinstance(module, nn.LayerNorm):
            module.normalized_shape = tuple(module.weight.shape)
        elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.InstanceNorm2d)):
            module.num_features = len(module.weight)
        if isinstance(module, ref.IBN):
            module.half //= 8
        if hasattr(module, "hidden_dim"):  # of a vision transformer
            module.hidden_dim //= 8
    return model
