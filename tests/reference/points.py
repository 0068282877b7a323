"""The point code: latents at the centres of cells."""
import bisect
import itertools
import struct

import keystream
from arithmetic import f32
from bits_back import pop_latents, pop_observed
from particles import h
from posterior import bin_of_prior, bins_at, normal

HALVES = struct.unpack(">2f", bytes.fromhex("3fddb3d73f9cc471"))


class Cells:
    """Where the cells of a width index begin, and the quantiles of their centres."""

    def __init__(self, width):
        half = HALVES[width % 2] / 2 ** (width // 2)
        last = next(c for c in itertools.count(1) if f32((2 * c + 1) * half) >= 4)
        self.starts = [0] + [normal(f32((2 * c + 1) * half)) for c in range(-last, last)] + [1 << 24]
        self.centres = [min(normal(f32(2 * c * half)), (1 << 24) - 1) for c in range(-last, last + 1)]

    def __call__(self, q):
        c = bisect.bisect_right(self.starts, q) - 1
        return c, self.starts[c], self.starts[c + 1] - self.starts[c]


class Endless:
    """A message of the words of a key stream, which does not end."""

    def __init__(self, words, lanes):
        self.words = words
        self.heads = [1 << 32 | next(words) for _ in range(lanes)]

    def pop(self, lane, locate):
        h = self.heads[lane]
        symbol, start, size = locate(h & 0xFFFFFF)
        h = size * (h >> 24) + (h & 0xFFFFFF) - start
        self.heads[lane] = h if h >> 32 else h << 32 | next(self.words)
        return symbol


class Grid:
    def __init__(self, model):
        self.model = model
        words = keystream.words("bbans samples of a point code, 1")
        count = min(max(2**17 // model.dims, 4), 32)
        q = [[next(words) >> 8 for _ in range(model.latents)] for _ in range(count)]
        message = Endless(words, count)
        x, _ = pop_observed(model, message, count, pop_latents(model, message, count))
        sums = [0] * model.latents
        for row, quantiles in zip(x, q):
            bins, intervals = bins_at(model, row, quantiles)
            for k, (j, (_, mass)) in enumerate(zip(bins, intervals)):
                sums[k] += h(model.prior[j + 1] - model.prior[j]) - h(mass)
        self.cells = [Cells(min(max((4 * s + (count << 20)) // (count << 21), 0), 22)) for s in sums]

    def bin(self, message, k):
        """Pops the cell of latent k; the bin that its centre lies in."""
        cell = message.pop(0, self.cells[k])
        return bin_of_prior(self.model)(self.cells[k].centres[cell])[0]
