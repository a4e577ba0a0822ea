"""The containers around pickles, written by hand."""
import io
import json
import struct
import tarfile
import zipfile

import pickle_assembler as p

LEGACY_MAGIC = p.PROTO2 + b'\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19' + p.STOP


def write_zip(path, pickle, storages, extra=(), method=zipfile.ZIP_STORED, folder='archive'):
    with zipfile.ZipFile(path, 'w', method) as out:
        out.writestr(folder + '/data.pkl', pickle)
        for key, data in storages.items():
            out.writestr(f'{folder}/data/{key}', data)
        out.writestr(folder + '/version', '3\n')
        for name, data in extra:
            out.writestr(f'{folder}/{name}', data)


def rezip(source, path, method, stream=False, zip64=False):
    """As a zip tool would pack the entries anew; `stream` puts sizes behind the data, as on a pipe."""

    class Pipe(io.RawIOBase):
        def __init__(self, raw):
            self.raw = raw

        def writable(self):
            return True

        def write(self, data):
            return self.raw.write(data)

    with open(path, 'wb') as raw, zipfile.ZipFile(source) as old, \
            zipfile.ZipFile(Pipe(raw) if stream else raw, 'w') as new:
        for name in old.namelist():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            with new.open(info, 'w', force_zip64=zip64) as entry:
                entry.write(old.read(name))


def legacy(pickle, storages, little_endian=True):
    """`storages`: (key, element count, bytes) in the file's order."""
    info = p.dict_of((p.text('protocol_version'), p.integer(1001)),
                     (p.text('little_endian'), b'\x88' if little_endian else b'\x89'))
    keys = p.list_of(*(p.text(key) for key, _, _ in storages))
    return (LEGACY_MAGIC + p.pickled(p.integer(1001)) + p.pickled(info) + pickle + p.pickled(keys) +
            b''.join(struct.pack('<q', count) + data for _, count, data in storages))


def tar(path, pickle, storages, views, tensors, pax=None):
    """A file as PyTorch 0.1.1 wrote it.

    storages: (key, class, count, bytes); views: (key, root key, offset, count);
    tensors: (key, storage key, size, stride, offset); pax: more fields of the members' PAX headers."""
    stored = p.pickled(p.integer(len(storages)))
    for key, kind, count, data in storages:
        stored += p.pickled(p.tuple_of(p.integer(key), p.text2('cpu'), p.glob('torch', kind)))
        stored += struct.pack('<q', count) + data
    stored += p.pickled(p.list_of(*(p.tuple_of(*map(p.integer, view)) for view in views)))
    described = p.pickled(p.integer(len(tensors)))
    for key, root, size, stride, offset in tensors:
        described += p.pickled(p.tuple_of(p.integer(key), p.integer(root), p.glob('torch', 'FloatTensor')))
        described += struct.pack('<ii', len(size), 0)
        described += struct.pack(f'<{len(size)}q', *size) + struct.pack(f'<{len(size)}q', *stride)
        described += struct.pack('<q', offset)
    with tarfile.open(path, 'w:', format=tarfile.PAX_FORMAT) as out:
        for name, data in (('sys_info', p.pickled(p.EMPTY_DICT)), ('storages', stored), ('tensors', described),
                           ('pickle', pickle)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.mtime = 1483228800.5  # which takes a PAX header, as it did then
            member.pax_headers = pax or {}
            out.addfile(member, io.BytesIO(data))


DTYPES = {'float32': 'F32', 'float16': 'F16', 'bfloat16': 'BF16', 'float64': 'F64', 'int64': 'I64',
          'int32': 'I32', 'int16': 'I16', 'int8': 'I8', 'uint8': 'U8', 'bool': 'BOOL'}


def write_safetensors(path, tensors):
    """Golden values: {name: torch tensor}, in order."""
    import torch
    header, data = {}, b''
    for name, value in tensors.items():
        raw = value.detach().contiguous()
        raw = raw.view(torch.int16) if raw.dtype == torch.bfloat16 else raw
        raw = raw.numpy().tobytes()
        header[name] = {'dtype': DTYPES[str(value.dtype).removeprefix('torch.')], 'shape': list(value.shape),
                        'data_offsets': [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, 'wb') as out:
        out.write(struct.pack('<Q', len(text)) + text + data)
