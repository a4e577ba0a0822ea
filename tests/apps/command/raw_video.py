"""Uncompressed AVI files, written by hand: what a player decodes of them is exactly what was written. And what QuickTime files say."""
import struct

import numpy as np


def chunk(name, *parts):
    data = b"".join(parts)
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def avi(frames, rate):
    """The bytes of a video of RGB frames [n, height, width, 3], uint8, `rate` of them a second."""
    _, height, width, _ = frames.shape
    bgr = np.zeros((len(frames), height, -(-width * 3 // 4) * 4), np.uint8)  # rows start at multiples of 4 bytes
    bgr[:, :, : width * 3] = frames[:, ::-1, :, ::-1].reshape(len(frames), height, -1)  # and go from the bottom up
    size = bgr[0].size
    head = struct.pack("<14I", 10**6 // rate, size * rate, 0, 16, len(frames), 0, 1, size, width, height, 0, 0, 0, 0)
    stream = b"vidsDIB " + struct.pack("<10I4H", 0, 0, 0, 1, rate, 0, len(frames), size, 0, size, 0, 0, width, height)
    bitmap = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, size, 0, 0, 0, 0)
    headers = chunk(b"LIST", b"hdrl", chunk(b"avih", head),
                    chunk(b"LIST", b"strl", chunk(b"strh", stream), chunk(b"strf", bitmap)))
    movie = chunk(b"LIST", b"movi", *(chunk(b"00db", frame.tobytes()) for frame in bgr))
    index = chunk(b"idx1", *(struct.pack("<4s3I", b"00db", 16, 4 + i * (8 + size), size) for i in range(len(frames))))
    return chunk(b"RIFF", b"AVI ", headers, movie, index)


def boxes(data, names):
    """The contents of the first box of a QuickTime file on this path."""
    at = 0
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if name == names[0]:
            inside = data[at + 8:at + size]
            return boxes(inside, names[1:]) if names[1:] else inside
        at += size
    raise KeyError(names)


def mov_facts(data):
    """(when frames are shown, in seconds, and when the last is over; width; height) of a QuickTime file of one track."""
    track = boxes(data, [b"moov", b"trak"])
    media = boxes(track, [b"mdia"])
    (units,) = struct.unpack_from(">I", boxes(media, [b"mdhd"]), 12)
    table = boxes(media, [b"minf", b"stbl", b"stts"])
    times = [0]
    for i in range(struct.unpack_from(">I", table, 4)[0]):
        count, duration = struct.unpack_from(">2I", table, 8 + 8 * i)
        times += [times[-1] + duration * (k + 1) for k in range(count)]
    width, height = (side >> 16 for side in struct.unpack_from(">2I", boxes(track, [b"tkhd"]), 76))
    return [time / units for time in times], width, height
