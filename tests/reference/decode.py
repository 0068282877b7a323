"""A second decoder, written from docs/format.md alone: decode.py MODEL FILE > RESTORED

Slow and plain, with nothing but Python's standard library, for IDX, .amat and .npy files. It leaves out the two
BLAKE3 digests, which the standard library does not have.
"""
import collections
import itertools
import json
import math
import struct
import sys
import zlib


def f32(x):
    """x rounded to f32. One operation on f32 values in double precision, then this, rounds as f32 does."""
    return struct.unpack("<f", struct.pack("<f", x))[0]


def need(condition, what):
    if not condition:
        sys.exit("corruption: " + what)


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


# Section 3: arithmetic.
ROUND, LOG2E, LN2_HIGH, LN2_LOW = 12582912.0, f32(math.log2(math.e)), f32(0.693359375), f32(-0.00021219444)
C = [f32(1 / math.factorial(i)) for i in range(8)]


def exp(x):
    x = max(min(x, 88.0), -87.0)
    s = f32(f32(x * LOG2E) + ROUND)
    n = f32(s - ROUND)
    r = f32(f32(x - f32(n * LN2_HIGH)) - f32(n * LN2_LOW))
    p = C[7]
    for c in C[6::-1]:
        p = f32(f32(p * r) + c)
    bits = struct.unpack("<I", struct.pack("<f", s))[0]
    return f32(p * struct.unpack("<f", struct.pack("<I", ((bits + 127) << 23) & 0xFFFFFFFF))[0])


def sigmoid(x):
    e = exp(-abs(x))
    return f32((e if x < 0 else 1.0) / f32(1 + e))


def tanh(x):
    e = exp(f32(-2 * abs(x)))
    t = f32(f32(1 - e) / f32(1 + e))
    return -t if x < 0 else t


def mass(x):
    e = exp(-abs(x))
    m = max(1, int(f32(f32(f32(e / f32(1 + e)) * 16777216.0) + 0.5)))
    return m if x < 0 else (1 << 24) - m


def elu(x):
    return x if x > 0 else f32(exp(x) - 1)


LN_2P = [f32(2 / i) for i in range(17, 0, -2)]


def softplus(x):
    e = exp(-abs(x))
    s = f32(e / f32(2 + e))
    t, p = f32(s * s), LN_2P[0]
    for c in LN_2P[1:]:
        p = f32(f32(p * t) + c)
    return f32((x if x > 0 else 0.0) + f32(p * s))


def clamp(x, low, high):
    return max(min(x, high), low)


def categorical(p, levels):
    top, c = max(p), [0.0]
    for v in p:
        c.append(f32(c[-1] + exp(f32(v - top))))
    return c


def beta_binomial(p, levels):
    a, b = (exp(clamp(v, -20.0, 20.0)) for v in p)
    w, total, c, scaled, gone = 1.0, 0.0, [0.0], 0, 0
    for k in range(levels):
        total = f32(total + w)
        c.append(total)
        up = f32((levels - 1 - k) * f32(k + a))
        down = f32((k + 1) * f32(levels - 2 - k + b))
        w = f32(w * f32(up / down))
        if w > 2.0**60:
            w, total, gone, scaled = f32(w * 2.0**-60), f32(total * 2.0**-60), scaled, k + 1
        if not w > 2.0**-100:
            w = 0.0
    return [0.0 if k <= gone else f32(v * 2.0**-60) if k <= scaled else v for k, v in enumerate(c)]


def logistics(p, levels, n):
    logits, means, scales = (p[:n], p[n:2 * n], p[2 * n:]) if n > 1 else ([0.0], p[:1], p[1:])
    top, c = max(logits), [0.0] * (levels + 1)
    for logit, mean, scale in zip(logits, means, scales):
        weight, rate = exp(f32(logit - top)), exp(-clamp(scale, -10.0, 20.0))
        for k in range(1, levels + 1):
            below = 1.0 if k == levels else sigmoid(f32(f32(k - 0.5 - mean) * rate))
            c[k] = f32(c[k] + f32(weight * below))
    for k in range(1, levels + 1):
        c[k] = max(c[k], c[k - 1])
    return c


def starts(kind, options, p):
    """Starts of the symbols of one dimension, and 2^24."""
    levels = options["levels"]
    tables = {"categorical": categorical, "beta_binomial": beta_binomial,
              "discretized_logistic": lambda p, n: logistics(p, n, options["components"])}
    c = tables[kind](p, levels)
    spare = float((1 << 24) - levels)
    scale = f32(spare / c[levels])
    return [k + int(min(f32(c[k] * scale), spare)) for k in range(levels)] + [1 << 24]


def table_of_mass(m):
    """A Bernoulli symbol: 1 comes first."""
    return lambda q: (1, 0, m) if q < m else (0, m, (1 << 24) - m)


def table_of_starts(s):
    def locate(q):
        k = max(k for k in range(len(s) - 1) if s[k] <= q)
        return k, s[k], s[k + 1] - s[k]
    return locate


OPS = {"elu": elu, "softplus": softplus, "relu": lambda x: x if x > 0 else 0.0, "silu": lambda x: f32(x * sigmoid(x)), "tanh": tanh,
       "sigmoid": sigmoid, "exp": exp}


class Model:
    def __init__(self, data):
        size = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:8 + size])
        d = self.description = json.loads(header.pop("__metadata__")["bbans"])
        need(d["version"] in (1, 2, 3, 4, 5), "another kind of model")
        self.tensors = {}
        for name, t in header.items():
            start, end = t["data_offsets"]
            values = struct.unpack(f"<{(end - start) // 4}f", data[8 + size + start:8 + size + end])
            self.tensors[name] = (t["shape"], values)
        self.edges, self.centres = self.tensors["latent.edges"][1], self.tensors["latent.centres"][1]
        self.latents, self.precision = d["latent"]["dim"], d["latent"]["bin_precision"]
        self.dims = math.prod(d["data_shape"])

    def run(self, layers, x):
        for layer in layers:
            if layer["op"] in OPS:
                x = [OPS[layer["op"]](v) for v in x]
            elif layer["op"] == "tiles":
                rows, columns, height, width = (layer[k] for k in ("rows", "columns", "height", "width"))
                channels, y = len(x) // (rows * columns * height * width), []
                for r, i, c, j in itertools.product(range(rows), range(height), range(columns), range(width)):
                    at = (((r * columns + c) * height + i) * width + j) * channels
                    y += x[at:at + channels]
                x = y
            else:
                count = layer.get("count", 1)
                size = len(x) // count
                x = [v for i in range(count) for v in self.dense(layer["name"], x[i * size:(i + 1) * size])]
        return x

    def dense(self, name, x):
        (inputs, outputs), w = self.tensors[name + ".weight"]
        y = list(self.tensors[name + ".bias"][1])
        for k in range(inputs):
            for j in range(outputs):
                y[j] = f32(y[j] + f32(x[k] * w[k * outputs + j]))
        return y

    def likelihood(self, z):
        """The table of dimension d, given the symbols before it; and that of the levels above 0 where these follow."""
        y = self.run(self.description["decoder"], [self.centres[b] for b in z])
        each = len(y) // self.dims
        if self.description["likelihood"] == "bernoulli":
            return (lambda d, x: table_of_mass(mass(y[d]))), None
        (kind, options), = self.description["likelihood"].items()
        if not kind.startswith("causal"):
            return (lambda d, x: table_of_starts(starts(kind, options, y[d * each:(d + 1) * each]))), None
        # Features of all pixels so far, by stage and pixel; the last stage's are the logits.
        kept = collections.defaultdict(dict)

        def first(d, x):
            return table_of_mass(mass(self.causal(options, d, y[d * each:(d + 1) * each], x, kept)[0]))

        def above(d):
            levels = options["levels"] - 1
            locate = table_of_starts(starts("categorical", {"levels": levels}, kept["logits"][d][1:]))
            return lambda q: (lambda k, start, size: (k + 1, start, size))(*locate(q))
        return first, above if kind == "causal_categorical" else None

    def causal(self, options, d, channels, x, kept):
        height, width = self.description["data_shape"]
        row, column = divmod(d, width)

        def near(window, of_pixel, beyond):
            above, side = window["above"], window["side"]
            places = [(row + i, column + j) for i in range(-above, 0) for j in range(-side, side + 1)]
            places += [(row, column + j) for j in range(-side, 0)]
            return [v for r, c in places for v in (of_pixel(r * width + c) if r >= 0 and 0 <= c < width else beyond)]

        if "embedding" in options:
            depth, table = options["embedding"], self.tensors["head.embedding"][1]
            level = lambda k: list(table[k * depth:(k + 1) * depth])
        else:
            level = lambda k: [float(k)]
        h = channels + near(options.get("window", options), lambda p: level(x[p]), level(0))
        for stage, layer in enumerate(self.description["head"]):
            if layer["op"] == "neighbours":
                kept[stage][d] = h
                h = near(layer, lambda p: kept[stage][p], [0.0] * len(h)) + h
            else:
                h = self.run([layer], h)
        kept["logits"][d] = h
        return h

    def posterior(self, x, z):
        """Means and inverse standard deviations of the latents, each layer's given those above it."""
        y, mean, log_sigma = self.run(self.description["encoder"], [float(v) for v in x]), [], []
        for layer in self.description.get("hierarchy", [{"latents": self.latents, "layers": []}]):
            p, n = self.run(layer["layers"], y + [self.centres[b] for b in z[:len(mean)]]), layer["latents"]
            mean, log_sigma = mean + p[:n], log_sigma + p[n:]
        low, high = (f32(v) for v in self.description["latent"]["log_sigma"])
        return mean, [exp(-max(min(v, high), low)) for v in log_sigma]


# Section 2: a block's message.
T = [round(2**24 * 0.5 * math.erfc(-(i / 64 - 8) / math.sqrt(2))) for i in range(1025)] + [2**24]


def cumulative(model, j, mean, inverse):
    if j == 0 or j == 1 << model.precision:
        return 0 if j == 0 else 1 << 24
    t = max(min(f32(f32(model.edges[j - 1] - mean) * inverse), 8.0), -8.0)
    u = int(f32(f32(t + 8) * 65536))
    i, f = u >> 10, u & 1023
    return T[i] + (((T[i + 1] - T[i]) * f) >> 10)


def initial_words(count):
    key = struct.unpack("<8I", b"bbans initial words, version one")
    words, counter = [], 0
    while len(words) < count:
        start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *key, counter, 0, 0, 0]
        s = list(start)

        def quarter(a, b, c, d):
            for x, y, z, r in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                s[x] = (s[x] + s[y]) & 0xFFFFFFFF
                s[z] ^= s[x]
                s[z] = ((s[z] << r) | (s[z] >> (32 - r))) & 0xFFFFFFFF

        for _ in range(4):
            for i in range(4):
                quarter(i, 4 + i, 8 + i, 12 + i)
            for i in range(4):
                quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
        words += [(a + b) & 0xFFFFFFFF for a, b in zip(s, start)]
        counter += 1
    return words[:count]


class Message:
    def __init__(self, words, lanes):
        need(len(words) >= 2 and words[-1] > 0, "first head")
        self.heads, self.tail = [words[-1] << 32 | words[-2]], words[:-2]
        for _ in range(1, lanes):
            bits = self.pop_uniform(0, 5)
            upper = self.pop_uniform(0, bits - min(bits, 16))
            lower = self.pop_uniform(0, min(bits, 16))
            high = 1 << bits | upper << min(bits, 16) | lower
            need(self.tail, "empty tail")
            self.heads.append(high << 32 | self.tail.pop())

    def pop(self, lane, locate):
        h = self.heads[lane]
        symbol, start, size = locate(h & 0xFFFFFF)
        h = size * (h >> 24) + (h & 0xFFFFFF) - start
        if h < 1 << 32:
            need(self.tail, "empty tail")
            h = h << 32 | self.tail.pop()
        self.heads[lane] = h
        return symbol

    def pop_uniform(self, lane, bits):
        shift = 24 - bits
        return self.pop(lane, lambda q: (q >> shift, q >> shift << shift, 1 << shift))

    def push(self, lane, start, size):
        need(size > 0, "a bin without mass")
        h = self.heads[lane]
        if h >> 40 >= size:
            self.tail.append(h & 0xFFFFFFFF)
            h >>= 32
        self.heads[lane] = (h // size << 24) + start + h % size


def decode_block(model, lanes, count, initial, growth, words):
    widths, done = [], 0
    while done < count:
        widths.append(min(max(1, min(lanes, done * growth // 256)), count - done))
        done += widths[-1]
    message, data = Message(words, max(widths)), []
    for step in reversed(range(len(widths))):
        w = widths[step]
        z = [[0] * model.latents for _ in range(w)]
        for k in range(model.latents):
            for i in range(w):
                z[i][k] = message.pop_uniform(i, model.precision)
        tables, x = [model.likelihood(row) for row in z], [[0] * model.dims for _ in range(w)]
        for d in range(model.dims):
            for i in range(w):
                x[i][d] = message.pop(i, tables[i][0](d, x[i]))
            for i in range(w):
                if tables[i][1] and x[i][d] > 0:
                    x[i][d] = message.pop(i, tables[i][1](d))
        posteriors = [model.posterior(*rows) for rows in zip(x, z)]
        for k in reversed(range(model.latents)):
            for i in reversed(range(w)):
                mean, inverse = (p[k] for p in posteriors[i])
                start = cumulative(model, z[i][k], mean, inverse)
                message.push(i, start, cumulative(model, z[i][k] + 1, mean, inverse) - start)
        data += x
        left = max(widths[:step], default=0)
        while len(message.heads) > left:
            head = message.heads.pop()
            need(head >> 32 == 1, "a head does not end where it started")
            message.tail.append(head & 0xFFFFFFFF)
    need(message.tail == initial_words(initial), "initial words")
    return data


# Section 1: the container.
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


main()
