"""A loss of tyto.losses beside its reference in PyTorch's float64, in all four types."""
import torch

from near_case import KINDS, NearCase

TYPES = {torch.float64: "TYTO_DOUBLE", torch.float32: "TYTO_FLOAT", torch.float16: "TYTO_HALF", torch.bfloat16: "TYTO_BFLOAT16"}


class JudgedCase(NearCase):
    def judge(self, what, loss, reference, inputs, reals=None, constant=()):
        """Values and gradients. loss and reference take inputs and reals by name and give terms and what is differentiated; inputs
        are numpy's arrays, brought to the type that is judged, all but the `constant` with gradients; reals keep float32."""
        for dtype, kind in TYPES.items():
            real = torch.float64 if dtype == torch.float64 else torch.float32
            ours = {name: torch.from_numpy(values).to(dtype) for name, values in inputs.items()}
            ours.update({name: torch.from_numpy(values).to(real) for name, values in (reals or {}).items()})
            exact = {name: tensor.double().detach().clone() for name, tensor in ours.items()}
            leaves = [name for name in inputs if name not in constant]
            for name in leaves:
                ours[name].requires_grad_()
                exact[name].requires_grad_()
            terms, total = loss(**ours)
            want, wanted = reference(**exact)
            about = f"{what}, {dtype}"
            self.assertEqual({(term.dtype, term.shape) for term in terms}, {(real, torch.Size([]))}, about)
            self.near([t.item() for t in terms], [t.item() for t in want], KINDS[TYPES[real]], about)
            total.backward()
            wanted.backward()
            for name in leaves:
                self.assertEqual((ours[name].grad.dtype, ours[name].grad.shape), (dtype, ours[name].shape), about)
                self.near(ours[name].grad.double().numpy(), exact[name].grad.numpy(), KINDS[kind], f"{about}: d {name}")
