"""Times tyto beside its peers, in turns, and prints one table. scripts/bench-peers runs it; --help tells its options."""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile

from turns import HERE, Peer, Tyto, save_input

TITLES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "pytorch": "PyTorch", "openvino-bf16": "OpenVINO bf16"}
PACKAGES = {"onnxruntime": ["onnxruntime"], "openvino": ["openvino"], "pytorch": ["torch", "torchvision"]}
TURN_MS, LEAST_RUNS = 3000, 3  # slow networks have fewer runs a turn
NETWORKS = ("simple_faster_rcnn", "ssd300_vgg16", "resnet50", "agw", "dpan", "mobilenet_v2", "ssdlite320_mobilenet_v3_large",
            "lift_splat_shoot")


class Table:
    """Markdown; a row a network and batch."""

    def __init__(self, options, has_bf16):
        self.options, self.said, self.versions = options, set(), {}
        self.columns = {"fp32": list(options.peers)}  # the peers that stand beside tyto in each precision
        if has_bf16:
            self.columns["bf16"] = ["openvino-bf16"] if "openvino" in options.peers else []

    def head(self):
        titles = ["network", "batch"]
        for precision, peers in self.columns.items():
            titles += [f"tyto {precision} ms", *(f"{TITLES[p]} ms: ratio" for p in peers)]
        return f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}"

    def row(self, folder, network, batch, about):
        """Measures: in each round everyone has a turn."""
        options = self.options
        tyto = {p: Tyto(options, folder, network, batch, about["outputs"], p) for p in self.columns}
        peers = {p: Peer(options, folder, network, batch, p) for names in self.columns.values() for p in names}
        ours = {p: [] for p in tyto}
        runs = max(LEAST_RUNS, min(options.runs, int(TURN_MS / tyto["fp32"].measure(1))))
        for _ in range(options.rounds):
            for precision in tyto:
                ours[precision].append(tyto[precision].measure(runs))
            for peer in peers.values():
                peer.measure(runs)
        for peer in peers.values():
            self.take_leave(peer, network)
        cells = [f"{network} {'x'.join(map(str, about['size']))}", str(batch)]
        for precision, names in self.columns.items():
            cells += [f"{statistics.median(ours[precision]):.2f}", *(peers[p].cell(ours[precision]) for p in names)]
        return f"| {' | '.join(cells)} |"

    def take_leave(self, peer, network):
        peer.close()
        if not peer.error:
            self.versions[TITLES[peer.name].removesuffix(" bf16")] = peer.version
        elif (about := (peer.name, network)) not in self.said:  # once, not for each batch
            self.said.add(about)
            print(f"{TITLES[peer.name]} is left out of {network}: {peer.error}", file=sys.stderr, flush=True)


def install(python, peer):
    """Whether the peer can be imported, after an attempt to install it."""
    imports = [python, "-c", f"import {', '.join(PACKAGES[peer])}"]
    if subprocess.run(imports, capture_output=True).returncode == 0:
        return True
    subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *PACKAGES[peer], "numpy"], stdout=sys.stderr)
    done = subprocess.run(imports, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"{TITLES[peer]} is left out: {(done.stderr.strip().splitlines() or ['it cannot be imported'])[-1]}", file=sys.stderr)
    return done.returncode == 0


def options_from(arguments):
    def some(choices):
        def parse(text):
            names = text.split(",")
            if unknown := set(names) - set(choices):
                raise argparse.ArgumentTypeError(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(choices)}")
            return names
        return parse

    def positive(text):
        if (number := int(text)) < 1:
            raise ValueError
        return number

    parser = argparse.ArgumentParser(prog="scripts/bench-peers", description="Times networks beside ONNX Runtime, OpenVINO and "
                                     "PyTorch on this machine, in turns, and prints one table: each peer's milliseconds a run, and "
                                     "tyto's images per second over the peer's with the rounds' extremes.")
    parser.add_argument("--rounds", type=positive, default=5, help="everyone's turns; the median counts (%(default)s)")
    parser.add_argument("--runs", type=positive, default=15, help="of a turn, at most; their median counts (%(default)s)")
    parser.add_argument("--threads", type=positive, help="of everyone; one a physical core unless given")
    parser.add_argument("--networks", type=some(NETWORKS), default=list(NETWORKS), help=f"some of {','.join(NETWORKS)}")
    parser.add_argument("--peers", type=some(PACKAGES), default=list(PACKAGES), help=f"some of {','.join(PACKAGES)}")
    parser.add_argument("--tyto", default="build/apps/tyto", help=argparse.SUPPRESS)
    parser.add_argument("--python", default=".venv/bin/python", help=argparse.SUPPRESS)  # with the peers
    return parser.parse_args(arguments)


def main():
    options = options_from(sys.argv[1:])
    info = json.loads(subprocess.run([options.tyto, "info", "--device", "cpu", "--json"], check=True, capture_output=True, text=True).stdout)
    options.threads = options.threads or int(info["threads"])
    options.peers = [peer for peer in options.peers if install(options.python, peer)]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["/usr/bin/python3", f"{HERE}/export_networks.py", folder, *options.networks], check=True)
        with open(f"{folder}/networks.json") as f:
            about = json.load(f)
        table = Table(options, "bf16" in info["precisions"])
        print(table.head(), flush=True)
        for network, facts in about.items():
            subprocess.run([options.tyto, "-q", "convert", f"{folder}/{network}.pth", "-o", f"{folder}/{network}.safetensors"],
                           check=True, capture_output=True)
            for batch in facts["batches"]:
                save_input(folder, network, batch, facts)
                print(table.row(folder, network, batch, facts), flush=True)
    versions = ", ".join(f"{name} {version}" for name, version in table.versions.items())
    print(f"\ntyto {info['tyto']} with oneDNN {info['oneDNN']}{', ' if versions else ''}{versions}; {info['instruction set']}, "
          f"{options.threads} threads each; medians of {options.rounds} rounds of {options.runs} runs, of slow networks fewer; "
          "ratio: tyto's images per second over the peer's, and the rounds' extremes")


if __name__ == "__main__":
    main()
