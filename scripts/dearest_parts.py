#!/usr/bin/env python3
"""Prints what the ten dearest parts of a run cost: building a target, running a test. Seconds by the clock, of jobs that ran side
by side.

Usage: dearest_parts.py BEGIN BUILD...     what happened in these build folders since BEGIN, in seconds since 1970"""
import collections
import pathlib
import re
import sys
import xml.etree.ElementTree

MOST = 10


def built_since(begin, build):
    """(target, seconds): of its objects and its link."""
    seconds = collections.Counter()
    seen = set()
    log = build / ".ninja_log"
    for line in log.read_text().splitlines()[1:] if log.exists() else ():
        start, end, finished, output, command = line.split("\t")
        if int(finished) / 1e9 < begin or (start, end, command) in seen:  # a step of several outputs has a line for each
            continue
        seen.add((start, end, command))
        target = re.search(r"CMakeFiles/(\w+)\.dir/", output)
        seconds[target[1] if target else pathlib.Path(output).stem.removeprefix("lib")] += (int(end) - int(start)) / 1000
    return seconds.items()


def tested_since(begin, build):
    results = build / "tests.xml"
    if results.exists() and results.stat().st_mtime >= begin:
        for case in xml.etree.ElementTree.parse(results).iter("testcase"):
            yield case.get("name"), float(case.get("time"))


def main():
    begin, *builds = sys.argv[1:]
    parts = []
    for build in map(pathlib.Path, builds):
        for kind, costs in (("build", built_since(float(begin), build)), ("test", tested_since(float(begin), build))):
            parts += [(seconds, kind, f"{name} ({build.name})" if build.name != "build" else name) for name, seconds in costs]
    if parts:
        print("The dearest parts, in seconds:")
    for seconds, kind, name in sorted(parts, reverse=True)[:MOST]:
        print(f"  {seconds:6.1f}  {kind:5}  {name}")


if __name__ == "__main__":
    main()
