"""Median milliseconds a run of tyto and of ONNX Runtime, in turns; prints a table with tyto's images per second over the peer's."""
import json
import os
import re
import struct
import subprocess
import sys
import time

import numpy as np
import onnxruntime

tyto, folder, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
threads = os.cpu_count()
RUNS = 15


def peer(model, x):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    times = []
    for _ in range(RUNS + 3):
        start = time.perf_counter()
        session.run(None, {"input": x})
        times.append(time.perf_counter() - start)
    return float(np.median(times[3:])) * 1e3


def ours(model, x, output):
    header = json.dumps({"input": {"dtype": "F32", "shape": list(x.shape), "data_offsets": [0, x.nbytes]}}).encode()
    with open(f"{folder}/input.safetensors", "wb") as f:
        f.write(struct.pack("<Q", len(header)) + header + x.tobytes())
    printed = subprocess.run(
        [tyto, "run", model, "--input", f"{folder}/input.safetensors", "--output", f"{folder}/output.safetensors", "--outputs", output,
         "--repeat", str(RUNS), "--threads", str(threads)], check=True, capture_output=True, text=True).stdout
    return float(re.search(r"([\d.]+) ms a run", printed).group(1))


print(f"ONNX Runtime {onnxruntime.__version__}, {threads} threads, fp32; median of {RUNS} runs, best of {rounds} rounds")
print("| network | batch | tyto ms | ONNX Runtime ms | tyto / ONNX Runtime (images per second) |\n|---|---|---|---|---|")
for name, size, output in (("resnet50", (256, 128), "features"), ("mobilenet_v2", (224, 224), "logits"),
                           ("ssd300_vgg16", (300, 300), "locations,logits"),
                           ("ssdlite320_mobilenet_v3_large", (320, 320), "locations,logits")):
    subprocess.run([tyto, "convert", f"{folder}/{name}.pth", "-o", f"{folder}/{name}.safetensors"], check=True, capture_output=True)
    for batch in (1, 8):
        x = np.random.default_rng(0).standard_normal((batch, 3, *size), dtype=np.float32)
        a, b = [], []
        for _ in range(rounds):
            a.append(ours(f"{folder}/{name}.safetensors", x, output))
            b.append(peer(f"{folder}/{name}_{batch}.onnx", x))
        print(f"| {name} {size[0]}x{size[1]} | {batch} | {min(a):.2f} | {min(b):.2f} | {min(b) / min(a):.2f} |", flush=True)
