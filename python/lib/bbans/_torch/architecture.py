"""A network in PyTorch as ARCH.json and weights."""

from __future__ import annotations

import math
from typing import Any

import torch

from .._errors import InvalidArgument
from . import values
from .arrays import Array, of_datum
from .listing import Layers, Names, ancestors, lists, split
from .network import Network, Walk
from .outputs import Normal, flat
from .trace import trace
from .values import Value
from .weights import Weights

# Bounds of log standard deviations: by default, and the widest ones.
USUAL, WIDEST = [-10.0, 5.0], [-20.0, 20.0]


def architecture(network: Network, name: str, walked: Walk) -> tuple[dict[str, Any], Weights]:
    """ARCH.json, and the weights that it names."""
    layout = network.layout
    arch: dict[str, Any] = {"name": name, "data": {"shape": list(layout.data)}}
    for key, given, default in (("divide", network.divide, 1.0), ("add", network.add, 0.0)):
        if given != default:
            arch["data"][key] = float(given)
    if walked.least < USUAL[0] or walked.most > USUAL[1]:
        arch["latent"] = {"log_sigma": WIDEST}
    builder = _Builder(network)
    arch.update(builder.ladder() if network.grouped else builder.single())
    arch["likelihood"] = network.layout.likelihood.arch
    if _is_chain(arch) and not _fits_chain(arch):
        # A name makes it a graph, whose layers may come in any order.
        arch["decoder"].insert(0, {"as": "latents"})
    return arch, builder.weights


class _Builder:
    def __init__(self, network: Network) -> None:
        self.network = network
        self.weights = Weights()
        self.names = Names()

    def single(self) -> dict[str, Any]:
        """Of one group: the encoder's outputs are its posterior."""
        data = values.source(self.network.layout.data)
        kind: list[str] = []

        def encode(x: torch.Tensor) -> list[torch.Tensor]:
            found = self.network.posterior(0, None, self.network.features(x))
            return _tensors(found, kind)

        mean, scale = (_value(x) for x in self._trace(encode, [self._input(data)]))
        name, scale = _scale(scale, kind[0], "encode")
        border = split(mean, scale, data)
        (layers,) = self._lists([(data, [border])])
        of_mean, of_scale = self._lists([(border, [mean]), (border, [scale])])
        decoder = self._decoder(_source((1,) + mean.shape), "z")
        return {"encoder": {"layers": layers, "mean": of_mean, name: of_scale}, "decoder": decoder}

    def ladder(self) -> dict[str, Any]:
        network = self.network
        data = values.source(network.layout.data)
        traced = self._trace(lambda x: flat(network.features(x), "encode")[0], [self._input(data)])
        # Posteriors take them by name.
        features = [_source(x.shape) if isinstance(x, Array) else x for x in traced]
        taken: dict[Value, str] = {}
        state = network.start(1)
        arch: dict[str, Any] = {}
        if state is not None:
            (arch["start"],) = self._lists([(None, [_constant(state, "start")])])
            state = _source(state.shape)
        groups = []
        for i in range(network.groups):
            group, state = self._group(i, state, features, taken)
            groups.append(group)
        (layers,) = self._encoder(data, traced, features, taken)
        return {
            "encoder": {"layers": layers},
            **arch,
            "groups": groups,
            "decoder": self._decoder(state, "state"),
        }

    def _group(
        self, i: int, state: Array | None, features: list[Any], taken: dict[Value, str]
    ) -> tuple[dict[str, Any], Array]:
        """A group, and the state after it; `taken` gets the features that it takes, with names."""
        network = self.network
        group: dict[str, Any] = {"name": f"z{i + 1}"}
        known = {} if state is None else {state.value: "state"}
        states = [] if state is None else [state]
        kind: list[str] = []

        def prior(*states: torch.Tensor) -> list[torch.Tensor]:
            found = network.prior(i, *(states or [None]))
            return [] if found is None else _tensors(found, kind)

        outputs = self._trace(prior, states)
        if outputs:
            group["prior"] = self._normal(outputs, kind.pop(), f"prior of group {i}", known)

        whole = self._features()

        def posterior(*tensors: torch.Tensor) -> list[torch.Tensor]:
            state = tensors[0] if states else None
            return _tensors(network.posterior(i, state, whole(list(tensors[len(states) :]))), kind)

        outputs = self._trace(posterior, [*states, *features])
        used = set().union(*(ancestors(_value(output)) for output in outputs))
        for feature in features:
            if isinstance(feature, Array) and feature.value in used and feature.value not in taken:
                taken[feature.value] = self.names.new()
        group["posterior"] = self._normal(
            outputs, kind.pop(), f"posterior of group {i}", {**known, **taken}
        )
        z = _source(outputs[0].shape)

        def update(*tensors: torch.Tensor) -> list[torch.Tensor]:
            return [network.update(i, tensors[0] if states else None, tensors[-1])]

        (after,) = self._trace(update, [*states, z])
        (group["update"],) = self._lists(
            [(None, [_value(after)])], {**known, z.value: group["name"]}
        )
        return group, _source(after.shape)

    def _features(self) -> Any:
        """Makes a list of tensors what the encoder returned."""
        zeros = torch.zeros(self.network.layout.data)[None]
        return flat(self.network.features(self.network.inputs(zeros)), "encode")[1]

    def _encoder(
        self, data: Value, traced: list[Any], features: list[Any], taken: dict[Value, str]
    ) -> list[Layers]:
        """The layers that make the features that are taken."""
        given: dict[Value, str] = {}
        for made, feature in zip(traced, features):
            if isinstance(feature, Array) and feature.value in taken:
                # A value that is two features needs a name for each.
                name = taken[feature.value]
                value = made.value
                if value in given:
                    value = values.layer("dropout", value)
                given[value] = name
        if not given:
            raise InvalidArgument("no posterior takes what encode returns; expected one that does")
        return self._lists([(data, list(given))], {}, given)

    def _decoder(self, state: Array, name: str) -> Layers:
        layout, likelihood = self.network.layout, self.network.layout.likelihood
        outputs = self._trace(self.network.outputs, [state])
        whole = layout.output([_value(output) for output in outputs])
        if likelihood.probabilities:
            logits = values.logit(whole)
            if logits is None:
                raise InvalidArgument(
                    "decode: probabilities that are not of a sigmoid at the end; "
                    "expected those, or logits"
                )
            whole = logits
        elif likelihood.kind == "bernoulli" and values.logit(whole) is not None:
            raise InvalidArgument(
                "decode: it ends in a sigmoid, so it gives probabilities; expected "
                "likelihood='bernoulli_probabilities', or logits"
            )
        if likelihood.fixed is not None:
            log = torch.full((layout.dims,), math.log(likelihood.fixed), dtype=torch.float64)
            whole = values.concat(
                [values.reshape(whole, (layout.dims,)), values.constant(log, "log_scale")]
            )
        if state.value not in ancestors(whole):
            raise InvalidArgument(
                "decode: its output does not depend on the latents; expected one that does"
            )
        (layers,) = self._lists([(state.value, [whole])], {state.value: name})
        # The latents themselves must be taken by something.
        return layers or [{"reshape": list(whole.shape)}]

    def _normal(
        self, outputs: list[Any], kind: str, part: str, known: dict[Value, str]
    ) -> dict[str, Layers]:
        mean, scale = (_value(output) for output in outputs)
        name, scale = _scale(scale, kind, part)
        of_mean, of_scale = self._lists([(None, [mean]), (None, [scale])], known)
        return {"mean": of_mean, name: of_scale}

    def _input(self, data: Value) -> Array:
        layout = self.network.layout
        return Array(layout.input(data), (1,) + layout.network)

    def _trace(self, function: Any, inputs: list[Any]) -> list[Any]:
        return trace(self.network.module, function, inputs, self.network.like)

    def _lists(
        self,
        parts: Any,
        known: dict[Value, str] | None = None,
        given: dict[Value, str] | None = None,
    ) -> list[Layers]:
        return lists(parts, self.weights, self.names, known or {}, given or {})


def _tensors(found: Normal, kind: list[str]) -> list[torch.Tensor]:
    kind[:] = [found.kind]
    return [found.mean, found.scale]


def _source(shape: Any) -> Array:
    return Array(values.source(of_datum(shape)), tuple(shape))


def _constant(tensor: torch.Tensor, hint: str) -> Value:
    return values.constant(tensor.reshape(of_datum(tensor.shape)), hint)


def _value(output: Any) -> Value:
    """The value of an output, which may be constant."""
    return output.value if isinstance(output, Array) else _constant(output, "constant")


def _scale(value: Value, kind: str, part: str) -> tuple[str, Value]:
    """The name of a scale in ARCH.json, and the value that it has there."""
    if kind != "sigma":
        return kind, value
    log = values.logarithm(value)
    if log is None:
        raise InvalidArgument(
            f"{part}: standard deviations that are not an exp, and bbans has no logarithm; "
            "return their logs, or log variances"
        )
    return "log_sigma", log


# Layers of a chain, as docs/import.md has them.
_CHAIN = {
    "linear",
    "batch_norm",
    "relu",
    "silu",
    "tanh",
    "sigmoid",
    "exp",
    "elu",
    "softplus",
    "dropout",
    "flatten",
}


def _kinds(layers: Layers) -> list[str]:
    return [layer if isinstance(layer, str) else next(iter(layer)) for layer in layers]


def _is_chain(arch: dict[str, Any]) -> bool:
    plain = arch["likelihood"]["kind"] not in ("discretized_gaussian", "colour_logistics")
    parts = [*arch["encoder"].values(), arch["decoder"]]
    return (
        plain
        and "groups" not in arch
        and all(_CHAIN.issuperset(_kinds(layers)) for layers in parts)
    )


def _fits_chain(arch: dict[str, Any]) -> bool:
    """Whether the layers come in the order that a chain needs."""
    *before, mean, scale = (
        [kind for kind in _kinds(layers) if kind not in ("dropout", "flatten")]
        for layers in arch["encoder"].values()
    )
    decoder = [kind for kind in _kinds(arch["decoder"]) if kind not in ("dropout", "flatten")]
    outputs = (["linear"], ["linear", "batch_norm"])
    last = max((i for i, kind in enumerate(decoder) if kind == "linear"), default=0)
    lists = [*before, decoder]
    return (
        all(layers[:1] == ["linear"] for layers in lists)
        and mean in outputs
        and scale in outputs
        and decoder[last:] in outputs
        and all(
            kind != "batch_norm" or layers[i - 1] == "linear"
            for layers in lists
            for i, kind in enumerate(layers)
        )
    )
