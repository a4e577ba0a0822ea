"""What the tests of `tyto evaluate` on detections share."""
import json
import os
import subprocess
import tempfile
import unittest

import numpy as np

TYTO = os.environ["TYTO"]


class EvaluateTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def at(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.at(name)), exist_ok=True)
        with open(self.at(name), "w", encoding="utf-8") as f:
            f.write(text if isinstance(text, str) else json.dumps(text))
        return self.at(name)

    def tyto(self, *args, code=0):
        """(stdout, stderr) of `tyto evaluate ARGS`, which must end with this exit code."""
        done = subprocess.run([TYTO, "evaluate", *args], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, code, (args, done.stdout, done.stderr))
        return done.stdout, done.stderr

    def evaluate(self, *args):
        return json.loads(self.tyto(*args, "--json")[0])

    def fails(self, *args, code=1):
        """The one sentence in which `tyto evaluate ARGS` fails."""
        out, sentence = self.tyto(*args, code=code)
        self.assertEqual(out, "")
        self.assertRegex(sentence, r"\Atyto: [^\n]+\n\Z")
        for trace in ("unexpected", "terminate", "std::"):
            self.assertNotIn(trace, sentence)
        return sentence

    def write_lines(self, name, lines):
        """lines: (image, [(label, label_id, score, box)]). Numbers as `tyto detect` prints them: the shortest decimals
        of floats."""
        text = ""
        for image, detections in lines:
            found = ", ".join(
                f'{{"label": {json.dumps(label)}, "label_id": {label_id}, "score": {shortest(score)}, '
                f'"bbox": [{", ".join(map(shortest, box))}]}}' for label, label_id, score, box in detections)
            text += f'{{"image": {json.dumps(image)}, "width": 640, "height": 480, "detections": [{found}]}}\n'
        return self.write(name, text)


def shortest(value):
    return np.format_float_positional(np.float32(value), unique=True, trim="0")
