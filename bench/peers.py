"""One peer with one network, in a process of its own, so that its idle threads disturb nobody.

    peers.py PEER FOLDER NETWORK BATCH THREADS

prints {"version": ...} when the network is ready, and for each line {"runs": N, "mode": M} that it reads {MODE: median milliseconds
of N runs}, of all modes where M is null. A peer that cannot says {"error": one line}.
"""
import copy
import json
import statistics
import sys
import time

import numpy as np

WARM_UPS = 2


def onnxruntime(job):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.threads
    session = onnxruntime.InferenceSession(job.onnx, options, providers=["CPUExecutionProvider"])
    return onnxruntime.__version__, {"": lambda: session.run(None, {"input": job.x})}


def openvino(job, precision="f32"):
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": job.threads, "NUM_STREAMS": 1,
                "PERFORMANCE_HINT": "LATENCY"}
    core = openvino.Core()
    request = core.compile_model(core.read_model(job.onnx), "CPU", settings).create_infer_request()
    return openvino.__version__.split("-")[0], {"": lambda: request.infer({0: job.x})}


def pytorch(job):
    import torch

    import networks

    torch.set_num_threads(job.threads)
    torch.set_grad_enabled(False)
    model = networks.load(job.network, job.checkpoint)
    model_last = copy.deepcopy(model).to(memory_format=torch.channels_last)
    x = torch.from_numpy(job.x)
    last = x.contiguous(memory_format=torch.channels_last)

    def frozen(model, example):
        return torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, example)))

    modes = {"eager": lambda: (model, x),
             "channels last": lambda: (model_last, last),
             "torch.compile": lambda: (torch.compile(model), x),
             "torch.compile, channels last": lambda: (torch.compile(model_last), last),
             "TorchScript": lambda: (frozen(model, x), x),
             "TorchScript, channels last": lambda: (frozen(model_last, last), last)}
    ready = {}
    for name, make in modes.items():
        try:
            run, example = make()
            run(example)
        except Exception as error:
            print(f"PyTorch, {name}: {one_line(error)}", file=sys.stderr)
            continue
        ready[name] = lambda run=run, example=example: run(example)
    return torch.__version__.split("+")[0], ready


PEERS = {"onnxruntime": onnxruntime, "openvino": openvino, "pytorch": pytorch,
         "openvino-bf16": lambda job: openvino(job, "bf16")}


class Job:
    def __init__(self, folder, network, batch, threads):
        self.network, self.threads = network, threads
        self.checkpoint, self.onnx = f"{folder}/{network}.pth", f"{folder}/{network}_{batch}.onnx"
        self.x = np.load(f"{folder}/{network}_{batch}.npy")


def one_line(error):
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def median_ms(run, runs):
    times = []
    for _ in range(WARM_UPS + runs):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times[WARM_UPS:])


def main():
    peer, folder, network, batch, threads = sys.argv[1:]
    try:
        version, modes = PEERS[peer](Job(folder, network, batch, int(threads)))
        if not modes:
            raise RuntimeError("no mode works")
        print(json.dumps({"version": version}), flush=True)
        for line in sys.stdin:
            turn = json.loads(line)
            wanted = [name for name in modes if turn["mode"] in (None, name)]
            print(json.dumps({name: median_ms(modes[name], turn["runs"]) for name in wanted}), flush=True)
    except Exception as error:
        print(json.dumps({"error": one_line(error)}), flush=True)


if __name__ == "__main__":
    main()
