"""Uncompressed AVI files, written by hand: what OpenCV decodes of them is exactly what was written."""
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


def avi_facts(data):
    """(frames a second, frames, width, height) as the main header of an AVI says."""
    at = data.index(b"avih") + 8
    microseconds, _, _, _, frames, _, _, _, width, height = struct.unpack_from("<10I", data, at)
    return 10**6 / microseconds, frames, width, height
