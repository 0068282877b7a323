"""`bbans.import_torch`: models from PyTorch's modules, without a description of their layers."""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, Callable, Union

import numpy as np
import torch
from torch import nn

from .._errors import InvalidArgument
from .._model import Model, import_arch
from .architecture import architecture
from .check import Comparison, Noise, compare, decoded
from .layout import Layout
from .likelihoods import Likelihood
from .network import Ladder, Network, walk
from .trace import evaluation, owners

__all__ = ["import_torch"]

# How many of the example's data are used at most, for the comparison and for the bins; and how many
# numbers, but two data.
COMPARED, FITTED = (64, 2**20), (500, 2**24)

Function = Union[str, Callable[..., Any], None]


def import_torch(
    module: nn.Module,
    example: Any,
    *,
    latents: Union[int, Sequence[Any], None] = None,
    likelihood: Union[str, dict[str, Any]] = "bernoulli",
    name: str | None = None,
    path: Union[str, os.PathLike, None] = None,
    encode: Function = None,
    decode: Function = None,
    scale: str | None = None,
    divide: float = 1.0,
    add: float = 0.0,
    input_shape: Union[int, Sequence[int], None] = None,
    overwrite: bool = False,
    bins: bool = True,
    verbose: bool = True,
    report: dict[str, Any] | None = None,
) -> Model:
    """The variational autoencoder of a PyTorch module, as a model that codes data.

    >>> model = bbans.import_torch(vae, images, likelihood="bernoulli", path="vae.safetensors")
    >>> file = bbans.compress(images, model=model)

    `torch.export` traces the encoder and the decoder in evaluation mode, and what they do becomes
    the layers of a model file. Then both are run on some of the data with the same noise: if their
    outputs differ by more than a thousandth of their range, that is an error. The module stays as
    it is.

    `module` has a method or submodule `encode` or `encoder`, and `decode` or `decoder`; `encode`
    and `decode` name others, or are functions. The encoder gets `x / divide + add` with the axis of
    a batch before those of the data. It returns one of

    - a mean and a log variance: a tuple, or an object or mapping with such names (`mean`, `mu`,
      `embedding`; `log_variance`, `logvar`, `log_covariance`, `log_sigma`, ..), or a
      `torch.distributions.Normal` whose scale is made of `exp` or `sigmoid`;
    - one tensor with twice as many channels as latents: the means, and then the log variances.

    The decoder gets latents and returns the parameters of the likelihood: a tensor, or several,
    each with a number for each dimension.

    Parameters
    ----------
    module
        The trained module.
    example
        Data as they will be compressed, `[count, *shape]`, whole numbers from 0 on: those of a test
        set, say. The first 64 are compared, and the first 500 choose the bins.
    latents
        None, or the number or the shape of the latents, to make sure of it. For groups of latents,
        a list of their shapes from the top. The module then has methods `encode(x)`, which gives
        features; `start()`, the first state, or there is none; `prior(i, state)`, a mean and a log
        standard deviation, or None for the standard normal distribution; `posterior(i, state,
        features)`, likewise; `update(i, state, z)`, the next state; and `decode(state)`.
    likelihood
        "bernoulli", whose decoder gives logits; "bernoulli_probabilities", through a sigmoid; or a
        dictionary as docs/import.md has it: `{"kind": "discretized_logistic", "levels": 256,
        "units": "inputs"}`. With `"sigma"` for a discretized_gaussian, or `"scale"` for a
        discretized_logistic, the decoder gives the means alone.
    name
        The model's name; by default that of the module's class.
    path
        Where the model file is also written. What is there already stays, unless `overwrite`.
    scale
        "log_variance" or "log_sigma": what follows the means, where it has no name. By default
        "log_variance", and with groups of latents "log_sigma".
    divide, add
        What the encoder sees of a symbol `x` is `x / divide + add`.
    input_shape
        The shape that the encoder sees, without the axis of the batch. The same sizes in another
        order are another order of the axes: data `[rows, columns, 3]` may be seen as `(3, rows,
        columns)`. All else is a reshape. What the decoder gives is taken in the order of this
        shape.
    bins
        Whether the bins of the latents are chosen by the example where those of equal mass would
        cost too much.
    verbose
        Whether a few lines on stderr tell what was imported.
    report
        A dictionary that gets `largest_difference`, of the outputs in parts of their range,
        `bound_bits_per_dim` and `bound_torch_bits_per_dim`, and `bins`, how many a latent has and
        of what kind.

    Raises
    ------
    bbans.InvalidArgument
        If there is an operation that bbans has not, or something else does not fit. It says which,
        and where.
    """
    grouped = isinstance(latents, list) or (
        isinstance(latents, tuple) and not all(isinstance(size, int) for size in latents)
    )
    if scale not in (None, "log_variance", "log_sigma"):
        raise InvalidArgument(f"scale {scale!r}; expected 'log_variance' or 'log_sigma'")
    if not isinstance(module, nn.Module):
        raise InvalidArgument(
            f"a module of type {type(module).__name__}; expected a torch.nn.Module"
        )
    if not math.isfinite(divide) or not math.isfinite(add) or divide == 0:
        raise InvalidArgument(
            f"x / {divide} + {add}; expected finite numbers, and not 0 to divide by"
        )
    if path is not None and not overwrite and os.path.exists(path):
        raise InvalidArgument(
            f"{os.fspath(path)} is there already; expected a new path, or overwrite=True"
        )
    if not grouped and all(callable(getattr(module, name, None)) for name in ("prior", "posterior", "update")):
        raise InvalidArgument(
            "the module has the methods prior, posterior and update of groups of latents; expected the shapes of the "
            "groups from the top, latents=[..]"
        )
    given = Likelihood(likelihood)
    symbols = _symbols(example, given.levels)
    if isinstance(input_shape, int):
        input_shape = (input_shape,)
    layout = Layout(symbols.shape[1:], input_shape, given)
    arguments = (
        module,
        layout,
        encode,
        decode,
        scale or ("log_sigma" if grouped else "log_variance"),
    )
    compared = _first(symbols, *COMPARED)
    noise = Noise()
    with evaluation(module, *owners(encode, decode)):
        if grouped:
            network: Network = Ladder(*arguments, float(divide), float(add), shapes=latents)
        else:
            network = Network(*arguments, float(divide), float(add))
        walked = walk(network, torch.from_numpy(compared.astype(np.float32)), noise)
        _check_latents(walked.shapes, latents, grouped)
        arch, weights = architecture(network, _name(name, module), walked)
    model, _ = import_arch(weights.safetensors(), json.dumps(arch, allow_nan=False))
    parameters = decoded(model, network, walked.latents.float().numpy(), weights, arch)
    comparison = compare(model, network, compared, noise.numpy(), walked, parameters)
    if bins:
        model = model.fit_bins(_first(symbols, *FITTED))
    told = _bins(model)
    if report is not None:
        report["largest_difference"] = comparison.difference
        report["bound_torch_bits_per_dim"] = comparison.of_torch
        report["bound_bits_per_dim"] = comparison.of_model
        report["bins"] = told
    if path is not None:
        model.save(path, overwrite=overwrite)
    if verbose:
        print(_summary(model, weights.count, comparison, told), file=sys.stderr)
    return model


def _symbols(example: Any, levels: int) -> np.ndarray:
    """The example as symbols `[count, *shape]`."""
    if isinstance(example, torch.Tensor):
        example = example.detach().cpu().numpy()
    x = np.asarray(example)
    if x.ndim < 2 or len(x) == 0:
        raise InvalidArgument(
            f"an example of shape {list(x.shape)}; expected [count, *shape] of at least one datum"
        )
    if x.dtype == bool:
        x = x.astype(np.uint8)
    if x.dtype.kind not in "iuf":
        raise InvalidArgument(f"an example of type {x.dtype}; expected whole numbers")
    whole = x == np.floor(x) if x.dtype.kind == "f" else np.ones(1, bool)
    if not whole.all():
        raise InvalidArgument(
            f"the example has the number {x[~whole][0]}; expected whole numbers, "
            f"0 to {levels - 1}, as they will be compressed: with divide=255 the encoder sees "
            "bytes as numbers from 0 to 1"
        )
    if x.min() < 0 or x.max() >= levels:
        wrong = x.min() if x.min() < 0 else x.max()
        expected = f"0 to {levels - 1}, as the likelihood says"
        raise InvalidArgument(f"the example has the number {wrong}; expected {expected}")
    return x.astype(np.uint8 if levels <= 256 else np.uint16)


def _first(symbols: np.ndarray, count: int, numbers: int) -> np.ndarray:
    return symbols[: max(2, min(count, numbers // symbols[0].size))]


def _check_latents(found: Sequence[Any], latents: Any, grouped: bool) -> None:
    if latents is None:
        return
    wanted = [
        (shape,) if isinstance(shape, int) else tuple(shape)
        for shape in (latents if grouped else [latents])
    ]
    numbers = isinstance(latents, int) and int(np.prod(found[0])) == latents
    if not numbers and wanted != list(found):
        raise InvalidArgument(
            f"latents of shape {_shapes(found)}; expected {_shapes(wanted)}, as latents= says"
        )


def _shapes(shapes: Sequence[Any]) -> str:
    return ", ".join(str(list(shape)) for shape in shapes)


def _name(name: str | None, module: nn.Module) -> str:
    return re.sub(r"[^!-~]", "-", type(module).__name__.lower())[:100] if name is None else name


def _bins(model: Model) -> str:
    latent = model.description["latent"]
    kind = "width" if latent.get("bins") == "masses" else "mass"
    return f"2^{latent['bin_precision']} of equal {kind}"


def _summary(model: Model, weights: int, comparison: Comparison, bins: str) -> str:
    groups = f" in {len(model.groups)} groups" if len(model.groups) > 1 else ""
    return (
        f"{model.name}: {model.latents} latents{groups}, {weights:,} weights. "
        f"Outputs differ from PyTorch's by at most {comparison.difference:.1g} of their range. "
        f"Bound of the example: {comparison.of_model:.4f} bits/dim, "
        f"in PyTorch {comparison.of_torch:.4f}. "
        f"Bins: {bins}."
    )
