"""tyto detect stopped, killed or out of disk, and resumed."""
import json
import os
import shutil
import signal
import subprocess
import time
import unittest

from detection_place import DetectionPlace, clip
from raw_video import avi
from test_interrupt import limit_file_size
from tyto_process import TYTO, tyto
from workplace import read_bytes


class Interrupted(DetectionPlace):
    DEADLINE = 60  # seconds

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_images("in", [f"a{i:02}.png" for i in range(6)], width=30, height=20)
        cls.write("in/b.avi", avi(clip(1, 5), 10))
        cls.make_images("in", ["c.png"], seed=50)
        cls.write("in/d.avi", avi(clip(2, 150), 10))
        cls.make_images("in", ["e.png"], seed=60)
        cls.arguments = (cls.at("in"), "--batch", "4", "--draw", "--threads", "1", "--set", "max_detections=5")
        tyto("-q", "detect", cls.detector, "-o", cls.at("whole"), *cls.arguments)
        cls.whole = read_bytes(cls.at("whole", "detections.jsonl"))

    def check_resumes(self, name, *options):
        tyto("-q", "detect", self.detector, "-o", self.at(name), *self.arguments, "--resume", *options)
        self.assertEqual(read_bytes(self.at(name, "detections.jsonl")), self.whole)
        self.assertEqual(self.files_below(name), self.files_below("whole"))
        for file in ("pictures/b.mov", "pictures/d.mov", "pictures/e.jpg"):
            self.assertEqual(read_bytes(self.at(name, file)), read_bytes(self.at("whole", file)), file)

    def start_and_stop(self, name, number):
        """Starts a run into the folder `name` and sends the signal amid the second video."""
        process = subprocess.Popen([TYTO, "-q", "detect", self.detector, "-o", self.at(name), *self.arguments],
                                   stderr=subprocess.PIPE, text=True)
        lines, until = self.at(name, "detections.jsonl"), time.monotonic() + self.DEADLINE
        while not os.path.exists(lines) or b"d.avi#4" not in read_bytes(lines):
            self.assertIsNone(process.poll(), "it ended before the signal")
            self.assertLess(time.monotonic(), until)
            time.sleep(0.001)
        process.send_signal(number)
        _, messages = process.communicate(timeout=self.DEADLINE)
        return process.returncode, messages

    def test_signals(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)):
            name = f"stopped{number}"
            got, messages = self.start_and_stop(name, number)
            self.assertEqual(got, code, messages)
            if number != signal.SIGKILL:
                self.assert_one_sentence(messages)
                self.assertIn("interrupted", messages)
                self.assertEqual([file for file in self.files_below(name) if file.endswith(".tmp")], [])
            self.assertTrue(self.whole.startswith(read_bytes(self.at(name, "detections.jsonl"))))
            self.assertNotIn("pictures/d.mov", self.files_below(name))
            self.check_resumes(name)

    def test_lines_cut_anywhere_resume(self):
        first_of_d = self.whole.index(b"{\"image\": \"" + self.at("in", "d.avi").encode())
        state = self.state("whole")
        state["finished"] = False
        del state["videos"][self.at("in", "d.avi")]
        for cut in (0, 1, self.whole.index(b"\n"), self.whole.index(b"\n") + 1, first_of_d - 1, first_of_d):
            shutil.rmtree(self.at("cut"), ignore_errors=True)
            shutil.copytree(self.at("whole"), self.at("cut"))
            self.write("cut/detections.jsonl", self.whole[:cut])
            self.write("cut/run.json", json.dumps(state).encode())
            self.check_resumes("cut")

    def test_a_finished_run_resumes_to_itself(self):
        shutil.copytree(self.at("whole"), self.at("finished"))
        written = os.stat(self.at("finished", "pictures", "d.mov")).st_mtime_ns
        self.check_resumes("finished")
        self.assertEqual(os.stat(self.at("finished", "pictures", "d.mov")).st_mtime_ns, written)

    def test_output_among_the_inputs(self):
        images = self.make_images("among", ["1.png", "2.png"], width=30, height=20)
        options = (images, "--draw", "--crops", os.path.join(images, "crops"))
        first, _ = self.detect("among/out", *options)
        self.assertEqual(len(first), 2)
        tyto("-q", "detect", self.detector, "-o", self.at("among/out"), *options)
        self.assertEqual(self.lines("among/out"), first)

    def test_every_option_that_decides_the_lines_is_refused_when_it_changes(self):
        deciding = {"--every": ["2"], "--score-threshold": ["0.2"], "--set": ["max_detections=4"], "--classes": ["1"],
                    "--crops": [self.at("c")], "--trace": [self.at("t")], "--show-threshold": ["0.3"], "--exif-orientation": [], "--autotune": [],
                    "--batch": None, "--draw": None, "--precision": None}
        self.assert_options_are("detect", deciding, ("--output", "--coco", "--coco-annotations", "--decoders", "--resume", "--json",
                                                     "--device", "--threads", "--memory-limit", "--synchronous", "--help"))
        shutil.copytree(self.at("whole"), self.at("refused"))
        self.write("refused/detections.jsonl", self.whole[:-10])
        others = [(*self.arguments, name, *value) for name, value in deciding.items() if value is not None]
        others += [(*self.arguments, self.at("in", "c.png")), [a for a in self.arguments if a != "--draw"],
                   ["3" if a == "4" else a for a in self.arguments]]
        for arguments in others:
            message = self.fails("detect", self.detector, "-o", self.at("refused"), *arguments, "--resume", code=2)
            self.assertIn("run.json belongs to a run with another model, other options or other inputs", message)
        self.assertEqual(read_bytes(self.at("refused", "detections.jsonl")), self.whole[:-10])

    def test_without_resume_what_was_done_is_not_thrown_away(self):
        shutil.copytree(self.at("whole"), self.at("kept"))
        tyto("-q", "detect", self.detector, "-o", self.at("kept"), *self.arguments)  # a finished run may be replaced
        state = self.state("kept")
        self.write("kept/run.json", json.dumps({**state, "finished": False}).encode())
        message = self.fails("detect", self.detector, "-o", self.at("kept"), *self.arguments, code=2)
        self.assertIn("--resume", message)
        self.assertEqual(read_bytes(self.at("kept", "detections.jsonl")), self.whole)

    def test_a_broken_video_is_reported_again(self):
        data = read_bytes(self.at("in", "b.avi"))
        self.write("broken/b.avi", data[: len(data) // 2])
        self.make_images("broken", ["c.png"], seed=50)
        _, first = self.detect("again", self.at("broken"), expect=3)
        _, messages = tyto("-q", "detect", self.detector, "-o", self.at("again"), "--threads", 1, self.at("broken"), "--resume",
                           expect=3)
        self.assertEqual(messages, first)
        self.assertIn("breaks off", messages)

    def test_full_disk(self):
        for limit, file in ((3000, "detections.jsonl"), (len(self.whole) // 2, None)):
            message = self.fails("detect", self.detector, "-o", self.at("failed"), *self.arguments,
                                 preexec_fn=limit_file_size(limit))
            if file:
                self.assertIn(f"{file}: cannot write: File too large", message)
            self.assertTrue(self.whole.startswith(read_bytes(self.at("failed", "detections.jsonl"))[:limit]))
            self.check_resumes("failed")
            shutil.rmtree(self.at("failed"))

    def test_full_disk_under_a_video(self):
        size = os.path.getsize(self.at("whole", "pictures", "b.mov"))
        lines, _ = self.detect("small", self.at("in", "b.avi"), "--set", "max_detections=1")
        self.assertLess(os.path.getsize(self.at("small", "detections.jsonl")), size - 2000)
        message = self.detect_fails(self.at("in", "b.avi"), "--set", "max_detections=1", "--draw",
                                    preexec_fn=limit_file_size(size - 100))
        self.assertIn("pictures/b.mov: cannot write: File too large", message)
        self.assertEqual(self.files_below("failed", "pictures"), [])
        shutil.rmtree(self.at("failed"))


if __name__ == "__main__":
    unittest.main()
