"""How a network of one image input is compared with PyTorch: narrow in every precision, at its full width in fp32."""
import numpy as np
import torch

import reference_networks as ref
from narrow import narrow
from parity_case import FP32_DIRECT, ParityCase, in_float64, is_compared, lower_precisions
from tyto_process import DEVICE

# Of the narrow networks: images enough for the smallest output to have 256 numbers, by which precisions are judged.
NARROW_INPUT = 4, 3, 97, 65


class NetworkCase(ParityCase):
    def ways(self, model):
        """Options of `tyto run`, for each of which this sets up the model."""
        yield ()

    def check(self, build, *options, shapes=(), legacy=False, rename=None, narrow_build=None, narrow_input=NARROW_INPUT):
        """With an eighth of its channels, in every precision; at its full width on inputs of these shapes, on the CPU."""
        def convert(model):
            state = ref.randomise(model, seed=3).state_dict()
            self.convert(rename(state) if rename else state, *options, legacy=legacy)
            return model

        if shapes and not DEVICE and is_compared(full := build()):
            self.check_full_width(convert(full), shapes)
        model, x = convert(narrow((narrow_build or build)())), self.input(narrow_input)
        for way in self.ways(model):
            exact = in_float64(model, x)
            with torch.no_grad():
                want = model(x)
            got = self.run_tyto(x, *way)
            self.assertEqual(set(got), set(want))
            self.compare_in_float64(got, want, exact)
        for precision in lower_precisions():  # the last way
            self.assertIsNotNone(self.check_lower_precision(precision, model, x, exact, options=way))

    def check_full_width(self, model, shapes):
        for shape in shapes:
            x = self.input(shape)
            for way in self.ways(model):
                with torch.no_grad():
                    want = model(x)
                got = self.run_tyto(x, *way)
                self.assertEqual(set(got), set(want))
                self.compare(got, want)
        plan = self.plan("--batch", max(shape[0] for shape in shapes))
        self.assertLessEqual(plan["activation_bytes"], 1.25 * plan["activation_bound"])

    @staticmethod
    def input(shape):
        return torch.randn(shape, generator=torch.Generator().manual_seed(1))

    def compare_in_float64(self, got, want, exact):
        """Against the exact result: within the limit, or within thrice PyTorch's own error where the network magnifies it."""
        for name, truth in exact.items():
            ours, pytorch = (np.abs(side - truth).max() / np.abs(truth).max() for side in (got[name], want[name].numpy()))
            print(f"  {self.id().split('.', 1)[-1]} {name} {list(truth.shape)}: {ours:.1e}, PyTorch {pytorch:.1e}")
            self.assertLess(ours, max(FP32_DIRECT, 3 * pytorch), name)
