"""Codecs of one's own: a message, distributions over arrays, and bits-back coding as a class.

A message is a stack: what was pushed last is popped first. A codec pushes an array of symbols `[lanes, dims]` and pops
one; `lanes` is the number of the message's heads that it uses, from the first on. Symbols are whole numbers from 0 on,
below 65,536.

>>> codec = Bernoulli(np.full((2, 3), 0.9))
>>> message = Message(lanes=2, initial_words=8)
>>> codec.push(message, np.array([[1, 1, 0], [1, 0, 1]]))
>>> codec.pop(message)
array([[1, 1, 0],
       [1, 0, 1]], dtype=uint16)

**What it takes to be decodable elsewhere.** All coding is on integers, so a message decodes on any machine whose codecs
have the same masses. The codecs here make them from the numbers that they are given by arithmetic that is the same
everywhere. But those numbers have to be the same, to the last bit, and what PyTorch or NumPy compute is not: it depends
on the version, the processor, the number of threads and the size of the batch. A decoder that runs on another machine,
or with other batches, finds noise. So a network that runs in PyTorch is good for measuring a code length and for files
that never leave the process; for files that stay, bring the model over with `bbans.import_torch`: its codecs,
`model.prior`, `model.likelihood` and `model.posterior`, are the same everywhere.
"""

from __future__ import annotations

import json
from typing import Any, Callable, NamedTuple, Optional, Protocol, Union, runtime_checkable

import numpy as np

from . import _arrays, _bbans
from ._errors import InvalidArgument

__all__ = [
    "Bernoulli",
    "BetaBinomial",
    "Bins",
    "BitsBack",
    "Block",
    "Categorical",
    "Codec",
    "ConditionalBins",
    "DiscretizedGaussian",
    "GaussianBins",
    "LogisticMixture",
    "Message",
    "Serial",
    "SymbolCodec",
    "UniformBins",
]


class Message:
    """An ANS stack: `lanes` heads of 64 bits over one tail of 32-bit words.

    It begins with `initial_words` words of a fixed stream, from which the first pops take their bits, besides the word
    that each head begins with. After a push or a pop that raised an exception it holds part of the work: what must go
    on from there keeps a `copy` first. One thread at a time may use it.
    """

    __slots__ = ("_native",)

    def __init__(self, lanes: int, initial_words: int = 0) -> None:
        if lanes < 1 or initial_words < 0:
            raise InvalidArgument(f"{lanes} lanes and {initial_words} initial words; expected at least 1 and 0")
        self._native = _bbans.Message(lanes, initial_words)

    @classmethod
    def _of(cls, native: _bbans.Message) -> Message:
        message = cls.__new__(cls)
        message._native = native
        return message

    @classmethod
    def from_words(cls, words: np.ndarray, lanes: int) -> Message:
        """The message of `lanes` heads that `words` gave, an array of uint32."""
        words = np.asarray(words)
        if words.dtype != np.uint32 or words.ndim != 1:
            raise InvalidArgument(f"words of type {words.dtype} and shape {words.shape}; expected uint32 [count]")
        return cls._of(_bbans.Message.from_words(words, lanes))

    def words(self) -> np.ndarray:
        """The message as words, uint32 `[count]`: what to store. The message stays as it is."""
        return self._native.words()

    def copy(self) -> Message:
        """A message of its own that is the same."""
        return Message._of(self._native.copy())

    @property
    def lanes(self) -> int:
        """Number of heads."""
        return self._native.lanes

    @property
    def bits(self) -> float:
        """Length in bits, to a fraction. Its growth is what a push costs."""
        return self._native.bits

    @property
    def tail(self) -> np.ndarray:
        """The words under the heads, the top one last."""
        return self._native.tail

    def grow(self, lanes: int) -> None:
        """Adds heads until there are `lanes`; each takes its first word from the tail."""
        self._native.grow(lanes)

    def shrink(self, lanes: int) -> None:
        """Takes heads away until `lanes` are left; each must be as `grow` made it."""
        self._native.shrink(lanes)

    def whiten(self, step: int, words: int) -> None:
        """Makes what the next pops find uniform; a second time takes it back (docs/format/steps.md)."""
        self._native.whiten(step, words)

    def __reduce__(self) -> Any:
        return Message.from_words, (self.words(), self.lanes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and self._native == other._native

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<bbans.Message of {self.bits:.1f} bits, {self.lanes} lanes>"


@runtime_checkable
class SymbolCodec(Protocol):
    """Whatever pushes symbols and pops them again, leaving the message as it was."""

    def push(self, message: Message, symbols: Any) -> None:
        """Puts symbols on the message."""

    def pop(self, message: Message) -> Any:
        """Takes symbols from the message."""


class Codec:
    """A codec of symbols `[lanes, dims]` that is made in Rust."""

    __slots__ = ("_native",)

    def __init__(self, native: _bbans.Codec) -> None:
        self._native = native

    def push(self, message: Message, symbols: Any) -> None:
        """Puts symbols, integers `[lanes, dims]`, on the message."""
        self._native.push(message._native, _arrays.symbols(symbols, "symbols"))

    def pop(self, message: Message) -> np.ndarray:
        """Takes symbols, uint16 `[lanes, dims]`, from the message."""
        return self._native.pop(message._native)

    def __repr__(self) -> str:
        return f"<bbans.codecs.{type(self).__name__}>"


class Bernoulli(Codec):
    """Bits, each 1 with its probability `p` `[lanes, dims]`, or with its logit of float32.

    A probability is rounded down to a multiple of `2^-24`; either bit keeps one of them at least.
    """

    __slots__ = ()

    def __init__(self, p: Any = None, *, logits: Any = None) -> None:
        if (p is None) == (logits is None):
            raise InvalidArgument("expected probabilities or logits, one of the two")
        axes = ("lanes", "dims")
        if logits is None:
            super().__init__(_bbans.bernoulli(_arrays.floats(p, np.float64, axes, "probabilities")))
        else:
            super().__init__(_bbans.bernoulli_logits(_arrays.floats(logits, np.float32, axes, "logits")))


class Categorical(Codec):
    """Symbols `0..n`, each with its weight `[lanes, dims, n]`, or with its logit of float32 (at most 256).

    Weights are finite and not negative, of any positive sum.
    """

    __slots__ = ()

    def __init__(self, weights: Any = None, *, logits: Any = None) -> None:
        if (weights is None) == (logits is None):
            raise InvalidArgument("expected weights or logits, one of the two")
        axes = ("lanes", "dims", "symbols")
        if logits is None:
            super().__init__(_bbans.categorical(_arrays.floats(weights, np.float64, axes, "weights")))
        else:
            logits = _arrays.floats(logits, np.float32, axes, "logits")
            super().__init__(_likelihood({"categorical": {"levels": logits.shape[2]}}, logits))


class UniformBins(Codec):
    """Numbers `0..2^precision`, all equally probable: the prior over bins of equal mass."""

    __slots__ = ()

    def __init__(self, lanes: int, dims: int, precision: int) -> None:
        super().__init__(_bbans.uniform_bins(lanes, dims, precision))


class Bins:
    """`2^precision` bins of equal mass of a standard normal distribution, 1 to 16."""

    __slots__ = ("_native", "precision", "edges", "centres")

    def __init__(self, precision: int) -> None:
        if not 1 <= precision <= 16:
            raise InvalidArgument(f"2^{precision} bins; expected a precision of 1 to 16")
        self._native = _bbans.Bins(precision)
        self.precision = precision
        self.edges: np.ndarray = self._native.edges
        """The inner edges, float32."""
        self.centres: np.ndarray = self._native.centres
        """The number that stands for each bin, float32."""

    def values(self, z: Any) -> np.ndarray:
        """What bin numbers stand for, float32 of the same shape."""
        z = np.asarray(z)
        if z.dtype.kind not in "iu" or z.size and not 0 <= z.min() <= z.max() < len(self.centres):
            raise InvalidArgument(f"bin numbers of type {z.dtype}; expected integers, 0 to {len(self.centres) - 1}")
        return self.centres[z]


class GaussianBins(Codec):
    """Bin numbers under Gaussians of means and standard deviations `[lanes, dims]` of float32: a posterior.

    A bin far from the mean may have no mass; what is pushed first must have one: see `ConditionalBins`.
    """

    __slots__ = ()

    def __init__(self, bins: Bins, mean: Any, sigma: Any) -> None:
        super().__init__(_gaussian(bins, mean, sigma, conditional=False))


class ConditionalBins(Codec):
    """The same with some mass in every bin: a prior given other latents."""

    __slots__ = ()

    def __init__(self, bins: Bins, mean: Any, sigma: Any) -> None:
        super().__init__(_gaussian(bins, mean, sigma, conditional=True))


class LogisticMixture(Codec):
    """Symbols `0..levels` under mixtures of discretized logistic distributions.

    Logits of the components, means and log scales are `[lanes, dims, components]` of float32, in units of the symbols.
    """

    __slots__ = ()

    def __init__(self, levels: int, logits: Any, means: Any, log_scales: Any) -> None:
        axes = ("lanes", "dims", "components")
        all_ = [("logits", logits), ("means", means), ("log scales", log_scales)]
        found = [_arrays.floats(values, np.float32, axes, name) for name, values in all_]
        _same_shape(found)
        components = found[0].shape[2]
        if components == 1:
            kind, found = {"levels": levels}, found[1:]
        else:
            kind = {"levels": levels, "components": components}
        parameters = np.concatenate(found, axis=2)
        super().__init__(_likelihood({"discretized_logistic": kind}, parameters))


class DiscretizedGaussian(Codec):
    """Symbols `0..levels` under Gaussians of means and log standard deviations `[lanes, dims]` of float32."""

    __slots__ = ()

    def __init__(self, levels: int, mean: Any, log_sigma: Any) -> None:
        super().__init__(_of_two("discretized_gaussian", levels, ("means", mean), ("log_sigma", log_sigma)))


class BetaBinomial(Codec):
    """Symbols `0..levels` under beta-binomials of `log alpha` and `log beta`, `[lanes, dims]` of float32."""

    __slots__ = ()

    def __init__(self, levels: int, log_alpha: Any, log_beta: Any) -> None:
        super().__init__(_of_two("beta_binomial", levels, ("log alpha", log_alpha), ("log beta", log_beta)))


class Serial:
    """Codecs one after another, whose symbols are a list: popped in their order, pushed in the opposite one."""

    __slots__ = ("codecs",)

    def __init__(self, codecs: Any) -> None:
        self.codecs = list(codecs)

    def push(self, message: Message, symbols: Any) -> None:
        """Puts the symbols of each codec on the message, the last first."""
        if len(symbols) != len(self.codecs):
            raise InvalidArgument(f"{len(symbols)} symbols for {len(self.codecs)} codecs")
        for codec, symbol in zip(reversed(self.codecs), reversed(symbols)):
            codec.push(message, symbol)

    def pop(self, message: Message) -> list[Any]:
        """Takes the symbols of each codec from the message, the first first."""
        return [codec.pop(message) for codec in self.codecs]


class BitsBack:
    """The codec of a latent-variable model.

    `likelihood(z)` and `posterior(x)` give codecs; `prior` is one, or gives that of so many lanes. On average a push
    costs the negative evidence lower bound. Hierarchies nest: the prior may be a `BitsBack` itself.
    """

    __slots__ = ("prior", "likelihood", "posterior")

    def __init__(
        self,
        prior: Union[SymbolCodec, Callable[[int], SymbolCodec]],
        likelihood: Callable[[Any], SymbolCodec],
        posterior: Callable[[Any], SymbolCodec],
    ) -> None:
        self.prior = prior
        self.likelihood = likelihood
        self.posterior = posterior

    def prior_of(self, lanes: int) -> SymbolCodec:
        """`p(z)` for this many lanes."""
        return self.prior if hasattr(self.prior, "push") else self.prior(lanes)  # type: ignore

    def push(self, message: Message, x: Any) -> None:
        """`z <- pop with q(z|x);  push x with p(x|z);  push z with p(z)`"""
        z = self.posterior(x).pop(message)
        self.likelihood(z).push(message, x)
        self.prior_of(len(x)).push(message, z)

    def pop(self, message: Message, lanes: Optional[int] = None) -> Any:
        """`z <- pop with p(z);  x <- pop with p(x|z);  push z with q(z|x)`, of `lanes` lanes, all by default."""
        z = self.prior_of(message.lanes if lanes is None else lanes).pop(message)
        x = self.likelihood(z).pop(message)
        self.posterior(x).push(message, z)
        return x

    def encode(
        self, data: Any, *, latents: int, posterior_bits: float, lanes: int = 64
    ) -> Block:
        """Codes data, integers `[count, dims]`, as one block, in steps of up to `lanes` data.

        It begins without initial words where that is shorter, and is whitened between steps, as files are, so that it
        takes what the bound says. `latents` is the number of symbols of the posterior, `posterior_bits` about how many
        bits it takes from the message, for one datum. The prior must be given by the number of lanes.
        """
        data = _arrays.symbols(data, "data")
        _check_numbers(latents, posterior_bits)
        model = _LatentModel(self, data.shape[1], latents, posterior_bits)
        return Block(*_bbans.encode_block(model, data, lanes), data.shape[1])

    def decode(self, block: Block, *, latents: int, posterior_bits: float) -> np.ndarray:
        """The data of a block, uint16 `[count, dims]`, with the numbers that it was coded with."""
        _check_numbers(latents, posterior_bits)
        model = _LatentModel(self, block.dims, latents, posterior_bits)
        return _bbans.decode_block(model, block.words, block.plan)


class Block(NamedTuple):
    """A block of data as one message."""

    words: np.ndarray
    """The message, uint32."""
    plan: tuple[int, int, int, int, int, int]
    """Lanes, whitened words, number of data, points, initial words and growth: a decoder must know them."""
    net_bits: float
    """How much the message grew."""
    dims: int
    """Observed dimensions of a datum."""


class _LatentModel:
    """A model as the blocks of the Rust library ask for it; codecs and messages go in and out as they are there."""

    def __init__(self, model: BitsBack, dims: int, latents: int, posterior_bits: float) -> None:
        self.model = model
        self.dims = dims
        self.latents = latents
        self.posterior_bits = posterior_bits

    def prior_of(self, lanes: int) -> Any:
        return _native(self.model.prior_of(lanes))

    def likelihood(self, z: np.ndarray) -> Any:
        return _native(self.model.likelihood(z))

    def posterior(self, x: np.ndarray) -> Any:
        return _native(self.model.posterior(x))


class _Lent:
    """A codec written in Python, for messages of the Rust library."""

    def __init__(self, codec: SymbolCodec) -> None:
        self.codec = codec

    def push(self, message: _bbans.Message, symbols: np.ndarray) -> None:
        self.codec.push(Message._of(message), symbols)

    def pop(self, message: _bbans.Message) -> np.ndarray:
        return _arrays.symbols(self.codec.pop(Message._of(message)), "symbols")


def _check_numbers(latents: int, posterior_bits: float) -> None:
    # Masses are of 24 bits: no symbol takes more. Memory is taken by these numbers.
    if not 1 <= latents <= 1 << 24:
        raise InvalidArgument(f"{latents} latents; expected 1 to 2^24")
    if not 0 < posterior_bits <= 24 * latents:
        raise InvalidArgument(f"posterior_bits is {posterior_bits}; expected more than 0, and at most 24 a latent")


def _native(codec: SymbolCodec) -> Any:
    return codec._native if isinstance(codec, Codec) else _Lent(codec)


def _likelihood(description: dict[str, Any], parameters: np.ndarray) -> _bbans.Codec:
    return _bbans.likelihood(json.dumps(description), np.ascontiguousarray(parameters))


def _of_two(kind: str, levels: int, *named: tuple[str, Any]) -> _bbans.Codec:
    found = [_arrays.floats(values, np.float32, ("lanes", "dims"), name) for name, values in named]
    _same_shape(found)
    return _likelihood({kind: {"levels": levels}}, np.stack(found, axis=2))


def _gaussian(bins: Bins, mean: Any, sigma: Any, conditional: bool) -> _bbans.Codec:
    axes = ("lanes", "dims")
    found = [
        _arrays.floats(mean, np.float32, axes, "means"),
        _arrays.floats(sigma, np.float32, axes, "standard deviations"),
    ]
    _same_shape(found)
    return _bbans.gaussian_bins(bins._native, *found, conditional)


def _same_shape(arrays: list[np.ndarray]) -> None:
    if len({array.shape for array in arrays}) > 1:
        shapes = " and ".join(str(array.shape) for array in arrays)
        raise InvalidArgument(f"arrays of shapes {shapes}; expected one shape")
