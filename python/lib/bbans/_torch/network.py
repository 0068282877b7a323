"""The model in PyTorch: its functions, found in the module, and run on data."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable

import torch
from torch import nn

from .._errors import InvalidArgument
from .layout import Layout
from .outputs import Normal, normal, parameters
from .trace import why

Function = Callable[..., Any]

# At most so many data and so many numbers are computed at a time, but two data, so that their batch
# is seen.
BATCH, NUMBERS = 16, 2**18


class Network:
    """A variational autoencoder of one group of latents. Those with several are a subclass."""

    grouped = False

    def __init__(
        self,
        module: nn.Module,
        layout: Layout,
        encode: Any,
        decode: Any,
        scale: str,
        divide: float,
        add: float,
    ) -> None:
        self.module, self.layout, self.scale = module, layout, scale
        self.divide, self.add = divide, add
        self.encode = found(module, encode, ("encode", "encoder"))
        self.decode = found(module, decode, ("decode", "decoder"))
        tensors = [*module.parameters(), *module.buffers()]
        floating = next(
            (tensor for tensor in tensors if tensor.is_floating_point()), torch.zeros(())
        )
        if floating.dtype not in (torch.float32, torch.float64):
            raise InvalidArgument(
                f"weights of type {floating.dtype}; expected float32: call module.float() before"
            )
        self.like = floating.detach()

    @property
    def groups(self) -> int:
        return 1

    def inputs(self, x: torch.Tensor) -> torch.Tensor:
        """Symbols `[count, *data]` as the encoder sees them."""
        inputs = x.to(self.like.device, self.like.dtype) / self.divide + self.add
        return self.layout.inputs(inputs)

    def features(self, inputs: torch.Tensor) -> Any:
        return self.encode(inputs)

    def start(self, count: int) -> Any:
        return None

    def prior(self, group: int, state: Any) -> Normal | None:
        return None

    def posterior(self, group: int, state: Any, features: Any) -> Normal:
        return normal(features, self.scale, "encode")

    def update(self, group: int, state: Any, z: torch.Tensor) -> Any:
        return z

    def outputs(self, state: Any) -> list[torch.Tensor]:
        """What the decoder gives: a tensor, or several."""
        return parameters(self.decode(state))


class Ladder(Network):
    """A network with groups of latents, from the top."""

    grouped = True

    def __init__(self, *arguments: Any, shapes: Sequence[Any]) -> None:
        super().__init__(*arguments)
        self.shapes = [(shape,) if isinstance(shape, int) else tuple(shape) for shape in shapes]
        self.parts = {name: found(self.module, name, ()) for name in ("posterior", "update")}
        for name in ("start", "prior"):
            self.parts[name] = getattr(self.module, name, lambda *_: None)

    @property
    def groups(self) -> int:
        return len(self.shapes)

    def start(self, count: int) -> Any:
        state = self.parts["start"]()
        if state is None or count == 1:
            return state
        return self._state(state, "start").expand(count, *state.shape[1:])

    def prior(self, group: int, state: Any) -> Normal | None:
        result = self.parts["prior"](group, state)
        return None if result is None else normal(result, self.scale, f"prior of group {group}")

    def posterior(self, group: int, state: Any, features: Any) -> Normal:
        result = self.parts["posterior"](group, state, features)
        return normal(result, self.scale, f"posterior of group {group}")

    def update(self, group: int, state: Any, z: torch.Tensor) -> Any:
        return self._state(self.parts["update"](group, state, z), f"update of group {group}")

    def _state(self, state: Any, part: str) -> torch.Tensor:
        if not isinstance(state, torch.Tensor):
            raise InvalidArgument(
                f"{part}: a state of type {type(state).__name__}; expected one tensor"
            )
        return state


def found(module: nn.Module, given: Any, names: Sequence[str]) -> Function:
    """A function of a module: itself, by its name, or by the first of some names that there is."""
    if callable(given):
        return given
    for name in names if given is None else [given]:
        try:
            return operator.attrgetter(name)(module)
        except AttributeError:
            continue
    wanted = " or ".join(names) if given is None else given
    raise InvalidArgument(
        f"{type(module).__name__} has no {wanted}; expected a method or submodule of this name"
    )


@dataclass
class Walk:
    """What PyTorch computes of some data, all of the latents' in units of their priors."""

    # `[count, latents]`, float64.
    mean: torch.Tensor
    log_sigma: torch.Tensor
    latents: torch.Tensor
    # As the decoder gives them, `[count, positions, parameters]`.
    parameters: torch.Tensor
    # Of each group.
    shapes: list[tuple[int, ...]]
    # The least and the greatest of all log standard deviations that bbans keeps within bounds.
    least: float
    most: float


def walk(network: Network, x: torch.Tensor, noise: Function) -> Walk:
    """All groups from the top, data a few at a time.

    `noise(like, first)` draws standard normal numbers for a group; `first` says that it is the top.
    """
    try:
        count = max(2, min(BATCH, NUMBERS // network.layout.dims))
        parts = [_walk(network, batch, noise) for batch in x.split(count)]
    except Exception as error:
        if isinstance(error, InvalidArgument):
            raise
        where, sentence = why(error, network.module)
        raise InvalidArgument(
            f"{where}: it fails on data of shape {list(x.shape[1:])}, "
            f"seen as {list(network.layout.network)}: {sentence}"
        ) from error

    def all_of(name: str) -> torch.Tensor:
        return torch.cat([getattr(part, name) for part in parts])

    names = ("mean", "log_sigma", "latents", "parameters")
    bounds = min(part.least for part in parts), max(part.most for part in parts)
    return Walk(*(all_of(name) for name in names), parts[0].shapes, *bounds)


def _walk(network: Network, x: torch.Tensor, noise: Function) -> Walk:
    features = network.features(network.inputs(x))
    state = network.start(len(x))
    means, logs, latents, shapes, scales = [], [], [], [], []
    for group in range(network.groups):
        posterior = network.posterior(group, state, features)
        shape = posterior.mean.shape
        if len(shape) < 2 or shape[0] != len(x):
            raise InvalidArgument(
                f"means of shape {list(shape)} for {len(x)} data; "
                "expected the axis of the batch first"
            )
        mean, log_sigma = _double(posterior.mean), _double(posterior.log_sigma())
        prior = network.prior(group, state)
        prior_mean, prior_log = torch.zeros_like(mean), torch.zeros_like(mean)
        if prior is not None:
            # A prior that depends on nothing is that of one datum.
            prior_mean = _double(prior.mean).expand_as(mean)
            prior_log = _double(prior.log_sigma()).expand_as(mean)
            scales.append(prior_log)
        unit_mean, unit_log = (mean - prior_mean) * torch.exp(-prior_log), log_sigma - prior_log
        e = unit_mean + unit_log.exp() * noise(mean, group == 0)
        z = prior_mean + prior_log.exp() * e
        state = network.update(group, state, z.to(network.like))
        scales.append(unit_log)
        shapes.append(tuple(shape[1:]))
        for found_here, all_of in ((unit_mean, means), (unit_log, logs), (e, latents)):
            all_of.append(found_here.flatten(1))
    outputs = _double(network.layout.parameters(network.outputs(state)))
    least = min(float(scale.min()) for scale in scales)
    most = max(float(scale.max()) for scale in scales)
    together = (torch.cat(pieces, 1) for pieces in (means, logs, latents))
    return Walk(*together, outputs, shapes, least, most)


def _double(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().cpu().double()
