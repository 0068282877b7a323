"""What encoders and decoders return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from .._errors import InvalidArgument

MEANS = ("mean", "mu", "loc", "embedding", "z_mean", "means")

# What the scales are, by their names.
SCALES = {
    "log_variance": ("log_variance", "logvar", "log_var", "log_covariance", "z_log_var", "logvars"),
    "log_sigma": ("log_sigma", "log_std", "logsigma", "logstd", "log_scale"),
    "sigma": ("sigma", "std", "stddev", "scale"),
}

# Where a decoder's parameters are.
PARAMETERS = ("reconstruction", "sample", "logits", "x_recon", "recon_x", "recon_x_logits")


class Normal(NamedTuple):
    """Means and scales of latents; `kind` says what the scales are: a key of SCALES."""

    mean: torch.Tensor
    scale: torch.Tensor
    kind: str

    def log_sigma(self) -> torch.Tensor:
        if self.kind == "sigma":
            return self.scale.log()
        return self.scale / 2 if self.kind == "log_variance" else self.scale


def normal(result: Any, scale: str, part: str) -> Normal:
    """The normal distribution of what an encoder, a prior or a posterior returned."""
    found = _normal(result, scale)
    if found is None:
        raise InvalidArgument(
            f"{part}: it returned {described(result)}; expected a mean and a log variance, "
            "in a tuple, by name, or in one tensor of twice as many channels as latents"
        )
    if found.mean.shape != found.scale.shape:
        # A scale for several latents is repeated.
        found = found._replace(scale=found.scale.expand_as(found.mean))
    return found


def _normal(result: Any, scale: str) -> Normal | None:
    if isinstance(result, torch.Tensor):
        if result.ndim < 2 or result.shape[1] % 2:
            return None
        return Normal(*result.chunk(2, 1), scale)
    if isinstance(result, torch.distributions.Independent):
        return _normal(result.base_dist, scale)
    if isinstance(result, torch.distributions.Normal):
        return Normal(result.loc, result.scale, "sigma")
    if isinstance(result, torch.distributions.Distribution):
        return None
    if getattr(result, "latent_dist", None) is not None:
        return _normal(result.latent_dist, scale)
    mean = _named(result, MEANS)
    for kind, names in SCALES.items():
        found = _named(result, names)
        if mean is not None and found is not None:
            return Normal(mean, found, kind)
    if isinstance(result, (tuple, list)) and not isinstance(result, Mapping):
        if len(result) == 1:
            return _normal(result[0], scale)
        if len(result) == 2 and all(isinstance(x, torch.Tensor) for x in result):
            return Normal(*result, scale)
    return None


def parameters(result: Any, part: str = "decode") -> list[torch.Tensor]:
    """The tensors of the likelihood's parameters that a decoder returned."""
    if isinstance(result, torch.Tensor):
        return [result]
    if (
        isinstance(result, (tuple, list))
        and result
        and all(isinstance(x, torch.Tensor) for x in result)
    ):
        return list(result)
    if isinstance(result, torch.distributions.Bernoulli) and "logits" in vars(result):
        return [result.logits]
    tensors = list(result.values()) if isinstance(result, Mapping) else []
    tensors = [x for x in tensors if isinstance(x, torch.Tensor)]
    if len(tensors) == 1:
        return tensors
    named = _named(result, PARAMETERS)
    if named is None or isinstance(result, torch.distributions.Distribution):
        raise InvalidArgument(
            f"{part}: it returned {described(result)}; "
            "expected the likelihood's parameters, in one tensor or in several"
        )
    return [named]


def _named(result: Any, names: Any) -> torch.Tensor | None:
    for name in names:
        found = result.get(name) if isinstance(result, Mapping) else getattr(result, name, None)
        if isinstance(found, torch.Tensor):
            return found
    return None


def described(result: Any) -> str:
    if isinstance(result, torch.Tensor):
        return f"a tensor of shape {list(result.shape)}"
    if isinstance(result, Mapping):
        return f"a mapping of {', '.join(map(str, result))}"
    if isinstance(result, (tuple, list)):
        return f"{len(result)} things ({', '.join(type(x).__name__ for x in result)})"
    return f"a {type(result).__name__}"


def flat(result: Any, part: str) -> tuple[list[torch.Tensor], Any]:
    """Features as a list of tensors, and a function that makes them what they were."""
    if isinstance(result, torch.Tensor):
        return [result], lambda tensors: tensors[0]
    if isinstance(result, Mapping):
        keys = list(result)
        tensors, whole = flat([result[key] for key in keys], part)
        return tensors, lambda tensors: dict(zip(keys, whole(tensors)))
    if isinstance(result, (tuple, list)):
        pieces = [flat(x, part) for x in result]
        sizes = [len(tensors) for tensors, _ in pieces]

        def whole(tensors: list[torch.Tensor]) -> Any:
            left = list(tensors)
            made = [again([left.pop(0) for _ in range(n)]) for n, (_, again) in zip(sizes, pieces)]
            return tuple(made) if isinstance(result, tuple) else made

        return [tensor for tensors, _ in pieces for tensor in tensors], whole
    raise InvalidArgument(
        f"{part}: it returned {described(result)}; expected tensors, or tuples or dicts of tensors"
    )
