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


def package_of(library):
    """Debian's package of a file, by the path that the package knows: /lib has been /usr/lib for some time."""
    real = library.resolve()
    for path in (real, Path("/", *real.parts[2:]) if real.parts[1] == "usr" else Path("/usr", *real.parts[1:])):
        found = subprocess.run(["dpkg-query", "--search", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if found.returncode == 0:
            return found.stdout.split(":")[0]
    sys.exit(f"{library} is of no package of Debian's: its licence is not known")


def main(wheel):
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel, "a", zipfile.ZIP_DEFLATED) as file:
        binaries = [file.extract(name, folder) for name in file.namelist() if "/_native/" in name and not name.endswith(".h")]
        carried = {name: path for name, path in needed(binaries).items() if name not in everywhere()}
        info = next(name.split("/")[0] for name in file.namelist() if name.endswith(".dist-info/WHEEL"))
        for package in sorted({package_of(path) for path in carried.values()}):
            file.write(f"/usr/share/doc/{package}/copyright", f"{info}/licenses/debian/{package}")


if __name__ == "__main__":
    main(sys.argv[1])
