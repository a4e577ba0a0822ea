"""ray_extract.py and ray_detect.py on a local Ray cluster of two nodes, beside what `tyto extract` and `tyto detect` write."""
import glob
import json
import os
import signal
import subprocess
import sys
import time
import unittest

import numpy as np

# Before Ray is loaded: nothing is told to anybody, nothing is left in the home folder, and all listen on the loopback address.
os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="disabled", RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0")
try:
    import pyarrow.parquet as pq
    from ray.cluster_utils import Cluster
except ImportError as error:
    MISSING = f"{error}; scripts/test-python installs Ray in a venv"
else:
    MISSING = ""

from detection_place import DetectionPlace
from tyto_process import load_tensors
from workplace import feature_paths

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples")
BATCH = 4


@unittest.skipIf(MISSING, MISSING)
class RayExamples(DetectionPlace):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        cls.addClassCleanup(cluster.shutdown)
        cluster.add_node(num_cpus=1)
        cls.address = cluster.address
        cls.images = cls.make_images("images", [f"{i % 3}/{i:02}.png" for i in range(27)])
        cls.write("images/1/cut.jpg", b"\xff\xd8\xff\xe0")  # named and skipped

    def start(self, script, model, output, *options):
        return subprocess.Popen([sys.executable, os.path.join(EXAMPLES, script), model, self.images, "-o", self.at(output),
                                 "--workers", "2", "--batch", str(BATCH), *options], text=True, stderr=subprocess.PIPE,
                                env={**os.environ, "RAY_ADDRESS": self.address}, start_new_session=True)

    def run_example(self, script, model, output, *options):
        done = self.start(script, model, output, *options)
        _, messages = done.communicate(timeout=120)
        self.assertEqual(done.returncode, 0, messages)
        return messages

    def rows(self, output):
        """What stands in the Parquet files, by name; each name once."""
        rows = pq.read_table(self.at(output)).to_pylist()
        found = {row["name"]: row for row in rows}
        self.assertEqual(len(found), len(rows))
        return found

    def test_features_are_the_bytes_of_the_command(self):
        messages = self.run_example("ray_extract.py", self.model, "features", "--chunk", "6")
        self.assertEqual(len(glob.glob(self.at("features", "*"))), 5)
        self.assertRegex(messages, r"left out: .*1/cut\.jpg: ")
        of_command, _ = self.extract("features.safetensors", "--gallery", self.images, "--batch", BATCH, expect=3)
        rows = self.rows("features")
        self.assertRegex(rows["1/cut.jpg"]["error"], r"1/cut\.jpg: ")
        self.assertIsNone(rows.pop("1/cut.jpg")["feature"])
        names = feature_paths(of_command)["gallery"]
        self.assertEqual(sorted(names), sorted(rows))
        features = np.array([rows[name]["feature"] for name in names], np.float32)
        self.assertEqual(features.tobytes(), load_tensors(of_command)["gallery.features"].tobytes())

    def test_detections_are_those_of_the_command(self):
        messages = self.run_example("ray_detect.py", self.detector, "detections", "--chunk", "6")
        self.assertRegex(messages, r"left out: .*1/cut\.jpg: ")
        of_command, _ = self.detect("out", self.images, "--batch", BATCH, expect=3)
        rows = self.rows("detections")
        self.assertIsNone(rows.pop("1/cut.jpg")["detections"])
        self.assertEqual(len(of_command), len(rows))
        self.assertGreater(sum(len(line["detections"]) for line in of_command), 27)
        for line in of_command:
            row = rows[os.path.relpath(line["image"], self.images)]
            self.assertEqual((row["width"], row["height"]), (line["width"], line["height"]))
            for wanted in line["detections"]:  # whose decimals are those of a float32
                wanted["score"] = float(np.float32(wanted["score"]))
                wanted["bbox"] = np.array(wanted["bbox"], np.float32).tolist()
            self.assertEqual(json.dumps(row["detections"]), json.dumps(line["detections"]))

    def test_a_killed_run_goes_on(self):
        self.run_example("ray_extract.py", self.model, "whole", "--chunk", "1")
        killed = self.start("ray_extract.py", self.model, "killed", "--chunk", "1")
        while not (done := glob.glob(self.at("killed", "*.parquet"))):
            self.assertIsNone(killed.poll())
            time.sleep(0.01)
        os.killpg(killed.pid, signal.SIGKILL)
        killed.communicate()
        done = {path: os.stat(path).st_mtime_ns for path in done}
        self.assertLess(len(done), 28)
        messages = self.run_example("ray_extract.py", self.model, "killed", "--chunk", "5")
        self.assertRegex(messages, r"28 images, [1-9]\d* of them done before")
        self.assertEqual(self.rows("killed"), self.rows("whole"))
        self.assertEqual({path: os.stat(path).st_mtime_ns for path in done}, done)
        self.assertRegex(self.run_example("ray_extract.py", self.model, "killed"), "28 images, 28 of them done before")

    def test_an_output_of_other_options_is_refused(self):
        self.run_example("ray_extract.py", self.model, "of_four")
        refused = self.start("ray_extract.py", self.model, "of_four", "--batch", "2")
        self.assertRegex(refused.communicate()[1], "name another folder with -o")
        self.assertEqual(refused.returncode, 1)


if __name__ == "__main__":
    unittest.main()
