"""Detectors of two stages whose weights are set by hand, so that they find red, green and blue squares and nothing else.

The trunk hands on where the image is of a colour: 1 in the cells of a square, else 0. Its last layer hands that on in nine
copies, each moved by one cell, so that the proposals' 3x3 convolution sees 5x5 cells. A square is CELLS cells wide, so that
three or four are 1; a cell in the middle of such a run, across and down, proposes the run's box. It proposes it too small and
off its middle, and the second stage, whose classes are the colours, moves it back. All other cells propose nearly nothing,
which every project drops.
"""
import itertools
import math

import torch
import torchvision
from torch import nn
from torchvision.models.detection import FasterRCNN, backbone_utils

import reference_two_stage as ref
from narrow import narrow

COLOURS = ((235, 25, 25), (25, 235, 25), (25, 25, 235))  # of classes 1, 2, 3
OTHERS = ((235, 235, 25), (235, 235, 235))  # of no class
CELLS = math.sqrt(3 * 4)  # a square's width; boxes of three and of four cells are equally far from it
ANCHOR = 8  # cells
SHIFT, SHRINK = (0.05, -0.03), 0.9  # what proposals are off: by parts of the square's width, across and down

COLOUR_MEAN, COLOUR_STD = map(torch.tensor, ref.IMAGENET)
NOTHING = -20.0  # the logarithm of a size
MOVES = list(itertools.product((-1, 0, 1), repeat=2))  # down, across
FAR = 2


def clear(model):
    """Zero weights and biases; batch norms that change nothing."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                module.weight.zero_()
                if module.bias is not None:
                    module.bias.zero_()
            elif isinstance(module, nn.BatchNorm2d):
                module.running_var.fill_(1 - module.eps)


def hand_on(conv, channels, factor=1.0, bias=0.0):
    """The first channels as they are, or times `factor` plus `bias`."""
    middle = conv.kernel_size[0] // 2
    for c in range(channels):
        conv.weight[c, c, middle, middle] = factor
        if conv.bias is not None:
            conv.bias[c] = bias


def see_colours(conv, biases, window, gain, threshold):
    """From a normalised image how far a colour, averaged over a window, exceeds the two others together and `threshold`."""
    middle = conv.kernel_size[0] // 2
    at = slice(middle - window // 2, middle + window // 2 + 1)
    mix = 2 * torch.eye(3) - 1  # class from colour
    conv.weight[:3, :, at, at] = (gain * mix * COLOUR_STD / window**2)[:, :, None, None]
    biases[:3] = gain * (mix @ COLOUR_MEAN - threshold)


def move(conv, inputs, first):
    """The sum of the inputs, moved by each of MOVES, as nine channels from `first` on."""
    for c, (down, across) in enumerate(MOVES):
        for i in inputs:
            conv.weight[first + c, i, 1 + down, 1 + across] = 1


class Units:
    """Hidden units of a 3x3 convolution that see the nine moved copies: piecewise linear functions of the 5x5 cells."""

    def __init__(self, conv, first):
        self.conv, self.first, self.count = conv, first, 0

    def tap(self, unit, down, across, weight):
        """Of a cell up to FAR away: a copy moved by the sign, and the convolution's own tap."""
        step = [round(math.copysign(1, d)) if abs(d) == FAR else 0 for d in (down, across)]
        channel = self.first + MOVES.index(tuple(step))
        self.conv.weight[unit, channel, 1 + down - step[0], 1 + across - step[1]] += weight

    def add(self, weights, bias=0.0):
        """relu(sum of weights[down, across] * cell + bias); its channel."""
        unit = self.count
        self.count += 1
        for (down, across), weight in weights.items():
            self.tap(unit, down, across, weight)
        self.conv.bias[unit] = bias
        return unit


def along(axis, weights):
    """Weights of the row (axis 1) or column (axis 0) through the middle cell."""
    return {(k, 0) if axis == 0 else (0, k): weight for k, weight in zip(range(-FAR, FAR + 1), weights)}


def plant_proposals(hidden, locations, first, anchors, anchor, x_channel):
    """A 3x3 convolution `hidden` on nine copies from channel `first` on, and the offsets of one of a cell's anchors, which
    are ANCHOR cells wide. x_channel: 0 where offsets are x, y, w, h; 1 where they are y, x, h, w. Returns the unit that is the
    middle cell."""
    units = Units(hidden, first)
    middle = units.add({(0, 0): 1.0})
    for other in range(anchors):
        locations.bias[other * 4 + 2 : other * 4 + 4] = NOTHING
    for axis in (0, 1):
        place = anchor * 4 + (x_channel if axis == 1 else 1 - x_channel)
        size = place + 2
        after, before = along(axis, (-1, -1, 0, 1, 1)), along(axis, (1, 1, 0, -1, -1))
        run = along(axis, (1,) * 5)

        # The run's middle lies half as many cells away as it has more of them on one side.
        for weights, sign in ((after, 1), (before, -1)):
            locations.weight[place, units.add(weights)] = sign / (2 * ANCHOR)
            locations.weight[size, units.add(weights, -1.5)] = 20 * NOTHING  # not a cell in the run's middle
        locations.weight[place, units.add(run)] = SHIFT[1 - axis] / ANCHOR

        at_3, at_4 = (math.log(SHRINK * cells / ANCHOR) for cells in (3, 4))
        locations.weight[size, units.add(run, -2)] = at_3 - NOTHING
        locations.weight[size, units.add(run, -3)] = (at_4 - at_3) - (at_3 - NOTHING)
    return middle


def plant_classes(hidden, again, scores, locations, first, cells, x_channel):
    """Two linear layers and a predictor, on features [channels, 7, 7] of which those from `first` on are the colours."""
    for c in range(3):
        for unit in (c, 3 + c):  # 1 from half the cells on: 4 x less what is more
            hidden.weight[unit, (first + c) * cells : (first + c + 1) * cells] = 4 / cells
        hidden.bias[c], hidden.bias[3 + c] = -1, -2
        again.weight[c, c], again.weight[c, 3 + c] = 1, -1
        scores.weight[1 + c, c] = 20
    scores.bias[0] = 10
    for label in range(4):
        # One class's offsets are of no use to another.
        move_by = [-s / SHRINK / 0.1 for s in SHIFT] if x_channel == 0 else [-s / SHRINK / 0.1 for s in SHIFT[::-1]]
        right = [*move_by, *[-math.log(SHRINK) / 0.2] * 2]
        wrong = [(-1) ** label * 15.0, 15.0, -10.0, 5.0]
        for k in range(4):
            locations.bias[label * 4 + k] = wrong[k]
            if label:
                locations.weight[label * 4 + k, label - 1] = right[k] - wrong[k]


def simple_faster_rcnn():
    """Squares CELLS * 16 pixels wide, of a network input."""
    model = narrow(ref.SimpleFasterRcnn(classes=4))
    clear(model)
    convs = [layer for layer in model.extractor if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        see_colours(convs[0], convs[0].bias, window=1, gain=10, threshold=0.4)
        for conv in convs[1:]:
            hand_on(conv, 3)
        # min(x, 1) is 1 - relu(1 - x).
        hand_on(convs[2], 3, -1.0, 1.0)
        hand_on(convs[3], 3, -1.0, 1.0)
        # Three pools widen what is 1; the last one, of 1 - x, narrows it.
        hand_on(convs[9], 3, -1.0, 1.0)
        hand_on(convs[10], 3, -1.0, 1.0)
        move(convs[12], range(3), first=3)

        middle = plant_proposals(model.rpn.conv1, model.rpn.loc, 3, anchors=9, anchor=3, x_channel=1)
        model.rpn.score.weight[3 * 2 + 1, middle] = 8
        model.rpn.score.bias[1::2] = -4
        first, second = (layer for layer in model.head.classifier if isinstance(layer, nn.Linear))
        plant_classes(first, second, model.head.score, model.head.cls_loc, 0, 49, x_channel=1)
    return model.eval()


LEVELS = (2, 3, 1)  # of the pyramid, on which red, green and blue squares are looked for


def fasterrcnn_resnet_fpn():
    """Squares CELLS * 2**(2 + level) pixels wide, a level of the pyramid for each colour."""
    backbone = backbone_utils.resnet_fpn_backbone(backbone_name="resnet18", weights=None, norm_layer=nn.BatchNorm2d)
    detector = narrow(FasterRCNN(backbone, 4, min_size=96, max_size=160))
    clear(detector)
    trunk, pyramid = detector.backbone.body, detector.backbone.fpn
    with torch.no_grad():
        # All of a window of 5x5 pixels must be of a colour: the pool behind widens squares by two pixels.
        see_colours(trunk.conv1, trunk.bn1.bias, window=5, gain=100, threshold=0.65)
        clip = trunk.layer1[0]  # x - relu(x - 1)
        hand_on(clip.conv1, 3)
        clip.bn1.bias[:3] = -1
        hand_on(clip.conv2, 3, -1.0)
        for layer in (trunk.layer2, trunk.layer3, trunk.layer4):
            hand_on(layer[0].downsample[0], 3)

        # Channels 0 to 2 are where squares are looked for; 3 to 5 are for the classes, and come down from the second level.
        for c, level in enumerate(LEVELS):
            pyramid.inner_blocks[level][0].weight[c, c] = 1
            pyramid.inner_blocks[1][0].weight[3 + c, c] = 1
        for level in range(4):
            conv = pyramid.layer_blocks[level][0]
            for c in range(3, 6):
                conv.weight[c, c, 1, 1] = 1
            move(conv, [c for c in range(3) if LEVELS[c] == level], first=6)

        rpn, heads = detector.rpn.head, detector.roi_heads
        middle = plant_proposals(rpn.conv[0][0], rpn.bbox_pred, 6, anchors=3, anchor=1, x_channel=0)
        rpn.cls_logits.weight[1, middle] = 8
        rpn.cls_logits.bias[:] = -4
        predictor = heads.box_predictor
        plant_classes(heads.box_head.fc6, heads.box_head.fc7, predictor.cls_score, predictor.bbox_pred, 3, 49, x_channel=0)
    return ref.TorchvisionDetector(detector.eval())
