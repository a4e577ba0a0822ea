"""A small SSD learns from a larger one, on generated images of shapes.

A teacher learns from many images by the MultiBox loss. Its images are not at hand when a student of about a third of its width is
to learn from a few of its own: once by their boxes alone, and once, from the same start, by multibox distillation, in which the
teacher tells of each prior how much it looks like every class. Prints a line every few steps and each network's mean average
precision on images that none was trained on, and writes a picture of the curves.

    python3 examples/distill_ssd/distill_ssd.py -o distill_ssd.png
"""
import argparse
from typing import Callable, Dict, List, Tuple

import torch

import tyto.losses
from scenes import CLASSES, SIZE, Scenes, draw
from ssd import Ssd, detect, mean_average_precision, prior_boxes

TEACHER, STUDENT = 16, 6  # widths
BATCH = 16
SHOWN = 5  # images of the picture

# What a network says of a batch -> what to derive, and the location and confidence terms, which all three networks share.
Loss = Callable[[torch.Tensor, torch.Tensor, Scenes], Tuple[torch.Tensor, torch.Tensor, torch.Tensor]]


def by_boxes(priors: torch.Tensor) -> Loss:
    def loss(locations, logits, batch):
        # Its default, "ssd.pytorch", divides by the number of matched priors, which a batch always has here; of images without
        # objects, take reference="fork" or another that divides by 1 then.
        location, confidence, _ = tyto.losses.multibox_loss(locations, logits, priors, batch.boxes, batch.classes, batch.counts)
        return location + confidence, location, confidence

    return loss


def by_teacher(teacher: Ssd, priors: torch.Tensor) -> Loss:
    teacher.eval()  # its batch norms stay as they are

    def loss(locations, logits, batch):
        with torch.no_grad():  # nothing is learned of it, so that nothing needs to be kept for a gradient
            teacher_locations, teacher_logits = teacher(batch.images)
        # The total is what to derive; of its terms, location and confidence are the boxes' own. A temperature above 1 brings out
        # what the teacher thinks of the classes that it does not choose, and `soft_weight` makes up for the few boxes.
        terms = tyto.losses.multibox_distillation(locations, logits, teacher_locations, teacher_logits, priors, batch.boxes,
                                                  batch.classes, batch.counts, temperature=2, soft_weight=2, terms=True)
        return terms.total, terms.location, terms.confidence

    return loss


def train(name: str, width: int, loss: Loss, scenes: Scenes, test: Scenes, steps: int,
          seed: int) -> Tuple[Ssd, Dict[str, List[float]]]:
    """The network, and what is printed as it learns. One seed gives one start and one order of the images, so that two students
    differ in their loss alone."""
    torch.manual_seed(seed)
    network = Ssd(width).to(scenes.images.device)
    optimizer = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=steps)
    every = max(1, steps // 8)
    curves: Dict[str, List[float]] = {"step": [], "location": [], "confidence": [], "mAP": []}
    sums = torch.zeros(2, device=scenes.images.device)
    for step in range(1, steps + 1):
        batch = scenes[torch.randint(len(scenes.images), (BATCH,)).to(scenes.images.device)]
        locations, logits = network(batch.images)
        total, *terms = loss(locations, logits, batch)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        schedule.step()
        sums += torch.stack(terms).detach()  # on the device: .item() in every step would wait for it
        if step % every == 0:
            quality = mean_average_precision(detect(network, test.images), test)
            for curve, value in zip(curves.values(), (step, *(sums / every).tolist(), quality)):
                curve.append(value)
            print("{:18s} {:5d} {:9.3f} {:11.3f} {:7.3f}".format(name, *(curve[-1] for curve in curves.values())), flush=True)
            sums.zero_()
    return network, curves


def plot(curves: Dict[str, Dict[str, List[float]]], student: Ssd, test: Scenes, to: str) -> None:
    import matplotlib

    matplotlib.use("Agg")  # a file, on machines without a screen too
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(10, 6.6), constrained_layout=True)
    above, below = figure.subfigures(2, 1, height_ratios=(1.4, 1))
    axes = above.subplots(1, 3)
    for name, curve in curves.items():
        for panel, key in zip(axes, ("location", "confidence", "mAP")):
            panel.plot(curve["step"], curve[key], label=name)
    axes[0].set(title="Location term", xlabel="step", ylabel="mean since the last point", ylim=(0, None))
    axes[1].set(title="Confidence term", xlabel="step", ylim=(0, None))
    axes[2].set(title="mAP at 0.5, new images", xlabel="step", ylim=(0, 1))
    axes[2].legend()
    below.suptitle("What the distilled student finds in new images (dashed: what is there)")
    found_in = detect(student, test.images[:SHOWN], 0.3)
    for panel, image, found, boxes, count in zip(below.subplots(1, SHOWN), test.images.cpu(), found_in, test.boxes.cpu(),
                                                 test.counts.tolist()):
        panel.imshow((image.permute(1, 2, 0) / 3 + 0.5).clamp(0, 1))
        panel.axis("off")
        for (left, top, right, bottom) in (boxes[:count] * SIZE).tolist():
            panel.add_patch(pyplot.Rectangle((left, top), right - left, bottom - top, fill=False, linestyle="--"))
        for box, kind, score in zip((found.boxes * SIZE).tolist(), found.classes.tolist(), found.scores.tolist()):
            left, top, right, bottom = box
            panel.add_patch(pyplot.Rectangle((left, top), right - left, bottom - top, fill=False, color="white"))
            panel.text(left, top, f"{CLASSES[kind]} {score:.2f}", fontsize=7, backgroundcolor="white", verticalalignment="bottom",
                       bbox={"pad": 1, "facecolor": "white", "edgecolor": "none"}, clip_on=True)
    figure.savefig(to, dpi=100)


def _some_images(text: str) -> int:
    if int(text) < 8 * SHOWN:
        raise argparse.ArgumentTypeError(f"{text} are too few; {8 * SHOWN} or more are due")
    return int(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=400, help="of each training (default 400)")
    parser.add_argument("--images", type=_some_images, default=1024,
                        help="of the teacher (default 1024); a student has a tenth as many, and an eighth as many are tested on")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"), help="cpu (the default) or cuda:N")
    parser.add_argument("-o", "--output", default="distill_ssd.png", help="the picture of the curves")
    options = parser.parse_args()

    generator = torch.Generator().manual_seed(options.seed)
    counts = options.images, options.images // 10, options.images // 8
    many, few, test = (draw(count, generator).to(options.device) for count in counts)
    priors = prior_boxes().to(options.device)
    curves = {}
    print(f"{'network':18s}  step  location  confidence     mAP")
    teacher, curves["teacher"] = train("teacher", TEACHER, by_boxes(priors), many, test, options.steps, options.seed)
    _, curves["student alone"] = train("student alone", STUDENT, by_boxes(priors), few, test, options.steps, options.seed)
    student, curves["distilled student"] = train("distilled student", STUDENT, by_teacher(teacher, priors), few, test,
                                                 options.steps, options.seed)
    for name, curve in curves.items():
        print(f"{name}: mAP {curve['mAP'][-1]:.3f}")
    plot(curves, student, test, options.output)
    print(f"curves: {options.output}")


if __name__ == "__main__":
    main()
