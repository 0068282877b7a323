"""The comparison: what PyTorch and the imported model make of the same data and the same noise."""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

import numpy as np
import torch

from .._errors import InvalidArgument
from .._model import Model, import_arch
from .network import Network, Walk
from .weights import Weights

# The largest difference that is accepted, in parts of the range of what is compared.
MOST = 1e-3

# Where numbers are nearly the same, the range is not taken to be less.
LEAST_RANGE = 1e-2


class Comparison(NamedTuple):
    """How far the two are apart."""

    # The largest difference of an output, in parts of its range.
    difference: float
    # Bounds, in bits for each dimension.
    of_torch: float
    of_model: float


class Noise:
    """Standard normal numbers, and a record of them: `[count, latents]`."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(0)
        self.rows: list[list[torch.Tensor]] = []

    def __call__(self, like: torch.Tensor, first: bool) -> torch.Tensor:
        drawn = torch.randn(like.shape, generator=self.generator)
        if first:
            self.rows.append([])
        self.rows[-1].append(drawn.flatten(1))
        return drawn.to(like)

    def numpy(self) -> np.ndarray:
        return torch.cat([torch.cat(row, 1) for row in self.rows]).numpy()


def compare(
    model: Model,
    network: Network,
    x: np.ndarray,
    noise: np.ndarray,
    walked: Walk,
    parameters: torch.Tensor,
) -> Comparison:
    """The model beside PyTorch's walk; `parameters` are the model's for PyTorch's latents."""
    layout = network.layout
    likelihood = layout.likelihood
    mean, log_sigma = (torch.from_numpy(found).double() for found in model.encode(x, noise))
    theirs = likelihood.in_symbols(walked.parameters, network.divide, network.add)
    pairs = [
        ("the posterior's means", walked.mean, mean),
        ("the posterior's log standard deviations", walked.log_sigma, log_sigma),
    ]
    if likelihood.probabilities:
        pairs.append(("the decoder's probabilities", walked.parameters, torch.sigmoid(parameters)))
    else:
        kinds = zip(theirs.split(likelihood.kinds, -1), parameters.split(likelihood.kinds, -1))
        pairs += [("the decoder's parameters", expected, found) for expected, found in kinds]
    difference = max(_difference(*pair) for pair in pairs)
    symbols = torch.from_numpy(x.reshape(len(x), -1).astype(np.float64))
    bounds = []
    for means, logs, given in (
        (walked.mean, walked.log_sigma, theirs),
        (mean, log_sigma, parameters),
    ):
        nats = (means**2 + torch.exp(2 * logs) - 1) / 2 - logs
        bits = nats.sum(1) / math.log(2) + likelihood.bits(given, symbols)
        bounds.append(float(bits.mean()) / layout.dims)
    return Comparison(difference, *bounds)


def _difference(name: str, expected: torch.Tensor, found: torch.Tensor) -> float:
    """The largest difference, in parts of the range."""
    if not torch.isfinite(expected).all():
        raise InvalidArgument(f"{name} are not finite in PyTorch; expected finite numbers")
    spread = float(expected.max() - expected.min())
    spread = max(spread, 1e-2 * float(expected.abs().max()), LEAST_RANGE)
    difference = float((expected - found).abs().max()) / spread
    if not difference <= MOST:
        raise InvalidArgument(
            f"{name} differ from PyTorch's by {difference:.2g} of their range; "
            f"expected at most {MOST:g}, of a module that does the same for each datum of a batch, "
            "every time"
        )
    return difference


def decoded(
    model: Model, network: Network, latents: np.ndarray, weights: Weights, arch: dict[str, Any]
) -> torch.Tensor:
    """The model's parameters for latents, `[count, positions, parameters]`."""
    layout = network.layout
    likelihood = layout.likelihood
    if likelihood.kind != "colour_logistics":
        return torch.from_numpy(model.decode(latents)).double()
    # Dimensions share their parameters. A twin whose likelihood has as many for each dimension
    # gives all of them.
    numbers = likelihood.each * layout.positions
    levels = -(-numbers // layout.dims)
    decoder = [*arch["decoder"]]
    missing = levels * layout.dims - numbers
    if missing:
        zeros = {"constant": weights.add("nothing", {"": torch.zeros(missing)})}
        decoder += ["flatten", {"concat": [[], [zeros]]}]
    kind = {"kind": "categorical", "levels": levels, "order": "dimensions_first"}
    twin, _ = import_arch(
        weights.safetensors(), json.dumps({**arch, "decoder": decoder, "likelihood": kind})
    )
    raw = torch.from_numpy(twin.decode(latents)).double().flatten(1)[:, :numbers]
    return likelihood.in_symbols(layout.parameters([raw]), network.divide, network.add)
