"""What gives the same numbers at other places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from .. import values
from ..arrays import Array
from ..values import Value
from .registry import rule

if TYPE_CHECKING:
    from ..trace import Call


@rule(
    "view",
    "_unsafe_view",
    "reshape",
    "flatten",
    "unflatten",
    "squeeze",
    "unsqueeze",
    "view_as",
    "reshape_as",
    "ravel",
)
def reshape(call: Call, x: Any, **_: Any) -> Any:
    return call.give(x.value)


@rule("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full")
def filled(call: Call, x: Any, **others: Any) -> Any:
    # Of the tensor only the shape is asked.
    kind = call.node.all_input_nodes[0].meta["val"].dtype
    return call.node.target(torch.zeros(x.shape, dtype=kind), **others)


def permuted(call: Call, x: Any, axes: Sequence[int]) -> Any:
    return call.give(values.permute(call.full(x), [axis % x.ndim for axis in axes]))


@rule("permute")
def permute(call: Call, x: Any, dims: Sequence[int]) -> Any:
    return permuted(call, x, dims)


@rule("transpose", "swapaxes", "swapdims")
def transpose(
    call: Call, x: Any, dim0: int = 0, dim1: int = 0, axis0: int = 0, axis1: int = 0
) -> Any:
    axes = list(range(x.ndim))
    i, j = (dim0, dim1) if call.operation == "transpose" else (dim0 or axis0, dim1 or axis1)
    i, j = i % x.ndim, j % x.ndim
    axes[i], axes[j] = axes[j], axes[i]
    return permuted(call, x, axes)


@rule("t", "mT", "adjoint", "matrix_H", "numpy_T", "mH")
def turned(call: Call, x: Any) -> Any:
    axes = list(range(x.ndim))
    if call.operation == "numpy_T":
        axes.reverse()
    else:
        axes[-2:] = reversed(axes[-2:])
    return permuted(call, x, axes)


@rule("movedim", "moveaxis")
def movedim(call: Call, x: Any, source: Any, destination: Any) -> Any:
    sources = [source] if isinstance(source, int) else list(source)
    ends = [destination] if isinstance(destination, int) else list(destination)
    places = {end % x.ndim: start % x.ndim for start, end in zip(sources, ends)}
    others = iter(axis for axis in range(x.ndim) if axis not in places.values())
    return permuted(
        call, x, [places[axis] if axis in places else next(others) for axis in range(x.ndim)]
    )


@rule("slice")
def slice_(
    call: Call, x: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Any:
    axis = dim % x.ndim
    indices = range(x.shape[axis])[slice(start, end, step)]
    return call.give(values.take(call.full(x), axis, indices))


@rule("narrow")
def narrow(call: Call, x: Any, dim: int, start: int, length: int) -> Any:
    start = start % (x.shape[dim] + 1) if start < 0 else start
    return call.give(values.part(call.full(x), dim % x.ndim, start, start + length))


@rule("select")
def select(call: Call, x: Any, dim: int = 0, index: int = 0) -> Any:
    axis = dim % x.ndim
    index = index % x.shape[axis]
    return call.give(values.part(call.full(x), axis, index, index + 1))


def parts(call: Call, x: Any, axis: int, sizes: Sequence[int], squeeze: bool = False) -> Any:
    """One after another along an axis, of these sizes."""
    whole, start, result = call.full(x), 0, []
    for size in sizes:
        piece = values.part(whole, axis, start, start + size)
        shape = x.shape[:axis] + (() if squeeze else (size,)) + x.shape[axis + 1 :]
        result.append(call.give(piece, shape))
        start += size
    return result


@rule(
    "chunk", "split", "split_with_sizes", "unsafe_chunk", "unsafe_split", "tensor_split", "unbind"
)
def split(call: Call, x: Any, dim: int = 0, **_: Any) -> Any:
    # All of them tell the sizes by their results.
    axis, single = dim % x.ndim, call.operation == "unbind"
    sizes = [1 if single else int(piece.shape[axis]) for piece in call.node.meta["val"]]
    return parts(call, x, axis, sizes, single)


@rule("cat", "concat", "concatenate")
def cat(call: Call, x: Any, dim: int = 0, axis: int = 0) -> Any:
    # PyTorch leaves empty tensors of one axis out.
    tensors = [tensor for tensor in x if tuple(tensor.shape) != (0,)]
    place = (dim or axis) % tensors[0].ndim
    return call.give(values.concat([call.full(tensor) for tensor in tensors], place))


@rule("stack")
def stack(call: Call, x: Any, dim: int = 0) -> Any:
    axis = dim % (x[0].ndim + 1)
    shape = tuple(x[0].shape[:axis]) + (1,) + tuple(x[0].shape[axis:])
    return call.give(
        values.concat([values.reshape(call.full(tensor), shape) for tensor in x], axis)
    )


@rule("repeat", "tile")
def repeat(call: Call, x: Any, repeats: Sequence[int] = (), dims: Sequence[int] = ()) -> Any:
    counts = list(repeats or dims)
    counts = [1] * (x.ndim - len(counts)) + counts
    value = values.reshape(call.full(x), (1,) * (len(counts) - x.ndim) + x.shape)
    for axis, count in enumerate(counts):
        before, after = value.shape[:axis], value.shape[axis:]
        value = _copied(call, value, before + (1,) + after, axis, count)
        value = values.reshape(value, before + (count * after[0],) + after[1:])
    return call.give(value)


@rule("repeat_interleave")
def repeat_interleave(
    call: Call, x: Any, repeats: int, dim: Any = None, output_size: Any = None
) -> Any:
    if not isinstance(repeats, int):
        raise call.unsupported("numbers of repetitions that are a tensor; expected one number")
    value, axis = call.full(x), dim
    if dim is None:
        value, axis = values.reshape(value, (value.size,)), 0
    axis %= len(value.shape)
    before, after = value.shape[: axis + 1], value.shape[axis + 1 :]
    return call.give(_copied(call, value, before + (1,) + after, axis + 1, repeats))


def _copied(call: Call, value: Value, shape: Sequence[int], axis: int, count: int) -> Value:
    """In another shape, and an axis of size 1 in it made larger."""
    large = values.expand(
        values.reshape(value, shape), tuple(shape[:axis]) + (count,) + tuple(shape[axis + 1 :])
    )
    if large is None:
        raise call.unsupported(f"{count} repetitions; expected fewer")
    return large


@rule("flip")
def flip(call: Call, x: Any, dims: Sequence[int]) -> Any:
    value = call.full(x)
    for axis in dims:
        value = values.take(value, axis % x.ndim, range(x.shape[axis])[::-1])
    return call.give(value)


@rule("roll")
def roll(call: Call, x: Any, shifts: Sequence[int], dims: Sequence[int] = ()) -> Any:
    if not dims:
        raise call.unsupported("no axes; expected dims")
    value = call.full(x)
    for shift, axis in zip(shifts, dims):
        size = x.shape[axis]
        value = values.take(value, axis % x.ndim, [(i - shift) % size for i in range(size)])
    return call.give(value)


@rule("index_select")
def index_select(call: Call, x: Any, dim: int, index: Any) -> Any:
    return _indexed(call, x, dim, index)


@rule("index")
def index(call: Call, x: Any, indices: Sequence[Any]) -> Any:
    given = [(axis, index) for axis, index in enumerate(indices) if index is not None]
    if len(given) != 1:
        raise call.unsupported("indices of several axes; expected those of one")
    return _indexed(call, x, *given[0])


def _indexed(call: Call, x: Any, dim: int, index: Any) -> Any:
    """Places along an axis."""
    axis = dim % x.ndim if isinstance(x, Array) else dim
    if not isinstance(x, Array) or not isinstance(index, torch.Tensor) or index.dtype == torch.bool:
        raise call.unsupported("places that are computed; expected known ones")
    places = [int(i) % x.shape[axis] for i in index.flatten()]
    return call.give(values.take(call.full(x), axis, places))


@rule("pixel_shuffle")
def pixel_shuffle(call: Call, x: Any, upscale_factor: int) -> Any:
    return _shuffled(call, x, "pixel_shuffle", upscale_factor)


@rule("pixel_unshuffle")
def pixel_unshuffle(call: Call, x: Any, downscale_factor: int) -> Any:
    return _shuffled(call, x, "pixel_unshuffle", downscale_factor)


def _shuffled(call: Call, x: Any, kind: str, factor: int) -> Any:
    shape = call.shape
    value = values.layer(kind, picture(call, x), factor, shape[-3:])
    return call.give(value)


def picture(call: Call, x: Any) -> Value:
    """A tensor as one picture, `[channels, rows, columns]`."""
    if x.ndim == 4 and x.shape[0] != 1:
        raise call.unsupported(
            f"a batch of {x.shape[0]} pictures made of one datum; expected one picture"
        )
    return values.reshape(call.full(x), x.shape[-3:])
