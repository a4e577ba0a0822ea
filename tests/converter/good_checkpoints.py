"""Checkpoints that must load, each with the tensors that must come out of it."""
import collections
import struct
import zipfile

import numpy
import torch

import containers
import pickle_assembler as p


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, bias=False).to(memory_format=torch.channels_last)
        self.bn = torch.nn.BatchNorm2d(8)
        self.tail = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(8, 4))
        self.tied = self.tail[1]
        self.activation = torch.nn.functional.relu  # a function by name
        self.register_buffer('kept', torch.arange(3))
        self.register_buffer('transient', torch.zeros(2), persistent=False)


class Subclass(torch.Tensor):
    pass


def plain_tensors():
    """Every element type, and every way for a tensor to lie in its storage."""
    base = torch.randn(6, 5, 4)
    tied = torch.randn(3, 3)
    shared = torch.randn(100)
    out = collections.OrderedDict()
    out['float32'] = torch.randn(4, 3, 3, 3)
    out['transposed'] = torch.randn(7, 5).t()
    out['permuted'] = base.permute(2, 0, 1)
    out['sliced'] = base[1:5:2, 1:, ::3]
    out['channels_last'] = torch.randn(4, 6, 3, 2).to(memory_format=torch.channels_last)
    out['tied.a'] = tied
    out['tied.b'] = tied
    out['window.a'] = shared[10:40]
    out['window.b'] = shared[40:].view(6, 10)
    out['expanded'] = torch.randn(3, 1).expand(3, 4)
    out['one_value'] = torch.tensor([2.5]).expand(2, 3)
    out['overlapping'] = torch.arange(10.).as_strided((4, 4), (2, 1))
    out['scalar'] = torch.tensor(7)
    out['empty'] = torch.empty(0, 5)
    out['unicode.größe'] = torch.ones(1)
    for dtype in (torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32, torch.int16, torch.int8,
                  torch.uint8, torch.bool):
        out[str(dtype).removeprefix('torch.')] = (torch.randn(5, 3) * 20).to(dtype)
    return out


def large_tensors():
    """Beyond one window of the reader."""
    base = torch.randn(700, 900)
    return {'transposed': base.t(), 'sparse': base[::7, ::5], 'columns': base[:, 3:5], 'whole': base,
            'repeated': torch.randn(1, 900).expand(700, 900), 'cube': torch.randn(40, 100, 90).permute(1, 2, 0)}


def both_ways(add, name, value, golden, **expected):
    """Saved by this PyTorch in both of its containers."""
    for suffix, new in (('zip', True), ('legacy', False)):
        path = add(f'{name}_{suffix}.pth', golden, format='PyTorch zip' if new else 'PyTorch legacy stream',
                   **expected)
        torch.save(value, path, _use_new_zipfile_serialization=new)


def make(add):
    """add(file name, golden tensors, **expected) notes a case and returns where to write it."""
    tensors = plain_tensors()
    for protocol in (2, 3, 4, 5):
        for suffix, new in (('zip', True), ('legacy', False)):
            torch.save(tensors, add(f'protocol{protocol}_{suffix}.pth', tensors), pickle_protocol=protocol,
                       _use_new_zipfile_serialization=new)
    large = large_tensors()
    both_ways(add, 'large', large, large)
    make_nested(add)
    make_modules(add)
    make_rezipped(add, tensors, large)
    make_python2(add)
    make_tar(add)
    make_untyped(add)
    make_unsupported(add)
    # A file's name says nothing about its bytes.
    torch.save(tensors, add('really_zip.tar', tensors, format='PyTorch zip'))
    torch.save(tensors, add('really_legacy.zip', tensors, format='PyTorch legacy stream'),
               _use_new_zipfile_serialization=False)
    containers.write_safetensors(add('plain.safetensors', tensors, format='safetensors'), tensors)
    containers.write_safetensors(
        add('prefixed.safetensors', tensors, format='safetensors', stripped=['module.']),
        {'module.' + name: value for name, value in tensors.items()})


def make_nested(add):
    net = Net()
    state = net.state_dict()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    both_ways(add, 'nested_state_dict',
              {'epoch': 24, 'best': torch.tensor(0.5), 'arch': 'net', 'state_dict': state,
               'optimizer': optimizer.state_dict()}, state, path='state_dict', scalars={'epoch': '24', 'arch': 'net'})
    # chenyuntc's trainer keeps a numpy float beside the weights.
    both_ways(add, 'nested_numpy', {'model': state, 'config': {'lr': 1e-3}, 'best_map': numpy.float64(0.7),
                                    'array': numpy.arange(5), 'set': {1, 2}, 'bytes': b'ab', 'complex': 1j}, state,
              path='model')
    both_ways(add, 'nested_net', {'net': state}, state, path='net')
    both_ways(add, 'nested_twice', {'model': {'state_dict': state}}, state, path='model.state_dict')
    parallel = collections.OrderedDict(('module.' + name, value) for name, value in state.items())
    both_ways(add, 'data_parallel', parallel, state, stripped=['module.'])
    compiled = collections.OrderedDict(('_orig_mod.' + name, value) for name, value in parallel.items())
    both_ways(add, 'compiled_parallel', compiled, state, stripped=['_orig_mod.', 'module.'])
    both_ways(add, 'parameters', dict(net.named_parameters()), dict(net.named_parameters()))
    subclass = {'w': torch.randn(3).as_subclass(Subclass)}
    subclass['w'].note = 'kept in its state'
    both_ways(add, 'subclass', subclass, {'w': subclass['w'].as_subclass(torch.Tensor)})
    cyclic = {'state_dict': state}
    cyclic['model'] = cyclic
    both_ways(add, 'cyclic', cyclic, state, path='state_dict')


def make_modules(add):
    net = Net()
    for protocol in (1, 2, 4):
        for suffix, new in (('zip', True), ('legacy', False)):
            torch.save(net, add(f'module{protocol}_{suffix}.pth', net.state_dict()), pickle_protocol=protocol,
                       _use_new_zipfile_serialization=new)
    both_ways(add, 'module_parallel', torch.nn.DataParallel(net), net.state_dict(), stripped=['module.'])
    both_ways(add, 'module_nested', {'epoch': 1, 'model': net}, net.state_dict(), path='model')


def make_rezipped(add, tensors, large):
    for name, source, golden in (('plain', 'protocol2_zip.pth', tensors), ('large', 'large_zip.pth', large)):
        original = add.folder / source
        containers.rezip(original, add(f'deflated_{name}.pth', golden), zipfile.ZIP_DEFLATED)
    original = add.folder / 'protocol2_zip.pth'
    containers.rezip(original, add('stored_anew.pth', tensors), zipfile.ZIP_STORED)
    containers.rezip(original, add('deflated_stream.pth', tensors), zipfile.ZIP_DEFLATED, stream=True)
    containers.rezip(original, add('deflated_zip64.pth', tensors), zipfile.ZIP_DEFLATED, zip64=True)


def make_python2(add):
    """Strings as bytes, an OrderedDict made from a list of lists, _rebuild_tensor, storages that are views."""
    data = numpy.arange(12, dtype='<f4')
    view = p.tuple_of(p.text2('77'), p.integer(4), p.integer(8))
    root = p.storage('FloatStorage', '9', 12, view=p.NONE, string=p.text2)
    part = p.storage('FloatStorage', '9', 12, view=view, string=p.text2)
    entries = [
        p.list_of(p.text2('whole'), p.tensor(root, 0, (3, 4), (4, 1), '_rebuild_tensor', rest=())),
        p.list_of(p.text2('part'), p.tensor(part, 2, (2, 3), (1, 2), '_rebuild_tensor', rest=())),
    ]
    body = p.call('collections', 'OrderedDict', p.list_of(*entries))
    golden = {'whole': torch.from_numpy(data).view(3, 4),
              'part': torch.from_numpy(data)[4:].as_strided((2, 3), (1, 2), 6)}
    with open(add('python2_legacy.pth', golden, format='PyTorch legacy stream'), 'wb') as out:
        out.write(containers.legacy(p.pickled(body), [('9', 12, data.tobytes())]))
    # 0.1's tensors: the class called without arguments, then a state; and its Variables.
    state = p.tuple_of(root, p.integer(1), p.tuple_of(p.integer(2)), p.tuple_of(p.integer(3)))
    old = p.glob('torch', 'FloatTensor') + p.EMPTY_TUPLE + p.REDUCE + state + p.BUILD
    parameter = p.call('torch.nn.parameter', 'Parameter', old) + p.tuple_of(b'\x88', b'\x89', p.NONE) + p.BUILD
    with open(add('variables_legacy.pth', {'w': torch.tensor([1., 4.])}, torch_loads=False), 'wb') as out:
        out.write(containers.legacy(p.pickled(p.dict_of((p.text('w'), parameter))), [('9', 12, data.tobytes())]))


def make_tar(add):
    data = numpy.arange(24, dtype='<f4')
    longs = numpy.array([5], dtype='<i8')
    body = p.call('collections', 'OrderedDict', p.list_of(
        p.list_of(p.text2('whole'), p.text2('101') + p.BINPERSID),
        p.list_of(p.text2('turned'), p.integer(102) + p.BINPERSID),
        p.list_of(p.text2('view'), p.integer(103) + p.BINPERSID),
        p.list_of(p.text2('count'), p.integer(104) + p.BINPERSID)))
    whole = torch.from_numpy(data)
    golden = {'whole': whole.view(2, 3, 4), 'turned': whole.as_strided((4, 2), (1, 5), 3),
              'view': whole[8:16].view(2, 4), 'count': torch.tensor([5])}
    path = add('old.tar', golden, format='PyTorch tar')
    containers.tar(path, p.pickled(body), [(1, 'FloatStorage', 24, data.tobytes()), (2, 'LongStorage', 1, longs.tobytes())],
                   [(3, 1, 8, 8)],
                   [(101, 1, (2, 3, 4), (12, 4, 1), 0), (102, 1, (4, 2), (1, 5), 3), (103, 3, (2, 4), (4, 1), 0),
                    (104, 2, (1,), (1,), 0)])


def make_untyped(add):
    """_rebuild_tensor_v3: bytes and an element type, as PyTorch 2.1 and later write new types."""
    data = struct.pack('<6h', *range(6))
    body = p.tensor(p.storage('UntypedStorage', '0', 12), 1, (2, 2), (2, 1), '_rebuild_tensor_v3',
                    rest=(b'\x89', p.EMPTY_DICT, p.glob('torch', 'int16')))
    containers.write_zip(add('untyped_zip.pth', {'w': torch.tensor([[1, 2], [3, 4]], dtype=torch.int16)},
                             torch_loads=False), p.pickled(p.dict_of((p.text('w'), body))), {'0': data})


def make_unsupported(add):
    """What tyto cannot hold is named; the rest loads."""
    value = {'w': torch.randn(2), 'complex': torch.ones(3, dtype=torch.complex64),
             'sparse': torch.eye(3).to_sparse(),
             'quantised': torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}
    both_ways(add, 'unsupported', value, {'w': value['w']}, torch_loads=False,
              unsupported=['complex', 'sparse', 'quantised'])
