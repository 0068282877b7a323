"""Sums, products, and shapes that are made one by repeating numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from .. import values
from ..arrays import Array, of_datum
from ..values import Shape, Value
from .registry import rule

if TYPE_CHECKING:
    from ..trace import Call


def broadcast(call: Call, x: Any, shape: Shape) -> Value:
    """A tensor in a shape that it is repeated to, as bbans has this shape."""
    if isinstance(x, torch.Tensor):
        whole = x.expand(shape).reshape(of_datum(shape))
        return values.constant(whole, call.name(x))
    if x.shape == shape:
        return x.value
    wide = (1,) * (len(shape) - x.ndim) + x.shape
    value = values.expand(values.reshape(x.value, wide), shape)
    if value is None:
        raise call.unsupported(
            f"a tensor of shape {list(x.shape)} repeated to {list(shape)}; expected fewer numbers"
        )
    return values.reshape(value, of_datum(shape))


def number(call: Call, x: Any) -> float | None:
    """A number that stands for all of a tensor, if it is one."""
    if isinstance(x, Array):
        return None
    if isinstance(x, torch.Tensor):
        if x.numel() != 1:
            return None
        x = x.item()
    if not math.isfinite(x):
        raise call.unsupported(f"the number {x}; expected finite ones")
    return float(x)


def by_channel(x: torch.Tensor, shape: Shape) -> torch.Tensor | None:
    """A number for each of bbans' first axis, if that is how a tensor is repeated."""
    first = len(shape) - len(of_datum(shape))
    wide = (1,) * (len(shape) - x.ndim) + tuple(x.shape)
    # With a single axis all numbers are as many as channels, and a sum is less to do.
    if len(shape) - first < 2 or any(size != 1 for i, size in enumerate(wide) if i != first):
        return None
    return x.flatten() if x.numel() == shape[first] else None


def summed(call: Call, x: Any, other: Any) -> Any:
    shape = call.shape
    a, b = number(call, x), number(call, other)
    if a is not None or b is not None:
        known, rest = (a, other) if a is not None else (b, x)
        return call.give(values.scale(broadcast(call, rest, shape), 1.0, known))
    for known, rest in ((x, other), (other, x)):
        summands = by_channel(known, shape) if isinstance(known, torch.Tensor) else None
        if summands is not None:
            value = broadcast(call, rest, shape)
            return call.give(values.channels(value, None, summands, call.name(known)))
    return call.give(values.add(broadcast(call, x, shape), broadcast(call, other, shape)))


def multiplied(call: Call, x: Any, other: Any) -> Any:
    shape = call.shape
    a, b = number(call, x), number(call, other)
    if a is not None or b is not None:
        known, rest = (a, other) if a is not None else (b, x)
        return call.give(values.scale(broadcast(call, rest, shape), known))
    for known, rest in ((x, other), (other, x)):
        factors = by_channel(known, shape) if isinstance(known, torch.Tensor) else None
        if factors is not None:
            value = broadcast(call, rest, shape)
            return call.give(values.channels(value, factors, None, call.name(known)))
    return call.give(values.mul(broadcast(call, x, shape), broadcast(call, other, shape)))


def times(x: Any, factor: float) -> Any:
    if factor == 1:
        return x
    return (
        Array(values.scale(x.value, float(factor)), x.shape) if isinstance(x, Array) else x * factor
    )


@rule("add")
def add(call: Call, x: Any, other: Any, alpha: float = 1) -> Any:
    return summed(call, x, times(other, alpha))


@rule("sub", "subtract")
def sub(call: Call, x: Any, other: Any, alpha: float = 1) -> Any:
    return summed(call, x, times(other, -alpha))


@rule("rsub")
def rsub(call: Call, x: Any, other: Any, alpha: float = 1) -> Any:
    return summed(call, other, times(x, -alpha))


@rule("mul", "multiply")
def mul(call: Call, x: Any, other: Any) -> Any:
    return multiplied(call, x, other)


@rule("div", "divide", "true_divide")
def div(call: Call, x: Any, other: Any) -> Any:
    if isinstance(other, Array):
        log = values.logarithm(other.value)
        if log is None:
            raise call.unsupported(
                "a division by what is computed; bbans divides by constants and what is made of exp"
            )
        other = Array(values.layer("exp", values.scale(log, -1.0)), other.shape)
        return multiplied(call, x, other)
    return multiplied(call, x, 1.0 / other)


@rule("pow")
def power(call: Call, x: Any, exponent: Any) -> Any:
    n = None if isinstance(x, torch.Tensor) or not isinstance(x, Array) else number(call, exponent)
    if n is None or n not in (1, 2, 3, 4):
        raise call.unsupported("a power that is not a square; expected the exponent 2")
    value = x.value
    for _ in range(int(n) - 1):
        value = values.mul(value, x.value)
    return call.give(value)


@rule("addcmul")
def addcmul(call: Call, x: Any, tensor1: Any, tensor2: Any, value: float = 1) -> Any:
    return summed(call, x, times(multiplied(call, tensor1, tensor2), value))


@rule("lerp")
def lerp(call: Call, x: Any, end: Any, weight: Any) -> Any:
    shape = call.shape
    a, b = broadcast(call, x, shape), broadcast(call, end, shape)
    between = call.give(values.subtract(b, a))
    return summed(call, call.give(a), multiplied(call, between, weight))


@rule("maximum", "max")
def maximum(call: Call, x: Any, other: Any) -> Any:
    a, b = broadcast(call, x, call.shape), broadcast(call, other, call.shape)
    return call.give(values.add(a, values.layer("relu", values.subtract(b, a))))


@rule("minimum", "min")
def minimum(call: Call, x: Any, other: Any) -> Any:
    a, b = broadcast(call, x, call.shape), broadcast(call, other, call.shape)
    return call.give(values.subtract(a, values.layer("relu", values.subtract(a, b))))


@rule("logaddexp")
def logaddexp(call: Call, x: Any, other: Any) -> Any:
    a, b = broadcast(call, x, call.shape), broadcast(call, other, call.shape)
    return call.give(values.log_of_sum(a, b))


@rule("expand", "expand_as", "broadcast_to")
def expand(call: Call, x: Any, **_: Any) -> Any:
    return call.give(broadcast(call, x, call.shape))


@rule("broadcast_tensors")
def broadcast_tensors(call: Call, x: Any) -> Any:
    shape = call.shape
    return [call.give(broadcast(call, tensor, shape), shape) for tensor in x]


@rule("mean")
def mean(call: Call, x: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    return call.give(values.means(_last(call, x, dim)))


@rule("sum")
def total(call: Call, x: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    rows = _last(call, x, dim)
    return call.give(values.scale(values.means(rows), float(rows.shape[1])))


@rule("amax")
def amax(call: Call, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    rows = _last(call, x, dim)
    count, numbers = rows.shape
    if numbers > values.MOST:
        raise call.unsupported(f"the greatest of {numbers} numbers; expected at most {values.MOST}")
    value = values.reshape(rows, (count, 1, numbers))
    return call.give(values.layer("max_pool", value, [1, numbers], (count, 1, 1)))


def _last(call: Call, x: Any, dim: Any) -> Value:
    """`[others, axes]`: some axes after all others."""
    axes = range(x.ndim) if dim is None or dim == [] else [dim] if isinstance(dim, int) else dim
    axes = sorted(axis % x.ndim for axis in axes)
    others = [axis for axis in range(x.ndim) if axis not in axes]
    count = math.prod(x.shape[axis] for axis in others)
    value = values.permute(call.full(x), others + axes)
    return values.reshape(value, (count, value.size // count))
