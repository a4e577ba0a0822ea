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
    make_metadata(add)
    make_arrays(add)
    make_beside(add)
    make_containers(add)
    make_wrapped(add)
    make_parts(add)
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


class Holder:
    """Some training code's object, with the network in an attribute."""


class Schedule:
    class Phase:
        pass

    def warm_up(self):
        pass


def make_containers(add):
    """The state_dict under any key, in lists, tuples and objects, beside lone tensors and small dicts."""
    state = Net().state_dict()
    beside = {'epoch': 3, 'best': torch.tensor(0.5), 'moments': {0: {'mean': torch.zeros(2)}}}
    both_ways(add, 'any_key', {**beside, 'whatever': state}, state, path='whatever')
    both_ways(add, 'in_list', [beside, state, 7], state, path='[1]')
    both_ways(add, 'in_tuple', {'pair': (3, state)}, state, path='pair[1]')
    holder = Holder()
    holder.net = state
    ema = {name: value for name, value in state.items() if name != 'bn.num_batches_tracked'}
    torch.save({'ema': ema, 'model': state}, add('two_networks_zip.pth', state, path='model'))
    both_ways(add, 'in_object', {'trainer': holder}, state, path='trainer.net', torch_loads=False)


def make_beside(add):
    """What training scripts save beside the weights and nothing needs: a Counter, nested classes, bound methods."""
    state = Net().state_dict()
    schedule = Schedule()
    schedule.method = schedule.warm_up
    value = {'model': state, 'milestones': collections.Counter({16: 1, 22: 1}), 'phase': Schedule.Phase,
             'schedule': schedule, 'empty': collections.Counter()}
    for protocol in (2, 4):
        torch.save(value, add(f'beside{protocol}_zip.pth', state, path='model'), pickle_protocol=protocol)
    # Bound to a module, which legacy streams refer to by a persistent id.
    both_ways(add, 'bound_method', {'model': state, 'forward': torch.nn.ReLU().forward}, state, path='model')
    # Objects that are filled in ways that no list or dict is, and a dict made from something that is none.
    odd = p.dict_of((p.text('a'), p.call('odd', 'Set') + p.MARK + p.integer(1) + b'\x90'),
                    (p.text('b'), p.call('collections', 'OrderedDict', p.integer(1))),
                    (p.text('c'), p.call('torch.odd', 'Dict') + p.text('k') + p.integer(1) + p.SETITEM),
                    (p.text('w'), p.tensor(p.storage('FloatStorage', '0', 2), 0, (2,), (1,))))
    containers.write_zip(add('odd_objects_zip.pth', {'w': torch.tensor([1., 2.])}, torch_loads=False), p.pickled(odd),
                         {'0': struct.pack('<2f', 1, 2)})


def make_wrapped(add):
    """Wrappers of parts of a network, beside tensors that have none."""
    state = Net().state_dict()
    wrapped = {'n_averaged': torch.tensor(3)}
    for name, value in state.items():
        wrapped[name.replace('tail.1.', 'tail._checkpoint_wrapped_module.module.1._fsdp_wrapped_module.')] = value
    golden = {'n_averaged': wrapped['n_averaged'], **state}
    both_ways(add, 'wrapped_part', wrapped, golden, torch_loads=False,
              stripped=['_checkpoint_wrapped_module.', 'module.', '_fsdp_wrapped_module.'])
    # One name for two: both stay as they are.
    twice = {'module.w': torch.ones(2), 'w': torch.zeros(2), 'module.v': torch.ones(3)}
    both_ways(add, 'wrapped_twice', twice, {'module.w': twice['module.w'], 'w': twice['w'], 'v': twice['module.v']},
              torch_loads=False, stripped=['module.'])


def make_parts(add):
    """Weights in parts, with the weights that PyTorch's own evaluation makes of them."""
    from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

    def lively(layer):
        for name, t in list(layer.named_parameters()) + list(layer.named_buffers()):
            if not name.endswith('_mask'):
                t.data.copy_(torch.randn(t.shape))
        return layer.eval()

    def conv():
        return torch.nn.Conv2d(3, 5, 3)

    net = torch.nn.Module()
    net.weight_norm = lively(weight_norm(conv()))
    net.weight_norm_of_dim_1 = lively(weight_norm(conv(), dim=1))
    net.weight_norm_of_all = lively(weight_norm(torch.nn.Linear(4, 3), dim=None))
    net.spectral_norm = lively(spectral_norm(conv()))
    net.spectral_norm_of_dim_1 = lively(spectral_norm(conv(), dim=1))
    net.parametrized = lively(parametrizations.spectral_norm(conv()))
    net.pruned = lively(prune.random_unstructured(conv(), 'weight', 0.5))
    net.pruned_bias = lively(prune.random_unstructured(torch.nn.Linear(4, 7), 'bias', 3))
    golden = {}
    with torch.no_grad():
        for name, layer in net.named_children():
            layer(torch.zeros(1, 3, 4, 4) if layer.weight.dim() == 4 else torch.zeros(1, 4))  # what is made before each forward
            golden[name + '.weight'] = layer.weight.detach().clone()
            golden[name + '.bias'] = layer.bias.detach().clone()
    state = net.state_dict()
    # As torch.nn.utils.parametrizations.weight_norm, of PyTorch 2, names what weight_norm made.
    for part, number in (('g', 0), ('v', 1)):
        state[f'new.parametrizations.weight.original{number}'] = state['weight_norm.weight_' + part]
    golden['new.weight'] = golden['weight_norm.weight']
    net.unknown = lively(parametrizations.orthogonal(torch.nn.Linear(4, 4)))
    state |= {'unknown.' + name: value for name, value in net.unknown.state_dict().items()}
    golden['unknown.bias'] = state['unknown.bias']
    state['name.weight_g'] = golden['name.weight_g'] = torch.ones(2)  # of a network that calls a tensor so
    add.folded('parts.pth', golden)
    torch.save(state, add.folder / 'parts.pth')


def make_metadata(add):
    """PyTorch 2 writes the lazy negative bit, and others, behind the hooks."""
    kinds = {'HalfStorage': torch.float16, 'FloatStorage': torch.float32, 'DoubleStorage': torch.float64,
             'BFloat16Storage': torch.bfloat16, 'IntStorage': torch.int32}
    stored = {kind: torch.tensor([1, -2, 0, 3]).to(dtype) for kind, dtype in kinds.items()}
    data = {kind: bytes(t.view(torch.uint8).tolist()) for kind, t in stored.items()}

    def pushed(kind, bits):
        rest = (b'\x89', p.EMPTY_DICT, p.dict_of(*((p.text(name), bit) for name, bit in bits.items())))
        return p.tensor(p.storage(kind, kind, 4), 0, (2, 2), (1, 2), rest=rest)

    entries = [(p.text(kind), pushed(kind, {'neg': b'\x88', 'conj': b'\x89'})) for kind in kinds]
    entries.append((p.text('plain'), pushed('FloatStorage', {'neg': b'\x89'})))
    golden = {kind: -t.view(2, 2).t() for kind, t in stored.items()}
    golden['plain'] = stored['FloatStorage'].view(2, 2).t()
    entries.append((p.text('other'), pushed('FloatStorage', {'folded': b'\x88'})))
    containers.write_zip(add('metadata_zip.pth', golden, torch_loads=False,
                             foreign={'other': "float32 with metadata 'folded'"}),
                         p.pickled(p.dict_of(*entries)), data)


def make_arrays(add):
    """numpy arrays in place of tensors; up to protocol 2 their bytes are written as text."""
    base = numpy.random.default_rng(5).standard_normal((40, 30, 20)).astype('f4')
    arrays = {'large': base, 'transposed': base.T, 'fortran': numpy.asfortranarray(base[0]), 'part': base[3:5, 1],
              'scalar': numpy.array(7), 'empty': numpy.zeros((0, 5), 'f4'),
              'every_byte': numpy.arange(256, dtype='u1')}
    for kind in ('f2', 'f8', 'i8', 'i4', 'i2', 'i1', 'b1'):
        arrays[kind] = (base[0, 0] * 20).astype(kind)
    golden = {name: torch.from_numpy(value.copy()) for name, value in arrays.items()}
    foreign = {'big': numpy.ones(3, '>f4'), 'complex': numpy.ones(2, 'c8'), 'unsigned': numpy.ones(2, 'u2'),
               'objects': numpy.array([None, {}])}
    types = {'big': 'numpy >f4', 'complex': 'numpy <c8', 'unsigned': 'numpy <u2', 'objects': 'numpy |O8'}
    for protocol in (2, 3, 5):
        for suffix, new in (('zip', True), ('legacy', False)):
            torch.save({**arrays, **foreign}, add(f'arrays{protocol}_{suffix}.pth', golden, foreign=types),
                       pickle_protocol=protocol, _use_new_zipfile_serialization=new)
    both_ways(add, 'arrays_nested', {'model': arrays, 'epoch': numpy.int64(3)}, golden, path='model')


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
              foreign={'complex': 'complex64', 'sparse': 'sparse', 'quantised': 'qint8'})
