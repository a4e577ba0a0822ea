"""Writes networks as checkpoints (for tyto and PyTorch) and as ONNX (for the others): NAME.pth, NAME_BATCH.onnx; and what they are
as networks.json. Usage: export_networks.py FOLDER [NAME ...]"""
import json
import sys
import warnings

import torch

from networks import NETWORKS

warnings.filterwarnings("ignore")  # of tracing; the peers say themselves what they cannot read
folder, names = sys.argv[1], sys.argv[2:] or list(NETWORKS)
if unknown := set(names) - set(NETWORKS):
    sys.exit(f"there is no network {', '.join(sorted(unknown))}; there are {', '.join(NETWORKS)}")
for name in names:
    torch.manual_seed(0)
    model = NETWORKS[name].build().eval()
    torch.save(model.state_dict(), f"{folder}/{name}.pth")
    for batch in NETWORKS[name].batches:
        x = torch.randn(batch * NETWORKS[name].views, 3, *NETWORKS[name].size)
        torch.onnx.export(model, x, f"{folder}/{name}_{batch}.onnx", input_names=["input"], opset_version=NETWORKS[name].opset)
with open(f"{folder}/networks.json", "w") as f:
    json.dump({name: {key: getattr(NETWORKS[name], key) for key in ("size", "outputs", "batches", "views", "input", "beside")} for name in names}, f)
