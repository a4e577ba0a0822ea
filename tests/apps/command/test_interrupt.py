"""Ctrl-C, kill, a full disk and a damaged journal: nothing that was done is lost, and --resume ends in the same bytes."""
import os
import resource
import shutil
import signal
import subprocess
import time
import unittest

from tyto_process import TYTO, tyto
from workplace import Workplace, read_bytes


def limit_file_size(limit):
    """For preexec_fn: writes beyond `limit` bytes fail, as on a full disk."""

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return limited


class LongExtraction(Workplace):
    IMAGES = 40
    SLOWLY = ("--batch", "1", "--multi-scale", ",".join(["1"] * 40))  # each image passes the network 80 times
    RECORDS_BEFORE_THE_SIGNAL = 3
    DEADLINE = 60  # seconds

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.gallery = cls.make_images("gallery", [f"{i:04}.png" for i in range(cls.IMAGES)], width=16, height=32)
        cls.arguments = ("--gallery", cls.gallery, *cls.SLOWLY)
        tyto("extract", cls.model, "-o", cls.at("whole"), "--threads", 1, *cls.arguments)
        cls.whole = read_bytes(cls.at("whole"))

    def start_and_stop(self, name, number):
        """Starts an extraction into the file `name` and sends the signal once its journal has some records."""
        process = subprocess.Popen([TYTO, "extract", self.model, "-o", self.at(name), "--threads", "1", *self.arguments],
                                   stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        journal, begun, until = self.at(name + ".journal"), None, time.monotonic() + self.DEADLINE
        while begun is None or os.path.getsize(journal) < begun + self.RECORDS_BEFORE_THE_SIGNAL * 96:
            self.assertIsNone(process.poll(), "it ended before the signal")
            self.assertLess(time.monotonic(), until)
            time.sleep(0.001)
            if begun is None and os.path.exists(journal) and os.path.getsize(journal) > 0:
                begun = os.path.getsize(journal)
        process.send_signal(number)
        _, messages = process.communicate(timeout=self.DEADLINE)
        return process.returncode, messages

    def check_resumes(self, name):
        self.assertTrue(os.path.exists(self.at(name + ".journal")))
        self.assertFalse(os.path.exists(self.at(name)))
        self.assert_nothing_half()
        _, messages = tyto("extract", self.model, "-o", self.at(name), "--threads", 1, *self.arguments, "--resume")
        self.assertRegex(messages, r"going on after ([3-9]|[123]\d) images")
        self.assertEqual(read_bytes(self.at(name)), self.whole)
        self.assert_nothing_half(name + ".journal")

    def check_signal(self, number, code):
        name = f"stopped{code}"
        got, messages = self.start_and_stop(name, number)
        self.assertEqual(got, code, messages)
        self.assert_one_sentence(messages.splitlines(keepends=True)[-1])
        self.assertIn("interrupted", messages)
        self.check_resumes(name)

    def test_ctrl_c(self):
        self.check_signal(signal.SIGINT, 130)

    def test_kill(self):
        self.check_signal(signal.SIGTERM, 143)

    def test_kill_9(self):
        code, _ = self.start_and_stop("killed", signal.SIGKILL)
        self.assertEqual(code, -signal.SIGKILL)
        self.check_resumes("killed")


class Journal(Workplace):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.gallery = cls.make_images("gallery", [f"{i:04}.png" for i in range(6)], width=16, height=32)
        cls.query = cls.make_images("query", ["q.png"], seed=90, width=16, height=32)
        cls.arguments = ("--gallery", cls.gallery, "--query", cls.query, "--batch", "2")
        tyto("extract", cls.model, "-o", cls.at("whole"), "--threads", 1, *cls.arguments)
        cls.whole = read_bytes(cls.at("whole"))
        # A disk that is full when the output is written, the larger of the two, leaves the journal of all images.
        done = subprocess.run([TYTO, "extract", cls.model, "-o", cls.at("full"), "--threads", "1", *cls.arguments],
                              capture_output=True, text=True, preexec_fn=limit_file_size(len(cls.whole) - 1))
        if done.returncode != 1 or "full: cannot write" not in done.stderr:
            raise AssertionError(done.stderr)
        cls.journal = read_bytes(cls.at("full.journal"))

    def check_resumes_from(self, journal, about):
        self.write("out.journal", journal)
        self.extract("out", *self.arguments, "--resume")
        self.assertEqual(read_bytes(self.at("out")), self.whole, about)
        os.remove(self.at("out"))

    def test_a_journal_cut_anywhere_resumes(self):
        size = len(self.journal)
        for cut in sorted({0, 1, 20, 27, 28, *range(40, size, size // 12), size - 1, size}):
            self.check_resumes_from(self.journal[:cut], cut)

    def test_a_damaged_record_is_done_again(self):
        records = self.journal.rindex(b"\n", 0, self.journal.index(b"q.png")) + 1
        for at in range(records, len(self.journal), 41):
            damaged = bytearray(self.journal)
            damaged[at] ^= 0x55
            self.check_resumes_from(bytes(damaged), at)

    def test_every_option_that_decides_features_is_refused_when_it_changes(self):
        deciding = {"--flip": [], "--no-flip": [], "--exif-orientation": [], "--autotune": [], "--multi-scale": ["1,1.1"], "--shard": ["0/2"],
                    "--thermal": None, "--visible": None, "--modality-pattern": None, "--root": None, "--split": None, "--set": ["stride=1"],
                    "--multi-query": [self.query], "--gallery": None, "--query": None, "--batch": None, "--precision": None}
        self.assert_options_are("extract", deciding, ("--output", "--dataset", "--name-pattern", "--format", "--decoders", "--resume",
                                                      "--json", "--device", "--threads", "--memory-limit", "--synchronous", "--help"))
        others = [(*self.arguments, name, *value) for name, value in deciding.items() if value is not None]
        others += [self.arguments[2:], (*self.arguments[:2], *self.arguments[4:]), (*self.arguments[:-1], "4")]
        for arguments in others:
            self.write("out.journal", self.journal)
            message = self.fails("extract", self.model, "-o", self.at("out"), *arguments, "--resume", code=2)
            self.assertIn("out.journal belongs to a run with another model, other options or other inputs", message)
            self.assertEqual(read_bytes(self.at("out.journal")), self.journal)
        for change in (("--preprocess", "resize=pil-bilinear"), ("--set", "stride=1")):  # of the same tensors
            tyto("convert", self.checkpoint, "-o", self.at("other.safetensors"), *change)
            self.fails("extract", self.at("other.safetensors"), "-o", self.at("out"), *self.arguments, "--resume", code=2)
        shutil.copy(self.model, self.at("same.safetensors"))
        tyto("extract", self.at("same.safetensors"), "-o", self.at("out"), *self.arguments, "--resume")

    def test_without_resume_finished_images_are_not_thrown_away(self):
        self.write("out.journal", self.journal)
        message = self.fails("extract", self.model, "-o", self.at("out"), *self.arguments, code=2)
        self.assertIn("--resume", message)
        self.assertEqual(read_bytes(self.at("out.journal")), self.journal)

    def test_without_resume_it_starts_anew(self):
        self.write("new.journal", b"something else")
        self.extract("new", *self.arguments)
        self.assertEqual(read_bytes(self.at("new")), self.whole)


class FullDisk(Workplace):
    def test_extract_keeps_what_was_done(self):
        gallery = self.make_images("gallery", [f"{i:04}.png" for i in range(12)], width=16, height=32)
        arguments = ("--gallery", gallery, "--batch", "1", "--threads", "1")
        whole, _ = self.extract("whole", "--gallery", gallery, "--batch", "1")
        for limit in (100, 700):
            message = self.fails("extract", self.model, "-o", self.at("out"), *arguments,
                                 preexec_fn=limit_file_size(limit))
            self.assertIn("out.journal: cannot write: File too large", message)
            self.assert_nothing_half("out")
        tyto("extract", self.model, "-o", self.at("out"), *arguments, "--resume")
        self.assertEqual(read_bytes(self.at("out")), read_bytes(whole))

    def test_other_outputs_are_whole_or_not_there(self):
        folder = self.make_images("few", ["0001_c1s1_0.png", "0002_c2s1_0.png"], width=16, height=32)
        features, _ = self.extract("few.out", "--gallery", folder, "--query", folder, "--dataset", "market1501")
        for limit, command, output in ((5000, ["convert", self.checkpoint, "-o"], "half.safetensors"),
                                       (300, ["merge", features, "-o"], "half.merged"),
                                       (20, ["rank", features, "-o"], "half.ranking"),
                                       (100, ["evaluate", features, "-o"], "half.evaluation")):
            message = self.fails(*command, self.at(output), preexec_fn=limit_file_size(limit))
            self.assertIn("cannot write: File too large", message)
            if os.path.isdir(self.at(output)):
                self.assertEqual(os.listdir(self.at(output)), [], output)
            else:
                self.assert_nothing_half(output)

    def test_standard_output(self):
        with open("/dev/full", "w") as full:
            for arguments in (["info"], ["selftest", "--json"], ["inspect", self.model]):
                done = subprocess.run([TYTO, "-q", *arguments], stdout=full, stderr=subprocess.PIPE, text=True)
                self.assertEqual(done.returncode, 1, arguments)
                self.assert_one_sentence(done.stderr, arguments)
                self.assertIn("No space left on device", done.stderr)


if __name__ == "__main__":
    unittest.main()
