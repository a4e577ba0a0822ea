"""Draws a street through the six cameras of a car: pictures and samples.jsonl for `tyto bev`, and what the ground really
looks like from above.

Usage: draw_street.py FOLDER [--scale 1] [--grid=-20,20,-20,20,0.1] [--rays 3]
  FOLDER/samples.jsonl   "street", and the same pictures with a wrong calibration: "yaw_NAME" takes that camera to be turned
                         by one degree, "yaw_all" every camera
  FOLDER/images/         lossless
  FOLDER/truth.png       the ground at the centres of the grid's cells; forward is up
  FOLDER/visible.npz     inside, clear: [cameras, rows, columns] of the same cells: which camera has one in its image, and
                         which sees nothing but ground there; cameras: their names
  FOLDER/grid.txt        the grid, as `tyto bev --grid` takes it
"""
import argparse
import json
import multiprocessing
import os

import numpy as np
from PIL import Image

import rig
import street

YAW_ERROR = 1.0  # degrees


def cell_centres(grid):
    """x [rows, columns] and y of a grid's cells, forward up and left at the left."""
    x0, x1, y0, y1, step = grid
    rows, columns = round((x1 - x0) / step), round((y1 - y0) / step)
    return np.meshgrid(x1 - (np.arange(rows) + 0.5) * step, y1 - (np.arange(columns) + 0.5) * step, indexing="ij")


def line(sample, cameras, yaw_errors):
    return {"id": sample, "sequence": "street", "cameras": [
        {"name": c.name, "image": f"images/{c.name}.png", "intrinsics": c.intrinsics.tolist(),
         "camera_to_ego": rig.camera_to_ego(c.name, yaw_errors.get(c.name, 0)).tolist(),
         "augmentation": c.augmentation.tolist()} for c in cameras]}


def draw(folder, scale, grid, rays):
    os.makedirs(os.path.join(folder, "images"), exist_ok=True)
    x, y = cell_centres([float(v) for v in grid.split(",")])
    cameras = [street.Camera(name, rig.intrinsics_of(name), rig.camera_to_ego(name), rig.WIDTH, rig.HEIGHT, scale)
               for name in rig.CAMERAS]
    with multiprocessing.Pool() as pool:
        pictures = pool.starmap(street.photograph, [(camera, rays) for camera in cameras], chunksize=1)
    visible = []
    for camera, (picture, only_ground) in zip(cameras, pictures):
        Image.fromarray(picture).save(os.path.join(folder, "images", camera.name + ".png"), compress_level=1)
        visible.append(street.looked_up(camera, only_ground, x, y))
    with open(os.path.join(folder, "samples.jsonl"), "w") as lines:
        wrong = {"street": {}, "yaw_all": dict.fromkeys(rig.CAMERAS, YAW_ERROR)}
        wrong |= {f"yaw_{name}": {name: YAW_ERROR} for name in rig.CAMERAS}
        for sample, errors in wrong.items():
            lines.write(json.dumps(line(sample, cameras, errors)) + "\n")
    truth = np.rint(street.ground_colour(x, y)).astype(np.uint8)
    Image.fromarray(truth).save(os.path.join(folder, "truth.png"))
    inside, clear = (np.stack(maps) for maps in zip(*visible))
    np.savez_compressed(os.path.join(folder, "visible.npz"), inside=inside, clear=clear, cameras=list(rig.CAMERAS))
    with open(os.path.join(folder, "grid.txt"), "w") as file:
        file.write(grid + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--scale", type=float, default=1, help="of the pictures, against 1600 x 900")
    parser.add_argument("--grid", default="-20,20,-20,20,0.1", help="x0,x1,y0,y1,step in metres")
    parser.add_argument("--rays", type=int, default=3, help="a pixel's, squared")
    arguments = parser.parse_args()
    draw(arguments.folder, arguments.scale, arguments.grid, arguments.rays)
