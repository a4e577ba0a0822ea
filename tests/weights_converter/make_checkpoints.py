"""Writes the converter tests' checkpoints into a folder: good ones with the tensors they hold, as PyTorch itself
loads them, and broken or hostile ones with what the reader must say. cases.json lists both."""
import json
import pathlib
import re
import sys
import warnings

import torch

import broken_checkpoints
import containers
import good_checkpoints


class GoodCases:
    def __init__(self, folder):
        self.folder = folder
        self.cases = []
        self.golden = {}

    def __call__(self, name, golden, torch_loads=True, **expected):
        containers.write_safetensors(self.folder / (name + '.golden'), golden)
        self.cases.append({'file': name, **expected})
        if torch_loads and not name.endswith('.safetensors'):
            self.golden[name] = golden
        return self.folder / name

    def folded(self, name, golden):
        """The weights that must come out of those in parts."""
        containers.write_safetensors(self.folder / (name + '.golden'), golden)

    def check_against_torch(self):
        """PyTorch must find the golden tensors too: a wrong hand-written file proves nothing."""
        for name, golden in self.golden.items():
            loaded = torch.load(self.folder / name)
            for case in self.cases:
                if case['file'] == name:
                    for key in re.findall(r'[^.\[\]]+', case.get('path', '')):
                        loaded = loaded[int(key) if isinstance(loaded, (list, tuple)) else key]
            loaded = loaded.state_dict() if isinstance(loaded, torch.nn.Module) else loaded
            prefix = ''.join(next(c for c in self.cases if c['file'] == name).get('stripped', []))
            for key, value in golden.items():
                assert torch.equal(torch.as_tensor(loaded[prefix + key]), value), (name, key)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter('ignore')
    torch.manual_seed(3)
    good = GoodCases(folder)
    good_checkpoints.make(good)
    good.check_against_torch()
    broken = []
    broken_checkpoints.make(folder, broken)
    (folder / 'cases.json').write_text(json.dumps({'good': good.cases, 'broken': broken}))


if __name__ == '__main__':
    main()
