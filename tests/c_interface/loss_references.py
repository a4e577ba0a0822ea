"""The losses of features and classifiers in PyTorch's own operations: what papers and projects say. Features [rows, width], labels y
and modalities m [rows]."""
import itertools
import math

import torch
import torch.nn.functional as F


def unit(x):
    return x / x.norm(dim=1, keepdim=True)


def distances(a, b):
    """Without a gradient at 0."""
    return (a[:, None] - b[None]).norm(dim=-1)


# --- pairs ---


def pairs(y):
    """Which pairs have one label, but for a row and itself, and which have two."""
    same = y[:, None] == y[None]
    return same & ~torch.eye(len(y), dtype=torch.bool), ~same


def circle(f, y, margin=0.25, gamma=32):
    i, j = torch.triu_indices(len(y), len(y), 1)
    s, same = (unit(f) @ unit(f).T)[i, j], y[i] == y[j]
    p, n = s[same], s[~same]
    lp = -gamma * (1 + margin - p.detach()).relu() * (p - (1 - margin))
    ln = gamma * (n.detach() + margin).relu() * (n - margin)
    return torch.logaddexp(lp.logsumexp(0) + ln.logsumexp(0), torch.zeros((), dtype=f.dtype))


def triplet(f, y, margin=0.3, epsilon=0.1):
    """epsilon: of the miner; None: all triplets."""
    positive, negative = pairs(y)
    d, s = distances(unit(f), unit(f)), (unit(f) @ unit(f).T).detach()
    if epsilon is not None:
        least = s.masked_fill(~positive, math.inf).min(1, keepdim=True)[0]
        most = s.masked_fill(~negative, -math.inf).max(1, keepdim=True)[0]
        positive, negative = positive & (s - epsilon < most), negative & (s + epsilon > least)
    v = (d[:, :, None] - d[:, None] + margin)[positive[:, :, None] & negative[:, None]]
    return v[v > 0].mean()


def contrastive(f, y, most=0, least=1):
    (positive, negative), d = pairs(y), distances(unit(f), unit(f))
    p, n = (d[positive] - most).relu(), (least - d[negative]).relu()
    return p[p > 0].mean() + (n[n > 0].mean() if (n > 0).any() else 0)


def lifted(f, y, most=0, least=1):
    (positive, negative), d = pairs(y), distances(unit(f), unit(f))
    a = (d - most).masked_fill(~positive, -math.inf).logsumexp(1)
    return (a + (least - d).masked_fill(~negative, -math.inf).logsumexp(1)).relu().mean()


def instance(f, y, gamma=32, added_length=1e-8, by_identity=False):
    if by_identity:
        f = torch.stack([f[y == k].mean(0) for k in y.unique()])
    u = f / (f.norm(dim=1, keepdim=True) + added_length)
    return F.cross_entropy(gamma * u @ u.T, torch.arange(len(f)))


def batch_hard_triplet(f, y, margin=0.3):
    same, d = y[:, None] == y[None], distances(f, f).clamp(min=1e-6)
    return (d.masked_fill(~same, 0).max(1)[0] - d.masked_fill(same, math.inf).min(1)[0] + margin).relu().mean()


def weighted_regularized_triplet(f, y):
    same, d = y[:, None] == y[None], distances(f, f).clamp(min=1e-6)
    a = (d.masked_fill(~same, 0) - d.masked_fill(~same, 0).max(1, keepdim=True)[0]).exp() * same
    b = (-d).exp() * ~same
    w = a / (a.sum(1, keepdim=True) + 1e-6), b / (b.sum(1, keepdim=True) + 1e-6)
    z = (w[0] * d).sum(1) - (w[1] * d).sum(1)
    return torch.logaddexp(z, torch.zeros_like(z)).mean()


# --- classifiers ---


def cross_entropy(logits, y, **options):
    """Logits [parts, rows, classes] or of one part; options are torch's."""
    return sum(F.cross_entropy(part, y, **options) for part in logits.view(-1, *logits.shape[-2:]))


def margin_softmax(features, y, weights, method, margin, scale):
    """method: arc_face, cos_face or sphere_face; weights [width, classes]."""
    def psi(c):
        theta = c.clamp(-1, 1).acos()
        if method == "arc_face":
            return torch.where(theta <= math.pi - margin, (theta + margin).cos(), c - margin * math.sin(margin))
        if method == "cos_face":
            return c - margin
        k = (margin * theta.detach() / math.pi).floor()
        return (-1) ** k * (margin * theta).cos() - 2 * k

    c = unit(features) @ unit(weights.T).T
    return F.cross_entropy(scale * torch.where(F.one_hot(y, weights.shape[1]).bool(), psi(c), c), y)


def symmetric_kl(first, second):
    a, b = first.log_softmax(1), second.log_softmax(1)
    return (F.kl_div(a, b, reduction="batchmean", log_target=True) + F.kl_div(b, a, reduction="batchmean", log_target=True)) / 2


# --- centres ---


def centers(x, y, m=None):
    """[(label, modality, centre)] in the order of labels, visible first; without m of both modalities."""
    found = []
    for k, modality in itertools.product(y.unique().tolist(), (None,) if m is None else (0, 1)):
        members = y == k if modality is None else (y == k) & (m == modality)
        if members.any():
            found.append((k, modality, x[members].mean(0)))
    return found


def cmdc(f, y, m, kind="modality", hard=False, bounds=(0.3, 1), weight=0, normalize=True, learned=None):
    x = unit(f) if normalize else f
    if kind == "learned":
        around = [(k, None, learned[k]) for k in y.unique().tolist()]
    else:
        around = centers(x, y, m if kind == "modality" else None)
    value = 0
    for k, _, center in around:
        d = (x - center).norm(dim=1)
        near, far = (d[y == k] - bounds[0]).relu(), (bounds[1] - d[y != k]).relu()
        value = value + (near.max() + far.max() if hard else near.mean() + far.mean()) / len(around)
    own = torch.stack([next(c for k, of, c in around if k == label and of in (None, modality)) for label, modality in zip(y, m)])
    return value + weight / (2 * len(y)) * (x - own).square().sum()


def identity_and_cmdc(logits, f, y, m):
    """The total, identity, cmdc."""
    identity, pulled = F.cross_entropy(logits, y, label_smoothing=0.1), cmdc(f, y, m)
    return identity + 3 * pulled, identity, pulled


def center(f, y, c):
    return (f - c[y]).square().sum() / 2


HETERO_DISTANCES = {"squared": lambda a, b: (a - b).square().sum(), "absolute": F.l1_loss,
                    "cosine": lambda a, b: 1 - F.cosine_similarity(a, b, 0)}


def hetero_center(f, y, m, distance="squared", margin=0.1):
    found, value = centers(f, y, m), 0
    for k in y.unique():
        pair = [c for of, _, c in found if of == k]
        if len(pair) == 2:
            value = value + (HETERO_DISTANCES[distance](*pair) - margin).relu()
    return value


def hetero_center_triplet(f, y, m, margin=0.3):
    found = centers(f, y, m)
    k, c = torch.tensor([k for k, _, _ in found]), torch.stack([c for _, _, c in found])
    d, same = distances(c, c), k[:, None] == k[None]
    return (d.masked_fill(~same, 0).max(1)[0] - d.masked_fill(same, math.inf).min(1)[0] + margin).relu().mean()
