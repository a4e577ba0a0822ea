"""The index of frustums as Lift-Splat-Shoot and BEVDet make it in PyTorch: each point's cell, a sort of the cells, and where each begins."""
import torch

from peer_cases import case

# Image and map (height, width), depth bins (first, step, how many), the grid's lower corner, its steps and cells, and whether rows are y.
RIGS = {
    "B1": ((128, 352), (8, 22), (4, 1, 41), (-50, -50, -10), (0.5, 0.5, 20), (200, 200, 1), False),
    "B4": ((256, 704), (32, 88), (1, 0.5, 118), (-54, -54, -10), (0.3, 0.3, 20), (360, 360, 1), False),
    "B7": ((640, 1760), (40, 110), (1, 0.5, 118), (-51.2, -51.2, -5), (0.8, 0.8, 8), (128, 128, 1), True),
}


def frustum(image, size, bins):
    """[bins, height, width, 3]; both make it once"""
    first, step, count = bins
    d = first + step * torch.arange(count, dtype=torch.float64)
    v, u = (torch.linspace(0, pixels - 1, n, dtype=torch.float64) for pixels, n in zip(image, size))
    return torch.stack([u.view(1, 1, -1).expand(count, *size), v.view(1, -1, 1).expand(count, *size),
                        d.view(-1, 1, 1).expand(count, *size)], -1)


def by_points(points, rotation, pose, augmentation):  # as both write it: a product a point
    cameras = len(pose)
    points = points - augmentation[:, :, 2].view(cameras, 1, 1, 1, 3) * torch.tensor([1., 1., 0.], dtype=torch.float64)
    flat = augmentation * torch.tensor([1., 1., 0.], dtype=torch.float64)
    flat[:, 2, 2] = 1
    points = torch.inverse(flat).view(cameras, 1, 1, 1, 3, 3).matmul(points.unsqueeze(-1))
    points = torch.cat((points[..., :2, :] * points[..., 2:3, :], points[..., 2:3, :]), -2)
    return rotation.view(cameras, 1, 1, 1, 3, 3).matmul(points).squeeze(-1) + pose[:, :3, 3].view(cameras, 1, 1, 1, 3)


def by_cameras(points, rotation, pose, augmentation):  # one product a camera
    cameras, flat = len(pose), points.reshape(-1, 3)
    pixels = torch.cat((flat[:, :2] * flat[:, 2:], flat[:, 2:]), -1)
    out = torch.baddbmm(pose[:, None, :3, 3], pixels.expand(cameras, -1, -1),
                        (rotation @ torch.inverse(augmentation)).transpose(1, 2))
    return out.view(cameras, *points.shape)


@case(*(f"bev_index/{name}" for name in RIGS))
def bev_index(a):
    found = [rig for rig in RIGS.values() if a["cells"].shape[1:] == (rig[2][2], *rig[1])]
    (image, size, bins, lower, step, cells, rows_are_y), = found
    points = frustum(image, size, bins)
    lower, step = (torch.tensor(v, dtype=torch.float64) for v in (lower, step))
    limits = torch.tensor(cells)

    def run(geometry):
        pose = a["camera_to_grid"].double()
        rotation = pose[:, :3, :3] @ torch.inverse(a["intrinsics"].double())
        at = ((geometry(points, rotation, pose, a["image_augmentation"].double()) - lower) / step)
        inside = ((at > -1) & (at < limits)).all(-1)
        x, y, z = at.long().unbind(-1)
        ranks = ((y * cells[0] + x) if rows_are_y else (x * cells[1] + y)) * cells[2] + z
        kept = ranks[inside]
        order = kept.argsort()
        kept = kept[order]
        torch.unique_consecutive(kept, return_counts=True)  # the intervals
        return torch.where(inside, ranks, -1).int()

    return {"as LSS": lambda: run(by_points), "a product a camera": lambda: run(by_cameras)}, a["cells"]
