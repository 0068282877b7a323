"""Data files: how a member's data are written.

Each layout reads what its header needs, makes bytes of what a symbol stands for, and puts those of all data together.
"""
import math
import struct
import zlib

from corruption import need


class Layout:
    """Values of a byte, with a prefix: IDX and .npy."""

    # Bytes of a value; whether they are numbers from 0 to 255; most bytes that a last line may lack.
    size, plain, cut = 1, True, 0
    tables = False

    def __init__(self, b, number, axes, count, lean):
        self.axes = axes
        self.prefix = self.read(b, number, axes, count, lean)

    def read(self, b, number, axes, count, lean):
        usual = {1: 5, 3: 6}
        if number in usual:
            prefix = b.take_counted(2**17)
            need(not lean or prefix != usual_prefix(usual[number], axes, count), "a usual header")
            return prefix
        need(lean, "a layout of lean files")
        return usual_prefix(number, axes, count)

    def bytes_of(self, v, d):
        """Of what a symbol of dimension d stands for; None if there is no such value."""
        return bytes([v]) if 0 <= v < 256 else None

    def exception(self, v):
        need(len(v) == self.size, "the size of an exception")
        return v

    def fits(self, x, scale):
        pass

    def restored(self, rows):
        return self.prefix + b"".join(b"".join(row) for row in rows)

    digested = restored

    def cut_off(self, file, cut, count):
        need(cut <= (self.cut if count else 0), "cut")
        return file[:len(file) - cut]


def usual_prefix(number, axes, count, idx_type=8, description="|u1", fortran=False):
    if number == 5:
        return struct.pack(f">HBB{len(axes) + 1}I", 0, idx_type, len(axes) + 1, count, *axes)
    text = f"{{'descr': '{description}', 'fortran_order': {fortran}, 'shape': {(count, *axes)}, }}"
    size = -(-(len(text) + 11) // 64) * 64 - 10
    return b"\x93NUMPY\x01\0" + struct.pack("<H", size) + text.ljust(size - 1).encode() + b"\n"


class Amat(Layout):
    def exception(self, v):
        need(False, "an exception in .amat")

    def read(self, b, number, axes, count, lean):
        self.separator, self.flags = b.take(1), b.u8()
        need(self.flags < 4, "flags of .amat")
        self.cut = 2 if self.flags & 2 else 1

    def fits(self, x, scale):
        need(scale == 1 and max(x) < 2, "symbols of .amat")

    def bytes_of(self, v, d):
        return b"%d" % v if 0 <= v < 2 else None

    def restored(self, rows):
        end = (self.separator if self.flags & 1 else b"") + (b"\r\n" if self.flags & 2 else b"\n")
        return b"".join(self.separator.join(row) + end for row in rows)

    digested = restored


# Of each type the letter of struct, the byte of IDX and the text of .npy.
TYPES = [("?", None, "b1"), ("B", 8, "u1"), ("b", 9, "i1"), ("H", None, "u2"), ("h", 0x0B, "i2"), ("I", None, "u4"),
         ("i", 0x0C, "i4"), ("Q", None, "u8"), ("q", None, "i8"), ("f", 0x0D, "f4"), ("d", 0x0E, "f8")]
RAW, IDX, NPY, PNM = range(4)


class Values(Layout):
    def read(self, b, number, axes, count, lean):
        form, kind, flags = b.u8(), b.u8(), b.u8()
        need(form < 4 and kind & 127 < len(TYPES) and flags in (0, 1, 2, 3, 6), "a form, type or flags of values")
        self.fortran = bool(flags & 1)
        self.letter, idx_type, text = TYPES[kind & 127]
        self.size, self.order = struct.calcsize("=" + self.letter), ">" if kind & 128 else "<"
        self.plain = kind == 1
        need(self.size > 1 or not kind & 128, "the order of bytes of a byte")
        need(form not in (IDX, NPY) or kind != 1 or self.fortran, "another layout's type")
        # Those of the data's axes, and of a row.
        shapes = {2: (axes, count), 6: ((), count * math.prod(axes))} if lean else {}
        if self.fortran:
            shapes.pop(6, None)
        usual = {}
        if form == RAW and lean:
            usual = {2: b""}
        elif form == IDX and idx_type and (self.size == 1 or self.order == ">"):
            usual = {flag: usual_prefix(5, *shape, idx_type) for flag, shape in shapes.items()}
        elif form == NPY:
            text = (self.order if self.size > 1 else "|") + text
            usual = {flag: usual_prefix(6, *shape, description=text, fortran=self.fortran)
                     for flag, shape in shapes.items()}
        if flags & 2:
            need(flags & 6 in usual, "a usual header")
            return usual[flags & 6]
        prefix = b.take_counted(2**17)
        need(prefix not in usual.values(), "a usual header")
        return prefix

    def bytes_of(self, v, d):
        if self.letter == "?" and v not in (0, 1):
            return None
        try:
            data = struct.pack(self.order + self.letter, v)
        except (struct.error, OverflowError):
            return None
        return data if struct.unpack(self.order + self.letter, data)[0] == v else None

    def restored(self, rows):
        if not self.fortran:
            return super().restored(rows)
        # The first axis fastest: which value of a row comes where.
        steps = [math.prod(self.axes[i + 1:]) for i in range(len(self.axes))]
        places = [0]
        for size, step in zip(self.axes, steps):
            # Later axes are outer loops.
            places = [at + i * step for i in range(size) for at in places]
        return self.prefix + b"".join(row[d] for d in places for row in rows)

    digested = restored


class Grey(Layout):
    """PNG of grey."""

    def read(self, b, number, axes, count, lean):
        self.colour, self.depth, self.chunks = 0, b.u8(), None
        need(self.depth in (1, 8) and len(axes) == 2, "depth or axes of PNG")
        self.single = b.u8()
        need(self.single < 2, "a single file or not")
        self.read_names(b)

    def read_names(self, b, folders=False):
        names = b.inflated(2**27, 2**26)
        need(names[-1:] in (b"", b"\n"), "the last name")
        self.names = names.decode().split("\n")[:-1]
        need(all(all_good(name, folders) for name in self.names), "a name")
        encoded = [name.encode() for name in self.names]
        need(all(a < b for a, b in zip(encoded, encoded[1:])), "names do not ascend")
        need(not folders or any("/" in name for name in self.names), "no name has a folder")
        every = set(self.names)
        need(not any(name[:at] in every for name in self.names for at in range(len(name)) if name[at] == "/"),
             "a path through another one")

    def fits(self, x, scale):
        need(self.depth > 1 or scale == 1 and max(x) < 2, "symbols of a picture of bits")

    def bytes_of(self, v, d):
        if not 0 <= v < 1 << self.depth:
            return None
        return v.to_bytes(self.size, "big")

    def digested(self, rows):
        return b"".join(b"".join(row) for row in rows)

    def pictures(self, rows):
        """Name and file of each."""
        need(len(rows) == len(self.names), "as many names as pictures")
        height, width = self.axes[:2]
        for i, (name, row) in enumerate(zip(self.names, rows)):
            lines = [b"".join(row[at:at + len(row) // height]) for at in range(0, len(row), len(row) // height)]
            if self.depth == 1:
                bits = ("".join(str(v) for v in line).ljust(-(-width // 8) * 8, "0") for line in lines)
                lines = [int(line, 2).to_bytes(len(line) // 8, "big") for line in bits]
            before, after = self.chunks[i] if self.chunks else (b"", b"")
            header = struct.pack(">IIBBBBB", width, height, self.depth, self.colour, 0, 0, 0)
            pixels = zlib.compress(b"".join(b"\0" + line for line in lines))
            yield name, (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", pixels) + after
                         + chunk(b"IEND", b""))

    def restored(self, rows):
        files = list(self.pictures(rows))
        if not self.single:
            return files
        need(len(files) == 1, "a single file")
        return files[0][1]


def all_good(path, folders):
    parts = path.split("/")
    return (len(parts) <= (32 if folders else 1) and len(path.encode()) <= 1024
            and all(0 < len(part.encode()) < 256 and part[0] != "." and not set(part) & set('\\:*?"<>|')
                    and not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in part) for part in parts))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


class Pictures(Grey):
    """PNG of colours, of 16 bits, in trees of folders, or with chunks."""

    def read(self, b, number, axes, count, lean):
        self.colour, self.depth, flags = b.u8(), b.u8(), b.u8()
        channels = {0: 1, 2: 3, 4: 2, 6: 4}.get(self.colour)
        need(channels and flags < 8, "colour type or flags of PNG")
        need(self.depth in (8, 16) or self.depth == 1 == channels, "depth of PNG")
        need(list(axes[2:]) == ([channels] if channels > 1 else []) and len(axes) >= 2, "axes of PNG")
        need(channels > 1 or self.depth > 8 or flags & 6, "another layout's pictures")
        self.single, self.size, self.plain = flags & 1, self.depth // 16 + 1, self.depth < 16
        self.read_names(b, bool(flags & 2))
        self.chunks = flags & 4 and self.read_chunks(b.inflated(2**27, 2**28))

    def read_chunks(self, data):
        """Of each file those before the pixels and those after."""
        all_files, at = [], 0
        while at < len(data):
            size = shift = 0
            while True:
                size |= (data[at] & 127) << shift
                shift, at = shift + 7, at + 1
                if data[at - 1] < 128:
                    break
            own, at = data[at:at + size], at + size
            need(len(own) == size <= 2**20, "chunks")
            middle = 0
            while middle < len(own) and own[middle] < 128:
                middle += 12 + struct.unpack_from(">I", own, middle)[0]
            all_files.append((own[:middle], own[middle + 1:]))
        need(len(all_files) == len(self.names) and any(a or b for a, b in all_files), "chunks")
        return all_files


class Table(Layout):
    tables, size, plain = True, None, False

    def fits(self, x, scale):
        need(scale == 1, "the scale of a table")

    def read(self, b, number, axes, count, lean):
        kind = b.u8()
        need(kind < 8, "delimiter")
        self.delimiter, self.end = b",;\t|"[kind % 4:][:1], b"\r\n" if kind & 4 else b"\n"
        self.cut = len(self.end)
        prefix = b.take_counted(2**20 + 3)
        columns, self.quotes = b.varint(), []
        need(list(axes) == [columns], "number of columns")
        while len(self.quotes) < columns:
            quotes, many = b.u8(), b.varint()
            need(0 < many <= columns - len(self.quotes) and quotes // 16 < 5 and quotes % 16 < 5, "quotes")
            need(self.quotes[-1:] != [quotes], "quotes of columns that go on")
            self.quotes += [quotes] * many
        return prefix

    def bytes_of(self, v, d):
        (text, is_number), quotes = v, self.quotes[d]
        text, how = text.encode(), quotes % 16 if is_number else quotes // 16
        special = any(c in text for c in (self.delimiter, b'"', b"\r", b"\n"))
        if [special, True, text != b"NA", text != b"", False][how]:
            return b'"' + text.replace(b'"', b'""') + b'"'
        return text

    def exception(self, v):
        return v

    def restored(self, rows):
        records = [self.delimiter.join(row) for row in rows]
        need(all(len(record) <= 2**20 + 2 for record in records), "the length of a record")
        return self.prefix + b"".join(record + self.end for record in records)

    digested = restored


LAYOUTS = {1: Layout, 2: Amat, 3: Layout, 4: Grey, 5: Layout, 6: Layout, 7: Values, 8: Pictures, 9: Table}
