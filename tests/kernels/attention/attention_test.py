"""Attention and its gradients against PyTorch's autograd in float64. Usage: attention_test.py ATTENTION_PIPE"""

import subprocess
import sys
import unittest

import numpy as np
import torch


class Pipe:
    def __init__(self, executable):
        self.process = subprocess.Popen([executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, command, arrays, shapes):
        self.process.stdin.write((command + "\n").encode() + b"".join(a.tobytes() for a in arrays))
        self.process.stdin.flush()
        return [np.frombuffer(self.process.stdout.read(4 * int(np.prod(s))), np.float32).reshape(s) for s in shapes]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()


def leaf(array):
    return torch.from_numpy(array).double().requires_grad_()


def by_head(rows, heads):
    """[batch, tokens, heads * size] -> [batch, heads, tokens, size]"""
    return rows.unflatten(2, (heads, -1)).transpose(1, 2)


def repeated(shared, batch):
    """Item b of the batch takes b % len(shared)."""
    return shared.repeat(batch // len(shared), *[1] * (shared.dim() - 1))


def softmax(scores):
    """PyTorch's, but zeros for a row of -infinity."""
    nothing = torch.isneginf(scores).all(-1, keepdim=True)
    return torch.softmax(scores.masked_fill(nothing, 0), -1).masked_fill(nothing, 0)


class Bound:
    """How far roundings may move a result from its value, as attention_reference.h derives it: relative to the sum of
    the sizes of its terms."""

    def __init__(self, scores, sizes, depth, width, sums):
        kept = ~torch.isneginf(scores)
        size = sizes.masked_fill(~kept, 0).amax(-1)
        p = softmax(scores)
        below = (p * (scores.amax(-1, keepdim=True) - scores).masked_fill(~kept, 0)).sum(-1)
        keys = scores.shape[-1]
        score = 5 * (depth + 2) ** 0.5 * size + below
        unit = 2.0**-24
        self.probability = 2 * float(torch.expm1(unit * (score + 12)).max()) + unit * (5 * keys**0.5 + 2)
        self.y = self.probability + unit * (5 * keys**0.5 + 2)
        self.gradient = 2 * self.probability + unit * (5 * (width + 2 * max(keys, sums)) ** 0.5 + 4)


class AttentionKernels(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pipe = Pipe(EXECUTABLE)

    @classmethod
    def tearDownClass(cls):
        assert cls.pipe.close() == 0

    def near(self, got, expected, size, error, what):
        difference = np.abs(got - expected.detach().numpy())
        self.assertTrue((difference <= error * size.detach().numpy()).all(), (what, difference.max()))

    def compare(self, batch=1, heads=1, queries=1, depth=1, width=1, sets=((1, 0, 1, 0, 1),), largest=4, seed=0):
        """sets: keys, batch and heads of the bias, batch and queries of the mask (batch 0: none) each."""
        rng = np.random.default_rng(seed)
        normal = lambda *shape: rng.normal(size=shape).astype(np.float32)
        scale = np.float32(largest / (5 * depth**0.5))
        q, gradient = normal(batch, queries, heads * depth), normal(batch, queries, heads * width)
        arrays, shapes, leaves = [q, gradient], [gradient.shape, q.shape], [leaf(q)]
        scores, sizes, values = [], [], []
        for keys, bias_batch, bias_heads, mask_batch, mask_queries in sets:
            k, v = normal(batch, keys, heads * depth), normal(batch, keys, heads * width)
            arrays += [k, v]
            shapes += [k.shape, v.shape]
            leaves += [leaf(k), leaf(v)]
            product = by_head(leaves[0], heads) @ by_head(leaves[-2], heads).transpose(2, 3)
            size = by_head(leaves[0], heads).abs() @ by_head(leaves[-2], heads).abs().transpose(2, 3)
            score, size = float(scale) * product, float(scale) * size
            values.append(by_head(leaves[-1], heads))
            if bias_batch:
                bias = normal(bias_batch, bias_heads, queries, keys)
                arrays.append(bias)
                shapes.append(bias.shape)
                leaves.append(leaf(bias))
                score, size = score + repeated(leaves[-1], batch), size + repeated(leaves[-1], batch).abs()
            if mask_batch:
                mask = (rng.random((mask_batch, mask_queries, keys)) < 0.6).astype(np.int32)
                if mask_queries > 1:
                    mask[:, -1] = 0  # of one set alone: no key at all
                arrays.append(mask)
                kept = repeated(torch.from_numpy(mask) != 0, batch)[:, None]
                score = score.masked_fill(~kept, -np.inf)
            scores.append(score)
            sizes.append(size)
        scores, sizes, values = torch.cat(scores, -1), torch.cat(sizes, -1), torch.cat(values, 2)
        numbers = [batch, heads, queries, depth, width, repr(float(scale)), len(sets)] + [n for one in sets for n in one]
        got = self.pipe.ask("attention " + " ".join(map(str, numbers)), arrays, shapes)

        p = softmax(scores)
        y = (p @ values).transpose(1, 2).flatten(2)
        y.backward(torch.from_numpy(gradient).double())
        bound = Bound(scores.detach(), sizes.detach(), depth, width, batch * heads * queries)
        largest_value = values.detach().abs().amax()
        self.near(got[0], y, largest_value.expand(y.shape), bound.y, "y")
        # The sizes of the gradients' terms.
        with torch.no_grad():
            of_y = by_head(torch.from_numpy(gradient).double().abs(), heads)
            of_p = of_y @ values.abs().transpose(2, 3)
            of_scores = p * (of_p + (p * of_p).sum(-1, keepdim=True))
            rows = lambda by_heads: by_heads.transpose(1, 2).flatten(2)
            split = [one[0] for one in sets]
            size_of_q, terms = 0, []
            left = iter(leaves[1:])
            for one, of_score, share in zip(sets, of_scores.split(split, -1), p.split(split, -1)):
                k, v = by_head(next(left), heads), next(left)
                size_of_q = size_of_q + rows(of_score @ k.abs())
                terms.append(float(scale) * rows(of_score.transpose(2, 3) @ by_head(leaves[0], heads).abs()))
                terms.append(rows(share.transpose(2, 3) @ of_y))
                if one[1]:
                    shared = of_score.unflatten(0, (-1, one[1])).sum(0)
                    terms.append(shared.sum(1, keepdim=True) if one[2] == 1 else shared)
                    next(left)
            terms.insert(0, float(scale) * size_of_q)
        for i, (of, size) in enumerate(zip(leaves, terms)):
            self.near(got[1 + i], of.grad, size, bound.gradient, i)

    def test_attention(self):
        for n in (1, 2, 31, 65):
            self.compare(batch=2, queries=n, depth=8, width=16, sets=[(n, 0, 1, 0, 1)], seed=n)
        self.compare(heads=3, queries=49, depth=32, width=24, sets=[(49, 0, 1, 0, 1)])
        self.compare(batch=2, queries=7, depth=256, width=40, sets=[(300, 0, 1, 0, 1)])
        self.compare(queries=100, depth=32, width=8, sets=[(90, 0, 1, 0, 1)], largest=80)

    def test_attention_with_biases_and_masks(self):
        for bias in [(0, 1), (1, 1), (2, 3), (4, 1)]:
            for mask in [(0, 1), (1, 1), (2, 9), (4, 1)]:
                self.compare(batch=4, heads=3, queries=9, depth=4, width=6, sets=[(21, *bias, *mask)])

    def test_attention_to_several_sets_in_one_softmax(self):
        self.compare(batch=2, heads=2, queries=20, depth=8, width=8, sets=[(5, 0, 1, 0, 1), (70, 1, 2, 0, 1), (1, 0, 1, 0, 1)])
        self.compare(batch=2, heads=2, queries=20, depth=8, width=8, sets=[(5, 2, 1, 2, 1), (33, 1, 2, 1, 20)])

    def test_position_attention(self):
        cases = [(2, 1, 1, 8, 0.75), (2, 65, 8, 16, 0.75), (1, 130, 32, 40, -1.5), (1, 31, 4, 8, 0.0)]
        for seed, (batch, positions, depth, channels, gamma) in enumerate(cases):
            rng = np.random.default_rng(seed)
            normal = lambda c: rng.normal(size=(batch, positions, c)).astype(np.float32)
            arrays = [normal(depth) / 2, normal(depth), normal(channels), normal(channels), normal(channels)]
            shapes = [(batch, positions, c) for c in (channels, depth, depth, channels, channels)]
            numbers = f"{batch} {positions} {depth} {channels} {gamma}"
            got = self.pipe.ask("position " + numbers, arrays, [*shapes, (1,)])

            # As DANet's PAM_Module has it.
            q, k, v, x = map(leaf, arrays[:4])
            factor = leaf(np.float32([gamma]))
            energy = torch.bmm(q, k.transpose(1, 2))
            p = torch.softmax(energy, -1)
            y = factor * torch.bmm(p, v) + x
            y.backward(torch.from_numpy(arrays[4]).double())
            with torch.no_grad():
                bound = Bound(energy, q.abs() @ k.abs().transpose(1, 2), depth, channels, batch * positions)
                of_y = torch.from_numpy(arrays[4]).double().abs()
                of_p = of_y @ v.abs().transpose(1, 2)
                dots = (p * of_p).sum(-1, keepdim=True)
                of_scores = abs(gamma) * p * (of_p + dots)
                sizes = [of_scores @ k.abs(), of_scores.transpose(1, 2) @ q.abs()]
                sizes += [abs(gamma) * p.transpose(1, 2) @ of_y, torch.zeros_like(x), dots.sum()]
                size_of_y = abs(gamma) * v.abs().amax() + x.abs()
            self.near(got[0], y, size_of_y, bound.y, "y")
            for name, result, of, size in zip("qkvxg", got[1:], (q, k, v, x, factor), sizes):
                self.near(result, of.grad, size, bound.gradient, name)


if __name__ == "__main__":
    EXECUTABLE = sys.argv.pop(1)
    unittest.main()
