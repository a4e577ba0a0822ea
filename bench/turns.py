"""Who is measured, turn by turn: tyto and its peers, each in a process of its own, with one network and batch."""
import json
import os
import statistics
import struct
import subprocess

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


def save_input(folder, network, batch, about):
    """about: the network's entry in networks.json."""
    size = about["size"]
    x = np.random.default_rng(0).standard_normal((batch * about["views"], 3, *size), dtype=np.float32)
    np.save(f"{folder}/{network}_{batch}.npy", x)
    tensors = {about["input"]: x}
    for name, sample in about["beside"].items():
        tensors[name] = np.stack([np.float32(sample)] * batch)
    if "rcnn" in network:  # which takes its images' sizes
        tensors["sizes"] = np.tile(np.float32((*size, *size)), (batch, 1))
    header, end = {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [end, end + tensor.nbytes]}
        end += tensor.nbytes
    text = json.dumps(header).encode()
    with open(f"{folder}/{network}_{batch}.safetensors", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(tensor.tobytes() for tensor in tensors.values()))


class Tyto:
    """One network of tyto's; a process a turn."""

    def __init__(self, options, folder, network, batch, outputs, precision):
        self.command = [options.tyto, "run", f"{folder}/{network}.safetensors", "--input", f"{folder}/{network}_{batch}.safetensors",
                        "--outputs", outputs, "--device", "cpu", "--threads", options.threads, "--precision", precision,
                        "--json", "--repeat"]

    def measure(self, runs):
        done = subprocess.run(list(map(str, [*self.command, runs])), check=True, capture_output=True, text=True)
        return json.loads(done.stdout)["run_ms"]


class Peer:
    """One network of a peer's, in a process that waits between its turns."""

    def __init__(self, options, folder, network, batch, name):
        self.name, self.mode, self.times = name, None, []
        self.process = subprocess.Popen(
            list(map(str, [options.python, f"{HERE}/peers.py", name, folder, network, batch, options.threads])),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.version = self.answer().get("version", "")

    def answer(self):
        line = self.process.stdout.readline()
        found = json.loads(line) if line.startswith("{") else {"error": f"it ended with {self.process.wait()}"}
        self.error = found.get("error")
        return found

    def measure(self, runs):
        """A turn. In the first, all modes are tried; the fastest of them has the others."""
        if self.error:
            return
        self.process.stdin.write(json.dumps({"runs": runs, "mode": self.mode}) + "\n")
        self.process.stdin.flush()
        found = self.answer()
        if self.error:
            return
        if self.mode is None:
            self.mode = min(found, key=found.get)
        self.times.append(found[self.mode])

    def cell(self, ours):
        """Its milliseconds, and tyto's images per second over its own: the median of the rounds and their extremes."""
        if self.error:
            return "-"
        ratios = [theirs / tyto for tyto, theirs in zip(ours, self.times)]
        mode = f" ({self.mode})" if self.mode else ""
        return f"{statistics.median(self.times):.2f}{mode}: **{statistics.median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f})"

    def close(self):
        self.process.stdin.close()
        self.process.wait()
