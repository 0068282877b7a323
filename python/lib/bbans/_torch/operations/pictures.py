"""Pools, paddings and sizes of pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from .. import values
from ..arrays import Array
from ..values import Value
from .arithmetic import amax, mean
from .moves import picture
from .networks import two
from .registry import rule

if TYPE_CHECKING:
    from ..trace import Call


def _signal(call: Call, x: Array) -> Value:
    """`[channels, 1, numbers]`: a picture of one row."""
    if x.ndim == 3 and x.shape[0] != 1:
        raise call.unsupported(f"a batch of {x.shape[0]} made of one datum; expected one")
    return values.reshape(x.value, (x.shape[-2], 1, x.shape[-1]))


def _window(call: Call, x: Array, kernel: Any, stride: Any, padding: Any) -> Any:
    """A picture, with two numbers of each of the sizes of a pool."""
    axes = 1 if "1d" in call.operation else 2
    kernel, padding = two(kernel, axes), two(padding, axes)
    stride = two(stride, axes) if stride else kernel
    if axes == 1:
        return _signal(call, x), kernel, stride, [0, padding[1]]
    return picture(call, x), kernel, stride, padding


def _pool(
    call: Call, kind: str, value: Value, kernel: list[int], stride: list[int], sides: list[int]
) -> Value:
    size = call.shape[-2:] if "1d" not in call.operation else (1, call.shape[-1])
    fields = {"stride": stride, "padding": sides}
    return values.layer(kind, value, kernel, (value.shape[0],) + tuple(size), **fields)


@rule("max_pool1d", "max_pool2d", "max_pool2d_with_indices", "max_pool1d_with_indices")
def max_pool(
    call: Call,
    x: Array,
    kernel_size: Any,
    stride: Any = (),
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    if two(dilation, 2) != [1, 1]:
        raise call.unsupported("a dilation; expected windows without gaps")
    value, kernel, strides, around = _window(call, x, kernel_size, stride, padding)
    # Rounded up, the last windows reach beyond the edge, where there is nothing greater.
    size = (1, call.shape[-1]) if "1d" in call.operation else call.shape[-2:]
    sides = []
    for axis in range(2):
        reach = (
            (size[axis] - 1) * strides[axis] + kernel[axis] - value.shape[1 + axis] - around[axis]
        )
        sides += [around[axis], max(around[axis], reach)]
    result = call.give(_pool(call, "max_pool", value, kernel, strides, sides))
    return result if isinstance(call.node.meta["val"], torch.Tensor) else [result]


@rule("avg_pool1d", "avg_pool2d")
def avg_pool(
    call: Call,
    x: Array,
    kernel_size: Any,
    stride: Any = (),
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Any:
    value, kernel, strides, around = _window(call, x, kernel_size, stride, padding)
    for axis in range(2):
        room = value.shape[1 + axis] + 2 * around[axis] - kernel[axis]
        if ceil_mode and room % strides[axis]:
            raise call.unsupported("windows that reach beyond the edge; expected ceil_mode=False")
    sides = [around[0], around[0], around[1], around[1]]
    pooled = _pool(call, "average_pool", value, kernel, strides, sides)
    if divisor_override:
        pooled = values.scale(pooled, math.prod(kernel) / divisor_override)
    elif not count_include_pad and any(sides):
        ones = torch.ones(1, *value.shape)
        share = torch.nn.functional.avg_pool2d(ones, kernel, strides, around)[0]
        pooled = values.mul(pooled, values.constant(1.0 / share, f"{call.path}.share"))
    return call.give(pooled)


@rule("adaptive_avg_pool1d", "adaptive_avg_pool2d", "_adaptive_avg_pool2d")
def adaptive_avg_pool(call: Call, x: Array, output_size: Any) -> Any:
    axes = 1 if "1d" in call.operation else 2
    if math.prod(call.shape[-axes:]) == 1:
        return mean(call, x, list(range(-axes, 0)))
    return _resized(call, x, {"output_size": output_size})


@rule("adaptive_max_pool1d", "adaptive_max_pool2d")
def adaptive_max_pool(call: Call, x: Array, output_size: Any) -> Any:
    axes = 1 if "1d" in call.operation else 2
    if math.prod(call.shape[-axes:]) != 1:
        raise call.unsupported("windows of several sizes; expected an output of one number")
    return [amax(call, x, list(range(-axes, 0)))]


@rule(
    "upsample_nearest1d",
    "upsample_nearest2d",
    "_upsample_nearest_exact2d",
    "_upsample_nearest_exact1d",
)
def upsample_nearest(call: Call, x: Array, **others: Any) -> Any:
    single = "1d" in call.operation
    value = _signal(call, x) if single else picture(call, x)
    size = (1, call.shape[-1]) if single else call.shape[-2:]
    if all(large % small == 0 for large, small in zip(size, value.shape[1:])):
        factors = [large // small for large, small in zip(size, value.shape[1:])]
        return call.give(values.layer("upsample", value, factors, value.shape[:1] + tuple(size)))
    # The numbers that PyTorch takes are those it takes of the places themselves.
    for axis in (1, 2):
        places = torch.arange(value.shape[axis], dtype=torch.float32)
        wide = places.reshape((1, 1, -1, 1) if axis == 1 else (1, 1, 1, -1))
        wide = wide.expand(1, 1, *value.shape[1:] if axis == 1 else (value.shape[1], -1))
        if single:
            wide = wide[:, :, 0]
        made = call.node.target(wide, **others)
        made = made.reshape(size)
        value = values.take(value, axis, [int(i) for i in (made[:, 0] if axis == 1 else made[0])])
    return call.give(value)


@rule(
    "upsample_linear1d",
    "upsample_bilinear2d",
    "upsample_bicubic2d",
    "_upsample_bilinear2d_aa",
    "_upsample_bicubic2d_aa",
)
def upsample_smooth(call: Call, x: Array, **others: Any) -> Any:
    return _resized(call, x, others)


def _resized(call: Call, x: Array, others: dict[str, Any]) -> Any:
    """Weighted sums along rows and then columns, with what PyTorch makes of each number alone."""
    single = "1d" in call.operation
    value = _signal(call, x) if single else picture(call, x)
    channels, rows, columns = value.shape

    def operation(pictures: torch.Tensor) -> torch.Tensor:
        return call.node.target(pictures.to(torch.float32), **others)

    across = torch.eye(columns).reshape(columns, 1, columns)
    if single:
        matrix = operation(across).reshape(columns, -1)
    else:
        # Rows that are all the same become rows that are all the same.
        matrix = operation(across.reshape(columns, 1, 1, columns).expand(-1, -1, rows, -1))[:, 0, 0]
    value = _summed(call, value, matrix, "columns")
    if not single:
        down = torch.eye(rows).reshape(rows, 1, rows, 1).expand(-1, -1, -1, columns)
        matrix = operation(down)[:, 0, :, 0]
        value = values.permute(
            _summed(call, values.permute(value, [0, 2, 1]), matrix, "rows"), [0, 2, 1]
        )
    return call.give(value)


def _summed(call: Call, value: Value, matrix: torch.Tensor, name: str) -> Value:
    """The last axis times `[inputs, outputs]`."""
    shape = value.shape[:-1] + (matrix.shape[1],)
    tensors = {"weight": matrix.contiguous()}
    fields = {"bias": False, "transposed": True}
    return values.weighted("linear_rows", value, shape, f"{call.path}.{name}", tensors, **fields)


@rule("pad", "constant_pad_nd")
def pad(call: Call, x: Array, pad: Sequence[int], mode: str = "constant", value: Any = None) -> Any:
    whole = call.full(x)
    number = 0.0 if value is None else float(value)
    # Of the last axis first, before and after.
    sides = [[int(pad[2 * i]), int(pad[2 * i + 1])] for i in range(len(pad) // 2)]
    for i, (before, after) in enumerate(sides):
        whole = _padded(call, whole, x.ndim - 1 - i, before, after, mode, number)
    result = call.give(whole)
    if mode == "constant" and number == 0.0 and len(sides) <= 2 and min(pad) >= 0:
        columns, rows = (sides + [[0, 0]])[:2]
        return Array(result.value, result.shape, (x, rows + columns))
    return result


def _padded(
    call: Call, value: Value, axis: int, before: int, after: int, mode: str, number: float
) -> Value:
    size = value.shape[axis]
    if mode == "constant":
        kept = values.part(value, axis, max(0, -before), size - max(0, -after))
        shape = list(kept.shape)
        parts = []
        for count in (before, after):
            shape[axis] = max(0, count)
            parts.append(
                [values.constant(torch.full(shape, number), f"{call.path}.pad")]
                if count > 0
                else []
            )
        return values.concat([*parts[0], kept, *parts[1]], axis)
    places = range(-before, size + after)
    if mode == "reflect":
        indices = [abs(i) if i < size else 2 * (size - 1) - i for i in places]
    elif mode == "replicate":
        indices = [min(max(i, 0), size - 1) for i in places]
    elif mode == "circular":
        indices = [i % size for i in places]
    else:
        raise call.unsupported(
            f"the mode {mode}; expected constant, reflect, replicate or circular"
        )
    return values.take(value, axis, indices)


for _mode, _names in {
    "reflect": ("reflection_pad1d", "reflection_pad2d"),
    "replicate": ("replication_pad1d", "replication_pad2d"),
}.items():
    rule(*_names)(lambda call, x, padding, _mode=_mode: pad(call, x, padding, _mode))
