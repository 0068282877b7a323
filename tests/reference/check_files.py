"""Holds the decoder against files made by hand, of packed symbols, for what no golden file has: check_files.py"""
import io
import json
import pathlib
import struct
import sys
import tempfile
import zlib

# The source tree stays as it is, whoever runs this.
sys.dont_write_bytecode = True

import decode
from blake3 import blake3
from decode import Bytes, decode_member
from files import chunk
from fingerprint import fingerprint
from likelihoods import Logistics
from model import Model


def varint(n):
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)


def counted(data):
    return varint(len(data)) + data


def model_of(shape, levels, values=None):
    """A model whose functions are never run."""
    d = {"version": 8, "name": "m", "data_shape": shape, "likelihood": {"categorical": {"levels": levels}},
         "latent": {"dim": 1, "bin_precision": 1, "log_sigma": [-3, 1]}, "groups": []}
    if values:
        d["values"] = values
    header = {"__metadata__": {"bbans": json.dumps(d)},
              "latent.edges": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
              "latent.centres": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}
    text = json.dumps(header).encode()
    return Model(struct.pack("<Q", len(text)) + text + struct.pack("<3f", 0, -1, 1))


def member(model, layout, axes, more, data, digested, lean=False, scale=1, exceptions=(), cut=0, version=3):
    """A bbans file of one block of packed symbols."""
    size = 8 if lean else 32
    body = bytes([lean]) + model.fingerprint[:size] + counted(b"m") + varint(1) + varint(len(data)) + bytes([0, 1])
    body += bytes([layout]) + varint(len(axes)) + b"".join(map(varint, axes)) + more
    header = b"\x89bbans\r\n" + bytes([version]) + varint(len(body)) + body
    block, next_place = b"\2" + (b"" if lean else varint(len(data))), 0
    if version > 2:
        block += varint(len(exceptions))
        for place, text in exceptions:
            block += varint(place - next_place) + counted(text)
            next_place = place + 1
    symbols = [v for x in data for v in x]
    width = 2 if version > 2 else 1
    block += varint(scale) + bytes([8 * width]) + b"".join(v.to_bytes(width, "little") for v in symbols)
    crc = lambda data: struct.pack("<I", zlib.crc32(data))
    if lean:
        word = struct.unpack("<I", blake3(digested)[:4])[0] ^ zlib.crc32(header)
        return header + block + bytes([cut]) + struct.pack("<I", word)
    block += crc(block)
    trailer = b"\0" + varint(len(data)) + varint(1) + varint(len(data)) + varint(len(block)) + bytes([cut])
    trailer += blake3(digested)
    trailer += crc(trailer)
    return header + crc(header) + block + trailer + struct.pack("<I", len(trailer) + 8) + b"snab"


def check(name, model, layout, axes, more, data, expected, **options):
    found = decode_member([model], Bytes(member(model, layout, axes, more, data, expected, **options)))
    assert found == expected, f"{name}: {found}, not {expected}"


def refused(name, *of_member, **options):
    try:
        decode_member([of_member[0]], Bytes(member(*of_member, **options)))
    except SystemExit as e:
        assert str(e).startswith("corruption"), e
        return
    raise AssertionError(f"{name}: not refused")


def check_values():
    whole = model_of([2, 3], 60000)
    data = [[i * 6 + j for j in range(6)] for i in range(4)]
    flat = [v for x in data for v in x]
    for kind, letter in enumerate("?BbHhIiQqfd"):
        for big in (0, 128) if letter not in "?Bb" else (0,):
            order, symbols = ">" if big else "<", [[v % 2 for v in x] for x in data] if letter == "?" else data
            values = b"".join(struct.pack(order + letter, v) for x in symbols for v in x)
            more = bytes([0, kind | big, 0]) + counted(b"header")
            check(f"raw values of type {kind}", whole, 7, [2, 3], more, symbols, b"header" + values)
    below = model_of([3], 65536, {"numbers": {"lowest": -300, "step": 100}})
    check("numbers", below, 7, [3], bytes([0, 4, 0, 0]), [[0, 3, 5]], struct.pack("<3h", -300, 0, 200))
    check("0 as f32", below, 7, [3], bytes([0, 9, 0, 0]), [[3, 2, 4]], struct.pack("<3f", 0, -100, 100))
    check("in bytes", below, 1, [3], counted(b"x"), [[3, 4, 5]], b"x\0\x64\xc8")
    # Of Fortran the first axis is the fastest: the axes are 4 data, 2 and 3.
    fortran = [data[i][j * 3 + k] for k in range(3) for j in range(2) for i in range(4)]
    check("the order of Fortran", whole, 7, [2, 3], bytes([0, 1, 1, 0]), data, bytes(fortran))
    text = b"{'descr': '>f8', 'fortran_order': True, 'shape': (4, 2, 3), }".ljust(117) + b"\n"
    usual = b"\x93NUMPY\1\0" + struct.pack("<H", 118) + text
    expected = usual + struct.pack(">24d", *fortran)
    check("a usual header of .npy", whole, 7, [2, 3], bytes([2, 138, 3]), data, expected, lean=True)
    expected = b"\0\0\x0b\3" + struct.pack(">3I24h", 4, 2, 3, *flat)
    check("a usual header of IDX", whole, 7, [2, 3], bytes([1, 132, 2]), data, expected, lean=True)
    row = b"\0\0\x0b\1" + struct.pack(">I24h", 24, *flat)
    check("the usual header of a row", whole, 7, [2, 3], bytes([1, 132, 6]), data, row, lean=True)
    text = b"{'descr': '>u2', 'fortran_order': False, 'shape': (24,), }".ljust(117) + b"\n"
    row = b"\x93NUMPY\1\0" + struct.pack("<H", 118) + text + struct.pack(">24H", *flat)
    check("the usual header of a row of .npy", whole, 7, [2, 3], bytes([2, 131, 6]), data, row, lean=True)
    refused("a row in the order of Fortran", whole, 7, [2, 3], bytes([2, 131, 7]), data, row, True)
    refused("a row of raw values", whole, 7, [2, 3], bytes([0, 131, 6]), data, row, True)
    more = bytes([1, 132, 0]) + counted(expected[:16])
    refused("a usual header that is there", whole, 7, [2, 3], more, data, expected, True)
    check("a usual header in a file that is not lean", whole, 7, [2, 3], more, data, expected)
    refused("a usual header of PNM", whole, 7, [2, 3], bytes([3, 1, 2]), data, bytes(flat), True)
    refused("an older layout's type", whole, 7, [2, 3], bytes([2, 1, 0, 0]), data, bytes(flat))
    refused("a layout of version 3", whole, 7, [2, 3], bytes([0, 3, 0, 0]), data, struct.pack("<24H", *flat), version=2)
    refused("no such number", below, 7, [3], bytes([0, 2, 0, 0]), [[0, 3, 3]], b"\0\0\0")
    check("an exception", below, 7, [3], bytes([0, 2, 0, 0]), [[0, 3, 4], [3, 2, 65535]], b"\x07\0\x64\0\x9c\x08",
          exceptions=[(0, b"\7"), (5, b"\x08")])
    refused("its size", below, 7, [3], bytes([0, 2, 0, 0]), [[0, 3, 3]], b"\0\0\0", exceptions=[(0, b"77")])
    refused("its place", below, 7, [3], bytes([0, 2, 0, 0]), [[3, 3, 3]], b"\0\0\0", exceptions=[(3, b"7")])
    bits = model_of([3], 2)
    check("a scale", bits, 7, [3], bytes([0, 3, 0, 0]), [[1, 0, 1]], struct.pack("<3H", 40000, 0, 40000), scale=40000)
    check("a scale of bytes", bits, 1, [3], counted(b""), [[1, 0, 1]], b"\xff\0\xff", scale=255)
    check(".amat", bits, 2, [3], b",\3", [[1, 0, 1]], b"1,0,1,\r", cut=1)
    refused("an exception in .amat", bits, 2, [3], b" \0", [[1, 0, 1]], b"1 0 1\n", exceptions=[(0, b"1")])


GREEN = {"green_first": {"levels": 256, "channels": 3}}


def png(file):
    """Chunks of a PNG, and the lines of its pixels, whose filter is 0."""
    assert file[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks, pixels = 8, [], b""
    while at < len(file):
        size, = struct.unpack_from(">I", file, at)
        kind, data = file[at + 4:at + 8], file[at + 8:at + 8 + size]
        assert file[at:at + 12 + size] == chunk(kind, data)
        chunks.append(kind)
        pixels += data if kind == b"IDAT" else b""
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", data)
        at += 12 + size
    return chunks, header, zlib.decompress(pixels)


def picture(model, axes, more, data, digested):
    return decode_member([model], Bytes(member(model, 8, axes, more, data, digested)))


def names(*all_names):
    return counted(zlib.compress("".join(name + "\n" for name in all_names).encode()))


def check_pictures():
    colours = model_of([1, 2, 3], 511, GREEN)
    # Green, then red and blue less green, plus 255.
    x, rgb = [200, 255 - 190, 255 + 55, 0, 255, 255 + 7], bytes([10, 200, 255, 0, 0, 7])
    check("PPM", colours, 7, [1, 2, 3], bytes([3, 1, 0]) + counted(b"P6\n"), [x], b"P6\n" + rgb)
    check("an exception of red", colours, 7, [1, 2, 3], bytes([3, 1, 0]) + counted(b"P6\n"), [[0] + x[1:]],
          b"P6\n\7\x09\x37\0\0\7", exceptions=[(0, b"\7"), (1, b"\x09")])
    refused("red that is none", colours, 7, [1, 2, 3], bytes([3, 1, 0, 0]), [[200, 0, 255, 0, 255, 255]], b"")
    chunks, header, pixels = png(picture(colours, [1, 2, 3], bytes([2, 8, 1]) + names("a.png"), [x], rgb))
    assert (chunks, header, pixels) == ([b"IHDR", b"IDAT", b"IEND"], (2, 1, 8, 2, 0, 0, 0), b"\0" + rgb)
    alpha = model_of([2, 4], 511, {"green_first": {"levels": 256, "channels": 4}})
    y = [200, 65, 310, 9, 0, 255, 262, 8]
    check("a fourth value", alpha, 3, [2, 4], counted(b""), [y], bytes([10, 200, 255, 9, 0, 0, 7, 8]))

    grey = model_of([2, 9], 65536)
    values = [i * 3000 for i in range(18)]
    words = struct.pack(">18H", *values)
    _, header, pixels = png(picture(grey, [2, 9], bytes([0, 16, 1]) + names("a.png"), [values], words))
    assert (header, pixels) == ((9, 2, 16, 0, 0, 0, 0), b"\0" + words[:18] + b"\0" + words[18:])
    check_folder(grey)
    more = bytes([0, 8, 5]) + names("a.png") + counted(zlib.compress(
        varint(33) + chunk(b"gAMA", b"\0\0\xb1\x8f") + b"\x80" + chunk(b"tEXt", b"a\0bc")))
    chunks, *_ = png(picture(grey, [2, 9], more, [[7] * 18], b"\7" * 18))
    assert chunks == [b"IHDR", b"gAMA", b"IDAT", b"tEXt", b"IEND"]
    refused("grey bytes", grey, 8, [2, 9], bytes([0, 8, 1]) + names("a.png"), [[7] * 18], b"\7" * 18)
    refused("a bad name", grey, 8, [2, 9], bytes([0, 16, 1]) + names(".png"), [values], words)
    refused("two names", grey, 8, [2, 9], bytes([0, 16, 0]) + names("a", "b"), [values], words)
    refused("a path through a file", grey, 8, [2, 9], bytes([0, 16, 2]) + names("a", "a/b"), [values] * 2, words * 2)
    both = model_of([1, 1, 2], 256)
    _, header, pixels = png(picture(both, [1, 1, 2], bytes([4, 8, 1]) + names("a.png"), [[5, 6]], b"\5\6"))
    assert (header, pixels) == ((1, 1, 8, 4, 0, 0, 0), b"\0\5\6")
    refused("channels", both, 8, [1, 1, 2], bytes([2, 8, 1]) + names("a.png"), [[5, 6]], b"\5\6")


def check_folder(grey):
    """Bits, in folders, as the program writes them."""
    bits = [[1, 0, 0, 0, 0, 0, 0, 0, 1] + [0] * 9, [1] * 18]
    digested = bytes(v for x in bits for v in x)
    file = member(grey, 8, [2, 9], bytes([0, 1, 2]) + names("a/b.png", "c.png"), bits, digested)
    found = dict(decode_member([grey], Bytes(file)))
    assert list(found) == ["a/b.png", "c.png"]
    assert png(found["a/b.png"])[1:] == ((9, 2, 1, 0, 0, 0, 0), b"\0\x80\x80\0\0\0")
    old = member(grey, 4, [2, 9], bytes([1, 1]) + names("c"), bits[1:], digested[18:], version=2)
    assert png(decode_member([grey], Bytes(old))) == png(found["c.png"])
    with tempfile.TemporaryDirectory() as folder:
        decode.restore([grey], file, io.BytesIO(), pathlib.Path(folder))
        assert (pathlib.Path(folder) / "a/b.png").read_bytes() == found["a/b.png"]


def numbers(lowest, step, count, decimals, zeros):
    return {"lowest": lowest, "step": step, "count": count, "decimals": decimals, "zeros": zeros}


def check_tables():
    texts = {"name": "t", "texts": ["NA", "", "a", 'b"', "c;d", "e\n"]}
    columns = [texts, {"name": "n", "numbers": numbers(-150, 50, 9, 2, "cut")}]
    model = model_of([2], 9, {"columns": columns})
    data = [[i, i] for i in range(6)]
    written = [b"-1.5", b"-1", b"-0.5", b"0", b"0.5", b"1"]
    bare = [b"NA", b"", b"a", b'b"', b"c;d", b"e\n"]
    quoted = [b'"NA"', b'""', b'"a"', b'"b"""', b'"c;d"', b'"e\n"']
    of_kinds = bare[:3] + quoted[3:], quoted, bare[:1] + quoted[1:], quoted[:1] + bare[1:2] + quoted[2:], bare
    for kind, cells in enumerate(of_kinds):
        own = [b'"' + v + b'"' if kind in (1, 2, 3) else v for v in written]
        records = [a + b";" + b for a, b in zip(cells, own)]
        more = b"\1" + counted(b"t;n\n") + varint(2) + bytes([17 * kind, 2])
        check(f"quotes {kind}", model, 9, [2], more, data, b"t;n\n" + b"\n".join(records), cut=1)
    more = b"\5" + counted(b"") + varint(2) + bytes([1 << 4, 1, 1, 1])
    expected = b'"a";"0"\r\n"b""";x\r\n'
    check("CR LF, and quotes by column", model, 9, [2], more, [[2, 3], [3, 4]], expected, exceptions=[(3, b"x")])
    more = b"\0" + counted(b"") + varint(2) + bytes([0, 2])
    refused("a text that is none", model, 9, [2], more, [[6, 0]], b"")
    refused("the scale of a table", model, 9, [2], more, [[0, 0]], b"NA,-1.5\n", scale=2)
    refused("quotes that go on", model, 9, [2], b"\0\0\2\0\1\0\1", [[0, 0]], b"NA,-1.5\n")
    check("any symbol for an exception", model, 9, [2], more, [[8, 0]], b"NA,-1.5\n", exceptions=[(0, b"NA")])
    for zeros, expected in (("kept", b"-1.050\n-0.950\n0.000\n1.100\n20.000\n"), ("cut", b"-1.05\n-0.95\n0\n1.1\n20\n"),
                            ("one", b"-1.05\n-0.95\n0.0\n1.1\n20.0\n")):
        column = {"name": "n", "numbers": numbers(-1050, 50, 422, 3, zeros)}
        many = model_of([1], 422, {"columns": [column]})
        check(f"zeros {zeros}", many, 9, [1], b"\0\0\1\0\1", [[0], [2], [21], [43], [421]], expected)
    whole = model_of([1], 3, {"columns": [{"name": "n", "texts": ["x"], "numbers": numbers(-1, 1, 2, 0, "cut")}]})
    check("no decimals", whole, 9, [1], b"\0\0\1\0\1", [[0], [1], [2]], b"x\n-1\n0\n")
    refused("a model of numbers", model_of([1], 3), 9, [1], b"\0\0\1\0\1", [[0]], b"0\n")
    refused("a file of numbers", whole, 7, [1], bytes([0, 3, 0, 0]), [[1]], b"\0\0")


def check_logistics():
    # The test vectors of the page, and that intervals follow one another.
    p = [0.5, -0.5, 100.0, 200.0, 2.0, 3.0]
    assert [Logistics(300, 2, p).start(s) for s in (100, 101, 200)] == [5955232, 6371545, 14492999]
    small = [(300, None), (300, 0), (300, 100), (300, 299), (2, 0), (2, 1)]
    for levels, left_out in small + [(5000, None), (5000, 1234)]:
        mixture, q = Logistics(levels, 2, p, left_out), 0
        for symbol in (s for s in range(levels) if s != left_out):
            found = mixture(q)
            assert found == (symbol, q, mixture.mass(symbol)) and found[2] >= 1
            q += found[2]
        assert q == 2**24


def main():
    assert blake3(b"").hex().startswith("af1349b9f5f9a1a6")
    check_values()
    check_pictures()
    check_tables()
    check_logistics()
    print("all files agree")


main()
