"""torch.compile and calls into C, which it cannot trace: the graph ends before such a call and another begins behind it."""
import functools
import sys

import torch


def eager(function):
    """A function that runs as it is written within compiled code, too."""
    untraced = None

    @functools.wraps(function)
    def call(*arguments):
        if "torch._dynamo" not in sys.modules:  # what disable() loads takes seconds, and nothing is being compiled
            return function(*arguments)
        nonlocal untraced
        if untraced is None:
            untraced = torch.compiler.disable(function)
        return untraced(*arguments)

    return call
