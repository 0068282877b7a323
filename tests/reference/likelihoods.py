"""Likelihoods: from the parameters of a datum to the intervals of its symbols.

Each takes its options from the description, the model, and all parameters of a datum, and gives two functions. With
`first(d, x)` comes what finds the symbol of dimension d, given the symbols x before it. Where that symbol is OTHER,
what comes with `others(d)` finds which one it is. What finds a symbol takes the low 24 bits of a head, and gives the
symbol, its start and its mass.
"""
import bisect
import collections
import math

from arithmetic import clamp, exp, f32, f32s, mass, normal_cdf, sigmoid

OTHER = None


class Intervals:
    """What finds the symbol of a quantile, its start and its mass; and the mass of a symbol."""

    def __init__(self, starts, symbols):
        self.starts, self.symbols = starts, symbols

    def __call__(self, q):
        k = bisect.bisect_right(self.starts, q) - 1
        return self.symbols[k], self.starts[k], self.starts[k + 1] - self.starts[k]

    def mass(self, symbol):
        k = self.symbols.index(symbol)
        return self.starts[k + 1] - self.starts[k]


def of_mass(m, one=1, zero=0):
    """1 comes first."""
    return Intervals([0, m, 1 << 24], [one, zero])


def of_starts(s, lowest=0):
    return Intervals(s, range(lowest, lowest + len(s) - 1))


def starts(c):
    """From a cumulative function to the starts of the symbols, and 2^24."""
    levels = len(c) - 1
    spare = float((1 << 24) - levels)
    scale = f32(spare / c[levels])
    return [k + int(min(f32(c[k] * scale), spare)) for k in range(levels)] + [1 << 24]


# Cumulative functions.


def categorical(p, options):
    top, c = max(p), [0.0]
    for v in p:
        c.append(f32(c[-1] + exp(f32(v - top))))
    return c


def beta_binomial(p, options):
    levels = options["levels"]
    a, b = (exp(clamp(v, -20.0, 20.0)) for v in p)
    w, total, c, scaled, gone = 1.0, 0.0, [0.0], 0, 0
    for k in range(levels):
        total = f32(total + w)
        c.append(total)
        if k == levels - 1:
            break
        up = f32((levels - 1 - k) * f32(k + a))
        down = f32((k + 1) * f32(levels - 2 - k + b))
        w = f32(w * f32(up / down))
        if w > 2.0**60:
            w, total, gone, scaled = f32(w * 2.0**-60), f32(total * 2.0**-60), scaled, k + 1
        if not w > 2.0**-100:
            w = 0.0
    return [0.0 if k <= gone else f32(v * 2.0**-60) if k <= scaled else v for k, v in enumerate(c)]


def ascending(c):
    for k in range(1, len(c)):
        c[k] = max(c[k], c[k - 1])
    return c


def weights(logits):
    top = max(logits)
    return [exp(f32(v - top)) for v in logits]


def rate(scale):
    return exp(-clamp(scale, -10.0, 20.0))


def mixture(levels, components):
    """Of logistic distributions, each with a weight, a mean and a rate."""
    c = [0.0] * (levels + 1)
    for weight, mean, inverse in components:
        for k in range(1, levels + 1):
            below = 1.0 if k == levels else sigmoid(f32(f32(k - 0.5 - mean) * inverse))
            c[k] = f32(c[k] + f32(weight * below))
    return ascending(c)


def discretized_logistic(p, options):
    n = options["components"]
    logits, means, scales = (p[:n], p[n:2 * n], p[2 * n:]) if n > 1 else ([0.0], p[:1], p[1:])
    return mixture(options["levels"], zip(weights(logits), means, map(rate, scales)))


def discretized_gaussian(p, options):
    (mean, scale), levels = p, options["levels"]
    inverse = rate(scale)
    inner = [normal_cdf(f32(f32(k - 0.5 - mean) * inverse)) for k in range(1, levels)]
    return ascending([0.0] + inner + [1.0])


# Likelihoods.


def independent(cumulative):
    """Dimensions that depend on the latents alone."""
    def likelihood(options, model, y):
        each = len(y) // model.dims
        return (lambda d, x: of_starts(starts(cumulative(y[d * each:(d + 1) * each], options)))), None
    return likelihood


def bernoulli(options, model, y):
    return (lambda d, x: of_mass(mass(y[d]))), None


def causal_bernoulli(options, model, y):
    logits = head(options, lambda level: [float(level)], model, y)
    return (lambda d, x: of_mass(mass(logits(d, x)[0]))), None


def causal_categorical(options, model, y):
    levels, depth, (_, table) = options["levels"], options["embedding"], model.tensors["head.embedding"]
    logits = head(options["window"], lambda level: table[level * depth:(level + 1) * depth], model, y)
    of_pixel = {}

    def first(d, x):
        of_pixel[d] = logits(d, x)
        return of_mass(mass(of_pixel[d][0]), OTHER)
    return first, lambda d: of_starts(starts(categorical(of_pixel[d][1:], {"levels": levels - 1})), 1)


def head(window, of_level, model, y):
    """The function that takes a pixel, after all those before it, through the stages of the head."""
    outputs = walk(window, model.description["data_shape"][1], model, y, of_level(0))
    return lambda d, x: outputs(d, lambda p: of_level(x[p]))


def walk(window, width, model, y, beyond_edge):
    """Likewise of a position; stage 0 takes what stands for the symbols of other positions."""
    each = window["channels"]
    # What a stage gave, of all positions so far.
    kept = collections.defaultdict(dict)

    def outputs(d, standing):
        row, column = divmod(d, width)

        def near(window, of_pixel, beyond):
            # A stage leaves out what is 0.
            above, side = window.get("above", 0), window.get("side", 0)
            places = [(row + i, column + j) for i in range(-above, 0) for j in range(-side, side + 1)]
            places += [(row, column + j) for j in range(-side, 0)]
            return [v for r, c in places for v in (of_pixel(r * width + c) if r >= 0 and 0 <= c < width else beyond)]

        h = y[d * each:(d + 1) * each] + near(window, standing, beyond_edge)
        for i, stage in enumerate(model.description["head"]):
            if i > 0:
                kept[i][d] = h
                h = near(stage, lambda p: kept[i][p], [0.0] * len(h)) + h
            (_, h), = model.run(stage["function"], [([len(h)], h)])
        return h
    return outputs


def colour_logistics(options, model, y):
    """Mixtures of three channels; the weights of a channel follow from the symbols of those before it."""
    levels, n = options["levels"], options["components"]

    def first(d, x):
        pixel, channel = divmod(d, 3)
        rows = [y[at:at + n] for at in range(10 * n * pixel, 10 * n * (pixel + 1), n)]
        known = x[d - channel:d]

        def logistics(c):
            """Means and rates of channel c."""
            means = rows[1 + c]
            for before, symbol in enumerate(known[:c]):
                off = symbol - (levels - 1) / 2
                products = f32s([clamp(v, -1024.0, 1024.0) * off for v in rows[6 + before + c]])
                means = f32s([m + v for m, v in zip(means, products)])
            return means, [rate(v) for v in rows[4 + c]]

        w = weights(rows[0])
        for c, symbol in enumerate(known):
            w = f32s([v * mass_of(levels, symbol, *of_v) for v, *of_v in zip(w, *logistics(c))])
            top = max(w)
            w = f32s([v / top for v in w])
        return of_starts(starts(mixture(levels, zip(w, *logistics(channel)))))
    return first, None


def mass_of(levels, symbol, mean, inverse):
    """What a component gives a symbol, from the smaller tails; at least 2^-60."""
    low, high = (f32(f32(symbol + half - mean) * inverse) for half in (-0.5, 0.5))
    if symbol == 0:
        m = sigmoid(high)
    elif symbol == levels - 1:
        m = sigmoid(-low)
    elif low > 0:
        m = f32(sigmoid(-low) - sigmoid(-high))
    else:
        m = f32(sigmoid(high) - sigmoid(low))
    return max(m, 2.0**-60)


# The logistic function in integers, of 2^24, in steps of 1/64.
LOGISTIC = [round(2**24 / (1 + math.exp(-k / 64))) for k in range(1153)]


def logistic(x):
    """T(x) of the page."""
    k, f = divmod(int(min(abs(x), 18.0) * 2**18), 2**12)
    t = LOGISTIC[k] + ((LOGISTIC[min(k + 1, 1152)] - LOGISTIC[k]) * f >> 12)
    return 2**24 - t if x < 0 else t


class Logistics:
    """Intervals of so many levels, each computed where it is needed. A level may be left out, whose place the one
    after it has."""

    def __init__(self, levels, components, p, left_out=None):
        n = components
        logits, self.means, scales = (p[:n], p[n:2 * n], p[2 * n:]) if n > 1 else ([], p[:1], p[1:])
        self.weights = [int(w * 2**16) + 1 for w in weights(logits)] if n > 1 else [2**16]
        self.rates = [rate(v) for v in scales]
        self.left_out = levels if left_out is None else left_out
        self.levels = levels if left_out is None else levels - 1
        self.scale = ((2**24 - self.levels) * 2**16) // sum(self.weights)
        self.symbols = range(levels)

    def start(self, k):
        if k == 0 or k == self.levels:
            return 0 if k == 0 else 2**24
        edge = k - 0.5 if k <= self.left_out else k + 0.5
        below = sum(w * logistic(f32(f32(edge - u) * r)) for w, u, r in zip(self.weights, self.means, self.rates))
        return k + (below * self.scale >> 40)

    def __call__(self, q):
        k = bisect.bisect_right(range(self.levels), q, key=self.start) - 1
        start = self.start(k)
        return k + (k >= self.left_out), start, self.start(k + 1) - start

    def mass(self, symbol):
        k = symbol - (symbol > self.left_out)
        return self.start(k + 1) - self.start(k)


def autoregressive(options, model, y):
    """Positions one after another, and at each of them symbols one after another."""
    symbols, shape = model.description["symbols"], model.description["data_shape"]
    count = options["symbols"]
    shape = shape[:-1] if count > 1 or len(shape) > 2 else shape
    # Of each position so far what stands for its symbols.
    kept, of_others = collections.defaultdict(list), {}

    def standing(t, symbol):
        depth = symbols[t].get("embedding", 0)
        if depth == 0:
            return [model.scaled(t, symbol)]
        _, table = model.tensors[f"symbols.{t}.embedding"]
        return table[symbol * depth:(symbol + 1) * depth]

    numbers = sum(symbol.get("embedding", 0) or 1 for symbol in symbols)
    outputs = walk(options["window"], shape[-1] if shape else 1, model, y, [0.0] * numbers)
    of_head = {}

    def first(d, x):
        g, t = divmod(d, count)
        if t == 0:
            if g > 0:
                kept[g - 1].extend(standing(count - 1, x[d - 1]))
            of_head[g] = outputs(g, kept.__getitem__)
        else:
            kept[g].extend(standing(t - 1, x[d - 1]))
        known = of_head[g] + kept[g]
        (_, p), = model.run(symbols[t]["function"], [([len(known)], known)])
        (kind, o), = symbols[t]["distribution"].items()
        if kind == "categorical":
            return of_starts(starts(categorical(p, o)))
        if kind == "logistics":
            return Logistics(o["levels"], o["components"], p)
        of_others[d] = Logistics(o["levels"], o["components"], p[1:], o["frequent"])
        return of_mass(mass(p[0]), o["frequent"], OTHER)
    return first, of_others.__getitem__


LIKELIHOODS = {cumulative.__name__: independent(cumulative)
               for cumulative in (categorical, beta_binomial, discretized_logistic, discretized_gaussian)}
LIKELIHOODS |= {likelihood.__name__: likelihood
                for likelihood in (bernoulli, causal_bernoulli, causal_categorical, colour_logistics,
                                  autoregressive)}
