"""Likelihoods: what `import_torch` is told of them, and their logarithms, for the comparison."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from .._errors import InvalidArgument

# The bounds of log scales, and of the logs of alpha and beta; docs/format/likelihoods has them.
LEAST, MOST = -10.0, 20.0


class Likelihood:
    """What `likelihood=` says."""

    def __init__(self, given: Any) -> None:
        if given in ("bernoulli", "bernoulli_probabilities"):
            outputs = "probabilities" if given == "bernoulli_probabilities" else "logits"
            given = {"kind": "bernoulli", "outputs": outputs}
        if not isinstance(given, dict) or given.get("kind") not in _LOGARITHMS:
            raise InvalidArgument(
                f"likelihood {given!r}; expected 'bernoulli', 'bernoulli_probabilities', "
                f"or a dictionary whose kind is one of {', '.join(_LOGARITHMS)}"
            )
        self.fields: dict[str, Any] = dict(given)
        self.kind: str = given["kind"]
        # A scale that is no output of the decoder.
        name = {"discretized_gaussian": "sigma", "discretized_logistic": "scale"}.get(self.kind, "")
        self.fixed: float | None = self.fields.pop(name, None)
        if self.kind != "bernoulli" and not isinstance(self.fields.get("levels"), int):
            raise InvalidArgument(
                f"likelihood {given!r}; expected its number of levels, as in 'levels': 256"
            )
        if self.kind.startswith("discretized") and self.fields.get("units") not in (
            "inputs",
            "symbols",
        ):
            raise InvalidArgument(
                f"likelihood {given!r}; expected its units: 'inputs' where means and scales are "
                "those of what the encoder sees, or 'symbols'"
            )
        if self.fixed is not None:
            # There is but one parameter to be in any order.
            self.fields.pop("order", None)
        if self.fixed is not None and (not self.fixed > 0 or self.components > 1):
            raise InvalidArgument(
                f"likelihood {given!r}; expected a positive {name}, of one component"
            )

    @property
    def levels(self) -> int:
        return self.fields.get("levels", 2)

    @property
    def components(self) -> int:
        return self.fields.get("components", 1)

    @property
    def probabilities(self) -> bool:
        """Whether the decoder gives these, and not their logits."""
        return self.fields.get("outputs") == "probabilities"

    @property
    def kinds(self) -> list[int]:
        """How many parameters of each kind a dimension has; with colours, a pixel."""
        n = self.components
        if self.kind == "bernoulli":
            return [1]
        if self.kind == "categorical":
            return [self.levels]
        if self.kind == "colour_logistics":
            return [n, 3 * n, 3 * n, 3 * n]
        return [n, n, n] if n > 1 else [1, 1]

    @property
    def each(self) -> int:
        return sum(self.kinds)

    @property
    def given(self) -> int:
        """How many of these the decoder gives."""
        return self.each if self.fixed is None else 1

    @property
    def arch(self) -> dict[str, Any]:
        """As ARCH.json has it. Of probabilities the importer gets the logits."""
        return {**self.fields, "outputs": "logits"} if self.kind == "bernoulli" else self.fields

    def in_symbols(self, parameters: Tensor, divide: float, add: float) -> Tensor:
        """Parameters `[count, dims, each]` as the model has them, of those the decoder gives."""
        if self.fixed is not None:
            log = torch.full_like(parameters, math.log(self.fixed))
            parameters = torch.cat([parameters, log], -1)
        if self.probabilities:
            return torch.logit(parameters, 1e-7)
        if self.fields.get("units") != "inputs":
            return parameters
        parts = list(parameters.split(self.kinds, -1))
        means = 0 if self.kinds == [1, 1] else 1
        parts[means] = (parts[means] - add) * divide
        parts[means + 1] = parts[means + 1] + math.log(divide)
        return torch.cat(parts, -1)

    def bits(self, parameters: Tensor, x: Tensor) -> Tensor:
        """`-log2 p(x|z)` of each datum, of parameters `[count, dims, each]`."""
        logarithm = _LOGARITHMS[self.kind]
        if self.kind == "colour_logistics":
            x = x.reshape(len(x), -1, 3)
        return -logarithm(parameters.double(), x.double(), self).flatten(1).sum(1) / math.log(2.0)


def _bernoulli(logits: Tensor, x: Tensor, _: Likelihood) -> Tensor:
    return -torch.nn.functional.softplus(logits[..., 0] * (1 - 2 * x))


def _categorical(logits: Tensor, x: Tensor, _: Likelihood) -> Tensor:
    return torch.log_softmax(logits, -1).gather(-1, x.long()[..., None])[..., 0]


def _beta_binomial(logs: Tensor, x: Tensor, likelihood: Likelihood) -> Tensor:
    alpha, beta = logs.clamp(-20, 20).exp().unbind(-1)
    n = torch.tensor(likelihood.levels - 1.0, dtype=torch.float64)

    def log_beta(a: Tensor, b: Tensor) -> Tensor:
        return torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)

    ways = torch.lgamma(n + 1) - torch.lgamma(x + 1) - torch.lgamma(n - x + 1)
    return ways + log_beta(x + alpha, n - x + beta) - log_beta(alpha, beta)


def _interval(cumulative: Any, means: Tensor, logs: Tensor, x: Tensor, levels: int) -> Tensor:
    """What is between the half-integers around a symbol; the outermost ones have the rest."""
    inverse = torch.exp(-logs.clamp(LEAST, MOST))
    low, high = (x - 0.5 - means) * inverse, (x + 0.5 - means) * inverse
    low = torch.where(x == 0, -math.inf, low)
    high = torch.where(x == levels - 1, math.inf, high)
    # Where both are near 1, what is left to 1 says more.
    turned = low > 0
    low, high = torch.where(turned, -high, low), torch.where(turned, -low, high)
    return (cumulative(high) - cumulative(low)).clamp_min(2.0**-60)


def _gaussian(parameters: Tensor, x: Tensor, likelihood: Likelihood) -> Tensor:
    means, logs = parameters.unbind(-1)
    return _interval(torch.special.ndtr, means, logs, x, likelihood.levels).log()


def _logistic(parameters: Tensor, x: Tensor, likelihood: Likelihood) -> Tensor:
    if likelihood.components == 1:
        means, logs = parameters.unbind(-1)
        return _interval(torch.sigmoid, means, logs, x, likelihood.levels).log()
    logits, means, logs = parameters.chunk(3, -1)
    mass = _interval(torch.sigmoid, means, logs, x[..., None], likelihood.levels)
    return torch.logsumexp(torch.log_softmax(logits, -1) + mass.log(), -1)


def _colours(parameters: Tensor, x: Tensor, likelihood: Likelihood) -> Tensor:
    """Of pixels: parameters `[count, pixels, 10 n]`, symbols `[count, pixels, 3]`."""
    n = likelihood.components
    logits, means, logs, coefficients = parameters.split([n, 3 * n, 3 * n, 3 * n], -1)
    coefficients = coefficients.clamp(-1024, 1024)
    weights = torch.log_softmax(logits, -1)
    middle = (likelihood.levels - 1) / 2
    for t in range(3):
        mean = means[..., t * n : (t + 1) * n]
        for b in range(t):
            of = coefficients[..., (b + t - 1) * n : (b + t) * n]
            mean = mean + of * (x[..., b : b + 1] - middle)
        scale = logs[..., t * n : (t + 1) * n]
        weights = (
            weights
            + _interval(torch.sigmoid, mean, scale, x[..., t : t + 1], likelihood.levels).log()
        )
    return torch.logsumexp(weights, -1)


_LOGARITHMS = {
    "bernoulli": _bernoulli,
    "beta_binomial": _beta_binomial,
    "categorical": _categorical,
    "discretized_logistic": _logistic,
    "discretized_gaussian": _gaussian,
    "colour_logistics": _colours,
}
