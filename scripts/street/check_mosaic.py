"""Compares mosaics that `tyto bev --ipm` made of draw_street.py's pictures with what the ground looks like."""
import os

import numpy as np
from PIL import Image

BOUND = 2.0  # grey levels: the mean absolute error that a right mosaic stays under, and one of a wrong calibration does not


def mosaic_errors(street, mosaics):
    """[(sample, mean absolute error in grey levels, cells it is of)]. Of ground that cameras see and of which none sees
    anything else, since cameras are blended; of a sample whose one camera is taken to be turned, the part that this
    camera sees."""
    truth = np.asarray(Image.open(os.path.join(street, "truth.png"))).astype(float)
    visible = np.load(os.path.join(street, "visible.npz"))
    inside, clear, cameras = visible["inside"], visible["clear"], list(visible["cameras"])
    unobstructed = inside.any(0) & (inside == clear).all(0)
    for picture in sorted(os.listdir(mosaics)):
        sample = picture[: -len(".png")]
        turned = sample.removeprefix("yaw_")
        cells = unobstructed & inside[cameras.index(turned)] if turned in cameras else unobstructed
        mosaic = np.asarray(Image.open(os.path.join(mosaics, picture))).astype(float)
        if mosaic.shape != (*truth.shape[:2], 4):
            raise ValueError(f"{picture} is of {mosaic.shape}, but the ground is of {truth.shape}")
        # A cell that should be seen and is not has no colour: as wrong as black is. One that a wrong calibration alone
        # loses does not count.
        if sample != "street":
            cells = cells & (mosaic[..., 3] > 0)
        yield sample, np.abs(mosaic[..., :3] - truth)[cells].mean(), int(cells.sum())
