"""Calls tyto.Detector and tyto.BevSegmenter with garbage in each place, as losses_garbage_calls calls the losses:
detector MODEL PICTURE, or segmenter MODEL SAMPLES."""
import dataclasses
import sys
import warnings

import numpy as np
import torch

import garbage
import losses_garbage_calls
import tyto


class Calls(losses_garbage_calls.Calls):
    @staticmethod
    def _differentiated(result) -> None:
        if isinstance(result, (tyto.DetectionRun, tyto.BevRun)):
            list(result)
        elif isinstance(result, (tyto.Detector, tyto.BevSegmenter)):
            result.close()

    def options(self, name: str, function, *good, kinds=garbage.options, always=None, **options) -> None:
        always = always or {}
        for option in options:
            for what, make in kinds():
                value = make()
                if option != "progress" or not callable(value):  # a callable is the caller's own
                    self.call(f"{name}({option}={what})", function, *good, **{**always, option: value})


def images(good: np.ndarray):
    """In place of an image."""
    yield from garbage.options()
    yield from (made for made in garbage.tensors(torch.from_numpy(good)) if not made[0].startswith("full of"))
    yield from [("no file", lambda: "nowhere.png"), ("a 0 in a path", lambda: "a\0b"), ("bytes", lambda: b"\0"),
                ("Fortran's", lambda: good.copy("F")), ("rows", lambda: np.zeros(3, [("a", np.uint8)])),
                ("objects", lambda: good.astype(object)), ("texts", lambda: good.astype("U3")),
                ("2^30 pixels", lambda: np.broadcast_to(good[:1, :1], (2**15, 2**15, 3)))]


def detector(calls: Calls, model: tyto.Model, picture: str) -> bool:
    good = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    detector = tyto.Detector(model, threads=1, batch=1)
    want = detector.detect(good)[0]
    for what, make in images(good):
        calls.call(f"detect({what})", lambda: detector.detect(make()))
        calls.call(f"detect([good, {what}])", lambda: detector.detect([good, make()]))
    for what, make in garbage.options():
        calls.call(f"folder({what})", lambda: detector.folder(make()))
        calls.call(f"folder([good, {what}])", lambda: detector.folder([picture, make()]))
        calls.call(f"Detector({what})", lambda: tyto.Detector(make()))
        calls.call(f"above({what})", lambda: want.above(make()))
    calls.options("detect", detector.detect, good, decoders=0, exif_orientation=False)
    calls.options("folder", detector.folder, picture, decoders=0, exif_orientation=False, every=1, on_error="skip", progress=None)
    calls.options("Detector", tyto.Detector, model, kinds=garbage.few, always={"threads": 1}, device="cpu", threads=1,
                  precision="fp32", batch=8, score_threshold=0.5, classes=(), set=None, trace=False, memory_limit=0)
    return np.array_equal(detector.detect(good)[0].xywh, want.xywh)


def segmenter(calls: Calls, model: tyto.Model, samples: str) -> bool:
    good = tyto.read_samples(samples)[0]
    segmenter = tyto.BevSegmenter(model, threads=1)
    want = segmenter.segment(good)[0]
    picture = tyto.read_image(good.images[0])[:8, :9]
    for what, make in images(picture):
        calls.call(f"segment(images: {what})", lambda: segmenter.segment(dataclasses.replace(good, images=make())))
        calls.call(f"segment(image: {what})", lambda: segmenter.segment(
            dataclasses.replace(good, images=[*good.images[:-1], make()])))
    for what, make in garbage.options():
        for place in "cameras", "lidar_to_ego":
            calls.call(f"segment({place}: {what})", lambda: segmenter.segment(dataclasses.replace(good, **{place: make()})))
        calls.call(f"segment({what})", lambda: segmenter.segment(make()))
        calls.call(f"segment([good, {what}])", lambda: segmenter.segment([good, make()]))
        calls.call(f"samples({what})", lambda: segmenter.samples(make()))
        calls.call(f"read_samples({what})", lambda: tyto.read_samples(make()))
        calls.call(f"BevSegmenter({what})", lambda: tyto.BevSegmenter(make()))
        calls.call(f"mask({what})", lambda: want.mask(make()))
    for name in "intrinsics", "camera_to_ego", "augmentation":
        matrix = torch.from_numpy(getattr(good.cameras[0], name).copy())
        for what, make in [*garbage.options(), *garbage.tensors(matrix)]:
            calls.call(f"Camera({name}: {what})", lambda: segmenter.segment(dataclasses.replace(
                good, cameras=[dataclasses.replace(good.cameras[0], **{name: make()}), *good.cameras[1:]])))
    calls.options("segment", segmenter.segment, good, decoders=0, exif_orientation=False)
    calls.options("samples", segmenter.samples, samples, cameras=None, decoders=0, exif_orientation=False, on_error="skip",
                  progress=None)
    calls.options("read_samples", tyto.read_samples, samples, cameras=None, on_error="skip")
    calls.options("BevSegmenter", tyto.BevSegmenter, model, kinds=garbage.few, always={"threads": 1}, device="cpu", threads=1,
                  precision="fp32", batch=1, cameras=6, set=None, memory_limit=0)
    return np.array_equal(segmenter.segment(good)[0].map, want.map)


def main(part: str, model: str, inputs: str) -> None:
    warnings.simplefilter("ignore")
    calls = Calls()
    same = {"detector": detector, "segmenter": segmenter}[part](calls, tyto.Model(model), inputs)
    print(f"done {calls.made} calls, {calls.returned} returned, {'all as before' if same else 'the results are others'}")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
