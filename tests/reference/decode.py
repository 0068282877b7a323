"""A second decoder, of what docs/format defines: decode.py MODEL FILE > RESTORED

Slow and plain, with nothing but Python's standard library, for IDX, .amat and .npy files. It leaves out the two
BLAKE3 digests, which the standard library does not have.

This file reads the container and stack.py a block's message; likelihoods.py has the intervals of its symbols. model.py
reads the model file and runs its functions, whose nodes are in ops.py; arithmetic.py has what all of them compute with.
"""
import struct
import sys
import zlib

# The source tree stays as it is, whoever runs this.
sys.dont_write_bytecode = True

from corruption import need
from model import Model
from stack import decode_block


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


def decode_member(model, b):
    start = b.at
    need(b.take(8) == bytes.fromhex("896262616e730d0a") and b.u8() == 1, "magic or version")
    end = b.u32() + b.at
    b.take(32 + b.data[b.at + 32] + 1)
    lanes, _limit, layout, rank = b.varint(), b.varint(), b.u8(), b.varint()
    for _ in range(rank):
        b.varint()
    prefix = separator = flags = None
    if layout == 2:
        separator, flags = b.take(1), b.u8()
    else:
        need(layout in (1, 3), "a layout that this decoder leaves out")
        prefix = b.take(b.varint())
    need(b.at == end, "header")
    b.crc(start)
    out, total = bytearray(prefix or b""), 0
    eol = b"\r\n" if flags and flags & 2 else b"\n"
    while True:
        start = b.at
        if b.u8() == 0:
            break
        count, initial, growth, scale = b.varint(), b.varint(), b.u8(), b.u8()
        size = b.varint()
        words = list(struct.unpack(f"<{size}I", b.take(4 * size)))
        b.crc(start)
        for x in decode_block(model, lanes, count, initial, growth, words):
            if layout == 2:
                out += separator.join(b"%d" % v for v in x) + (separator if flags & 1 else b"") + eol
            else:
                out += bytes(v * scale & 255 for v in x)
        total += count
    need(b.varint() == total, "count")
    for _ in range(2 * b.varint()):
        b.varint()
    cut = b.u8()
    b.take(32)
    b.crc(start)
    need(b.u32() == b.at - start + 4 and b.take(4) == b"snab", "trailer")
    return out[:len(out) - cut]


def main():
    with open(sys.argv[1], "rb") as model, open(sys.argv[2], "rb") as file:
        model, b = Model(model.read()), Bytes(file.read())
    while b.at < len(b.data):
        sys.stdout.buffer.write(decode_member(model, b))


if __name__ == "__main__":
    main()
