"""A block's steps: bits-back coding, with particles, points and sets."""
import bisect
import functools

import particles
from bits_back import plain_step, pop_latents, pop_observed
from corruption import need
from points import Grid
from posterior import interval, pop_bins
from stack import Message, initial_words, uniform


class Way:
    """How the blocks of a file are coded."""

    def __init__(self, lanes, whitened=0, particles=1, unordered=False, coupled=True):
        self.lanes, self.whitened, self.unordered = lanes, whitened, unordered
        self.particles, self.coupled = particles, coupled


def steps(count, lanes, growth):
    widths, done = [], 0
    while done < count:
        widths.append(min(max(1, min(lanes, done * growth // 256)), count - done))
        done += widths[-1]
    return widths


def step_of_independent_particles(model, message, w, count):
    j = [message.pop_uniform(i, count) for i in range(w)]
    z = pop_latents(model, message, w)
    x, tops = pop_observed(model, message, w, z)
    coded = [(bins, intervals_of(model, row, bins, top)) for row, bins, top in zip(x, z, tops)]
    others = [pop_bins(model, x, message) for _ in range(count - 1)]
    # Of each lane, all particles in their order: their bins and intervals.
    all_of = [[(bins[i], intervals[i]) for bins, intervals in others] for i in range(w)]
    for i in range(w):
        all_of[i].insert(j[i], coded[i])
    for i in reversed(range(w)):
        masses = particles.masses([particles.length(model, x[i], *particle) for particle in all_of[i]])
        message.push(i, sum(masses[:j[i]]), masses[j[i]])
    for n in reversed(range(count)):
        for k in reversed(range(model.latents)):
            for i in reversed(range(w)):
                message.push(i, *all_of[i][n][1][k])
    return x


def intervals_of(model, x, bins, top):
    """Of bins under the posterior."""
    return [interval(model, *of_bin) for of_bin in zip(bins, *model.posterior(x, *top))]


def step_of_particles(model, message, w, count):
    j = [message.pop_uniform(i, count) for i in range(w)]
    z = pop_latents(model, message, w)
    x, tops = pop_observed(model, message, w, z)
    u = [[0] * model.latents for _ in range(w)]
    intervals = [intervals_of(model, *of_lane) for of_lane in zip(x, z, tops)]
    shifts = [particles.shifts(n, model.latents) for n in range(count)]
    for k in range(model.latents):
        for i in range(w):
            start, size = intervals[i][k]
            need(size > 0, "a bin without mass")
            position = message.pop_uniform(i, size)
            u[i][k] = (start + position - shifts[j[i]][k]) % (1 << 24)
    for i in reversed(range(w)):
        of_lane = [particles.at_shift(model, x[i], u[i], shift) for shift in shifts]
        masses = particles.masses([particles.length(model, x[i], *particle) for particle in of_lane])
        message.push(i, sum(masses[:j[i]]), masses[j[i]])
    for k in reversed(range(model.latents)):
        for i in reversed(range(w)):
            message.push(i, u[i][k], 1)
    return x


def point(model, message, grid):
    bins = [grid.bin(message, k) for k in range(model.latents)]
    return pop_observed(model, message, 1, [bins])[0]


class Ranks:
    """Data of a set that have been decoded."""

    def __init__(self):
        self.data = []

    def push(self, message, lane, x):
        less, after = bisect.bisect_left(self.data, x), bisect.bisect_right(self.data, x)
        self.data.insert(after, x)
        message.push(lane, *uniform(less, len(self.data), after + 1))


grid_of = functools.cache(Grid)


def decode_block(model, way, count, points, initial, growth, words):
    """The data of a block, and the word that it begins with if it begins with points."""
    widths = steps(count, way.lanes, growth)
    need(points <= count and all(w == 1 for w in widths[:points]), "points")
    message, data, ranks, grid = Message(words, max(widths)), [], Ranks(), points and grid_of(model)
    for t in reversed(range(len(widths))):
        w = widths[t]
        if t < points:
            x = point(model, message, grid)
        elif way.particles == 1:
            x = plain_step(model, message, w)
        elif not way.coupled:
            x = step_of_independent_particles(model, message, w, way.particles)
        else:
            x = step_of_particles(model, message, w, way.particles)
        if way.unordered and not (t == 0 and points > 0):
            for lane in reversed(range(w)):
                ranks.push(message, lane, x[lane])
        data += x
        message.close(max(widths[:t], default=0))
        if t > 0 and way.whitened > 0:
            message.whiten(t, w * way.whitened)
    if points:
        need(len(message.tail) == 1, "the word that a block begins with")
        payload, = message.tail
    else:
        need(message.tail == initial_words(initial), "initial words")
        payload = None
    return sorted(data) if way.unordered else data, payload
