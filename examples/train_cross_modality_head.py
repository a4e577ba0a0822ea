"""A head for re-identification across visible and thermal cameras learns from the identity loss and CMDC.

The features are generated: an identity is a point in one space, which each modality turns and shifts in its own way and adds noise
to, as two cameras would. (With your own, a trunk's features, everything below is the same.) Prints a line every few epochs and
writes a picture of the curves; Rank-1 and mAP are of thermal queries in a visible gallery, of samples that were not trained on.

    python3 examples/train_cross_modality_head.py -o head.png
"""
import argparse
from typing import Dict, List, NamedTuple, Tuple

import torch
from torch import nn

import tyto.losses

VISIBLE, THERMAL = 0, 1
IDENTITIES, INPUT, WIDTH = 16, 32, 16
SAMPLES, TRAINED = 12, 8  # of each identity and modality; the first so many are trained on
BATCHES, BATCH_IDENTITIES, BATCH_SAMPLES = 10, 8, 4  # of an epoch; of a batch, samples of each modality


class Head(nn.Module):
    """[n, INPUT] -> features [n, WIDTH], and a classifier's logits [n, IDENTITIES] that only training needs."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Linear(INPUT, WIDTH, bias=False)
        self.classifier = nn.Linear(WIDTH, IDENTITIES, bias=False)

    def forward(self, x: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        features = self.embedding(x)
        return features, self.classifier(features)


def generate(generator: torch.Generator) -> torch.Tensor:
    """[modalities, IDENTITIES, SAMPLES, INPUT]"""

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    points = normal(IDENTITIES, INPUT)
    return torch.stack([(0.7 * points + 0.6 * points @ normal(INPUT, INPUT) / INPUT**0.5 + normal(INPUT))[:, None]
                        + 0.7 * normal(IDENTITIES, SAMPLES, INPUT) for _ in (VISIBLE, THERMAL)])


def batch(data: torch.Tensor, generator: torch.Generator) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows, labels and modalities. Some identities, each with as many samples of either modality: CMDC compares the centres of an
    identity in both, so that an identity in one modality alone would teach it nothing."""
    identities = torch.randperm(IDENTITIES, generator=generator)[:BATCH_IDENTITIES]
    shape = (2, BATCH_IDENTITIES, BATCH_SAMPLES)
    modalities = torch.tensor([VISIBLE, THERMAL])[:, None, None].expand(shape).reshape(-1)
    labels = identities[None, :, None].expand(shape).reshape(-1)
    samples = torch.randint(TRAINED, shape, generator=generator).reshape(-1)
    return data[modalities, labels, samples], labels, modalities


class Ranking(NamedTuple):
    rank1: float
    mean_average_precision: float


def rank(features: torch.Tensor) -> Ranking:
    """features [modalities, IDENTITIES, samples, width]: every thermal sample looks for its identity among all visible ones."""
    visible, thermal = nn.functional.normalize(features, dim=-1).flatten(1, 2)
    identity = torch.arange(IDENTITIES).repeat_interleave(features.shape[2])
    nearest = (thermal @ visible.T).argsort(1, descending=True)
    right = (identity[nearest] == identity[:, None]).double()
    precision = right.cumsum(1) / torch.arange(1, right.shape[1] + 1)
    return Ranking(float(right[:, 0].mean()), float(((precision * right).sum(1) / right.sum(1)).mean()))


def train(data: torch.Tensor, epochs: int, device: torch.device, generator: torch.Generator) -> Tuple[Head, Dict[str, List[float]]]:
    head = Head().to(device)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    curves: Dict[str, List[float]] = {name: [] for name in ("total", "identity", "cmdc", "rank1", "mAP")}
    print("epoch   total  identity    cmdc  rank-1     mAP")
    for epoch in range(1, epochs + 1):
        sums = torch.zeros(3, device=device)
        for _ in range(BATCHES):
            rows, labels, modalities = (tensor.to(device) for tensor in batch(data, generator))
            features, logits = head(rows)
            # The total, identity + lambda * CMDC, is what to derive; the terms of the same call are for the curves.
            losses = tyto.losses.identity_and_cmdc_loss(logits, features, labels, modalities, terms=True)
            optimizer.zero_grad()
            losses.total.backward()
            optimizer.step()
            sums += torch.stack(losses).detach() / BATCHES  # on the device: .item() in every step would wait for it
        ranking = rank(embed(head, data[:, :, TRAINED:]))
        for name, value in zip(curves, (*sums.tolist(), *ranking)):
            curves[name].append(value)
        if epoch % max(1, epochs // 10) == 0 or epoch == 1:
            print("{:5d} {:7.3f} {:9.3f} {:7.3f} {:7.3f} {:7.3f}".format(epoch, *(curve[-1] for curve in curves.values())))
    return head, curves


@torch.no_grad()
def embed(head: Head, data: torch.Tensor) -> torch.Tensor:
    return head.embedding(data.to(head.embedding.weight.device)).cpu()


def plot(curves: Dict[str, List[float]], before: torch.Tensor, after: torch.Tensor, to: str) -> None:
    import matplotlib

    matplotlib.use("Agg")  # a file, on machines without a screen too
    from matplotlib import pyplot

    figure, ((losses, ranks), *clouds) = pyplot.subplots(2, 2, figsize=(10, 8), constrained_layout=True)
    epochs = range(1, len(curves["total"]) + 1)
    for name, label in ("total", "total"), ("identity", "identity"), ("cmdc", "CMDC"):
        losses.plot(epochs, curves[name], label=label)
    losses.set(title="Losses, mean of an epoch's batches", xlabel="epoch", ylabel="loss", ylim=(0, None))
    baseline = rank(before)
    for name, label, value in ("rank1", "Rank-1", baseline.rank1), ("mAP", "mAP", baseline.mean_average_precision):
        line, = ranks.plot(epochs, curves[name], label=label)
        ranks.axhline(value, color=line.get_color(), linestyle=":", label=label + " of the features as they came")
    ranks.set(title="Thermal queries, visible gallery, held-out samples", xlabel="epoch", ylim=(0, 1.02))
    for axes, features, title in zip(clouds[0], (before, after), ("Features as they came", "The head's features")):
        rows = nn.functional.normalize(features, dim=-1).flatten(0, 2)
        plane = torch.pca_lowrank(rows, 2, niter=8)[2]
        for modality, marker, name in (VISIBLE, "o", "visible"), (THERMAL, "x", "thermal"):
            x, y = (nn.functional.normalize(features[modality], dim=-1).flatten(0, 1) @ plane).T
            axes.scatter(x, y, s=24, c=torch.arange(IDENTITIES).repeat_interleave(features.shape[2]), cmap="tab20", marker=marker)
            axes.scatter([], [], c="black", marker=marker, label=name)
        axes.set(title=title + ", a colour an identity", xlabel="first principal axis", ylabel="second principal axis")
    for axes in losses, ranks, *clouds[0]:
        axes.legend()
    figure.savefig(to, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"), help="cpu (the default) or cuda:N")
    parser.add_argument("-o", "--output", default="train_cross_modality_head.png", help="the picture of the curves")
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    data = generate(generator)
    head, curves = train(data, options.epochs, options.device, generator)
    before = data[:, :, TRAINED:]
    after = embed(head, before)
    for name, ranking in ("as they came", rank(before)), ("of the head", rank(after)):
        print(f"features {name}: Rank-1 {ranking.rank1:.3f}, mAP {ranking.mean_average_precision:.3f}")
    plot(curves, before, after, options.output)
    print(f"curves: {options.output}")


if __name__ == "__main__":
    main()
