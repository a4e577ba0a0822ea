"""Checkpoints that must not load, each with words that the error has to contain."""
import os
import pickle
import struct
import zipfile

import torch

import containers
import pickle_assembler as p

FLOATS = struct.pack('<4f', 1, 2, 3, 4)
GOOD = p.tensor(p.storage('FloatStorage', '0', 4), 0, (2, 2), (2, 1))


class Evil:
    def __reduce__(self):
        return os.system, ('echo this must never be seen',)


class Writer:
    def __init__(self, folder, cases):
        self.folder = folder
        self.cases = cases

    def path(self, name, *words, **expected):
        self.cases.append({'file': name, 'words': words, **expected})
        return self.folder / name

    def zip(self, name, body, *words, storages=None, extra=(), **expected):
        containers.write_zip(self.path(name + '_zip.pth', *words, **expected), p.pickled(body),
                             {'0': FLOATS} if storages is None else storages, extra)

    def legacy(self, name, body, *words, storages=None, **expected):
        if storages is None:
            storages = [('0', 4, FLOATS)] if b'Storage' in body else []
        data = containers.legacy(p.pickled(body), storages)
        self.path(name + '_legacy.pth', *words, **expected).write_bytes(data)

    def both(self, name, body, *words, **expected):
        self.zip(name, body, *words, **expected)
        self.legacy(name, body, *words, **expected)


def named(name, body):
    return p.dict_of((p.text(name), body))


def make(folder, cases):
    out = Writer(folder, cases)
    make_hostile(out)
    make_confused_pickles(out)
    make_endless_pickles(out)
    make_wrong_tensors(out)
    make_wrong_arrays(out)
    make_wrong_zips(out)
    make_wrong_streams(out)
    make_other_files(out)


def make_hostile(out):
    says = 'which a checkpoint has no business calling; nothing was run'
    value = {'w': torch.ones(2), 'x': Evil()}
    for suffix, new in (('zip', True), ('legacy', False)):
        torch.save(value, out.path(f'evil_{suffix}.pth', 'posix.system', says, dangerous=['posix.system']),
                   _use_new_zipfile_serialization=new)
    command = p.tuple_of(p.text('true'))

    def hostile(name, body, function, **expected):
        out.both(name, p.dict_of((p.text('w'), GOOD), (p.text('x'), body)), function, says, dangerous=[function],
                 **expected)

    hostile('named_only', p.glob('os', 'system'), 'os.system')
    # getattr spells the name of a member; whatever else it is given to or reaches is what it would be in Python.
    member = p.call('builtins', 'getattr', p.glob('torch.serialization', 'os'), p.text('system'))
    hostile('getattr_of_a_module', member + command + p.REDUCE, 'torch.serialization.os.system')
    member = p.call('__builtin__', 'getattr', p.glob('__main__', 'builtins'), p.text('eval'))
    hostile('getattr_of_builtins', member + command + p.REDUCE, '__main__.builtins.eval')
    steps = p.call('builtins', 'getattr', p.glob('builtins', 'dict'), p.text('__base__'))
    steps = p.glob('builtins', 'getattr') + p.tuple_of(steps, p.text('__subclasses__')) + p.REDUCE
    hostile('getattr_in_steps', steps, 'builtins.dict.__base__.__subclasses__')
    hostile('getattr_by_another', p.call('functools', 'reduce', p.glob('builtins', 'getattr'), p.EMPTY_LIST),
            'builtins.getattr')
    hostile('getattr_of_a_value', p.call('builtins', 'getattr', p.integer(1), p.text('real')), 'builtins.getattr')
    hostile('stack_global', p.text('builtins') + p.text('eval') + b'\x93' + command + p.REDUCE, 'builtins.eval')
    hostile('python2_builtin', p.glob('__builtin__', 'execfile') + command + p.REDUCE, '__builtin__.execfile')
    hostile('inst', p.MARK + p.text('true') + p.inst('subprocess', 'Popen'), 'subprocess.Popen')
    hostile('obj', p.MARK + p.glob('nt', 'system') + p.text('true') + b'o', 'nt.system')
    hostile('newobj', p.glob('shutil', 'rmtree') + command + p.NEWOBJ, 'shutil.rmtree')
    hostile('submodule', p.glob('importlib.util', 'find_spec') + command + p.REDUCE, 'importlib.util.find_spec')
    hostile('attribute_path', p.text('torch.serialization') + p.text('os.system') + b'\x93' + command + p.REDUCE,
            'torch.serialization.os.system')
    hostile('in_state', p.call('builtins', 'object') + p.dict_of((p.text('a'), p.call('runpy', 'run_path', p.text('a')))) +
            p.BUILD, 'runpy.run_path')
    hostile('then_garbage', p.call('socket', 'socket') + b'\xff', 'socket.socket')
    out.path('raw_pickle.pth', 'posix.system', says, dangerous=['posix.system']).write_bytes(pickle.dumps(Evil()))
    out.path('raw_protocol0.pth', 'posix.system', says,
             dangerous=['posix.system']).write_bytes(pickle.dumps(Evil(), protocol=0))
    containers.tar(out.path('evil.tar', 'os.system', says, dangerous=['os.system']),
                   p.pickled(p.call('os', 'system', p.text('true'))), [], [], [])


def make_confused_pickles(out):
    key = p.text('k')
    out.both('setitem_on_tensor', GOOD + key + p.integer(1) + p.SETITEM, 'SETITEM', 'at byte')
    out.both('setitem_on_storage', p.storage('FloatStorage', '0', 4) + key + p.integer(1) + p.SETITEM, 'SETITEM')
    out.both('setitem_on_list', p.EMPTY_LIST + key + p.integer(1) + p.SETITEM, 'SETITEM', 'a list')
    out.both('append_to_dict', p.EMPTY_DICT + key + p.APPEND, 'APPEND', 'a dict')
    out.both('append_to_tuple', p.EMPTY_TUPLE + key + p.APPEND, 'APPEND', 'a tuple')
    out.both('build_on_class', p.glob('torch', 'Tensor') + p.EMPTY_DICT + p.BUILD, 'BUILD', 'a global')
    out.both('call_of_int', p.integer(3) + p.EMPTY_TUPLE + p.REDUCE, 'REDUCE')
    out.both('arguments_no_tuple', p.glob('torch', 'Size') + p.EMPTY_LIST + p.REDUCE, 'REDUCE')
    out.both('odd_setitems', p.EMPTY_DICT + p.MARK + key + p.SETITEMS, 'SETITEMS')
    out.both('empty_stack', b'', 'STOP')
    out.both('pop_below_mark', p.integer(1) + p.MARK + p.BUILD, 'BUILD')
    out.both('no_mark', p.integer(1) + p.TUPLE, 'TUPLE')
    out.both('no_memo', p.get(7), 'memo entry 7')
    out.both('extension', b'\x82\x01', 'EXT1')
    out.both('out_of_band', b'\x97', 'NEXT_BUFFER')
    out.both('unknown_opcode', b'\xfe', 'opcode 0xfe')
    out.both('newer_protocol', b'\x80\x06' + p.NONE, 'protocol 6')
    out.both('long_text', b'\x8d' + struct.pack('<Q', 2**63) + b'abc', 'truncated')
    out.both('long_number', b'\x8b' + struct.pack('<I', 2**31) + b'abc', 'LONG4')
    out.both('names_no_strings', p.integer(1) + p.integer(2) + b'\x93', 'STACK_GLOBAL')
    out.zip('unknown_persistent', named('w', p.text('w') + p.BINPERSID), 'persistent id')
    out.both('scalar', p.integer(1), 'it holds an int')
    out.both('single_tensor', GOOD, 'a single tensor')
    out.both('no_tensors', p.dict_of((key, p.integer(1))), "the keys 'k'")
    out.both('name_not_utf8', p.EMPTY_DICT + b'X\x02\x00\x00\x00\xc3\x28' + GOOD + p.SETITEM, 'not UTF-8')


def make_endless_pickles(out):
    """Values that are deep, cyclic or shared so often that a careless walk never ends."""
    out.both('deep', p.NONE + p.TUPLE1 * 300000, 'a tuple')
    out.both('deep_dicts', b''.join([p.EMPTY_DICT, p.text('model')] * 50000) + p.NONE + p.SETITEM * 50000, 'model')
    out.both('cyclic_dict', p.EMPTY_DICT + p.put(1) + p.text('model') + p.get(1) + p.SETITEM, "'model'")

    def module(members):
        return p.call('builtins', 'object') + p.dict_of((p.text('_parameters'), p.EMPTY_DICT),
                                                        (p.text('_modules'), members)) + p.BUILD

    cyclic = p.EMPTY_DICT + p.put(1) + p.text('a') + module(p.get(1)) + p.SETITEM
    out.both('cyclic_module', module(cyclic), 'nested more than')
    shared = module(p.EMPTY_DICT) + p.put(0) + b'0'
    for level in range(40):
        shared += module(p.dict_of((p.text('a'), p.get(level)), (p.text('b'), p.get(level)))) + p.put(level + 1) + b'0'
    out.both('multiplied_modules', shared + p.get(40), 'entries')
    many = p.list_of(*[p.tuple_of(p.integer(1), p.integer(2)) for _ in range(1000)])
    copies = (p.glob('collections', 'OrderedDict') + p.get(2) + p.REDUCE + b'0') * 3000
    out.both('multiplied_dicts', many + p.TUPLE1 + p.put(2) + copies, 'made from more than')
    out.both('many_values', p.EMPTY_DICT * 2200000, 'values')
    # Reading each of these costs the whole storage.
    last = p.tensor(p.storage('FloatStorage', '0', 250000) + p.put(9), 0, (2,), (249999,))
    views = p.dict_of(*((p.text(str(i)), last if i == 0 else p.tensor(p.get(9), 0, (2,), (249999,)))
                        for i in range(400)))
    out.zip('many_views', views, 'times over', storages={'0': bytes(1000000)})


def make_wrong_tensors(out):
    def wrong(name, *words, offset=0, size=(2, 2), stride=(2, 1), elements=4, kind='FloatStorage', **options):
        out.both(name, named('w', p.tensor(p.storage(kind, '0', elements), offset, size, stride)), *words, **options)

    wrong('offset_beyond', "tensor 'w'", 'beyond its storage', offset=1)
    wrong('stride_beyond', 'beyond its storage', stride=(3, 1))
    wrong('stride_overflow', 'beyond its storage', size=(3, 2), stride=(2**62, 2**62))
    wrong('negative_stride', 'negative stride', stride=(-2, 1), offset=3)
    wrong('negative_offset', 'is negative', offset=-1)
    wrong('negative_size', 'negative size', size=(-1, 2))
    wrong('size_overflow', 'elements', size=(2**40, 2**40), stride=(0, 0))
    wrong('expanded_far', 'blows', size=(2**20, 2**20), stride=(0, 0))
    wrong('rank_differs', 'do not fit', size=(2, 2), stride=(1,))
    wrong('many_dimensions', 'dimensions', size=(1,) * 40, stride=(1,) * 40)
    wrong('absurd_storage', 'absurd', elements=2**60)
    wrong('unknown_storage', 'no class of storages', kind='EvilStorage')
    out.zip('short_storage', named('w', p.tensor(p.storage('FloatStorage', '0', 5), 0, (5,), (1,))), "storage '0'",
            '16 bytes')
    out.legacy('short_storage', named('w', p.tensor(p.storage('FloatStorage', '0', 5), 0, (5,), (1,))), "storage '0'")
    out.zip('missing_storage', named('w', GOOD), "storage '0'", 'missing', storages={'1': FLOATS})
    out.legacy('missing_storage', named('w', GOOD), "storage '0'", storages=[])
    twice = p.dict_of((p.text('a'), GOOD),
                      (p.text('b'), p.tensor(p.storage('IntStorage', '0', 4), 0, (2,), (1,))))
    out.both('two_types', twice, 'two ways')
    out.both('offset_no_number', named('w', p.call('torch._utils', '_rebuild_tensor_v2',
                                                   p.storage('FloatStorage', '0', 4), p.text('a'), p.EMPTY_TUPLE,
                                                   p.EMPTY_TUPLE)), "tensor 'w'", 'offset')
    out.both('no_storage', named('w', p.tensor(p.integer(1), 0, (2,), (1,))), 'no storage')
    view = p.tuple_of(p.text('1'), p.integer(3), p.integer(2))
    out.legacy('view_beyond', named('w', p.tensor(p.storage('FloatStorage', '0', 4, view), 0, (1,), (1,))), 'view')


def make_wrong_arrays(out):
    def wrong(name, words, size, elements, kind='f4'):
        out.both('array_' + name, named('w', p.array(size, kind, elements)), "tensor 'w'", words)

    wrong('short', 'does not have', (2, 2), p.latin1(bytes(15)))
    wrong('long', 'does not have', (2, 2), b'C\x14' + FLOATS + bytes(4))
    wrong('huge', 'does not have', (2**40, 2**20), b'C\x10' + FLOATS)
    wrong('negative', 'no list of at most', (-1,), b'C\x10' + FLOATS)
    out.both('array_of_text', named('w', p.array((2,), 'f4', p.call('_codecs', 'encode', p.text('\u20ac' * 4), p.text('latin1')))),
             'does not stand for bytes')
    out.both('array_of_less_text', named('w', p.array((2,), 'f4', p.latin1(b'\xff' * 7))), 'stands for less than 8 bytes')
    out.both('array_of_more_text', named('w', p.array((2,), 'f4', p.latin1(b'a' * 12))), 'stands for more than 8 bytes')


def make_wrong_zips(out):
    def altered(name, change, *words):
        path = out.path(name + '.pth', *words)
        containers.write_zip(path, p.pickled(named('w', GOOD)), {'0': FLOATS})
        path.write_bytes(change(bytearray(path.read_bytes())))

    def patch(signature, which, at, value):
        def change(data):
            begin = -1
            for _ in range(which + 1):
                begin = data.index(signature, begin + 1)
            data[begin + at:begin + at + len(value)] = value
            return data
        return change

    local, central, end = b'PK\x03\x04', b'PK\x01\x02', b'PK\x05\x06'
    altered('zip_local_name', patch(local, 1, 30, b'X'), 'disagrees')
    altered('zip_local_method', patch(local, 1, 8, b'\x08'), 'disagrees')
    altered('zip_local_size', patch(local, 1, 18, b'\x0f'), 'disagrees')
    altered('zip_encrypted', patch(central, 1, 8, b'\x01'), 'encrypted')
    altered('zip_method', patch(central, 1, 10, b'\x0c'), 'method 12')
    altered('zip_two_sizes', lambda data: patch(local, 1, 22, b'\x0f')(patch(central, 1, 24, b'\x0f')(data)),
            'two sizes')
    altered('zip_offset', patch(central, 1, 42, b'\x07'), 'not where')
    altered('zip_same_offset', patch(central, 2, 42, struct.pack('<I', 0)), 'disagrees')
    altered('zip_count', patch(end, 0, 8, struct.pack('<HH', 9, 9)), 'number of entries')
    altered('zip_directory_size', patch(end, 0, 12, b'\x01'), 'directory')
    altered('zip_comment', lambda data: data[:-2] + b'\x02\x00hi', 'does not close')
    altered('zip_appended', lambda data: data + b'PK', 'does not close')
    altered('zip_prepended', lambda data: b'PK\x03\x04' + data, 'zip file')
    altered('zip_cut', lambda data: data[:len(data) // 2], 'truncated')
    path = out.path('zip_twice.pth', 'stands twice')
    with zipfile.ZipFile(path, 'w') as archive:
        for _ in range(2):
            archive.writestr('archive/data.pkl', p.pickled(named('w', GOOD)))
    path = out.path('zip_damaged_deflate.pth', 'is damaged')
    containers.write_zip(path, p.pickled(p.dict_of((p.text('w' * 300), GOOD))), {'0': FLOATS}, method=zipfile.ZIP_DEFLATED)
    path.write_bytes(patch(local, 0, 46, b'\xff' * 10)(bytearray(path.read_bytes())))
    path = out.path('zip_other.pth', 'not a PyTorch checkpoint')
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('readme.txt', 'hello')
    out.path('zip_empty.pth', 'not a PyTorch checkpoint').write_bytes(b'PK\x05\x06' + bytes(18))
    out.zip('big_endian', named('w', GOOD), 'byte order', extra=[('byteorder', 'big')])
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(out.path('torchscript.pt', 'TorchScript')))


def make_wrong_streams(out):
    good = containers.legacy(p.pickled(named('w', GOOD)), [('0', 4, FLOATS)])
    out.path('stream_cut.pth', 'storage').write_bytes(good[:-3])
    out.path('stream_big_endian.pth', 'big-endian').write_bytes(
        containers.legacy(p.pickled(named('w', GOOD)), [('0', 4, FLOATS)], little_endian=False))
    out.path('stream_extra_key.pth', 'belongs to nothing').write_bytes(
        containers.legacy(p.pickled(named('w', GOOD)), [('0', 4, FLOATS), ('1', 4, FLOATS)]))
    out.path('stream_key_twice.pth', 'stands twice').write_bytes(
        containers.legacy(p.pickled(named('w', GOOD)), [('0', 4, FLOATS), ('0', 4, FLOATS)]))
    out.path('stream_negative_count.pth', "storage '0'").write_bytes(
        containers.legacy(p.pickled(named('w', GOOD)), [('0', -1, FLOATS)]))
    out.path('stream_huge_count.pth', "storage '0'").write_bytes(
        containers.legacy(p.pickled(named('w', GOOD)), [('0', 2**62, FLOATS)]))
    out.path('pickled_dict.pth', 'not one that torch.save wrote').write_bytes(pickle.dumps({'w': 1}))

    body = p.pickled(named('w', p.integer(7) + p.BINPERSID))
    containers.tar(out.path('tar_no_tensor.tar', 'no tensors'), body, [(1, 'FloatStorage', 4, FLOATS)], [], [])
    containers.tar(out.path('tar_no_storage.tar', 'in no storage'), body, [], [], [(7, 1, (4,), (1,), 0)])
    containers.tar(out.path('tar_beyond.tar', 'beyond its storage'), body, [(1, 'FloatStorage', 4, FLOATS)], [],
                   [(7, 1, (5,), (1,), 0)])
    containers.tar(out.path('tar_view.tar', 'view'), body, [(1, 'FloatStorage', 4, FLOATS)], [(2, 1, 3, 2)], [])
    containers.tar(out.path('tar_renamed.tar', "'path='"), body, [], [], [], pax={'path': 'other'})
    containers.tar(out.path('tar_count.tar', 'truncated'), body, [(1, 'FloatStorage', 9, FLOATS)], [], [])


def make_other_files(out):
    out.path('empty.pth', 'empty').write_bytes(b'')
    out.path('text.pth', 'not a checkpoint').write_bytes(b'hello world, this is no checkpoint\n')
    out.path('page.pth', 'web page').write_bytes(b'<!DOCTYPE html><html></html>')
    out.path('pointer.pth', 'git lfs pull').write_bytes(b'version https://git-lfs.github.com/spec/v1\n')
    out.path('gzip.pth', 'gunzip').write_bytes(b'\x1f\x8b\x08' + bytes(20))
    out.path('header.safetensors', 'safetensors').write_bytes(struct.pack('<Q', 12) + b'{"a":[1,2,3}' + bytes(8))
