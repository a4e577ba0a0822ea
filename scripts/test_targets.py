#!/usr/bin/env python3
"""Prints the CMake targets that the tests whose names match a regular expression need, one a line.

A program whose tests GoogleTest names is known by the names in its sources, so that it need not be built to be asked. Any
other test needs the targets whose files its command, its environment or its REQUIRED_FILES name.

Usage: test_targets.py BUILD REGEX [--sanitized]     BUILD: configured, with .cmake/api/v1/query/codemodel-v2 in it
--sanitized: of those targets the ones that the asan preset builds."""
import argparse
import functools
import json
import pathlib
import re
import sys

TEST = re.compile(r"^\s*(TYPED_)?TEST(_[FP])?\(\s*(\w+),\s*(\w+)\s*\)", re.MULTILINE)
INSTANCE = re.compile(r"^\s*INSTANTIATE_TEST_SUITE_P\(\s*(\w+),\s*(\w+),(.*?)\);\s*$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"(?:add_test|set_tests_properties)\((?:\[=\[)?([^] ]+)")


class CodeModel:
    """What CMake's file API says of a configured build."""

    def __init__(self, build):
        reply = build / ".cmake/api/v1/reply"
        index = json.loads(max(reply.glob("index-*.json")).read_text())
        model = json.loads((reply / index["reply"]["codemodel-v2"]["jsonFile"]).read_text())
        self.source = pathlib.Path(model["paths"]["source"])
        self.targets = {}  # by id
        for entry in model["configurations"][0]["targets"]:
            self.targets[entry["id"]] = json.loads((reply / entry["jsonFile"]).read_text())

    def named(self, name):
        return next(target for target in self.targets.values() if target["name"] == name)

    @functools.cache
    def needs(self, id):
        """A target's id and those of all that it is made of."""
        return {id}.union(*(self.needs(other["id"]) for other in self.targets[id].get("dependencies", [])))

    def sources(self, target):
        return [self.source / source["path"] for source in target.get("sources", [])]


def names_in(text):
    """The tests of a source, as ctest may call them; of parameters that are no literals the first is guessed."""
    instances = INSTANCE.findall(text)
    for typed, kind, suite, test in TEST.findall(text):
        if kind == "_P":
            for prefix, of, values in instances:
                if of == suite:
                    for value in ["0", *re.findall(r'"(.*?)"', values)]:
                        yield f"{prefix}/{suite}.{test}/{value}"
        else:
            yield f"{suite}/0.{test}" if typed else f"{suite}.{test}"


def discovered(build, target):
    """Whether GoogleTest names the tests of this program."""
    return target["type"] == "EXECUTABLE" and any((build / target["paths"]["build"]).glob(f"{target['name']}[[]*_include.cmake"))


def targets_of(build, model, pattern):
    for target in model.targets.values():
        if discovered(build, target) and any(
                pattern.search(name) for source in model.sources(target) if source.suffix in (".cpp", ".cu") and source.exists()
                for name in names_in(source.read_text())):
            yield target["id"]
    artifacts = {str(build / artifact["path"]): target["id"] for target in model.targets.values()
                 for artifact in target.get("artifacts", [])}
    for file in build.rglob("CTestTestfile.cmake"):
        for line in file.read_text().splitlines():
            if (named := NAMED.match(line)) and pattern.search(named[1]):
                for word in re.split(r'[ ";=]', line):
                    if word in artifacts:
                        yield artifacts[word]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("pattern", type=re.compile)
    parser.add_argument("--sanitized", action="store_true")
    arguments = parser.parse_args()
    model = CodeModel(arguments.build)
    needed = set(targets_of(arguments.build, model, arguments.pattern))
    if arguments.sanitized:
        needed &= {entry["id"] for entry in model.named("sanitized_tests").get("dependencies", [])}
    for id in needed:
        # What another one is made of is built with it.
        if not any(id in model.needs(other) for other in needed if other != id):
            print(model.targets[id]["name"])


if __name__ == "__main__":
    sys.exit(main())
