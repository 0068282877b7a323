"""A codec for Zarr arrays of format 3: each chunk is a complete .bbans file.

    import zarr
    from bbans.zarr import BBANSCodec

    z = zarr.create_array("images.zarr", shape=(60000, 28, 28), chunks=(5000, 28, 28), dtype="u1",
                          serializer=BBANSCodec("mnist-binary-best-2"), compressors=None)

Who reads the array needs bbans installed, and imports nothing of it. Arrays of format 2 have the
codec of `bbans.numcodecs`.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from zarr.abc.codec import ArrayBytesCodec

import bbans
from bbans.numcodecs import BBANS

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer

__all__ = ["BBANSCodec"]


@dataclass(frozen=True)
class BBANSCodec(ArrayBytesCodec):
    """Codes each chunk as a complete .bbans file. Shapes of chunks and options are those of
    `bbans.numcodecs.BBANS`."""

    is_fixed_size = False

    model: str | os.PathLike[str] = "mnist-binary-best-2"
    fingerprint: str | None = None
    lanes: int = 64
    particles: int = 1
    block: int | None = None
    independent: bool = False

    def __post_init__(self) -> None:
        codec = BBANS(**self._options())
        object.__setattr__(self, "model", codec.model)
        object.__setattr__(self, "fingerprint", codec.fingerprint)

    def _options(self) -> dict[str, Any]:
        names = ("model", "fingerprint", "lanes", "particles", "block", "independent")
        return {name: getattr(self, name) for name in names}

    def _codec(self) -> BBANS:
        return BBANS(**self._options())

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> BBANSCodec:
        return cls(**(data.get("configuration") or {}))

    def to_dict(self) -> dict[str, Any]:
        return {"name": "bbans", "configuration": self._options()}

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        raise NotImplementedError

    def _encode_sync(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> Buffer:
        array = np.ascontiguousarray(chunk_data.as_numpy_array())
        return chunk_spec.prototype.buffer.from_bytes(self._codec().encode(array))

    def _decode_sync(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        array = self._codec().decode(chunk_data.as_numpy_array())
        dtype: Any = chunk_spec.dtype
        # Zarr before 3.1 has NumPy's types here, later ones have their own.
        if hasattr(dtype, "to_native_dtype"):
            dtype = dtype.to_native_dtype()
        size = int(np.prod(chunk_spec.shape))
        # The chunk keeps the byte order in which it was written, and format 3 has none.
        if array.dtype.newbyteorder("=") != dtype.newbyteorder("=") or array.size != size:
            raise bbans.Compatibility(
                f"a chunk has {array.size} values of {array.dtype}, and the array's chunks have "
                f"{size} of {dtype}"
            )
        array = array.astype(dtype, copy=False).reshape(chunk_spec.shape)
        return chunk_spec.prototype.nd_buffer.from_numpy_array(array)

    # Coding takes seconds, in which the event loop must serve others.

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> Buffer:
        return await asyncio.to_thread(self._encode_sync, chunk_data, chunk_spec)

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        return await asyncio.to_thread(self._decode_sync, chunk_data, chunk_spec)
