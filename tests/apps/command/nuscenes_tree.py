"""Trees like nuScenes', made up: tables, and images where they are wanted. Also run by hand, to write tables as large as
v1.0-trainval's: nuscenes_tree.py FOLDER [VERSION]. `/usr/bin/time -v tyto bev MODEL --nuscenes FOLDER --scenes scene-0001 -o OUT`
then says what reading them costs: at most 60 s of two cores and 1 GiB."""
import json
import os
import sys

import reference_bev as bev

CAMERAS = ("CAM_FRONT_LEFT", "CAM_FRONT", "CAM_FRONT_RIGHT", "CAM_BACK_LEFT", "CAM_BACK", "CAM_BACK_RIGHT")
LIDAR, RADARS = "LIDAR_TOP", tuple(f"RADAR_{i}" for i in range(5))
LIDAR_POSE = {"rotation": [.707796, -.006492, .010646, -.706307], "translation": [.943713, 0, 1.84023]}


def token(kind, *numbers):
    """32 digits."""
    return (kind + "".join(f"{n:08x}" for n in numbers)).ljust(32, "0")[:32]


class Table:
    """A list of rows, written as they come, as nuScenes' own tables are: each value on a line of its own."""

    def __init__(self, folder, name):
        self.file = open(os.path.join(folder, name + ".json"), "w")
        self.file.write("[")
        self.separator = "\n"

    def add(self, **row):
        self.file.write(self.separator + json.dumps(row).replace(', "', ',\n"'))
        self.separator = ",\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.write("\n]")
        self.file.close()


def intrinsics(camera, scale):
    (focal, across, down), _, _ = bev.NUSCENES[camera]
    return [[focal * scale, 0, across * scale], [0, focal * scale, down * scale], [0, 0, 1]]


def camera_pose(camera, turn=0):
    """turn: metres by which the camera sits higher, so that scenes have calibrations of their own."""
    _, quaternion, (x, y, z) = bev.NUSCENES[camera]
    return {"rotation": list(quaternion), "translation": [x, y, z + turn]}


def file_of(channel, scene, sample):
    return f"samples/{channel}/scene{scene}_{sample}.jpg"


def write_tables(root, version, scenes, sweeps=0, image_scale=1):
    """scenes: how many samples each of these names has. sweeps: rows of each sensor beside a sample's key frames."""
    folder = os.path.join(root, version)
    os.makedirs(folder, exist_ok=True)
    channels = (*CAMERAS, LIDAR, *RADARS)
    with Table(folder, "sensor") as table:
        for i, channel in enumerate(channels):
            table.add(token=token("e", i), channel=channel, modality=channel.split("_")[0].lower().replace("cam", "camera"))
    names = ("scene", "sample", "calibrated_sensor", "sample_data", "ego_pose")
    tables = {name: Table(folder, name) for name in names}
    for scene, (name, samples) in enumerate(scenes.items()):
        tables["scene"].add(token=token("c", scene), log_token="", nbr_samples=samples, name=name, description="made up")
        for i, channel in enumerate(channels):
            pose = camera_pose(i, 0.01 * scene) if i < 6 else LIDAR_POSE
            tables["calibrated_sensor"].add(token=token("b", scene, i), sensor_token=token("e", i), **pose,
                                            camera_intrinsic=intrinsics(i, image_scale) if i < 6 else [])
        for sample in range(samples):
            time = 1532402927604844 + 10**9 * scene + 500000 * sample
            tables["sample"].add(token=token("a", scene, sample), timestamp=time, prev="", next="", scene_token=token("c", scene))
            for i, channel in enumerate(channels):
                for sweep in range(1 + sweeps):
                    own = token("d", scene, sample, i * 100 + sweep)
                    tables["sample_data"].add(
                        token=own, sample_token=token("a", scene, sample), ego_pose_token=own,
                        calibrated_sensor_token=token("b", scene, i), timestamp=time + sweep, fileformat="jpg",
                        is_key_frame=sweep == 0, height=900, width=1600,
                        filename=file_of(channel, scene, sample) if sweep == 0 else
                        f"sweeps/{channel}/n015-2018-07-24-11-22-45+0800__{channel}__{time + sweep}.jpg", prev="", next=own)
                    tables["ego_pose"].add(token=own, timestamp=time + sweep, rotation=[0.9, 0.001, -0.02, 0.43],
                                           translation=[1000.123456789 + sample, 600.987654321, 0.0])
    for table in tables.values():
        table.__exit__()


if __name__ == "__main__":
    # 850 scenes of 40 samples with 12 sensors: 34,000 samples, 408,000 key frames and 2.6 million rows of sample_data.
    write_tables(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "v1.0-trainval",
                 {f"scene-{i:04}": 40 for i in range(1, 851)}, sweeps=5)
