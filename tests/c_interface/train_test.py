"""examples/train_reid_head learns: its losses drop fast and then stay, and thermal queries find their identities. Usage: train_test.py PROGRAM"""
import subprocess
import sys


def run(seed):
    lines = subprocess.run([sys.argv[1], seed], check=True, capture_output=True, text=True).stdout.splitlines()
    print("\n".join(lines))
    return [[float(word) for word in line.split()] for line in lines[1:]]


for seed in "12":
    epochs, total, identity, cmdc, rank1 = zip(*run(seed))
    assert list(epochs) == list(range(1, 31))
    assert all(abs(t - i - 3 * c) < 0.005 for t, i, c in zip(total, identity, cmdc)), "the total is not identity + 3 CMDC"
    assert total[-1] < 0.4 * total[0] and identity[-1] < 0.5 * identity[0] and cmdc[-1] < 0.4 * cmdc[0]
    assert max(total[9:]) < 1.2 * min(total), "not stable after a third of the epochs"
    assert min(rank1[-5:]) > 0.8 > rank1[0]
assert run("1") == run("1"), "two runs of one seed differ"
