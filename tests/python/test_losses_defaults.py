"""Defaults of all losses are the C library's, and those of modules their functions'."""
import ctypes
import unittest
from unittest import mock

import loss_samples
from tyto._operation import Operation


class Prepared(Exception):
    """The operation and the options that a call comes down to."""


def prepared(operation, _tensors, options):
    raise Prepared(operation, options)


class LossesDefaults(unittest.TestCase):
    def test_of_functions_are_the_librarys(self):
        for name, function in loss_samples.functions().items():
            with self.subTest(name), mock.patch.object(Operation, "prepare", prepared):
                with self.assertRaises(Prepared) as caught:
                    function(*loss_samples.arguments(function), **loss_samples.needed(function))
                operation, options = caught.exception.args
                defaults = operation._function.defaults()
                for option, value in options.items():
                    value = operation._choices.get(option, {}).get(value, value)
                    default = getattr(defaults, option)
                    default = tuple(default) if isinstance(default, ctypes.Array) else default
                    self.assertEqual(value, default, option)

    def test_of_modules_are_those_of_their_functions(self):
        functions = loss_samples.functions()
        of = {}
        for name, kind in loss_samples.modules().items():
            with self.subTest(name):
                module = loss_samples.module_of(kind)
                function = module._function
                self.assertIs(functions[function.__name__], function)
                own = {name: default for name, default in loss_samples.options(kind).items() if name not in ("device", "dtype")}
                self.assertEqual(own, loss_samples.options(function))
                self.assertEqual(module._options, loss_samples.options(function))  # none is lost on the way
                of[function.__name__] = kind
        # What changes centres and what makes targets is no loss.
        self.assertEqual(set(functions) - set(of), {"update_centers", "anchor_targets", "proposal_targets"})


if __name__ == "__main__":
    unittest.main()
