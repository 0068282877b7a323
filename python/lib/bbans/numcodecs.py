"""A codec for numcodecs, and so for Zarr arrays of format 2: each chunk is a complete .bbans file.

    import zarr
    from bbans.numcodecs import BBANS

    z = zarr.create_array("images.zarr", shape=(60000, 28, 28), chunks=(5000, 28, 28),
                          dtype="u1", zarr_format=2, compressors=BBANS("mnist-binary-best-2"))

Who reads the array needs bbans installed, and imports nothing of it.
"""

from __future__ import annotations

import math
import os
import re
import threading
from typing import Any

import numpy as np
from numcodecs.abc import Codec
from numcodecs.compat import ensure_contiguous_ndarray, ensure_ndarray, ndarray_copy

import bbans
from bbans._model import found, whole_number

__all__ = ["BBANS", "add_model"]

# Models that `add_model` was given, by fingerprint.
_added: dict[str, bbans.Model] = {}
# Held while a model is looked for, so that threads that begin together load it once.
_lock = threading.Lock()


def add_model(model: str | os.PathLike[str]) -> str:
    """Loads a model for all arrays of this process that were written with it, wherever its file
    was then. Returns its fingerprint."""
    added = _load(_path(model))
    _added[added.fingerprint] = added
    return added.fingerprint


class BBANS(Codec):
    """Codes each chunk as a complete .bbans file.

    The last axes of a chunk are a datum's, as the model has them; those before them number the
    data: with a model of 28x28, chunks have shape ``[count, 28, 28]``, ``[a, b, 28, 28]`` or
    ``[28, 28]``. Chunks of rows, ``[count, 784]``, are taken too. A flat buffer has lost its shape
    and is refused, unless the model's data have one axis: filters that flatten, such as Delta, do
    not go with images.

    Values are taken as they are, and dtype, byte order and memory order come back.
    """

    codec_id = "bbans"

    def __init__(
        self,
        model: str | os.PathLike[str] = "mnist-binary-best-2",
        fingerprint: str | None = None,
        *,
        lanes: int = 64,
        particles: int = 1,
        block: int | None = None,
        independent: bool = False,
        threads: int | None = 1,
    ) -> None:
        """
        Args:
            model: name of a built-in model, or path of a model file.
            fingerprint: of the model, 64 hexadecimal digits; filled in if it is not given. With
                another model nothing is written and nothing read.
            lanes, particles, block, independent: as of `bbans.compress`.
            threads: that one chunk is coded with; None is one a core. It changes the time and
                never the bytes, so it is not kept with the array. The default is one, as whoever
                reads many chunks reads them side by side.
        """
        model = _path(model)
        for name, number in (
            ("lanes", lanes),
            ("particles", particles),
            ("block", block),
            ("threads", threads),
        ):
            if number is not None or name in ("lanes", "particles"):
                whole_number(name, number)
        if fingerprint is not None and not re.fullmatch("[0-9a-f]{64}", str(fingerprint)):
            raise bbans.InvalidArgument(
                f"fingerprint {fingerprint!r}; expected 64 hexadecimal digits, as `model.fingerprint` has them"
            )
        # The array may be opened in another folder.
        if model not in bbans.models() and os.path.isfile(model):
            model = os.path.abspath(model)
        self.model = model
        self.fingerprint = _load(model).fingerprint if fingerprint is None else fingerprint
        self.lanes = lanes
        self.particles = particles
        self.block = block
        self.independent = independent
        self.threads = threads

    def get_config(self) -> dict[str, Any]:
        return {
            "id": self.codec_id,
            "model": self.model,
            "fingerprint": self.fingerprint,
            "lanes": self.lanes,
            "particles": self.particles,
            "block": self.block,
            "independent": self.independent,
        }

    def encode(self, buf: Any) -> bytes:
        """A .bbans file of the chunk `buf`."""
        if isinstance(buf, np.ma.MaskedArray):
            raise bbans.InvalidArgument("a chunk is a masked array, whose mask would be lost")
        array = ensure_ndarray(buf)
        model = self._model()
        shape = _data_shape(array.shape, tuple(model.shape))
        return bbans.compress(
            # Merges the axes that number the data in the order that the chunk has in memory: Zarr
            # puts what comes back into chunks of another shape in that order.
            array.reshape(shape, order="A"),
            model,
            lanes=self.lanes,
            threads=self.threads,
            particles=self.particles,
            block=self.block,
            independent=self.independent,
        )

    def decode(self, buf: Any, out: Any = None) -> np.ndarray:
        """The data of the chunk, ``[count, *shape of a datum]``, or `out`, filled with them."""
        chunk = ensure_contiguous_ndarray(buf)
        return ndarray_copy(bbans.decompress(chunk, self._model(), threads=self.threads), out)

    def _model(self) -> bbans.Model:
        model = _added.get(self.fingerprint)
        if model is None:
            try:
                model = _load(self.model)
            except bbans.IoError as error:
                raise bbans.IoError(
                    f"{error}; of a model file that has moved, give the new path to bbans.numcodecs.add_model"
                ) from None
        if model.fingerprint != self.fingerprint:
            raise bbans.Compatibility(
                f"the model {self.model} has the fingerprint {model.fingerprint[:16]}.., and the "
                f"array is of the model with {self.fingerprint[:16]}.."
            )
        return model


def _path(model: str | os.PathLike[str]) -> str:
    """A name or a path, which the array keeps."""
    if isinstance(model, (str, os.PathLike)):
        return os.fspath(model)
    raise bbans.InvalidArgument(
        f"a model of type {type(model).__name__}; expected a name or the path of its file, which the array keeps"
    )


def _load(model: str) -> bbans.Model:
    with _lock:
        return found(model)


def _data_shape(chunk: tuple[int, ...], datum: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a chunk as data: ``[count, *datum]``, or rows."""
    dims = math.prod(datum)
    if chunk[-len(datum) :] == datum:
        return (math.prod(chunk[: -len(datum)]), *datum)
    if len(chunk) == 2 and chunk[1] == dims:
        return chunk
    if len(chunk) == len(datum) == 1 and chunk[0] % dims == 0:
        return (chunk[0] // dims, dims)
    raise bbans.InvalidArgument(
        f"a chunk has the shape {list(chunk)}, and its last axes must be the model's {list(datum)}"
    )
