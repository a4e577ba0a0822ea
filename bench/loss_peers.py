"""The losses of kernel_peers.py: PyTorch as trainers write them, forward and backward."""
import math

import torch
import torch.nn.functional as F
import torchvision

from peer_cases import case


@case("cmdc_64x2048", "cmdc_256x2048", "cmdc_1024x2048")
def cmdc(a):  # no code of it is public; as one would write it, without a loop over centres
    labels, modalities = a["labels"].long(), a["modalities"].long()

    def run(means):
        with torch.enable_grad():
            features = a["features"].requires_grad_()
            x = F.normalize(features)
            keys, key_of = torch.unique(labels * 2 + modalities, return_inverse=True)
            centers = means(x, key_of, len(keys))
            distances = torch.cdist(centers, x)
            same = (keys // 2)[:, None] == labels
            positive, negative = F.relu(distances - 0.3) * same, F.relu(1.0 - distances) * ~same
            loss = (positive.sum(1) / same.sum(1) + negative.sum(1) / (~same).sum(1)).mean()
            return torch.autograd.grad(loss, features)[0]

    def by_product(x, key_of, count):
        member = F.one_hot(key_of, count).T.to(x.dtype)
        return member @ x / member.sum(1, keepdim=True)

    def by_index(x, key_of, count):
        sums = torch.zeros(count, x.shape[1]).index_add(0, key_of, x)
        return sums / torch.bincount(key_of, minlength=count)[:, None]

    return {"means by a product": lambda: run(by_product), "means by index_add": lambda: run(by_index)}, a["gradient"]


@case("circle_64x2048", "circle_256x2048", "circle_1024x2048")
def circle(a):  # as pytorch-metric-learning's users write it, with a mask a kind, and without picking the pairs out
    labels, n = a["labels"].long(), len(a["labels"])
    above = torch.ones(n, n, dtype=torch.bool).triu(1)
    same = labels[:, None] == labels

    def run(logsumexp):
        with torch.enable_grad():
            features = a["features"].requires_grad_()
            x = F.normalize(features)
            s = x @ x.T
            positive = -32 * F.relu(1.25 - s.detach()) * (s - 0.75)
            negative = 32 * F.relu(s.detach() + 0.25) * (s - 0.25)
            loss = F.softplus(logsumexp(positive, same & above) + logsumexp(negative, ~same & above))
            return torch.autograd.grad(loss, features)[0]

    return {"picked": lambda: run(lambda logits, mask: torch.logsumexp(logits[mask], 0)),
            "masked": lambda: run(lambda logits, mask: torch.logsumexp(logits.masked_fill(~mask, -math.inf).flatten(), 0)),
            }, a["gradient"]


def over_distances(name, unit=True):
    """A case of a loss that is a function of all distances, of which rows share a label, and which are not one row twice."""
    def add(loss):
        def of(a):
            labels = a["labels"].long()
            same, others = labels[:, None] == labels, ~torch.eye(len(labels), dtype=torch.bool)

            def run():
                with torch.enable_grad():
                    features = a["features"].requires_grad_()
                    x = F.normalize(features) if unit else features
                    return torch.autograd.grad(loss(torch.cdist(x, x), same, others), features)[0]
            return {"": run}, a["gradient"]
        case(name)(of)
    return add


def mean_of_positive(values):
    return values[values > 0].sum() / max(1, (values > 0).sum())


@case("cross_entropy_64x751")
def cross_entropy(a):
    def run():
        with torch.enable_grad():
            x = a["features"].requires_grad_()
            loss = F.cross_entropy(x, a["labels"].long(), label_smoothing=0.1)
            return torch.autograd.grad(loss, x)[0]
    return {"": run}, a["gradient"]


@case("arcface_256x2048x751")
def arcface(a):  # as pytorch-metric-learning writes it
    scale, margin = 64, math.radians(28.6)

    def run():
        with torch.enable_grad():
            x, weights = a["features"].requires_grad_(), a["weights"].requires_grad_()
            labels = a["labels"].long()
            cosines = F.normalize(x) @ F.normalize(weights, dim=0)
            of_label = cosines.gather(1, labels[:, None])
            angle = torch.acos(torch.clamp(of_label, -1, 1))
            inside = angle <= math.pi - margin
            target = torch.where(inside, torch.cos(angle + margin), torch.cos(angle) - margin * math.sin(margin))
            logits = scale * cosines.scatter(1, labels[:, None], target)
            return torch.autograd.grad(F.cross_entropy(logits, labels), (x, weights))[0]
    return {"": run}, a["gradient"]


@over_distances("triplet_256x2048")
def triplet(d, same, others):
    s = 1 - d.detach() ** 2 / 2
    positive, negative = same & others, ~same
    hard_positive = positive & (s - 0.1 < s.masked_fill(same, -math.inf).amax(1, keepdim=True))
    hard_negative = negative & (s + 0.1 > s.masked_fill(~positive, math.inf).amin(1, keepdim=True))
    anchors, p, n = torch.where(hard_positive[:, :, None] & hard_negative[:, None, :])
    return mean_of_positive(F.relu(d[anchors, p] - d[anchors, n] + 0.3))


@over_distances("contrastive_256x2048")
def contrastive(d, same, others):
    return mean_of_positive(d[same & others]) + mean_of_positive(F.relu(1 - d[~same]))


@over_distances("lifted_256x2048")
def lifted(d, same, others):
    a = torch.logsumexp(d.masked_fill(~(same & others), -math.inf), 1)
    b = torch.logsumexp((1 - d).masked_fill(same, -math.inf), 1)
    return F.relu(a + b).mean()


@over_distances("batch_hard_triplet_256x2048", unit=False)
def batch_hard_triplet(d, same, others):
    return F.relu(d.masked_fill(~same, -math.inf).amax(1) - d.masked_fill(same, math.inf).amin(1) + 0.3).mean()


@over_distances("weighted_regularized_triplet_256x2048", unit=False)
def weighted_regularized_triplet(d, same, others):
    def weights(values, mask):
        e = (values - (values * mask).amax(1, keepdim=True)).exp() * mask
        return e / (e.sum(1, keepdim=True) + 1e-6)
    return F.softplus((d * weights(d * same, same)).sum(1) - (d * weights(-d * ~same, ~same)).sum(1)).mean()


def corners(priors):
    return torch.cat([priors[:, :2] - priors[:, 2:] / 2, priors[:, :2] + priors[:, 2:] / 2], 1)


def matched(a):
    """Labels and location targets of each image, found as ssd.pytorch finds them: an image after the other."""
    priors, variance = a["priors"], torch.tensor([0.1, 0.1, 0.2, 0.2])
    labels, targets = [], []
    for boxes, classes, count in zip(a["boxes"], a["classes"], a["counts"]):
        boxes = boxes[:count]
        overlaps = torchvision.ops.box_iou(boxes, corners(priors))
        best, of = overlaps.max(0)
        for j, prior in enumerate(overlaps.argmax(1)):
            best[prior], of[prior] = 2, j
        label = classes[:count].long()[of] + 1
        label[best < 0.5] = 0
        box = boxes[of]
        middle, size = (box[:, :2] + box[:, 2:]) / 2, box[:, 2:] - box[:, :2]
        offsets = torch.cat([(middle - priors[:, :2]) / priors[:, 2:], (size / priors[:, 2:]).log()], 1)
        labels.append(label)
        targets.append(offsets / variance)
    return torch.stack(labels), torch.stack(targets)


def mined(losses, positive, for_hard):
    """Positives and hard negatives, by the double sort."""
    losses = losses.detach().masked_fill(positive, 0)
    rank = losses.sort(1, descending=True)[1].sort(1)[1]
    negatives = (3 * positive.sum(1, keepdim=True)).clamp(max=losses.shape[1] - 1)
    negatives[negatives == 0] = for_hard
    return positive | (rank < negatives)


@case("multibox_32x8732x21", "multibox_32x8732x81")
def multibox(a):
    def run():
        labels, targets = matched(a)
        with torch.enable_grad():
            locations, logits = a["locations"].requires_grad_(), a["logits"].requires_grad_()
            positive = labels > 0
            every = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels)
            selected = mined(every, positive, 0)
            loss = F.smooth_l1_loss(locations[positive], targets[positive], reduction="sum")
            loss = (loss + F.cross_entropy(logits[selected], labels[selected], reduction="sum")) / positive.sum()
            return torch.autograd.grad(loss, (logits, locations))[0]
    return {"": run}, a["logits_gradient"]


@case("multibox_distillation_32x8732x21", "multibox_distillation_32x8732x81")
def multibox_distillation(a):
    weights = torch.full((a["logits"].shape[-1],), 1.0)
    weights[0] = 1.5

    def run():
        labels, targets = matched(a)
        with torch.enable_grad():
            locations, logits = a["locations"].requires_grad_(), a["logits"].requires_grad_()
            positive = labels > 0
            every = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels)
            selected = mined(every, positive, 100)
            at, wanted, taught = locations[positive], targets[positive], a["teacher_locations"][positive]
            apart = ((at - wanted) ** 2).sum(1)
            l2 = apart[apart > ((taught - wanted) ** 2).sum(1)].sum()
            of_student = F.softmax(logits[selected], 1) + 1e-5
            of_teacher = F.softmax(a["teacher_logits"][selected], 1) + 1e-5
            soft = (weights * of_teacher * (of_teacher / of_student).log()).sum()
            hard = F.cross_entropy(logits[selected], labels[selected], reduction="sum")
            location = F.smooth_l1_loss(at, wanted, reduction="sum")
            loss = (0.3 * soft + 0.7 * hard + 0.5 * l2 + location) / positive.sum().clamp(min=1)
            return torch.autograd.grad(loss, (logits, locations))[0]
    return {"": run}, a["logits_gradient"]
