"""Image files as bytes, of the kinds that PIL reads but does not write."""

import struct
import zlib


def chunk(kind, data, checksum=None):
    return (
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data) if checksum is None else checksum)
    )


SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = chunk(b"IEND", b"")
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def packed(values, bits):
    """Rows of samples of 1, 2, 4 or 8 bits, or big-endian ones of 16, as bytes."""
    if bits == 16:
        return [b"".join(struct.pack(">H", v) for v in row) for row in values]
    out = []
    for row in values:
        text = "".join(format(int(v), f"0{bits}b") for v in row)
        text += "0" * (-len(text) % 8)
        out.append(bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8)))
    return out


def filtered(rows, pixel):
    """PNG's five filters in turn."""
    out, above = b"", bytes(len(rows[0]))
    for y, row in enumerate(rows):
        line = bytearray()
        for i, value in enumerate(row):
            a, b, c = (row[i - pixel] if i >= pixel else 0), above[i], (above[i - pixel] if i >= pixel else 0)
            paeth = min((a, b, c), key=lambda v: abs(a + b - c - v))
            line.append((value - (0, a, b, (a + b) // 2, paeth)[y % 5]) & 255)
        out += bytes([y % 5]) + line
        above = row
    return out


def png(samples, bits, colour, interlaced=False, extra=b""):
    """Of samples [height, width, channels]; `extra` are chunks before the data."""
    height, width, channels = samples.shape
    pixel = max(bits * channels // 8, 1)
    data = b""
    for x, y, step_x, step_y in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        part = samples[y::step_y, x::step_x]
        if part.size:
            data += filtered(packed(part.reshape(len(part), -1), bits), pixel)
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    return SIGNATURE + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(data)) + END


def bmp(
    width, height, bits, data, compression=0, colours=b"", masks=(), header=40, count=0, file_header=True, size=None
):
    """`header`: its bytes, masks included; `size`: what it says that it has, if that is not true."""
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack(
            "<IiiHHIIiiII", size or header, width, height, 1, bits, compression, len(data), 0, 0, count, 0
        )
        info = (info + struct.pack(f"<{len(masks)}I", *masks)).ljust(header, b"\0")
    body = info + colours + data
    # Not the end of the palette for bitmaps of OS/2, which PIL would not believe.
    start = 14 + len(info) + len(colours)
    return struct.pack("<2sIHHI", b"BM", 14 + len(body), 0, 0, start) + body if file_header else body


def run_lengths(rng, width, height, bits):
    """A compressed bitmap of noise: runs, and pixels one by one in even numbers."""
    out = b""
    for _ in range(height):
        x = 0
        while x < width:
            count = min(width - x, int(rng.integers(1, 9)))
            if count < 4 or count % 2 or rng.random() < 0.5:
                out += bytes([count, int(rng.integers(0, 256))])
            else:
                data = rng.bytes(count * bits // 8)
                out += bytes([0, count]) + data + bytes(len(data) % 2)
            x += count
        out += b"\0\0"
    return out + b"\0\1"


def gif(rng, canvas, frame, colours, own_colours=b"", clear=None):
    """Noise of 16 colours, uncompressed: a code that empties the table before every pixel."""
    x, y, width, height = frame
    bits, count = 0, 0
    for pixel in rng.integers(0, 16, width * height):
        for code in (16, int(pixel)):
            bits |= code << count
            count += 5
    data = (bits | 17 << count).to_bytes((count + 12) // 8, "little")
    blocks = b"".join(bytes([len(part)]) + part for part in (data[i : i + 255] for i in range(0, len(data), 255)))

    def flags(palette):
        return 0x80 | (len(palette) // 3).bit_length() - 2 if palette else 0

    control = b"" if clear is None else b"!\xf9\x04\x01\0\0" + bytes([clear, 0])
    head = b"GIF89a" + struct.pack("<HHBBB", *canvas, flags(colours), 5, 0) + colours + control
    return (
        head
        + b","
        + struct.pack("<HHHHB", x, y, width, height, flags(own_colours))
        + own_colours
        + b"\x04"
        + blocks
        + b"\0;"
    )


def tiff(samples, photometric, bits=8, order="<", big=False, planes=False, tile=None, extra=(), format=None, more=()):
    """Uncompressed, of samples [height, width, channels]; `tile`: its side. `more`: tags (number, type, values)."""
    height, width, channels = samples.shape
    if tile:
        rows, columns = -(-height // tile), -(-width // tile)
        whole = [[[0] * channels] * (columns * tile) for _ in range(rows * tile)]
        for y in range(height):
            whole[y][:width] = samples[y].tolist()
        areas = [
            [line[x * tile : (x + 1) * tile] for line in whole[y * tile : (y + 1) * tile]]
            for y in range(rows)
            for x in range(columns)
        ]
    else:
        areas = [samples[y : y + 5].tolist() for y in range(0, height, 5)]

    def encoded(area, channel=None):
        lines = [
            [v for pixel in line for v in (pixel if channel is None else pixel[channel : channel + 1])] for line in area
        ]
        if bits in (16, 32):
            letter = {16: "H", 32: "f" if format == 3 else "I"}[bits]
            return b"".join(struct.pack(order + str(len(line)) + letter, *line) for line in lines)
        return b"".join(packed(lines, bits))

    blocks = (
        [encoded(area, c) for c in range(channels) for area in areas] if planes else [encoded(area) for area in areas]
    )
    tags = [(256, 3, [width]), (257, 3, [height]), (258, 3, [bits] * channels), (259, 3, [1]), (262, 3, [photometric])]
    tags += [(277, 3, [channels]), (284, 3, [2 if planes else 1])]
    tags += [(322, 3, [tile]), (323, 3, [tile])] if tile else [(278, 3, [5])]
    tags += (
        ([(338, 3, list(extra))] if extra else []) + ([(339, 3, [format] * channels)] if format else []) + list(more)
    )
    start = 16 if big else 8
    offsets, body = [], b""
    for block in blocks:
        offsets.append(start + len(body))
        body += block + b"\0" * (len(block) % 2)
    tags += [
        (324 if tile else 273, 16 if big else 4, offsets),
        (325 if tile else 279, 16 if big else 4, [len(b) for b in blocks]),
    ]
    tags.sort()
    letters, inline = {3: "H", 4: "I", 16: "Q"}, 8 if big else 4
    directory = start + len(body)
    beyond = directory + (16 + 20 * len(tags) if big else 6 + 12 * len(tags))
    entries, rest = b"", b""
    for tag, kind, values in tags:
        data = struct.pack(order + str(len(values)) + letters[kind], *values)
        entries += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, len(values))
        if len(data) <= inline:
            entries += data.ljust(inline, b"\0")
        else:
            entries += struct.pack(order + ("Q" if big else "I"), beyond + len(rest))
            rest += data + b"\0" * (len(data) % 2)
    mark = b"II" if order == "<" else b"MM"
    if big:
        head = struct.pack(order + "HHHQ", 43, 8, 0, directory)
        return mark + head + body + struct.pack(order + "Q", len(tags)) + entries + bytes(8) + rest
    return (
        mark
        + struct.pack(order + "HI", 42, directory)
        + body
        + struct.pack(order + "H", len(tags))
        + entries
        + bytes(4)
        + rest
    )
