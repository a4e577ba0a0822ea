"""BEV pooling in PyTorch: the lifted tensor, and its rows summed by index_add; and by Lift-Splat-Shoot's cumsum trick. Which points lie in
which cell is made before, as all do whose calibration stays."""
import torch

from peer_cases import case


@case(*(f"bev_pool/B{i}" for i in range(1, 9)))
def bev_pool(a):
    depth, features, cells, out = a["depth"], a["features"], a["cells"], a["out"]
    cameras, height, width, bins = depth.shape
    channels = features.shape[-1]
    cells = cells.permute(0, 2, 3, 1).reshape(-1).long()  # of the lifted rows [cameras, height, width, bins]
    kept = torch.nonzero(cells >= 0)[:, 0]
    of_kept = cells[kept]
    order = of_kept.argsort(stable=True)
    sorted_rows, sorted_cells = kept[order], of_kept[order]
    last = torch.ones(len(order), dtype=torch.bool)
    last[:-1] = sorted_cells[1:] != sorted_cells[:-1]

    def lifted():
        return (depth.softmax(-1)[..., None] * features[..., None, :]).view(-1, channels)

    def by_index():
        return torch.zeros(out.numel() // channels, channels).index_add_(0, of_kept, lifted()[kept]).view(out.shape)

    def by_index_of_points():  # without rows of points outside
        weights = depth.softmax(-1).view(-1)[kept]
        rows = features.view(-1, channels)[kept // bins]
        return torch.zeros(out.numel() // channels, channels).index_add_(0, of_kept, weights[:, None] * rows).view(out.shape)

    def by_cumsum():
        sums = lifted()[sorted_rows].cumsum(0)[last]
        sums = torch.cat((sums[:1], sums[1:] - sums[:-1]))
        grid = torch.zeros(out.numel() // channels, channels)
        grid[sorted_cells[last]] = sums
        return grid.view(out.shape)

    return {"lift + index_add": by_index, "kept points + index_add": by_index_of_points, "cumsum": by_cumsum}, out
