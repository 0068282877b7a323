"""The key stream of ChaCha with 8 rounds, which initial words and whatever else both sides draw come from."""
import struct


def block(key, nonce, counter):
    low, high = nonce & 0xFFFFFFFF, nonce >> 32
    start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *key, counter & 0xFFFFFFFF, counter >> 32, low, high]
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
    return [(a + b) & 0xFFFFFFFF for a, b in zip(s, start)]


def words(key, nonce=0):
    """The words of the key stream of a key of 32 ASCII bytes, one after another, without end."""
    key, counter = struct.unpack("<8I", key.encode()), 0
    while True:
        yield from block(key, nonce, counter)
        counter += 1
