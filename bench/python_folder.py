"""What tyto.FeatureExtractor makes of a folder beside `tyto extract`: images a second, of which 0.95 are asked for.

    TYTO=build/apps/tyto PYTHONPATH=build/python /usr/bin/python3 bench/python_folder.py

A ResNet of random weights and generated JPEGs. The two take turns, each in a process of its own; both count from the first image's
decoding to the last one's feature. Processor time is given, too, because the machine may have other work."""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile

FOLDER = """
import json, sys, time, tyto
extractor = tyto.FeatureExtractor(sys.argv[1], device=sys.argv[3], batch=int(sys.argv[4]))
begin = time.perf_counter()
count = sum(1 for _ in extractor.folder(sys.argv[2], progress=False))
print(json.dumps({"images_per_second": count / (time.perf_counter() - begin)}))
"""


def make(folder, images, depth):
    import numpy as np
    import torch
    import torchvision
    from PIL import Image

    import tyto

    os.mkdir(f"{folder}/images")
    random = np.random.default_rng(0)
    for i in range(images):
        small = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        small.resize((640, 480), Image.BICUBIC).save(f"{folder}/images/{i:04}.jpg", quality=90)
    torch.manual_seed(0)
    network = getattr(torchvision.models, f"resnet{depth}")(weights=None)
    torch.save(network.state_dict(), f"{folder}/network.pth")
    tyto.convert(f"{folder}/network.pth", f"{folder}/network.safetensors")


def turn(command):
    """Images a second, and seconds of processors."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (json.loads(done.stdout)["images_per_second"], after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tyto", default=os.environ.get("TYTO", "tyto"), help="the command")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--depth", type=int, default=50, choices=(18, 50), help="of the ResNet")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make(folder, options.images, options.depth)
        model, images = f"{folder}/network.safetensors", f"{folder}/images"
        batch = str(options.batch)
        commands = {"tyto extract": [options.tyto, "extract", model, "--gallery", images, "-o", f"{folder}/features", "--json", "-q",
                                     "--device", options.device, "--batch", batch],
                    "FeatureExtractor": [sys.executable, "-c", FOLDER, model, images, options.device, batch]}
        found = {name: [] for name in commands}
        for number in range(options.turns):
            for name in sorted(commands, reverse=number % 2 == 1):
                found[name].append(turn(commands[name]))
        for name, turns in found.items():
            rates, seconds = zip(*turns)
            print(f"{name:17} {statistics.median(rates):8.1f} images/s, {statistics.median(seconds):6.2f} s of processors; "
                  f"turns {' '.join(f'{rate:.1f}' for rate in rates)}")
        theirs, ours = found.values()
        # Neighbours in time have the machine's same mood.
        ratios = [mine[0] / yours[0] for mine, yours in zip(ours, theirs)]
        print(f"ratio of images/s: {statistics.median(ratios):.3f} (median of turns; {min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    main()
