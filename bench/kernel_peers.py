"""The cases of tyto_bench in PyTorch and torchvision, on the arrays that tyto_bench saved.

    kernel_peers.py FOLDER THREADS

prints {"version": ..., "cases": [...]} and for each line {"case": C, "mode": M, "seconds": S} that it reads {"us": {MODE: median
microseconds of runs that take S together}, "differs": {MODE: how its result is not tyto's}}, of all modes where M is null.

A case is a function of the saved arrays. It returns the ways to compute it, {mode: function}, of which the fastest counts, and the
array that they should give.
"""
import json
import math
import statistics
import struct
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from torchvision.transforms.v2 import functional as V

import bev_backward_peers  # noqa: F401, its cases
import bev_index_peers  # noqa: F401, its cases
import bev_pool_peers  # noqa: F401, its cases
import loss_peers  # noqa: F401, its cases
from peer_cases import CASES, case

TYPES = {"F32": np.float32, "I32": np.int32, "U8": np.uint8}
LEAST_RUNS = 3


def load(path):
    with open(path, "rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(size)), file.read()
    arrays = {}
    for name, about in header.items():
        if name != "__metadata__":
            begin, end = about["data_offsets"]
            values = np.frombuffer(data[begin:end], TYPES[about["dtype"]]).reshape(about["shape"])
            arrays[name] = torch.from_numpy(values.copy())
    return arrays


def in_both_layouts(x, run):
    last = x.contiguous(memory_format=torch.channels_last)
    return {"": lambda: run(x), "channels last": lambda: run(last)}


# --- detection ---

@case("class_scores/8732x21", "class_scores/8732x91")
def class_scores(a):
    return {"": lambda: F.softmax(a["logits"], dim=-1)[..., 1:].transpose(1, 2).contiguous()}, a["scores"]


@case("decode_boxes/8732")
def decode_boxes(a):  # as ssd.pytorch does it
    def run():
        offsets, anchors = a["offsets"][0], a["anchors"]
        boxes = torch.cat((anchors[:, :2] + offsets[:, :2] * 0.1 * anchors[:, 2:],
                           anchors[:, 2:] * torch.exp(offsets[:, 2:] * 0.2)), 1)
        boxes[:, :2] -= boxes[:, 2:] / 2
        boxes[:, 2:] += boxes[:, :2]
        return boxes[None]
    return {"": run}, a["boxes"]


def found_rows(a):
    return a["detections"][0, :a["counts"]]


def select(a, threshold):  # as torchvision's SSD.postprocess_detections does it
    boxes, scores = a["boxes"][0, :, 0], a["scores"][0]

    def run():
        image_boxes, image_scores, image_labels = [], [], []
        for label, score in enumerate(scores, 1):
            keep = score > threshold
            score, box = score[keep], boxes[keep]
            score, best = score.topk(min(200, score.size(0)))
            image_boxes.append(box[best])
            image_scores.append(score)
            image_labels.append(torch.full_like(score, fill_value=label, dtype=torch.int64))
        all_boxes, all_scores, all_labels = map(torch.cat, (image_boxes, image_scores, image_labels))
        keep = torchvision.ops.batched_nms(all_boxes, all_scores, all_labels, 0.45)[:200]
        return torch.cat((all_boxes[keep], all_scores[keep, None], all_labels[keep, None]), 1)
    return {"": run}, found_rows(a)


@case("nms/20_classes_1_in_1000", "nms/90_classes_1_in_1000")
def select_few(a):
    return select(a, float(np.float32(1) - np.float32(1) / np.float32(1000)))


@case("nms/20_classes_1_in_40", "nms/90_classes_1_in_40")
def select_many(a):
    return select(a, float(np.float32(1) - np.float32(1) / np.float32(40)))


def proposals(boxes, scores, candidates, kept):
    """simple-faster-rcnn-pytorch's, its suppression by torchvision."""
    if candidates < len(scores):
        scores, order = scores.topk(candidates)
        boxes = boxes[order]
    keep = torchvision.ops.nms(boxes, scores, 0.7)[:kept]
    return torch.cat((boxes[keep], scores[keep, None], torch.ones(len(keep), 1)), 1)


def suppress(kept):
    def of(a):
        boxes, scores = a["boxes"][0, :, 0], a["scores"][0, 0]
        return {"": lambda: proposals(boxes, scores, len(scores), kept)}, found_rows(a)
    return of


case("nms/rpn_6000_to_300")(suppress(300))
case("nms/rpn_6000_to_all")(suppress(None))
case("nms/rpn_12000_to_2000")(suppress(2000))


def decoded(anchors, offsets):
    """Boxes x1, y1, x2, y2 from offsets y, x, log height, log width, as torchvision's BoxCoder decodes them."""
    widths, heights = anchors[:, 2] - anchors[:, 0], anchors[:, 3] - anchors[:, 1]
    x, y = anchors[:, 0] + 0.5 * widths, anchors[:, 1] + 0.5 * heights
    y = offsets[..., 0] * heights[:, None] + y[:, None]
    x = offsets[..., 1] * widths[:, None] + x[:, None]
    heights, widths = torch.exp(offsets[..., 2]) * heights[:, None], torch.exp(offsets[..., 3]) * widths[:, None]
    return torch.stack((x - 0.5 * widths, y - 0.5 * heights, x + 0.5 * widths, y + 0.5 * heights), -1)


def decoder(a):
    """A function that decodes the network's maps to boxes, their scores, and which are too small."""
    anchors, offsets, logits = a["anchors"], a["offsets"][0], a["logits"][0]
    height, width, _, original_width = a["sizes"][0].tolist()

    def decode():
        boxes = torchvision.ops.clip_boxes_to_image(decoded(anchors, offsets[:, None])[:, 0], (height, width))
        small = ((boxes[:, 2:] - boxes[:, :2]) < 16 * (width / original_width)).any(1)
        return boxes, logits[:, 1] - logits[:, 0], small
    return decode


@case("decode_proposals/20646")
def decode_proposals(a):
    decode = decoder(a)

    def run():
        boxes, scores, small = decode()
        scores[small] = math.nan
        return torch.cat((boxes, scores[:, None]), 1)
    return {"": run}, torch.cat((a["boxes"][0], a["scores"][0, :, None]), 1)


@case("proposals/20646_to_6000")
def choose(a):
    decode = decoder(a)

    def run():
        boxes, scores, small = decode()
        boxes, scores = boxes[~small], scores[~small]
        scores, order = scores.topk(6000)
        return torch.cat((boxes[order], scores[:, None], torch.ones(6000, 1)), 1)
    return {"": run}, run().index_put((torch.tensor(0),), found_rows(a)[0])  # tyto tells the best alone


@case("proposals/20646_to_300")
def propose(a):
    decode = decoder(a)

    def run():
        boxes, scores, small = decode()
        return proposals(boxes[~small], scores[~small], 6000, 300)
    return {"": run}, found_rows(a)


@case("nms/regions_300x20")
def regions(a):  # as simple-faster-rcnn-pytorch does it
    boxes, scores = a["boxes"][0], a["scores"][0]

    def run():
        rows = []
        for label, score in enumerate(scores, 1):
            keep = score > 0.05
            box, score = boxes[keep, label - 1], score[keep]
            keep = torchvision.ops.nms(box, score, 0.3)
            rows.append(torch.cat((box[keep], score[keep, None], torch.full((len(keep), 1), float(label))), 1))
        rows = torch.cat(rows)
        return rows[rows[:, 4].argsort(descending=True, stable=True)]
    return {"": run}, found_rows(a)


@case("decode_rois/300x21")
def decode_rois(a):
    rois, offsets = a["rois"][0], a["offsets"][0]
    height, width, original_height, original_width = a["sizes"][0].tolist()
    scale = width / original_width
    deviation = torch.tensor([0.1, 0.1, 0.2, 0.2])

    def run():
        boxes = decoded(rois, offsets[:, 1:] * deviation)
        return torchvision.ops.clip_boxes_to_image(boxes, (original_height * scale, original_width * scale))[None]
    return {"": run}, a["boxes"]


@case("encode_boxes/20646")
def encode_boxes(a):  # as torchvision's encode_boxes does it
    anchors, targets = a["anchors"], a["targets"]

    def parts(boxes):
        sides = boxes[:, 2:] - boxes[:, :2]
        return sides, boxes[:, :2] + 0.5 * sides

    def run():
        (from_sides, from_centres), (sides, centres) = parts(anchors), parts(targets)
        return torch.cat(((centres - from_centres) / from_sides, torch.log(sides / from_sides)), 1)
    return {"": run}, a["offsets"]


@case("pairwise_iou/20646x20")
def pairwise_iou(a):
    return {"": lambda: torchvision.ops.box_iou(a["anchors"], a["objects"])}, a["ious"]


@case("roi_pool/300_of_512x37x62")
def roi_pool(a):
    return {"": lambda: torchvision.ops.roi_pool(a["map0"], [a["rois"][0]], 7, 1 / 16)}, a["features"]


@case("roi_align/300_of_512x37x62")
def roi_align(a):
    return {"": lambda: torchvision.ops.roi_align(a["map0"], [a["rois"][0]], 7, 1 / 16, 2)}, a["features"]


@case("roi_align/1000_of_pyramid")
def roi_align_of_levels(a):
    maps = {str(k): a[f"map{k}"] for k in range(4)}
    pooler = torchvision.ops.MultiScaleRoIAlign(list(maps), 7, 2)
    return {"": lambda: pooler(maps, [a["rois"][0]], [(800, 1344)])}, a["features"]


# --- images and maps ---

def resize(mode):
    def of(a):
        image, (height, width, _) = a["image"].permute(2, 0, 1), a["resized"].shape

        def run(x):
            return V.resize(x, [height, width], mode, antialias=True).permute(1, 2, 0)
        planes = image.contiguous()
        return {"": lambda: run(planes), "channels last": lambda: run(image)}, a["resized"]
    return of


case("resize/pillow_bicubic_128x256")(resize(torchvision.transforms.InterpolationMode.BICUBIC))
case("resize/pillow_bilinear_224x224")(resize(torchvision.transforms.InterpolationMode.BILINEAR))


@case("resize_torch/1066x800")
def resize_torch(a):  # as torchvision's GeneralizedRCNNTransform does it, from bytes
    image, planes = a["image"].permute(2, 0, 1).contiguous(), a["planes"]
    mean, std = (torch.tensor(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))

    def run():
        x = (V.to_dtype(image, torch.float32, scale=True) - mean) / std
        return F.interpolate(x[None], size=planes.shape[1:], mode="bilinear", align_corners=False)[0]
    return {"": run}, planes


@case("normalize/224x224")
def normalize(a):
    image = a["image"].T.contiguous().view(3, 224, 224)

    def run():
        x = V.to_dtype(image, torch.float32, scale=True)
        return V.normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]).view(3, -1)
    return {"": run}, a["planes"]


@case("bicubic/8x3x256x128")
def bicubic(a):
    return in_both_layouts(a["x"], lambda x: F.interpolate(x, scale_factor=1.1, mode="bicubic")), a["y"]


@case("upsample/nearest_256x100x136")
def upsample_nearest(a):
    return in_both_layouts(a["x"], lambda x: F.interpolate(x, size=a["y"].shape[2:])), a["y"]


@case("upsample/bilinear_256x100x136")
def upsample_bilinear(a):
    return in_both_layouts(a["x"], lambda x: F.interpolate(x, size=a["y"].shape[2:], mode="bilinear")), a["y"]


def seen(a):
    """The map's pixel of every point in every camera, u and v [6, points], and its depth."""
    points = torch.cat([a["points"].T, torch.ones(1, len(a["points"]))])
    u, v, depth = (a["projections"] @ points).unbind(1)
    return u / depth, v / depth, depth


@case("projection_gather/fast_bev_200x200x4")
def fast_bev(a):  # as its backproject_inplace does it; channels last: the same on rows
    planes, rows = a["maps"].permute(0, 3, 1, 2).contiguous(), a["maps"]
    height, width = rows.shape[1:3]

    def cells():
        u, v, depth = seen(a)
        x, y = (u / 4).round().long(), (v / 4).round().long()
        return x, y, (x >= 0) & (y >= 0) & (x < width) & (y < height) & (depth > 0)

    def first():
        x, y, valid = cells()
        volume = torch.zeros(planes.shape[1], x.shape[1])
        for k in range(len(planes)):
            volume[:, valid[k]] = planes[k, :, y[k, valid[k]], x[k, valid[k]]]
        return volume.T

    def last():
        x, y, valid = cells()
        volume = torch.zeros(x.shape[1], rows.shape[3])
        for k in range(len(rows)):
            volume[valid[k]] = rows[k, y[k, valid[k]], x[k, valid[k]]]
        return volume
    return {"": first, "channels last": last}, a["rows"]


@case("projection_gather/vector_map_net_4x200x100")
def vector_map_net(a):
    def run(x):
        u, v, depth = seen(a)
        at = (torch.stack([u, v], -1) + 1e-9) / torch.tensor([352.0, 128.0])
        at = (at - 0.5) * 2
        mask = (depth > 1e-9) & (at.abs() < 1).all(-1)
        found = F.grid_sample(x, at[:, :, None], align_corners=False)[..., 0]  # [6, channels, points]
        mean = (found.nan_to_num() * mask[:, None]).sum(0) / mask.sum(0).clamp(min=1)
        return mean.T
    return in_both_layouts(a["maps"].permute(0, 3, 1, 2).contiguous(), run), a["rows"]


@case("grid_sample/bilinear_64x128x128")
def grid_sample_bilinear(a):
    return in_both_layouts(a["x"], lambda x: F.grid_sample(x, a["grid"], align_corners=True)), a["y"]


@case("grid_sample/bicubic_64x128x128")
def grid_sample_bicubic(a):
    return in_both_layouts(a["x"], lambda x: F.grid_sample(x, a["grid"], "bicubic", align_corners=True)), a["y"]


@case("homography_warp/64x128x128")
def homography_warp(a):
    place = F.affine_grid(torch.eye(3)[None, :2], list(a["y"].shape), align_corners=True)
    place = torch.cat([place, torch.ones_like(place[..., :1])], -1)

    def run(x):
        to = place @ a["homography"].transpose(1, 2)[:, None]
        return F.grid_sample(x, to[..., :2] / to[..., 2:], align_corners=True)
    return in_both_layouts(a["x"], run), a["y"]


@case("pad/zeros_64x150x150")
def pad(a):
    return in_both_layouts(a["x"], lambda x: F.pad(x, (1, 1, 1, 1))), a["y"]


@case("strided_copy/8x197x12x64")
def permute(a):
    return {"": lambda: a["x"].permute(0, 2, 1, 3).contiguous()}, a["y"]


# --- norms and pooling ---

@case("softmax/8732x21", "softmax/2364x197")
def softmax(a):
    return {"": lambda: F.softmax(a["x"], dim=-1)}, a["y"]


@case("layer_norm/1576x768")
def layer_norm(a):
    return {"": lambda: F.layer_norm(a["x"], a["scale"].shape, a["scale"], a["shift"])}, a["y"]


@case("group_norm/256x56x56")
def group_norm(a):
    return in_both_layouts(a["x"], lambda x: F.group_norm(x, 32, a["scale"], a["shift"])), a["y"]


@case("instance_norm/64x64x32")
def instance_norm(a):
    return in_both_layouts(a["x"], lambda x: F.instance_norm(x, weight=a["scale"], bias=a["shift"])), a["y"]


@case("l2_normalize/512x38x38")
def l2_normalize(a):
    scale = a["scale"][:, None, None]
    return in_both_layouts(a["x"], lambda x: F.normalize(x) * scale), a["y"]


@case("average_pool/128x56x56")
def average_pool(a):
    return in_both_layouts(a["x"], lambda x: F.avg_pool2d(x, 2)), a["y"]


@case("adaptive_average_pool/2048x16x8_to_6")
def adaptive_average_pool(a):
    return in_both_layouts(a["x"], lambda x: F.adaptive_avg_pool2d(x, (6, 1))), a["y"]


@case("gem_pool/2048x16x8")
def gem_pool(a):  # as fast-reid does it
    return in_both_layouts(a["x"], lambda x: F.adaptive_avg_pool2d(x.clamp(min=1e-6).pow(3), (1, 1)).pow(1 / 3)), a["y"]


# --- retrieval ---

@case("normalize_rows/192x2048")
def normalize_rows(a):
    return {"": lambda: F.normalize(a["rows"])}, a["rows"]


@case("score/192x19732x512")
def score(a):
    return {"": lambda: a["queries"] @ a["gallery"].T}, a["scores"]


@case("rank/19732")
def rank(a):
    return {"": lambda: torch.sort(a["scores"], descending=True, stable=True)[1]}, a["order"]


@case("rank/50_of_19732")
def rank_top(a):
    return {"": lambda: torch.topk(a["scores"], 50)[1]}, a["order"]


# --- attention ---

def ways_to_attend(q, k, v, scale, bias=None):
    """softmax(scale q k^T + bias) v of rows [..., tokens, size]; where q and k are narrower than v, also padded."""
    def eager(q, k, v):
        scores = q @ k.transpose(-1, -2) * scale if scale != 1 else q @ k.transpose(-1, -2)
        return torch.softmax(scores if bias is None else scores + bias, -1) @ v

    def fused(q, k, v):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale)
    ways = {"eager": eager, "SDPA": fused}
    if q.shape[-1] < v.shape[-1]:
        more = v.shape[-1] - q.shape[-1]
        ways["SDPA, padded"] = lambda q, k, v: fused(F.pad(q, (0, more)), F.pad(k, (0, more)), v)
    return ways


def forward_and_backward(ways, inputs, gradient, finish):
    """The gradients by each way, of a graph that is made once, as ours begins with what the forward pass left."""
    def of(way):
        leaves = [x.clone().requires_grad_() for x in inputs]
        with torch.enable_grad():
            y = way(*leaves)
        return lambda: finish(torch.autograd.grad(y, leaves, gradient, retain_graph=True))
    return {name: of(way) for name, way in ways.items()}


@case("position_attention/8x2592x32x256", "position_attention/1x2048x32x256", "position_attention/1x162x32x256")
def position_attention(a):
    q, k, v, x = (a[name][:, None] for name in "qkvx")  # a head
    ways = ways_to_attend(q, k, v, 1)
    return {name: lambda way=way: torch.addcmul(x, a["gamma"], way(q, k, v))[:, 0] for name, way in ways.items()}, a["y"]


@case(*(f"position_attention_backward/{sizes}" for sizes in ("8x2592x32x256", "1x2048x32x256", "1x162x32x256")))
def position_attention_backward(a):
    ways = ways_to_attend(*(a[name][:, None] for name in "qkv"), 1)

    def finish(gradients):
        return torch.cat([g.flatten() for g in gradients])
    inputs = [a[name][:, None] for name in "qkv"] + [a["gamma"]]
    ways = {name: lambda q, k, v, gamma, way=way: way(q, k, v) * gamma for name, way in ways.items()}
    want = finish([a[f"{name}_gradient"] for name in ("q", "k", "v", "gamma")])
    return forward_and_backward(ways, inputs, a["y_gradient"][:, None], finish), want


def heads_of(rows, heads):
    """q, k and v [batch, heads, tokens, size] of rows that have them side by side."""
    batch, tokens, width = rows.shape
    return rows.view(batch, tokens, 3, heads, width // 3 // heads).permute(2, 0, 3, 1, 4).unbind(0)


def rows_of(y):
    return y.transpose(1, 2).flatten(2)


ATTENTION_HEADS = {"vit_8x12x197x64": 12, "swin_64x3x49x32": 3}


def attention(heads):
    def of(a):
        q, k, v = heads_of(a["qkv"], heads)
        ways = ways_to_attend(q, k, v, q.shape[-1] ** -0.5, a.get("bias"))
        return {name: lambda way=way: rows_of(way(q, k, v)) for name, way in ways.items()}, a["y"]
    return of


def attention_backward(heads):
    def of(a):
        scale = (a["qkv"].shape[-1] // 3 // heads) ** -0.5
        inputs = [a["qkv"]] + ([a["bias"]] if "bias" in a else [])

        def run(name):
            def way(rows, bias=None):
                q, k, v = heads_of(rows, heads)
                return rows_of(ways_to_attend(q, k, v, scale, bias)[name](q, k, v))
            return way

        def finish(gradients):
            return torch.cat([g.flatten() for g in gradients])
        want = finish([a[f"{name}_gradient"] for name in ("qkv", "bias")[:len(inputs)]])
        return forward_and_backward({name: run(name) for name in ("eager", "SDPA")}, inputs, a["y_gradient"], finish), want
    return of


for name, heads in ATTENTION_HEADS.items():
    case(f"attention/{name}")(attention(heads))
    case(f"attention_backward/{name}")(attention_backward(heads))


@case(*(f"{whose}_product/{sizes}" for whose in ("blocked", "one_dnn") for sizes in ("2592x2592x32", "2592x256x2592")))
def product(a):
    return {"": lambda: a["a"] @ a["b"]}, a["c"]


# --- running ---

def difference(got, want):
    """What is wrong with a result, or None."""
    if got.shape != want.shape:
        return f"its shape is {list(got.shape)}, not {list(want.shape)}"
    if want.dtype == torch.uint8:  # PyTorch's weights have fewer bits than Pillow's
        far = (got.int() - want.int()).abs().max().item()
        return f"a byte is {far} off" if far > 1 else None
    if want.dtype == torch.int32:
        return None if torch.equal(got.int(), want) else "the indices differ"
    if not torch.equal(got.isnan(), want.isnan()):
        return "other values are NaN"
    got, want = got.nan_to_num(), want.nan_to_num()
    far = ((got - want).abs().max() / want.abs().max()).item()
    return None if far < 1e-4 else f"it is {far:.1g} of the largest value off"


def microseconds(run, seconds):
    times, begin = [], time.perf_counter()
    while len(times) < LEAST_RUNS or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def main():
    folder, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    torch.set_grad_enabled(False)
    version = f"PyTorch {torch.__version__}, torchvision {torchvision.__version__}"
    print(json.dumps({"version": version, "cases": list(CASES)}), flush=True)
    for line in sys.stdin:
        turn = json.loads(line)
        name, chosen = turn["case"], [turn["mode"]]
        answer = {"differs": {}}
        if turn["mode"] is None:
            modes, want = CASES[name](load(f"{folder}/{name.replace('/', '_')}.safetensors"))
            answer["differs"] = {mode: found for mode, run in modes.items() if (found := difference(run(), want))}
            chosen = list(modes)
        answer["us"] = {mode: microseconds(modes[mode], turn["seconds"]) for mode in chosen}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
