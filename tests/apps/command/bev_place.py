"""What the tests of `tyto bev` share: a small Lift-Splat-Shoot and a made-up nuScenes tree, and how they are run."""
import json
import os

import torch

import nuscenes_tree as tree
import reference_bev as bev
import reference_networks as ref
from tyto_process import load_tensors, tyto
from workplace import Workplace, picture, read_bytes

IMAGE = 64, 96
SCALE = 0.1  # of the images against nuScenes' own
NETWORK = {"bounds": ((-16, 16, 1), (-8, 8, 1), (-10, 10, 20)), "depths": (2, 14, 1), "image": IMAGE, "features": 8, "divisor": 8}
SCENES = {"scene-0103": 3, "scene-0001": 2, "scene-0916": 2}


class BevPlace(Workplace):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        torch.manual_seed(1)
        network = bev.LiftSplatShoot(**NETWORK)
        network.rig = bev.rigs(6, IMAGE)
        cls.lss = ref.randomise(network, seed=3, images=torch.randn(6, 3, *IMAGE))
        cls.bev_model = cls.at("lss.safetensors")
        torch.save(cls.lss.state_dict(), cls.at("lss.pt"))
        tyto("convert", cls.at("lss.pt"), "-o", cls.bev_model)
        cls.root = cls.at("nuscenes")
        tree.write_tables(cls.root, "v1.0-mini", SCENES, sweeps=1, image_scale=SCALE)
        seed = 0
        for scene, samples in enumerate(SCENES.values()):
            for sample in range(samples):
                for camera in tree.CAMERAS:
                    path = os.path.join(cls.root, tree.file_of(camera, scene, sample))
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    picture(seed := seed + 1, 160, 90).save(path, quality=95)

    def arguments(self, name, *options, root=None):
        source = () if "--samples" in options else ("--nuscenes", root or self.root, "--version", "v1.0-mini")
        return ("bev", self.bev_model, *source, "-o", self.at(name), "--threads", "1", *options)

    def bev(self, name, *options, expect=0, root=None):
        """Its lines, and what stood on standard error."""
        _, messages = tyto("-q", *self.arguments(name, *options, root=root), expect=expect)
        with open(self.at(name, "bev.jsonl"), encoding="utf-8") as f:
            return [json.loads(line) for line in f], messages

    def map_of(self, name, line):
        return load_tensors(self.at(name, line["raw"]))["map"]

    def files_below(self, name):
        top = self.at(name)
        return sorted(os.path.relpath(os.path.join(folder, f), top) for folder, _, files in os.walk(top) for f in files)

    def assert_same_folders(self, one, other):
        self.assertEqual(self.files_below(one), self.files_below(other))
        for file in self.files_below(one):
            self.assertEqual(read_bytes(self.at(one, file)), read_bytes(self.at(other, file)), file)

    def jsonl_sample(self, scene, sample, id_=None, cameras=range(6)):
        return {"id": id_ or tree.token("a", scene, sample), "sequence": list(SCENES)[scene], "cameras": [
            {"name": tree.CAMERAS[i], "image": os.path.relpath(os.path.join(self.root, tree.file_of(tree.CAMERAS[i], scene, sample)),
                                                               self.folder),
             "intrinsics": tree.intrinsics(i, SCALE), "camera_to_ego": tree.camera_pose(i, 0.01 * scene)} for i in cameras]}

    def write_samples(self, name, samples):
        return self.write(name, "".join(json.dumps(s) + "\n" for s in samples).encode())
