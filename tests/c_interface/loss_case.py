"""A loss of tyto_losses.h beside its reference in torch's float64, in all four types of elements."""
import numpy as np
import torch

from by_ctypes import call
from near_case import KINDS, NearCase


def stored(values, kind):
    """As the library reads them."""
    if kind == "TYTO_BFLOAT16":
        return torch.from_numpy(values).bfloat16().view(torch.int16).numpy()
    return values.astype({"TYTO_DOUBLE": np.float64, "TYTO_FLOAT": np.float32, "TYTO_HALF": np.float16}[kind])


def doubles(values, kind):
    if kind == "TYTO_BFLOAT16":
        return torch.from_numpy(values).view(torch.bfloat16).double().numpy()
    return values.astype(np.float64)


def real(kind):
    return np.float64 if kind == "TYTO_DOUBLE" else np.float32


class LossCase(NearCase):
    def check(self, loss, reference, inputs, kinds=KINDS, reals=None, **given):
        """inputs: {name: (values, the gradient's name or None)}; reals: {name: values}. reference takes both as tensors and gives the
        terms and what is differentiated."""
        for kind in kinds:
            arrays = {name: stored(values, kind) for name, (values, _) in inputs.items()}
            exact = {name: values.astype(real(kind)) for name, values in (reals or {}).items()}
            gradients = {gradient: np.zeros_like(arrays[name]) for name, (_, gradient) in inputs.items() if gradient}
            leaves = {name: torch.from_numpy(doubles(values, kind)).requires_grad_(inputs[name][1] is not None)
                      for name, values in arrays.items()}
            terms, total = reference(**leaves, **{name: torch.from_numpy(v.astype(np.float64)) for name, v in exact.items()})
            terms = np.array([float(t) for t in terms])
            value = np.zeros(len(terms), real(kind))
            scale = 1.0 if kind == "TYTO_DOUBLE" else 8.0
            call(loss, **arrays, **exact, **gradients, value=value, elements=kind, scale=scale, **given)
            what = f"{loss}, {kind}, {given}"
            computed = KINDS["TYTO_DOUBLE" if kind == "TYTO_DOUBLE" else "TYTO_FLOAT"]
            self.near(value, terms, computed, what)
            names = [name for name, (_, gradient) in inputs.items() if gradient]
            for name, want in zip(names, torch.autograd.grad(total, [leaves[n] for n in names], allow_unused=True)):
                want = np.zeros(arrays[name].shape) if want is None else want.numpy()
                self.near(doubles(gradients[inputs[name][1]], kind) / scale, want, KINDS[kind], f"{what}: d {name}")
