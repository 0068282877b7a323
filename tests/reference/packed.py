"""Packed models: a description, and tensors whose values are coded as integers."""
import collections
import json
import math
import struct
import zlib

from arithmetic import f32
from corruption import need
from stack import Message

MAGIC = bytes.fromhex("8962626d6f640d0a")
FLOATS, HALVES, MULTIPLES, CHANNELS, DIFFERENCES = range(5)
MOST_BITS, MOST_MULTIPLE = 24, 2**22


def unpack(data):
    """Tensors, shape and values of each by name; and the description."""
    need(len(data) >= 4, "a packed model")
    size = struct.unpack("<I", data[:4])[0]
    need(size <= len(data) - 4 and (len(data) - size) % 4 == 0, "a packed model")
    stream = zlib.decompressobj(-15)
    text = stream.decompress(data[4:4 + size], 2**24 + 1)
    need(stream.eof and len(text) <= 2**24, "the description of a packed model")
    description = json.loads(text)
    named = description.pop("tensors")
    names = [name for name, _ in named]
    need(names == sorted(set(names), key=str.encode), "names of tensors")
    need(sum(math.prod(shape) for _, shape in named) <= 2**26, "sizes of tensors")
    bits = Bits(struct.unpack(f"<{(len(data) - size) // 4 - 1}I", data[4 + size:]))
    vectors, steps = Integers(bits), Steps(bits)
    tensors = {name: (shape, values(bits, vectors, steps, shape)) for name, shape in named}
    bits.finish()
    return tensors, description


class Bits:
    """Bits of a message of one lane."""

    def __init__(self, words):
        self.message = Message(list(words), 1)

    def pop(self, mass):
        mass = min(max(mass, 1), 2**24 - 1)
        return self.message.pop(0, lambda q: (1, 0, mass) if q < mass else (0, mass, 2**24 - mass))

    def known(self, counts):
        """A bit by how often it was 0 and 1."""
        zeros, ones = counts
        bit = self.pop(2**24 * (2 * ones + 1) // (2 * (zeros + ones) + 2))
        counts[bit] += 1
        if sum(counts) > 2**16:
            counts[:] = [-(-n // 2) for n in counts]
        return bit

    def raw(self, count):
        value = 0
        for _ in range(count):
            value = value << 1 | self.pop(2**23)
        return value

    def finish(self):
        self.message.close(0)
        need(self.message.tail == [0], "the end of a packed model")


class Integers:
    def __init__(self, bits):
        self.bits = bits
        # By what is asked.
        self.counts = collections.defaultdict(lambda: [0, 0])

    def pop(self):
        def bit(*what):
            return self.bits.known(self.counts[what])
        length = 0
        while length < MOST_BITS and bit("longer", length):
            length += 1
        if length == 0:
            return 0
        value, first = 1, 0
        for place in reversed(range(length - 1)):
            if place == length - 2:
                first = read = bit("first", length)
            elif place == length - 3:
                read = bit("second", length, first)
            else:
                read = bit("place", length, place)
            value = value << 1 | read
        return -value if bit("sign") else value


class Steps:
    def __init__(self, bits):
        self.bits, self.before, self.quarters = bits, 127 << 8, Integers(bits)
        self.rest = [[0, 0] for _ in range(6)]

    def pop(self):
        code = (self.before >> 6) + self.quarters.pop()
        for counts in self.rest:
            code = code << 1 | self.bits.known(counts)
        need(256 <= code < 255 << 8, "a step")
        self.before = code
        return struct.unpack("<f", struct.pack("<I", code << 15))[0]


def values(bits, vectors, steps, shape):
    """The values of a tensor."""
    form, count = bits.raw(3), math.prod(shape)
    need(form <= DIFFERENCES, "the form of a tensor")
    if form in (FLOATS, HALVES):
        size, kinds = (32, "<If") if form == FLOATS else (16, "<He")
        read = [struct.unpack(kinds[0] + kinds[2], struct.pack(kinds[:2], bits.raw(size)))[0] for _ in range(count)]
        need(all(map(math.isfinite, read)), "a finite weight")
        return [v + 0.0 for v in read]
    integers = vectors if len(shape) < 2 and form != DIFFERENCES else Integers(bits)
    of_channels = [steps.pop() for _ in range(max(1, shape[-1]) if form == CHANNELS and shape else 1)]
    read, total = [], 0
    for i in range(count):
        n = integers.pop()
        total = total + n if form == DIFFERENCES else n
        need(abs(total) <= MOST_MULTIPLE, "a multiple of a step")
        read.append(f32(f32(total) * of_channels[i % len(of_channels)]) + 0.0)
    return read
