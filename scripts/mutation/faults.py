"""Faults that a person thought of, as they are written down.

Paragraphs: what is wrong, in a line of its own; the changes that make it so; and who sees it:

    the captured graph is launched on the stream of uploads
    engine/cuda/executable.cpp
    - graph_.launch(stream);
    + graph_.launch(device_->upload);
    seen by cuda_backend_test Emulated.AWarmRunIsOneGraphAndOneWaitAndNoAllocation

A change is a file, lines that stand there once, and those that come in their place; a fault may have several. White
space does not count, so that formatting leaves them valid. Comments start with "# ".
"""
import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Change:
    file: str
    old: tuple
    new: tuple


@dataclasses.dataclass(frozen=True)
class Fault:
    title: str
    changes: tuple
    executable: str
    test: str  # a filter of GoogleTest's

    def texts(self, root):
        """The files as the fault has them, by name; ValueError names the lines that are not there, or not once."""
        texts = {}
        for change in self.changes:
            text = texts.get(change.file) or (root / change.file).read_text()
            pattern = r"\s+".join(re.escape(word) for word in " ".join(change.old).split())
            places = list(re.finditer(pattern, text))
            if len(places) != 1:
                raise ValueError(f"{change.file} holds this {len(places)} times:\n  " + "\n  ".join(change.old))
            texts[change.file] = text[:places[0].start()] + "\n".join(change.new) + text[places[0].end():]
        return texts


def read(path):
    text = re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE)
    return [parse(block.strip().splitlines()) for block in re.split(r"\n\s*\n", text) if block.strip()]


def parse(lines):
    found = re.fullmatch(r"seen by (\S+) (\S+)", lines[-1])
    if not found:
        raise ValueError(f"{lines[0]}: the last line is no 'seen by EXECUTABLE TEST'")
    changes, old, new = [], [], []
    for line in [*lines[1:-1], ""]:
        if line.startswith("- "):
            old.append(line[2:])
        elif line.startswith("+"):
            new.append(line[2:])
        else:
            if old:
                changes.append(Change(file, tuple(old), tuple(new)))
            file, old, new = line, [], []
    if not changes:
        raise ValueError(f"{lines[0]}: nothing is changed")
    return Fault(lines[0], tuple(changes), *found.groups())
