"""The bins of latents under their prior and posterior."""
import bisect
import math

from arithmetic import clamp, f32

# The normal distribution's cumulative function, of 2^24, in steps of 1/64.
T = [round(2**24 * 0.5 * math.erfc(-(i / 64 - 8) / math.sqrt(2))) for i in range(1025)] + [2**24]


def normal(t):
    """T(t) of the pages."""
    u = int(f32(f32(clamp(t, -8.0, 8.0) + 8) * 65536))
    i, f = u >> 10, u & 1023
    return T[i] + (((T[i + 1] - T[i]) * f) >> 10)


def cumulative(model, j, mean, inverse):
    """Where bin j of a latent begins under its posterior."""
    if j == 0 or j == 1 << model.precision:
        return 0 if j == 0 else 1 << 24
    return normal(f32(f32(model.edges[j - 1] - mean) * inverse))


def interval(model, j, mean, inverse):
    """Start and mass of bin j under the posterior."""
    start = cumulative(model, j, mean, inverse)
    return start, cumulative(model, j + 1, mean, inverse) - start


def at_quantile(model, q, mean, inverse):
    """The bin that a quantile of the posterior lies in: the last one that begins at or before it."""
    starts = range(1 << model.precision)
    return bisect.bisect_right(starts, q, key=lambda j: cumulative(model, j, mean, inverse)) - 1


def bin_of_prior(model):
    """What finds the bin of a quantile of the prior."""
    def locate(q):
        j = bisect.bisect_right(model.prior, q) - 1
        return j, model.prior[j], model.prior[j + 1] - model.prior[j]
    return locate


def bin_of_posterior(model, mean, inverse):
    """What finds the bin of a quantile of the posterior."""
    def locate(q):
        j = at_quantile(model, q, mean, inverse)
        return j, *interval(model, j, mean, inverse)
    return locate


def pop_bins(model, x, message):
    """Bins of each datum that the message has under their posterior, group by group, and their intervals."""
    values = [{**model.start, **dict(model.encoded(row))} for row in x]
    bins, intervals = [[] for _ in x], [[] for _ in x]
    for group in model.description["groups"]:
        priors = [model.prior_of(group, v) for v in values]
        posteriors = [model.posterior_of(group, *of_lane) for of_lane in zip(values, priors)]
        own = [[] for _ in x]
        for k in range(len(posteriors[0][0])):
            for i, (means, rates) in enumerate(posteriors):
                own[i].append(message.pop(i, bin_of_posterior(model, means[k], rates[k])))
                intervals[i].append(interval(model, own[i][k], means[k], rates[k]))
        for i in range(len(x)):
            model.take(group, values[i], own[i], priors[i])
            bins[i] += own[i]
    return bins, intervals


def bins_at(model, x, quantiles):
    """The bins that the posterior of x has at quantiles of all latents, group by group; and its intervals of them."""
    values, bins, intervals = dict(model.start), [], []
    values.update(model.encoded(x))
    for group in model.description["groups"]:
        prior = model.prior_of(group, values)
        means, rates = model.posterior_of(group, values, prior)
        own = [at_quantile(model, q, m, r) for q, m, r in zip(quantiles[len(bins):], means, rates)]
        intervals += [interval(model, *of_bin) for of_bin in zip(own, means, rates)]
        model.take(group, values, own, prior)
        bins += own
    return bins, intervals
