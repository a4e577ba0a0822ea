"""Threads of this process, and what is left of them after a fork.

The libraries' threads are OpenMP's (libgomp's). They do not come along when a process forks, and libgomp waits for them in vain,
unless it is told to do with the calling thread: that is what a forked process is given here, as PyTorch gives it to the workers of
a DataLoader."""
import ctypes
import functools
import os

from ._errors import ArgumentError
from ._library import NATIVE

_forked = False


@functools.lru_cache(maxsize=None)
def _openmp() -> ctypes.CDLL:
    """What the libraries are linked with, whose names are found by way of any of them."""
    return ctypes.CDLL(os.path.join(NATIVE, "libtyto_losses.so.1"))


def set_num_threads(threads: int) -> None:
    """How many threads of the CPU the losses and operators take that the calling thread calls; at first OMP_NUM_THREADS, or one a
    processor. Where PyTorch has the same libgomp, as Debian's has, torch.set_num_threads is the same; PyPI's has its own.

    ArgumentError below 1, and for more than 1 in a process that was forked."""
    if not isinstance(threads, int) or not 1 <= threads < 2**31:
        raise ArgumentError("usage", f"threads cannot be {threads!r}; it is 1 or more")
    if _forked and threads > 1:
        raise ArgumentError("usage", f"{threads} threads: this process was forked, and has one; start workers by spawn or forkserver "
                            "(multiprocessing_context of a DataLoader)")
    _openmp().omp_set_num_threads(threads)


def get_num_threads() -> int:
    """How many threads of the CPU a call of the calling thread takes."""
    return _openmp().omp_get_max_threads()


def forked() -> bool:
    """Whether this process was forked after it had imported tyto."""
    return _forked


def _after_fork() -> None:
    global _forked
    _forked = True
    _openmp().omp_set_num_threads(1)


os.register_at_fork(after_in_child=_after_fork)
