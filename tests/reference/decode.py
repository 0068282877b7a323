"""A second decoder, of what docs/format defines: decode.py MODEL FILE > RESTORED, or decode.py MODEL FILE FOLDER

MODEL is - for a file that carries its model.

Slow and plain, with nothing but Python's standard library. FOLDER is where a folder of pictures is restored.

This file reads the container. steps.py decodes a block, of a message in stack.py, with points.py and particles.py;
posterior.py has the intervals of latents and likelihoods.py those of symbols. model.py reads the model file and runs
its functions, whose nodes are in ops.py; arithmetic.py has what all of them compute with. values.py has what symbols stand
for, files.py writes the data file of that; packed.py reads packed models; fingerprint.py and blake3.py have the digests.
"""
import math
import pathlib
import struct
import sys
import zlib

# The source tree stays as it is, whoever runs this.
sys.dont_write_bytecode = True

import packed
from blake3 import blake3
from corruption import need
from files import LAYOUTS
from model import Model
from steps import Way, decode_block
from values import values_of


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
                need((b > 0 or shift == 7) and n < 1 << 63, "varint")
                return n

    def take_counted(self, most):
        """Bytes, after how many there are."""
        size = self.varint()
        need(size <= most, "length")
        return self.take(size)

    def inflated(self, most, most_inflated):
        """A zlib stream, likewise."""
        stream = zlib.decompressobj()
        data = stream.decompress(self.take_counted(most), most_inflated + 1)
        need(stream.eof and not stream.unused_data and len(data) <= most_inflated, "zlib stream")
        return data

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


class Header:
    def __init__(self, models, b):
        start = b.at
        need(b.take(8) == bytes.fromhex("896262616e730d0a"), "magic")
        self.version = b.u8()
        need(self.version in (1, 2, 3, 4), "version")
        size = b.u32() if self.version == 1 else b.varint()
        need(size <= 2**27, "length of the header")
        end = size + b.at
        flags = b.u8() if self.version > 1 else 0
        need(flags < (32 if self.version > 3 else 16) and flags & 5 != 5 and flags & 6 != 6, "flags")
        self.lean, self.independent = bool(flags & 1), bool(flags & 4)
        fingerprint = b.take(8 if self.lean else 32)
        b.take(b.u8())
        if flags & 16:
            models.append(Model(packed.MAGIC + b.take_counted(2**27)))
            need(models[-1].fingerprint.startswith(fingerprint), "another model in the file")
        known = [model for model in models if model.fingerprint.startswith(fingerprint)]
        need(known, "another model")
        self.model = model = known[0]
        lanes, self.limit = b.varint(), b.varint()
        whitened, particles = (b.varint(), b.varint()) if self.version > 1 else (0, 1)
        need(1 <= lanes <= 4096 and 1 <= particles <= 1024, "lanes, particles")
        need(not (self.independent and particles > 1), "independent data with particles")
        need(not flags & 8 or particles > 1 and lanes * particles <= 4096, "uncoupled particles")
        most = 2**26 if flags & 2 else 2**22
        need(self.limit == 1 or 1 <= self.limit <= 65536 and self.limit * model.dims <= most, "data in a block")
        self.way = Way(lanes, whitened, particles, bool(flags & 2), not flags & 8)
        self.layout, rank = b.u8(), b.varint()
        need(0 < self.layout < (10 if self.version > 2 else 7), "layout")
        need(rank <= 8, "axes")
        axes = [b.varint() for _ in range(rank)]
        shape = model.description["data_shape"]
        fitting = math.prod(axes) == model.dims and (1 in (rank, len(shape)) or axes == shape)
        self.fits = rank > 0 and fitting
        need(fitting or rank == 0 and self.layout == 2, "axes")
        self.file = LAYOUTS[self.layout](b, self.layout, axes, self.limit, self.lean)
        need(not (flags & 2 and self.layout in (4, 8)), "a set of pictures")
        need(self.file.tables == ("columns" in model.description.get("values", {})), "tables have columns")
        need(b.at == end, "header")
        self.checksum = zlib.crc32(b.data[start:end])
        if not self.lean:
            b.crc(start)

    def scale(self, b):
        scale = b.u8() if self.version < 3 else b.varint()
        need(0 < scale < 65536, "scale")
        return scale

    def bits(self, b):
        bits = b.u8()
        need(1 <= bits <= (8 if self.version < 3 else 16), "bits of a symbol")
        return bits


def unpack(model, data, bits, count):
    """Symbols of so many bits each, the first in the lowest bits of the first byte."""
    number = int.from_bytes(data, "little")
    need(number >> bits * count == 0, "bits after the last symbol")
    symbols = [number >> bits * i & (1 << bits) - 1 for i in range(count)]
    need(max(symbols) < model.levels, "a packed symbol")
    return symbols


def message_block(model, header, b, count):
    points = b.varint() if header.version > 1 else 0
    initial = 1 if points else b.varint()
    growth, scale = b.u8(), header.scale(b)
    words = b.words(header.version)
    return scale, lambda: decode_block(model, header.way, count, points, initial, growth, words)


def packed_block(model, header, b, count):
    scale, bits = header.scale(b), header.bits(b)
    data = b.take(-(-count * model.dims * bits // 8))
    symbols = unpack(model, data, bits, count * model.dims)
    rows = [symbols[i * model.dims:(i + 1) * model.dims] for i in range(count)]
    return scale, lambda: (rows, None)


def independent_block(model, header, b, count):
    scale, bits = header.scale(b), header.bits(b)
    sizes = [b.varint() for _ in range(count)]
    data = [b.take(size or -(-model.dims * bits // 8)) for size in sizes]

    def datum(size, data):
        if size == 0:
            return unpack(model, data, bits, model.dims)
        (x,), word = decode_block(model, header.way, 1, 1, 1, 0, words_of(data))
        symbols = struct.pack(f"<{len(x)}{'H' if model.levels > 256 else 'B'}", *x)
        need(word == first_word(blake3(symbols)), "the word that a datum begins with")
        return x
    return scale, lambda: ([datum(*of_one) for of_one in zip(sizes, data)], None)


BLOCKS = {1: message_block, 2: packed_block, 3: independent_block}


def first_word(digest):
    return struct.unpack("<I", digest[:4])[0]


def exceptions_of(header, b, most):
    """By the place of a symbol in the block what the data file has there."""
    number = b.varint() if header.version > 2 else 0
    need(number <= most, "exceptions")
    found, place = {}, 0
    for _ in range(number):
        place += b.varint()
        need(place < most, "the place of an exception")
        found[place] = b.take_counted(2**20)
        place += 1
    return found


def restored(model, header, data, scale, exceptions):
    """The bytes of each value or cell, datum by datum."""
    are_bytes = header.file.plain and "values" not in model.description
    values, modulus = values_of(model.description), 256 if are_bytes else 65536
    need(scale == 1 or "green_first" not in model.description.get("values", ()), "a scale of colours")
    for i, x in enumerate(data):
        header.file.fits(x, scale)
        row = [None if v is None else header.file.bytes_of(v, d)
               for d, v in enumerate(values([v * scale % modulus for v in x]))]
        for d in range(len(x)):
            if (exception := exceptions.get(i * len(x) + d)) is not None:
                row[d] = header.file.exception(exception)
        need(None not in row, "no value of the data file")
        yield row


def decode_member(models, b):
    header = Header(models, b)
    model = header.model
    file, rows, table = header.file, [], []
    while True:
        start, kind = b.at, b.u8()
        if kind == 0 and not header.lean:
            break
        need(kind in BLOCKS and (kind == 3) == header.independent and (kind == 1 or header.version > 1), "kind")
        need(header.fits, "a block without axes")
        count = header.limit if header.lean else b.varint()
        need(0 < count <= header.limit, "count")
        exceptions = exceptions_of(header, b, count * model.dims)
        scale, decode = BLOCKS[kind](model, header, b, count)
        if not header.lean:
            b.crc(start)
            table += [count, b.at - start]
        data, payload = decode()
        rows += restored(model, header, data, scale, exceptions)
        if header.lean:
            cut = b.u8()
            checksum = b.u32() if payload is None else payload
            need(checksum == first_word(digest(file, rows, cut)) ^ header.checksum, "checksum of the data")
            break
        need(payload in (None, 0), "the word that a block begins with")
    if not header.lean:
        need(b.varint() == len(rows) and b.varint() == len(table) // 2, "count")
        need([b.varint() for _ in table] == table, "blocks")
        cut = b.u8()
        need(b.take(32) == digest(file, rows, cut), "digest")
        b.crc(start)
        need(b.u32() == b.at - start + 4 and b.take(4) == b"snab", "trailer")
    whole = file.restored(rows)
    return whole if isinstance(whole, list) else file.cut_off(whole, cut, len(rows))


def digest(file, rows, cut):
    return blake3(file.cut_off(file.digested(rows), cut, len(rows)))


def restore(models, data, out, folder):
    b = Bytes(data)
    need(b.data, "an empty file")
    while b.at < len(b.data):
        whole = decode_member(models, b)
        if not isinstance(whole, list):
            out.write(whole)
            continue
        need(folder, "a folder of pictures needs a folder")
        for name, picture in whole:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(picture)


def main():
    model, data = sys.argv[1:3]
    models = [] if model == "-" else [Model(pathlib.Path(model).read_bytes())]
    folder = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else None
    restore(models, pathlib.Path(data).read_bytes(), sys.stdout.buffer, folder)


if __name__ == "__main__":
    main()
