"""Particles: several draws of a datum's latents, and their weights."""
import itertools
import math

import keystream
from likelihoods import OTHER
from posterior import bins_at

L = [round(2**20 * math.log2(1 + i / 1024)) for i in range(1025)]
E = [round(2**40 * 2 ** (-i / 1024)) for i in range(1025)]


def shifts(particle, latents):
    words = keystream.words("bbans shifts of particles, vers1", particle)
    return [word >> 8 for word in itertools.islice(words, latents)]


def h(mass):
    """Information content of a mass, in units of 2^-20 bits."""
    e = mass.bit_length() - 1
    i, f = divmod((mass << 31 - e) - 2**31, 2**21)
    return 24 * 2**20 - e * 2**20 - L[i] - ((L[i + 1] - L[i]) * f >> 21)


def observed(model, bins, x):
    """Information content of x, given the latents' bins."""
    values, _ = model.from_the_top(bins)
    first, others = model.likelihood(values)
    total = 0
    for d in range(model.dims):
        table = first(d, x)
        if x[d] in table.symbols:
            total += h(table.mass(x[d]))
        else:
            total += h(table.mass(OTHER)) + h(others(d).mass(x[d]))
    return total


def at_shift(model, x, u, shift):
    """The particle of this shift: its bins, and their intervals under the posterior."""
    return bins_at(model, x, [(a + b) % (1 << 24) for a, b in zip(u, shift)])


def length(model, x, bins, intervals):
    """Of a particle: that of the datum and the prior, less that of the posterior."""
    of_prior = sum(h(model.prior[b + 1] - model.prior[b]) for b in bins)
    return observed(model, bins, x) + of_prior - sum(h(mass) for _, mass in intervals)


def weight(d):
    whole, part = divmod(d, 2**20)
    if whole >= 41:
        return 0
    i, f = divmod(part, 1024)
    return E[i] - ((E[i] - E[i + 1]) * f >> 10) >> whole


def masses(lengths):
    least = min(lengths)
    w = [weight(n - least) for n in lengths]
    spare, total = 2**24 - len(w), sum(w)
    all_masses = [1 + v * spare // total for v in w]
    all_masses[lengths.index(least)] += 2**24 - sum(all_masses)
    return all_masses
