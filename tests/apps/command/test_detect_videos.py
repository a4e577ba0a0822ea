"""tyto detect on videos, sound and broken ones."""
import os
import shutil
import unittest

import numpy as np
from PIL import Image

from detection_place import DetectionPlace, clip
from raw_video import avi, mov_facts
from workplace import read_bytes


class Videos(DetectionPlace):
    FRAMES = 23

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.frames = clip(5, cls.FRAMES)
        cls.clip = cls.write("videos/clip.avi", avi(cls.frames, 10))
        for i, frame in enumerate(cls.frames):
            os.makedirs(cls.at("frames"), exist_ok=True)
            Image.fromarray(frame).save(cls.at("frames", f"{i:03}.png"))

    def expect_frames(self, lines, video, numbers):
        self.assertEqual([line["image"] for line in lines], [f"{video}#{n}" for n in numbers])
        for line, n in zip(lines, numbers):
            self.assertEqual(line["detections"], self.of_frame[n]["detections"])

    @property
    def of_frame(self):
        if "of_frame_" not in type(self).__dict__:
            type(self).of_frame_, _ = self.detect("of_frames", self.at("frames"))
        return self.of_frame_

    def test_frames_are_images(self):
        lines, _ = self.detect("out", self.clip)
        self.expect_frames(lines, self.clip, range(self.FRAMES))

    def test_every(self):
        for every in (1, 7, 22, 23, 1000):
            lines, _ = self.detect("out", self.clip, "--every", every, "--decoders", "3")
            self.expect_frames(lines, self.clip, range(0, self.FRAMES, every))

    def test_among_images(self):
        shutil.copy(self.at("frames", "004.png"), self.at("videos", "a.png"))
        shutil.copy(self.at("frames", "002.png"), self.at("videos", "x.png"))
        lines, _ = self.detect("out", self.at("videos"), "--every", "10")
        for name in ("a.png", "x.png"):
            os.remove(self.at("videos", name))
        self.assertEqual([os.path.basename(line["image"]) for line in lines],
                         ["a.png", "clip.avi#0", "clip.avi#10", "clip.avi#20", "x.png"])
        self.assertEqual(lines[4]["detections"], self.of_frame[2]["detections"])

    def annotated(self, folder, *arguments, **options):
        lines, messages = self.detect(folder, *arguments, "--draw", **options)
        (video,) = self.files_below(folder, "pictures")
        return lines, messages, self.at(folder, "pictures", video)

    def test_annotated_video_keeps_the_times(self):
        _, _, drawn = self.annotated("out", self.clip, "--every", "4")
        self.assertEqual(os.path.basename(drawn), "clip.mov")
        times, width, height = mov_facts(read_bytes(drawn))
        self.assertEqual((width, height), (40, 30))
        np.testing.assert_allclose(times, [0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.3])  # 23 frames, 10 a second
        lines, _, again = self.annotated("again", drawn)  # now a video of a variable rate
        self.assertEqual(len(lines), 6)
        np.testing.assert_allclose(mov_facts(read_bytes(again))[0], times)

    def test_broken_tail(self):
        broken = self.write("broken/tail.avi", read_bytes(self.clip)[: 15 * 40 * 30 * 3])
        lines, messages = self.detect("out", self.at("broken"), self.at("frames", "001.png"), "--draw", expect=3)
        self.assertGreater(len(lines), 10)
        self.assertLess(len(lines), 16)
        self.expect_frames(lines[:-1], broken, range(len(lines) - 1))
        sentence = f"{broken}: breaks off after frame {len(lines) - 2}"
        self.assertIn(sentence, messages)
        self.assertIn("1 of 2 images and videos skipped", messages)
        self.assertIn(sentence, read_bytes(self.at("out", "skipped.txt")).decode())
        times, _, _ = mov_facts(read_bytes(self.at("out", "pictures", "tail.mov")))
        np.testing.assert_allclose(times, np.arange(len(lines)) / 10)

    def test_a_folder_hides_nothing_that_looks_like_a_picture_or_video(self):
        shutil.copy(self.clip, self.at("frames", "phone.MTS"))
        unread = [self.write("frames/" + name, b"of another kind") for name in ("a.heic", "b.svg", "c.cr2", "d.swf")]
        for name in ("Thumbs.db", "labels.txt", "camera.mat"):
            self.write("frames/" + name, b"no picture")
        try:
            lines, messages = self.detect("out", self.at("frames"), "--every", "10", expect=3)
            self.assertEqual(sum("phone.MTS#" in line["image"] for line in lines), 3)
            self.assertIn(f"4 of {self.FRAMES + 5} images and videos skipped", messages)
            listed = read_bytes(self.at("out", "skipped.txt")).decode().splitlines()
            self.assertEqual([line.split(":")[0] for line in listed], unread)

            _, messages = self.extract("features", "--gallery", self.at("frames"), expect=3)
            self.assertIn(f"5 of {self.FRAMES + 5} images skipped", messages)
            listed = read_bytes(self.at("features.skipped.txt")).decode()
            self.assertIn("phone.MTS: a video; `tyto detect --crops` cuts images out of it", listed)
        finally:
            for name in ("phone.MTS", "a.heic", "b.svg", "c.cr2", "d.swf", "Thumbs.db", "labels.txt", "camera.mat"):
                os.remove(self.at("frames", name))

    def test_videos_without_frames(self):
        data = read_bytes(self.clip)
        headers = self.write("bad/headers.avi", data[: data.index(b"movi") + 50])
        other = self.write("bad/other.mp4", b"no video at all")
        empty = self.write("bad/empty.mkv", b"")
        lines, messages = self.detect("out", self.at("bad"), self.clip, "--every", "11", expect=3)
        self.expect_frames(lines, self.clip, (0, 11, 22))
        for file in (headers, other, empty):
            self.assertIn(f"tyto: {file}: no video (", messages)
        self.assertEqual(len(messages.splitlines()), 4)  # and nothing of FFmpeg's own
        self.assertIn("none of 3 inputs could be read", self.detect_fails(self.at("bad")))


if __name__ == "__main__":
    unittest.main()
