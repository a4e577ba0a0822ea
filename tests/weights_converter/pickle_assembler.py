"""Pickles opcode by opcode: what old or hostile writers wrote and Python's own pickler would not."""
import struct

PROTO2 = b'\x80\x02'
STOP = b'.'
MARK = b'('
NONE = b'N'
EMPTY_DICT, EMPTY_LIST, EMPTY_TUPLE = b'}', b']', b')'
TUPLE, TUPLE1, TUPLE2, TUPLE3 = b't', b'\x85', b'\x86', b'\x87'
REDUCE, BUILD, NEWOBJ = b'R', b'b', b'\x81'
SETITEM, SETITEMS, APPEND, APPENDS = b's', b'u', b'a', b'e'
BINPERSID = b'Q'


def glob(module, name):
    return b'c' + module.encode() + b'\n' + name.encode() + b'\n'


def inst(module, name):
    """INST: the arguments lie above a MARK."""
    return b'i' + module.encode() + b'\n' + name.encode() + b'\n'


def text(value):
    data = value.encode()
    return b'X' + struct.pack('<I', len(data)) + data


def text2(value):
    """A str of Python 2."""
    return b'U' + bytes([len(value)]) + value.encode('latin-1')


def integer(value):
    if -2**31 <= value < 2**31:
        return b'J' + struct.pack('<i', value)
    return b'\x8a\x09' + value.to_bytes(9, 'little', signed=True)


def put(index):
    return b'r' + struct.pack('<I', index)


def get(index):
    return b'j' + struct.pack('<I', index)


def tuple_of(*items):
    return MARK + b''.join(items) + TUPLE


def list_of(*items):
    return EMPTY_LIST + MARK + b''.join(items) + APPENDS


def dict_of(*pairs):
    return EMPTY_DICT + MARK + b''.join(key + value for key, value in pairs) + SETITEMS


def call(module, name, *arguments):
    return glob(module, name) + tuple_of(*arguments) + REDUCE


def storage(kind, key, elements, view=None, string=text):
    """A reference to a storage; `view` is what legacy files add as the sixth member of the id."""
    members = [string('storage'), glob('torch', kind), string(key), string('cpu'), integer(elements)]
    if view is not None:
        members.append(view)
    return tuple_of(*members) + BINPERSID


def tensor(stored, offset, size, stride, version='_rebuild_tensor_v2', rest=(b'\x89', EMPTY_DICT)):
    return call('torch._utils', version, stored, integer(offset), tuple_of(*map(integer, size)),
                tuple_of(*map(integer, stride)), *rest)


def latin1(data):
    """Bytes as protocol 2 writes them."""
    return call('_codecs', 'encode', text(data.decode('latin1')), text('latin1'))


def array(size, kind, elements, order='<'):
    """A numpy array; `elements` pushes its bytes."""
    dtype = call('numpy', 'dtype', text(kind), b'\x89', b'\x88') + tuple_of(integer(3), text(order)) + BUILD
    state = tuple_of(integer(1), tuple_of(*map(integer, size)), dtype, b'\x89', elements)
    made = call('numpy.core.multiarray', '_reconstruct', glob('numpy', 'ndarray'), tuple_of(integer(0)), b'C\x01b')
    return made + state + BUILD


def pickled(body):
    return PROTO2 + body + STOP
