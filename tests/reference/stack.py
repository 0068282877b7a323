"""A message: heads over a tail."""
import itertools

import keystream
from corruption import need


def initial_words(count):
    return list(itertools.islice(keystream.words("bbans initial words, version one"), count))


class Message:
    def __init__(self, words, lanes):
        need(len(words) >= 2 and words[-1] > 0, "first head")
        self.heads, self.tail = [words[-1] << 32 | words[-2]], words[:-2]
        for _ in range(1, lanes):
            bits = self.pop_uniform(0, 1 << 5)
            upper = self.pop_uniform(0, 1 << bits - min(bits, 16))
            lower = self.pop_uniform(0, 1 << min(bits, 16))
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

    def pop_uniform(self, lane, count):
        def locate(q):
            symbol = ((q + 1) * count - 1) >> 24
            return symbol, *uniform(symbol, count)
        return self.pop(lane, locate)

    def push(self, lane, start, size):
        need(size > 0, "a bin without mass")
        h = self.heads[lane]
        if h >> 40 >= size:
            self.tail.append(h & 0xFFFFFFFF)
            h >>= 32
        self.heads[lane] = (h // size << 24) + start + h % size

    def close(self, left):
        """Removes heads until so many are left."""
        while len(self.heads) > left:
            head = self.heads.pop()
            need(head >> 32 == 1, "a head does not end where it started")
            self.tail.append(head & 0xFFFFFFFF)

    def whiten(self, step, count):
        words = keystream.words("bbans whitening of a message, v1", step)
        for lane, head in enumerate(self.heads):
            word = next(words) | next(words) << 32
            self.heads[lane] = head ^ word % (1 << head.bit_length() - 9)
        for at in reversed(range(max(0, len(self.tail) - count), len(self.tail))):
            self.tail[at] ^= next(words)


def uniform(symbol, count, to=None):
    """Start and mass of a symbol, or of those up to another one, that are equally likely."""
    start, end = ((v << 24) // count for v in (symbol, symbol + 1 if to is None else to))
    return start, end - start
