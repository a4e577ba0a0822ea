#!/usr/bin/python3
"""What share of a run over photographs of many sizes goes into planning, each size being a plan.

Usage: TYTO=build/apps/tyto bench/many_sizes.py [--images 500] [--sizes 200] [--shorter 224] [--longest 400]
                                                [--batch 8] [--threads 0] [--device cpu] [--most SHARE]
ft_net (ResNet-50) with random weights extracts pictures whose inputs have so many sizes, in random order. With --most it
fails where planning takes more than that share of the time."""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "parity"))
import reference_networks as ref
import torch


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("images", 500), ("sizes", 200), ("shorter", 224), ("longest", 400), ("batch", 8), ("threads", 0)):
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--most", type=float)
    return parser.parse_args()


def sizes(count, shorter, longest):
    """Sizes that the rule leaves as they are: upright and lying, from square to the longest side."""
    longer = [shorter + i * (longest - shorter) // ((count + 1) // 2) for i in range((count + 1) // 2)]
    found = ([(side, shorter) for side in longer] + [(shorter, side) for side in longer[1:]] + [(longest, shorter)])[:count]
    assert len(set(found)) == count, "the rule has fewer sizes"
    return found


def write_pictures(folder, options):
    order = random.Random(1)
    chosen = sizes(options.sizes, options.shorter, options.longest)
    chosen += order.choices(chosen, k=options.images - len(chosen))
    order.shuffle(chosen)
    for i, size in enumerate(chosen):
        Image.linear_gradient("L").resize(size).convert("RGB").save(os.path.join(folder, f"{i:05}.png"))


def main():
    options = parse()
    tyto = os.environ["TYTO"]
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, model, pictures = (os.path.join(folder, name) for name in ("net.pth", "net.safetensors", "pictures"))
        os.mkdir(pictures)
        write_pictures(pictures, options)
        torch.save(ref.randomise(ref.FtNet(), 1).state_dict(), checkpoint)
        rule = ("fit=shorter-side", f"shorter_side={options.shorter}", f"longest_side={options.longest}")
        changes = [word for change in rule for word in ("--preprocess", change)]
        subprocess.run([tyto, "-q", "convert", checkpoint, "-o", model, *changes], check=True, stdout=subprocess.DEVNULL)
        command = [tyto, "-q", "extract", model, "--gallery", pictures, "-o", os.path.join(folder, "features"), "--no-flip", "--json"]
        command += ["--batch", options.batch, "--threads", options.threads, "--device", options.device]
        out = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE).stdout
    found = json.loads(out)
    share = found["planning_seconds"] / found["seconds"]
    print(f"{options.images} pictures of {options.sizes} sizes: {found['seconds']:.1f} s, of which {found['plans']} plans "
          f"{found['planning_seconds']:.2f} s, {100 * share:.1f} %")
    if options.most is not None and share > options.most:
        sys.exit(f"more than {100 * options.most:.0f} % of the time went into planning")


if __name__ == "__main__":
    main()
