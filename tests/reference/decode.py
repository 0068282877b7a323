"""A second decoder, of what docs/format defines: decode.py MODEL FILE > RESTORED

Slow and plain, with nothing but Python's standard library, for IDX, .amat and .npy files. It leaves out
BLAKE3 digests, which the standard library does not have.

This file reads the container. steps.py decodes a block, of a message in stack.py, with points.py and particles.py;
posterior.py has the intervals of latents and likelihoods.py those of symbols. model.py reads the model file and runs its
functions, whose nodes are in ops.py; arithmetic.py has what all of them compute with.
"""
import struct
import sys
import zlib

# The source tree stays as it is, whoever runs this.
sys.dont_write_bytecode = True

from corruption import need
from model import Model
from steps import Way, decode_block


class Bytes:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        need(self.at + n <= len(self.data), "cut short")
        self.at += n
        return self.data[self.at - n:self.at]

    def u8(self):
        return self.take(1)[0]

    def u32(self):
        return struct.unpack("<I", self.take(4))[0]

    def varint(self):
        n = shift = 0
        while True:
            b = self.u8()
            n |= (b & 127) << shift
            shift += 7
            if b < 128:
                return n

    def crc(self, start):
        need(zlib.crc32(self.data[start:self.at]) == self.u32(), "checksum")


    def words(self, version):
        """A message: words, or from version 2 on bytes, without the zeros that the last word ends with."""
        size = self.varint() * (4 if version == 1 else 1)
        data = self.take(size)
        need(version == 1 or size > 4 and data[-1], "a message")
        return words_of(data)


def words_of(data):
    data += bytes(-len(data) % 4)
    return list(struct.unpack(f"<{len(data) // 4}I", data))


class Source:
    """How the restored file is written."""

    def __init__(self, b, count):
        self.layout, rank = b.u8(), b.varint()
        axes = [b.varint() for _ in range(rank)]
        self.out = bytearray()
        if self.layout == 2:
            self.separator, self.flags = b.take(1), b.u8()
        elif self.layout in (1, 3):
            self.out += b.take(b.varint())
        elif self.layout == 5:
            self.out += struct.pack(f">{rank + 2}I", 0x800 + rank + 1, count, *axes)
        else:
            need(self.layout == 6, "a layout that this decoder leaves out")
            text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {(count, *axes)}, }}"
            size = -(-(len(text) + 11) // 64) * 64 - 10
            self.out += b"\x93NUMPY\x01\0" + struct.pack("<H", size) + text.ljust(size - 1).encode() + b"\n"

    def write(self, x, scale):
        if self.layout != 2:
            self.out += bytes(v * scale & 255 for v in x)
            return
        eol = b"\r\n" if self.flags & 2 else b"\n"
        self.out += self.separator.join(b"%d" % v for v in x) + (self.separator if self.flags & 1 else b"") + eol


class Header:
    def __init__(self, b):
        start = b.at
        need(b.take(8) == bytes.fromhex("896262616e730d0a"), "magic")
        self.version = b.u8()
        need(self.version in (1, 2), "version")
        size = b.u32() if self.version == 1 else b.varint()
        end = size + b.at
        flags = b.u8() if self.version == 2 else 0
        need(flags < 16 and flags & 5 != 5 and flags & 6 != 6, "flags")
        self.lean, self.independent = bool(flags & 1), bool(flags & 4)
        b.take(8 if self.lean else 32)
        b.take(b.u8())
        lanes, self.limit = b.varint(), b.varint()
        whitened, particles = (b.varint(), b.varint()) if self.version == 2 else (0, 1)
        need(1 <= lanes <= 4096 and 1 <= particles <= 1024 and not (self.independent and particles > 1), "lanes, particles")
        need(not flags & 8 or particles > 1 and lanes * particles <= 4096, "uncoupled particles")
        self.way = Way(lanes, whitened, particles, bool(flags & 2), not flags & 8)
        self.source = Source(b, self.limit)
        need(b.at == end, "header")
        if not self.lean:
            b.crc(start)


def unpack(data, bits, count):
    """Symbols of so many bits each, the first in the lowest bits of the first byte."""
    number = int.from_bytes(data, "little")
    need(number >> bits * count == 0, "bits after the last symbol")
    return [number >> bits * i & (1 << bits) - 1 for i in range(count)]


def message_block(model, header, b, count):
    points = b.varint() if header.version == 2 else 0
    initial = 1 if points else b.varint()
    growth, scale = b.u8(), b.u8()
    words = b.words(header.version)
    return scale, lambda: decode_block(model, header.way, count, points, initial, growth, words)


def packed_block(model, header, b, count):
    scale, bits = b.u8(), b.u8()
    data = b.take(-(-count * model.dims * bits // 8))
    symbols = unpack(data, bits, count * model.dims)
    rows = [symbols[i * model.dims:(i + 1) * model.dims] for i in range(count)]
    return scale, lambda: (rows, None)


def independent_block(model, header, b, count):
    scale, bits = b.u8(), b.u8()
    sizes = [b.varint() for _ in range(count)]
    data = [b.take(size or -(-model.dims * bits // 8)) for size in sizes]

    def datum(size, data):
        if size == 0:
            return unpack(data, bits, model.dims)
        # The word that it begins with is a digest, which is left out.
        (x,), _ = decode_block(model, header.way, 1, 1, 1, 0, words_of(data))
        return x
    return scale, lambda: ([datum(*of_one) for of_one in zip(sizes, data)], None)


BLOCKS = {1: message_block, 2: packed_block, 3: independent_block}


def decode_member(model, b):
    header = Header(b)
    source, total = header.source, 0
    while True:
        start, kind = b.at, b.u8()
        if kind == 0 and not header.lean:
            break
        need(kind in BLOCKS and (kind == 3) == header.independent and (kind == 1 or header.version == 2), "kind")
        count = header.limit if header.lean else b.varint()
        need(0 < count <= header.limit, "count")
        scale, decode = BLOCKS[kind](model, header, b, count)
        if not header.lean:
            b.crc(start)
        need(scale != 0, "scale")
        data, payload = decode()
        for x in data:
            source.write(x, scale)
        total += count
        if header.lean:
            cut = b.u8()
            # The checksum is of a digest, which is left out.
            b.take(4 if payload is None else 0)
            return source.out[:len(source.out) - cut]
        need(payload in (None, 0), "the word that a block begins with")
    need(b.varint() == total, "count")
    for _ in range(2 * b.varint()):
        b.varint()
    cut = b.u8()
    b.take(32)
    b.crc(start)
    need(b.u32() == b.at - start + 4 and b.take(4) == b"snab", "trailer")
    return source.out[:len(source.out) - cut]


def main():
    with open(sys.argv[1], "rb") as model, open(sys.argv[2], "rb") as file:
        model, b = Model(model.read()), Bytes(file.read())
    while b.at < len(b.data):
        sys.stdout.buffer.write(decode_member(model, b))


if __name__ == "__main__":
    main()
