"""A bar with rate and time left. It is Python's own, not the command's, because notebooks and tests read sys.stderr."""
import sys
import time
from typing import Any, Callable, Union

from ._errors import ArgumentError, shown

Progress = Union[None, bool, Callable[[int, int], Any]]

_CELLS = 24
_SECONDS_BETWEEN = 0.1


class Bar:
    """progress: None, a bar where sys.stderr is a terminal; True, always; False, never; or a function of (done, total)."""

    def __init__(self, what: str, total: int, progress: Progress):
        if progress is not None and not isinstance(progress, bool) and not callable(progress):
            raise ArgumentError("usage", f"progress cannot be {shown(progress)}; it is None, True, False or a function of "
                                "(done, total)")
        self._what = what
        self._total = total
        self._done = 0
        self._tell = progress if callable(progress) else None
        self._drawn = 0.0
        self._started = time.monotonic()
        self._visible = self._tell is None and total > 0 and sys.stderr is not None and (
            progress is True or (progress is None and sys.stderr.isatty()))

    def advance(self, count: int) -> None:
        self._done += count
        if self._tell is not None:
            self._tell(self._done, self._total)
            return
        now = time.monotonic()
        if not self._visible or not self._done or (now - self._drawn < _SECONDS_BETWEEN and self._done < self._total):
            return
        self._drawn = now
        rate = self._done / max(now - self._started, 1e-9)
        full = _CELLS * min(self._done, self._total) // self._total
        left = (self._total - self._done) / max(rate, 1e-9)
        self._write(f"{self._what} [{'=' * full:{_CELLS}}] {self._done}/{self._total}  {rate:.1f}/s  {left:.0f} s left")

    def close(self) -> None:
        if self._visible:
            self._write("")
            self._visible = False

    @staticmethod
    def _write(line: str) -> None:
        try:
            sys.stderr.write(f"\r\033[K{line}")
            sys.stderr.flush()
        except (OSError, ValueError):  # a closed stream; a bar is nobody's error
            pass
