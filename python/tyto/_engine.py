"""Options of whatever runs a network, and what it says."""
import logging
from typing import Any, Dict

from ._errors import ArgumentError, shown
from ._process import forked

_LOGGER = logging.getLogger("tyto")


def engine_options(what: str, device: Any, threads: Any, memory_limit: Any) -> Dict[str, Any]:
    """threads: 1 where this process was forked, in which OpenMP has no others. ArgumentError for more."""
    if forked():
        if threads not in (0, 1):
            raise ArgumentError("usage", f"{what}: threads={shown(threads)}: this process was forked, and has one; start workers "
                                "by spawn or forkserver")
        threads = 1
    return {"device": device, "threads": threads, "memory_limit": memory_limit}


def tell(said: Dict[str, Any]) -> None:
    """What the engine has to say goes to the logger `tyto`."""
    for notice in said["notices"]:
        _LOGGER.info(notice)
