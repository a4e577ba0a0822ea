#!/usr/bin/env python3
"""Adds to a wheel, before auditwheel repairs it, the copyright files of Debian's packages whose libraries it will carry.

usage: wheel_licences.py WHEEL"""
import importlib.resources
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path


def everywhere():
    """Libraries that every system has, by manylinux: they are not carried."""
    policies = json.loads((importlib.resources.files("auditwheel") / "policy" / "manylinux-policy.json").read_text())
    return {name for policy in policies for name in policy["lib_whitelist"]}


def needed(binaries):
    """Paths of the libraries that binaries load, those that loaded libraries load among them."""
    lines = subprocess.run(["ldd", *binaries], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return {name: Path(rest.split(" (")[0]) for name, arrow, rest in (line.strip().partition(" => ") for line in lines) if arrow}


def packages_of(libraries):
    """Debian's packages of files, by the paths that the packages know: /lib has been /usr/lib for some time."""
    places = {path: (path, Path("/", *path.parts[2:])) for path in {library.resolve() for library in libraries}}
    paths = [str(place) for both in places.values() for place in both]
    lines = subprocess.run(["dpkg-query", "--search", *paths], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    found = {Path(path): package.split(":")[0] for package, _, path in (line.partition(": ") for line in lines.splitlines())}
    for path, both in places.items():
        if not found.keys() & set(both):
            sys.exit(f"{path} is of no package of Debian's: its licence is not known")
    return sorted(set(found.values()))


def main(wheel):
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel, "a", zipfile.ZIP_DEFLATED) as file:
        binaries = [file.extract(name, folder) for name in file.namelist() if "/_native/" in name and not name.endswith(".h")]
        carried = [path for name, path in needed(binaries).items() if name not in everywhere()]
        info = next(name.split("/")[0] for name in file.namelist() if name.endswith(".dist-info/WHEEL"))
        for package in packages_of(carried):
            file.write(f"/usr/share/doc/{package}/copyright", f"{info}/licenses/debian/{package}")


if __name__ == "__main__":
    main(sys.argv[1])
