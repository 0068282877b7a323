"""Bits-back coding of a step: latents, data, and what the latents' posterior gives back."""
from likelihoods import OTHER
from posterior import bin_of_prior, interval


def pop_observed(model, message, w, z):
    """The data of a step, given the latents' bins; and what the path of the latents gave."""
    tops = [model.from_the_top(row) for row in z]
    tables, x = [model.likelihood(values) for values, _ in tops], [[0] * model.dims for _ in range(w)]
    for d in range(model.dims):
        for i in range(w):
            x[i][d] = message.pop(i, tables[i][0](d, x[i]))
        for i in range(w):
            if x[i][d] is OTHER:
                x[i][d] = message.pop(i, tables[i][1](d))
    return x, tops


def pop_latents(model, message, w):
    z = [[0] * model.latents for _ in range(w)]
    for k in range(model.latents):
        for i in range(w):
            z[i][k] = message.pop(i, bin_of_prior(model))
    return z


def plain_step(model, message, w):
    z = pop_latents(model, message, w)
    x, tops = pop_observed(model, message, w, z)
    posteriors = [model.posterior(row, *top) for row, top in zip(x, tops)]
    for k in reversed(range(model.latents)):
        for i in reversed(range(w)):
            mean, inverse = (p[k] for p in posteriors[i])
            message.push(i, *interval(model, z[i][k], mean, inverse))
    return x
