"""Models."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any, NamedTuple, Union

import numpy as np

from . import _arrays, _bbans
from ._errors import InvalidArgument, IoError
from .codecs import Codec

# Data that bins are chosen by, at most.
FIT_DATA = 500


def whole_number(name: str, value: Any, least: int = 1) -> None:
    """Checks an option that is a number of something."""
    whole = hasattr(value, "__index__") and not isinstance(value, bool)
    if not whole or not least <= value < 1 << 63:
        raise InvalidArgument(f"{name} is {value!r}; expected a whole number of at least {least}")


class Elbo(NamedTuple):
    """What each datum should cost, in bits: arrays `[count]` of float64."""

    bits: np.ndarray
    """The negative evidence lower bound: the variational upper bound on the code length."""
    kl_bits: np.ndarray
    """Its first part, `KL(q(z|x), p(z))`."""
    reconstruction_bits: np.ndarray
    """Its second part, the mean of `-log2 p(x|z)`."""
    importance_bits: np.ndarray
    """The importance-weighted bound of the same samples, which many of them bring down to `-log2 p(x)`."""


class Model:
    """A variational autoencoder that codes data: a built-in one, or one of a model file.

    >>> model = bbans.Model.load("mnist-binary-small")
    >>> model.shape, model.levels, model.latents
    ((28, 28), 2, 40)
    """

    __slots__ = ("_native", "__weakref__")

    def __init__(self, native: _bbans.Model) -> None:
        self._native = native

    @staticmethod
    def load(name: Union[str, os.PathLike]) -> Model:
        """The built-in model of a name (`bbans.models()` lists them), or that of a model file."""
        if isinstance(name, str) and name in _bbans.models():
            return _built_in(name)
        try:
            data = Path(name).read_bytes()
        except OSError as e:
            text = f"no model {os.fspath(name)}: {e.strerror}; expected a file, or one of the built-in models: "
            raise IoError(text + ", ".join(_bbans.models())) from None
        return Model.from_bytes(data)

    @staticmethod
    def from_bytes(data: bytes) -> Model:
        """The model of a model file's bytes."""
        return Model(_bbans.Model.from_bytes(bytes(data)))

    def to_bytes(self) -> bytes:
        """The bytes of the model file."""
        return self._native.to_bytes()

    def save(self, path: Union[str, os.PathLike], *, overwrite: bool = False) -> None:
        """Writes the model file, whole or not at all."""
        from ._files import Output

        with Output(path, overwrite=overwrite) as out:
            Path(out).write_bytes(self.to_bytes())

    @property
    def name(self) -> str:
        """The model's name."""
        return self._native.name

    @property
    def fingerprint(self) -> str:
        """What files name that were written with it: 64 hexadecimal digits."""
        return self._native.fingerprint

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one datum."""
        return tuple(self._native.shape)

    @property
    def dims(self) -> int:
        """Number of observed dimensions of a datum: the product of its shape."""
        return self._native.dims

    @property
    def levels(self) -> int:
        """Number of symbols of an observed dimension, of the one with the most."""
        return self._native.levels

    @property
    def latents(self) -> int:
        """Number of latents of a datum, over all groups."""
        return self._native.latents

    @property
    def groups(self) -> list[int]:
        """Number of latents of each group, from the top."""
        return self._native.groups

    @property
    def description(self) -> dict[str, Any]:
        """The description in the model file."""
        return json.loads(self._native.description_json())

    def __reduce__(self) -> Any:
        # Copies, and models for other processes.
        return Model.from_bytes, (self.to_bytes(),)

    def __repr__(self) -> str:
        return (
            f"<bbans.Model {self.name}: shape {self.shape}, {self.levels} levels, "
            f"{self.latents} latents, {self.fingerprint[:12]}>"
        )

    def elbo(self, x: Any, samples: int = 16, seed: int = 0) -> Elbo:
        """The bound of each datum of `x`, `[count, *shape]`, with `samples` draws of its latents, in bits.

        The networks are the codec's; neither its bins nor its integer masses are in it.
        """
        whole_number("samples", samples)
        whole_number("seed", seed, 0)
        return Elbo(*self._native.elbo(*_arrays.parts(x), samples, seed))

    def sample(self, count: int, seed: int = 0) -> np.ndarray:
        """Data drawn from the model, `[count, *shape]`, of the narrowest type that has their values.

        They are those of `bbans sample` with the same seed.
        """
        whole_number("count", count, 0)
        whole_number("seed", seed, 0)
        file = self._native.samples_file(count, seed)
        if file[:6].tobytes() != b"\x93NUMPY":
            raise InvalidArgument("samples of a table are no array; `bbans sample -o FILE.csv` writes them")
        return _arrays.of_npy(file)

    def encode(self, x: Any, noise: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Means and log standard deviations of `q(z|x)`, `[count, latents]` of float32 each.

        Those of a group with a learned prior are in units of it: `(mean - mean_p) / sigma_p` and
        `log_sigma - log_sigma_p`. Of the groups above it takes `mean + exp(log_sigma) * noise`, with
        `noise` `[count, latents]`, 0 by default.
        """
        if noise is not None:
            noise = _arrays.floats(noise, np.float32, ("count", "latents"), "noise")
        mean, log_sigma = self._native.encode(*_arrays.parts(x), noise)
        return mean, log_sigma

    def decode(self, z: Any) -> np.ndarray:
        """Parameters of `p(x|z)` for latents `[count, latents]` of float32, in units of their priors.

        They are `[count, dims, parameters]`, as the page of the likelihood has them: for Bernoulli the logits.
        """
        return self._native.decode(_arrays.floats(z, np.float32, ("count", "latents"), "latents"))

    def fit_bins(self, x: Any) -> Model:
        """The model with bins that fit its posteriors of `x`, or itself if its own cost less than 0.1%.

        Of many data it takes 500, spread evenly over them, as `bbans import --data` does.
        """
        x = _arrays.checked(x, "the data")
        if len(x) > FIT_DATA:
            x = x[np.arange(FIT_DATA) * len(x) // FIT_DATA]
        model, _, _ = self._native.fit_bins(*_arrays.parts(x))
        return Model(model)

    def symbols(self, x: Any) -> np.ndarray:
        """Values `[count, *shape]` as the model's symbols, `[count, dims]` of uint16."""
        return self._native.symbols(*_arrays.parts(x))

    def prior(self, lanes: int) -> Codec:
        """`p(z)` as a codec of bin numbers, `[lanes, latents]`."""
        return Codec(self._native.prior(lanes))

    def likelihood(self, z: Any) -> Codec:
        """`p(x|z)` of bin numbers `[lanes, latents]` as a codec of symbols, `[lanes, dims]`."""
        return Codec(self._native.likelihood(_arrays.symbols(z, "bin numbers")))

    def posterior(self, x: Any) -> Codec:
        """`q(z|x)` of symbols `[lanes, dims]` as a codec of bin numbers, `[lanes, latents]`."""
        return Codec(self._native.posterior(_arrays.symbols(x, "symbols")))

    @property
    def posterior_bits(self) -> float:
        """About how many bits a step takes from the message for one datum."""
        return float(self.description["latent"]["bin_precision"] * self.latents)


@functools.lru_cache(maxsize=None)
def _built_in(name: str) -> Model:
    return Model(_bbans.Model.named(name))


@functools.lru_cache(maxsize=8)
def _of_file(path: str, size: int, modified: int) -> Model:
    return Model.load(path)


def found(model: Union[Model, str, os.PathLike]) -> Model:
    """The model that an argument `model` means. Those of files are kept as long as the files stay as they are."""
    if isinstance(model, Model):
        return model
    if isinstance(model, str) and model in _bbans.models():
        return _built_in(model)
    if not isinstance(model, (str, os.PathLike)):
        raise InvalidArgument(f"a model of type {type(model).__name__}; expected a bbans.Model, a name or a path")
    try:
        status = os.stat(model)
    except OSError:
        # Says what there is.
        return Model.load(model)
    return _of_file(os.path.abspath(model), status.st_size, status.st_mtime_ns)


def models() -> list[str]:
    """Names of the built-in models."""
    return _bbans.models()


def import_arch(weights: bytes, arch: str) -> tuple[Model, list[str]]:
    """The model of a safetensors file's bytes and ARCH.json, and the names of tensors that nothing uses.

    docs/import.md has the fields of ARCH.json.
    """
    model, unused = _bbans.import_arch(weights, arch)
    return Model(model), unused
