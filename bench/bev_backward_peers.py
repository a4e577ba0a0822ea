"""The gradient of bird's-eye-view pooling in kernel_peers.py: PyTorch's autograd through softmax, lift and index_add. The graph of the
forward pass is made once; what is timed goes back through it."""
import torch

from peer_cases import case


@case("bev_backward/B1", "bev_backward/B3", "bev_backward/B7")
def bev_backward(a):
    cells = a["cells"].reshape(-1).long()
    kept = (cells >= 0).nonzero()[:, 0]

    def graph(lift):
        with torch.enable_grad():
            depth, features = a["depth"].clone().requires_grad_(), a["features"].clone().requires_grad_()
            out = torch.zeros_like(a["gradient"]).index_add(0, cells[kept], lift(depth.softmax(1), features))
        return lambda: torch.autograd.grad(out, (depth, features), a["gradient"], retain_graph=True)[1]

    def outer(weights, features):  # LSS: the lifted tensor, of which those inside are kept
        return (weights[..., None] * features[:, None]).reshape(-1, features.shape[-1])[kept]

    def picked(weights, features):  # the points inside alone are lifted
        camera, rest = kept // weights[0].numel(), kept % weights[0, 0].numel()
        pixels = camera * weights[0, 0].numel() + rest
        return weights.reshape(-1, 1)[kept] * features.reshape(-1, features.shape[-1])[pixels]

    return {"lifted": graph(outer), "picked": graph(picked)}, a["features_gradient"]
