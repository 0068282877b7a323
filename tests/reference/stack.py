"""A block's message, its steps, and the bins of latents under their posterior."""
import bisect
import math
import struct

from arithmetic import clamp, f32
from corruption import need

# The normal distribution's cumulative function, of 2^24, in steps of 1/64.
T = [round(2**24 * 0.5 * math.erfc(-(i / 64 - 8) / math.sqrt(2))) for i in range(1025)] + [2**24]


def cumulative(model, j, mean, inverse):
    """Where bin j of a latent begins under its posterior."""
    if j == 0 or j == 1 << model.precision:
        return 0 if j == 0 else 1 << 24
    t = clamp(f32(f32(model.edges[j - 1] - mean) * inverse), -8.0, 8.0)
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

    def bin_of_prior(q):
        j = bisect.bisect_right(model.prior, q) - 1
        return j, model.prior[j], model.prior[j + 1] - model.prior[j]

    for step in reversed(range(len(widths))):
        w = widths[step]
        z = [[0] * model.latents for _ in range(w)]
        for k in range(model.latents):
            for i in range(w):
                z[i][k] = message.pop(i, bin_of_prior)
        tops = [model.from_the_top(row) for row in z]
        tables, x = [model.likelihood(values) for values, _ in tops], [[0] * model.dims for _ in range(w)]
        for d in range(model.dims):
            for i in range(w):
                x[i][d] = message.pop(i, tables[i][0](d, x[i]))
            for i in range(w):
                if tables[i][1] and x[i][d] > 0:
                    x[i][d] = message.pop(i, tables[i][1](d))
        posteriors = [model.posterior(row, *top) for row, top in zip(x, tops)]
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
