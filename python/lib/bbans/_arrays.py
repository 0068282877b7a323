"""Arrays as .npy files, and back. The values themselves are not copied."""

from __future__ import annotations

import functools
import io
from typing import Any

import numpy as np

from ._errors import InvalidArgument

# Kinds of numbers that a data file may hold: Booleans, integers and floats.
_KINDS = "biuf"
_ITEM_SIZES = {"b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (4, 8)}


def parts(array: Any, what: str = "the data") -> tuple[bytes, np.ndarray]:
    """The header of the .npy file that an array would be, and the bytes of its values, flat.

    Only an array that is neither C- nor Fortran-contiguous is copied.
    """
    array = checked(array, what)
    if array.flags.c_contiguous:
        fortran = False
    elif array.flags.f_contiguous:
        array, fortran = array.T, True
    else:
        array, fortran = np.ascontiguousarray(array), False
    shape = array.shape[::-1] if fortran else array.shape
    flat = array.reshape(-1).view(np.uint8)
    return _header(array.dtype.str, fortran, shape), flat


def checked(array: Any, what: str) -> np.ndarray:
    """An array of numbers with at least one axis. Nothing is cast."""
    if isinstance(array, np.ma.MaskedArray):
        raise InvalidArgument(f"{what} are a masked array, whose mask would be lost; give array.filled(..) or array.data")
    # Tensors on the CPU and lists of one kind of number become arrays as they are.
    try:
        array = np.asarray(array)
    except Exception as e:
        raise InvalidArgument(f"{what}: no array: {e}") from None
    dtype = array.dtype
    if dtype.kind not in _KINDS or dtype.itemsize not in _ITEM_SIZES[dtype.kind]:
        raise InvalidArgument(
            f"{what} are an array of type {dtype}; expected bool, integers, float32 or float64"
        )
    if array.ndim == 0:
        raise InvalidArgument(f"{what} are a single number; expected an array [count, ...]")
    return array


@functools.lru_cache(maxsize=64)
def _header(descr: str, fortran: bool, shape: tuple[int, ...]) -> bytes:
    out = io.BytesIO()
    fields = {"descr": descr, "fortran_order": fortran, "shape": shape}
    np.lib.format.write_array_header_1_0(out, fields)
    return out.getvalue()


@functools.lru_cache(maxsize=64)
def _read_header(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    stream = io.BytesIO(header)
    version = np.lib.format.read_magic(stream)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise InvalidArgument(f"an .npy header of version {version}; expected 1 or 2")
    return read(stream)


def of_npy(file: np.ndarray) -> np.ndarray:
    """The array of an .npy file's bytes, on the same memory."""
    length = int.from_bytes(file[8:10].tobytes(), "little") + 10
    if file[6] > 1:
        length = int.from_bytes(file[8:12].tobytes(), "little") + 12
    shape, fortran, dtype = _read_header(file[:length].tobytes())
    values = file[length:].view(dtype)
    return values.reshape(shape[::-1]).T if fortran else values.reshape(shape)


# Types by the names that bbans has for them.
_TYPES = {
    "bool": "?",
    "u8": "u1",
    "i8": "i1",
    "u16": "u2",
    "i16": "i2",
    "u32": "u4",
    "i32": "i4",
    "u64": "u8",
    "i64": "i8",
    "f32": "f4",
    "f64": "f8",
}


def of_member(file: np.ndarray, facts: dict[str, Any], count: int) -> np.ndarray:
    """The array that a data file holds, `[count, *shape]`."""
    shape = (count, *facts["shape"])
    if facts.get("npy"):
        return of_npy(file)
    if "prefix" in facts:
        name = facts["element"]
        order = ">" if name.endswith("be") else "<"
        base = name[:-2] if name.endswith("be") else name
        values = file[facts["prefix"] :].view(np.dtype(order + _TYPES[base]))
        return values.reshape(shape[::-1]).T if facts["fortran"] else values.reshape(shape)
    # .amat: a line of digits for each datum.
    digits = file[(file == ord("0")) | (file == ord("1"))]
    return (digits - ord("0")).reshape(shape)


def check_kind(kind: str) -> None:
    """Refuses files that hold no array."""
    if kind in ("csv", "png"):
        raise InvalidArgument(f"the file holds {kind} and no array; bbans.decompress_file writes it")


def symbols(array: Any, what: str) -> np.ndarray:
    """Whole numbers below 65,536 as uint16, `[lanes, dims]`; others are refused."""
    array = np.asarray(array)
    if array.ndim != 2 or array.dtype.kind not in "bui":
        raise InvalidArgument(
            f"{what} of type {array.dtype} and shape {array.shape}; expected integers [lanes, dims]"
        )
    if array.dtype == np.uint16:
        return np.ascontiguousarray(array)
    if array.size and (array.min() < 0 or array.max() > 0xFFFF):
        raise InvalidArgument(f"{what} of {array.min()} to {array.max()}; expected 0 to 65535")
    return np.ascontiguousarray(array, dtype=np.uint16)


def floats(array: Any, dtype: type, axes: tuple[str, ...], what: str) -> np.ndarray:
    """Floating-point numbers of a type and with these axes. float32 may become float64, not the reverse."""
    array = np.asarray(array)
    expected = np.dtype(dtype)
    if array.ndim != len(axes) or array.dtype.kind != "f" or array.dtype.itemsize > expected.itemsize:
        raise InvalidArgument(
            f"{what} of type {array.dtype} and shape {array.shape}; expected {expected} [{', '.join(axes)}]"
        )
    return np.ascontiguousarray(array, dtype=expected)


def flat_bytes(data: Any) -> np.ndarray:
    """Anything with the buffer protocol as an array of bytes, without a copy."""
    try:
        return np.frombuffer(data, dtype=np.uint8)
    except (TypeError, ValueError, BufferError) as e:
        # An empty buffer is one too.
        if isinstance(data, (bytes, bytearray, memoryview)) and len(data) == 0:
            return np.empty(0, dtype=np.uint8)
        raise InvalidArgument(f"{type(data).__name__} in place of a file's bytes: {e}") from None
