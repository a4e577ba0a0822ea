"""The cases that kernel_peers.py runs, by their names in tyto_bench."""
CASES = {}


def case(*names):
    def add(function):
        CASES.update({name: function for name in names})
        return function
    return add
