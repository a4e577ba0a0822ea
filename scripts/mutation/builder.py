"""Builds test executables with some sources changed, beside the build directory and not in it.

The build directory says how: the commands are its own, with a folder of changed files before all others in
which headers are looked for.
"""
import collections
import functools
import os
import pathlib
import re
import shlex
import subprocess


class DoesNotCompile(Exception):
    pass


class Builder:
    def __init__(self, root, build):
        self.root, self.build = root, build
        cache = dict(re.findall(r"^(\w+):\w+=(.*)$", (build / "CMakeCache.txt").read_text(), re.MULTILINE))
        if cache["CMAKE_GENERATOR"] != "Ninja":
            raise SystemExit(f"mutants: {build} was not made for Ninja")
        self.ninja = cache["CMAKE_MAKE_PROGRAM"]
        self._commands, self._dependents = {}, None

    def commands(self, test):
        """All that ninja would call to build a test executable, words of a command each; the last one links."""
        if test not in self._commands:
            # A link may be followed by what CMake does with the executable.
            commands = [shlex.split(line.removeprefix(": && ").split(" && ")[0])
                        for line in self._ask("commands", test).splitlines()]
            if not commands or not (self.build / output_of(commands[-1])).exists():
                raise SystemExit(f"mutants: {self.build} holds no {test}; build it first")
            self._commands[test] = commands
        return self._commands[test]

    def path_of(self, test):
        return output_of(self.commands(test)[-1])

    def dependents(self, file):
        """The object files that were compiled from a file or a header, as the build directory remembers."""
        if self._dependents is None:
            self._dependents = collections.defaultdict(set)
            target = ""
            for line in self._ask("deps").splitlines():
                if line.startswith(" "):
                    self._dependents[self._source(line.strip())].add(target)
                else:
                    target = line.split(": #deps")[0]
        return self._dependents[self._source(self.root / file)]

    @functools.cache
    def _source(self, path):
        return os.path.realpath(self.build / path)  # build/rooms holds links

    def with_changed(self, test, files, folder):
        """The executable, where the folder holds other versions of the files."""
        objects = set().union(*(self.dependents(file) for file in files))
        built = {}
        for command in self.commands(test):
            if "-c" not in command or output_of(command) not in objects:
                continue
            origin = os.path.relpath(command[command.index("-c") + 1], self.root)
            words, forced = compiler_words(command)
            built[output_of(command)] = f"{folder}/{len(built)}.o"
            self.call([*words, *(word for header in forced for word in ("-include", header)), "-iquote", folder,
                       "-o", built[output_of(command)],
                       "-c", f"{folder}/{origin}" if origin in files else str(self.root / origin)])
        if not built:
            raise SystemExit(f"mutants: {test} is made without {', '.join(files)}")
        return self.link(test, built, f"{folder}/{test}")

    def link(self, test, objects, executable):
        """The executable with objects in the place of those that the build directory made."""
        linker = self.commands(test)[-1]
        linker = [executable if word == output_of(linker) else word for word in linker if word not in objects]
        # Before the other objects and the archives: of what several define, the linker takes the first.
        first = next(i for i, word in enumerate(linker) if word.endswith(".o"))
        self.call([*linker[:first], *objects.values(), *linker[first:]])
        return executable

    def call(self, command):
        done = subprocess.run(command, cwd=self.build, capture_output=True, text=True,
                              env={**os.environ, "CCACHE_DISABLE": "1"})
        if done.returncode != 0:
            raise DoesNotCompile(done.stderr)

    def _ask(self, tool, *arguments):
        return subprocess.run([self.ninja, "-t", tool, *arguments], cwd=self.build, capture_output=True,
                              text=True).stdout


def write(folder, file, text):
    path = pathlib.Path(folder, file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def output_of(command):
    return command[command.index("-o") + 1]


def compiler_words(command):
    """A compiler's command less its files and warnings, and the headers that it is made to include."""
    kept, forced, words = [], [], iter(command)
    for word in words:
        if word == "-include":
            forced.append(next(words))
        elif word in ("-MF", "-MT", "-o", "-c"):
            next(words)
        elif word != "-MD":
            kept.append(word)
    return [*kept, "-w"], forced  # -w: what is broken may well look so
