"""Networks as bbans has them: values, of which each is made of others by one layer of ARCH.json.

Shapes are those of one datum. The functions here make values; where all numbers are known already,
they compute them instead, so that a constant is always one value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

Shape = tuple[int, ...]

# Layers that bring several values together.
JOINS = ("concat", "add", "mul", "matmul")

# Layers that move numbers and change none.
MOVES = (
    "reshape",
    "flatten",
    "permute",
    "slice",
    "upsample",
    "pixel_shuffle",
    "pixel_unshuffle",
    "concat",
)

# The largest kernel of a pool and factor of an upsampling.
MOST = 1024


@dataclass(frozen=True, eq=False)
class Value:
    """A value: the layer `{kind: argument, **fields}`, or `kind` alone, of the inputs."""

    kind: str
    shape: Shape
    inputs: tuple[Value, ...] = ()
    argument: Any = None
    fields: dict[str, Any] = field(default_factory=dict)
    # Of a layer with weights, whose argument is their name. A constant has one, called "".
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    # What the weights are called if the name is free.
    hint: str = ""

    @property
    def constant(self) -> torch.Tensor | None:
        return self.tensors[""] if self.kind == "constant" else None

    @property
    def size(self) -> int:
        return math.prod(self.shape)


def source(shape: Sequence[int]) -> Value:
    """A value from elsewhere: the data, latents, a state."""
    return Value("source", tuple(shape))


def constant(tensor: torch.Tensor, hint: str = "constant") -> Value:
    tensor = tensor.detach()
    if tensor.ndim == 0:
        tensor = tensor.reshape(1)
    return Value("constant", tuple(tensor.shape), tensors={"": tensor}, hint=hint)


def weighted(
    kind: str, value: Value, shape: Sequence[int], hint: str, tensors: dict[str, Any], **fields: Any
) -> Value:
    """A layer with weights; tensors that are None are left out."""
    present = {part: tensor for part, tensor in tensors.items() if tensor is not None}
    return Value(kind, tuple(shape), (value,), None, fields, present, hint)


def layer(
    kind: str, value: Value, argument: Any = None, shape: Sequence[int] | None = None, **fields: Any
) -> Value:
    """A layer without weights; by default it keeps the shape."""
    return Value(kind, value.shape if shape is None else tuple(shape), (value,), argument, fields)


# Moves


def reshape(value: Value, shape: Sequence[int]) -> Value:
    shape = tuple(shape)
    if value.kind in ("reshape", "flatten"):
        value = value.inputs[0]
    if shape == value.shape:
        return value
    if value.constant is not None:
        return constant(value.constant.reshape(shape), value.hint)
    if len(shape) == 1:
        return layer("flatten", value, None, shape)
    return layer("reshape", value, list(shape), shape)


def permute(value: Value, axes: Sequence[int]) -> Value:
    if value.kind == "permute":
        axes, value = [value.argument[axis] for axis in axes], value.inputs[0]
    shape = tuple(value.shape[axis] for axis in axes)
    if value.constant is not None:
        return constant(value.constant.permute(tuple(axes)), value.hint)
    wide = [axis for axis in axes if value.shape[axis] != 1]
    if wide == sorted(wide):
        return reshape(value, shape)
    return layer("permute", value, list(axes), shape)


def moved(value: Value, start: int, end: int) -> Value:
    """With an axis at another place among the others."""
    axes = list(range(len(value.shape)))
    axes.insert(end, axes.pop(start))
    return permute(value, axes)


def part(value: Value, axis: int, start: int, end: int) -> Value:
    """From `start` to before `end`."""
    if (start, end) == (0, value.shape[axis]):
        return value
    shape = value.shape[:axis] + (end - start,) + value.shape[axis + 1 :]
    if value.constant is not None:
        return constant(value.constant.narrow(axis, start, end - start), value.hint)
    if axis and math.prod(value.shape[:axis]) == 1:
        # Without the axes of size 1 before it there is nothing to move.
        return reshape(part(reshape(value, value.shape[axis:]), 0, start, end), shape)
    if axis:
        return layer("slice", value, [start, end], shape, axis=axis)
    return layer("slice", value, [start, end], shape)


def concat(values: Sequence[Value], axis: int = 0) -> Value:
    """One after another along an axis."""
    first = values[0]
    if len(values) == 1:
        return first
    if all(value.constant is not None for value in values):
        return constant(torch.cat([value.constant for value in values], axis), first.hint)
    if axis:
        if math.prod(first.shape[:axis]) == 1:
            whole = concat([reshape(value, value.shape[axis:]) for value in values])
            return reshape(whole, first.shape[:axis] + whole.shape)
        return moved(concat([moved(value, axis, 0) for value in values]), 0, axis)
    shape = (sum(value.shape[0] for value in values),) + first.shape[1:]
    return Value("concat", shape, tuple(values))


def take(value: Value, axis: int, indices: Sequence[int]) -> Value:
    """The numbers of an axis at some indices, as slices one after another."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and runs[-1][1] == index:
            runs[-1][1] += 1
        else:
            runs.append([index, index + 1])
    front = moved(value, axis, 0)
    return moved(concat([part(front, 0, start, end) for start, end in runs]), 0, axis)


def expand(value: Value, shape: Sequence[int]) -> Value | None:
    """Axes of size 1 made larger; None if that cannot be done by upsampling."""
    shape = tuple(shape)
    if value.constant is not None:
        return constant(value.constant.expand(shape), value.hint)
    axis = 0
    while value.shape != shape:
        if value.shape[axis] == shape[axis]:
            axis += 1
            continue
        end = axis + 1
        while end < len(shape) and value.shape[end] == 1:
            end += 1
        before, after = math.prod(shape[:axis]), math.prod(value.shape[end:])
        count = math.prod(shape[axis:end])
        if after == 1 and end == axis + 2 and max(shape[axis:end]) <= MOST:
            # The channels' numbers to pictures.
            factors = [[shape[axis], shape[axis + 1]]]
        else:
            divisor = next(
                (d for d in range(1, MOST + 1) if count % d == 0 and count // d <= MOST), None
            )
            if divisor is None:
                return None
            factors = [[count // divisor, 1]] + ([[divisor, 1]] if divisor > 1 else [])
        value_shape = shape[:end] + value.shape[end:]
        value = reshape(value, (before, 1, after))
        for rows, columns in factors:
            size = (before, value.shape[1] * rows, value.shape[2] * columns)
            value = layer("upsample", value, [rows, columns], size)
        value = reshape(value, value_shape)
        axis = end
    return value


# Arithmetic


def scale(value: Value, factor: float = 1.0, summand: float = 0.0) -> Value:
    """`value * factor + summand`."""
    if value.kind == "scale":
        before = value.fields.get("shift", 0.0)
        factor, summand = value.argument * factor, before * factor + summand
        value = value.inputs[0]
    if (factor, summand) == (1.0, 0.0):
        return value
    if value.constant is not None:
        return constant(value.constant * factor + summand, value.hint)
    shift = {"shift": summand} if summand else {}
    return layer("scale", value, factor, **shift)


def channels(
    value: Value, weight: torch.Tensor | None, bias: torch.Tensor | None, hint: str
) -> Value:
    """A factor and a summand for each of the first axis, as batch norm of variance 1 and mean 0."""
    like = bias if weight is None else weight
    ones, zeros = torch.ones_like(like), torch.zeros_like(like)
    tensors = {
        "running_mean": zeros,
        "running_var": ones,
        "weight": ones if weight is None else weight,
        "bias": zeros if bias is None else bias,
    }
    return weighted("batch_norm", value, value.shape, hint, tensors, eps=0.0)


def add(*values: Value) -> Value:
    return Value("add", values[0].shape, values)


def mul(*values: Value) -> Value:
    return Value("mul", values[0].shape, values)


def subtract(first: Value, second: Value) -> Value:
    return add(first, scale(second, -1.0))


def matmul(first: Value, second: Value) -> Value:
    """`[rows, inner]` times `[inner, columns]`."""
    return Value("matmul", (first.shape[0], second.shape[1]), (first, second))


def products(first: Value, second: Value) -> Value:
    """`[count, rows, inner]` times `[count, inner, columns]`, a matrix at a time."""
    count, rows, inner = first.shape
    columns = second.shape[2]
    left, right = reshape(first, (count * rows, inner)), reshape(second, (count * inner, columns))
    blocks = [
        matmul(part(left, 0, i * rows, (i + 1) * rows), part(right, 0, i * inner, (i + 1) * inner))
        for i in range(count)
    ]
    return reshape(concat(blocks), (count, rows, columns))


def means(value: Value) -> Value:
    """`[count, numbers]` to `[count]`."""
    return layer("global_mean", value, None, value.shape[:1])


# What a value is a function of


def logarithm(value: Value) -> Value | None:
    """The logarithm of a value that is made of exp; None for others: bbans has no logarithm."""
    if value.constant is not None:
        return constant(value.constant.double().log().to(value.constant.dtype), value.hint)
    before = [logarithm(x) for x in value.inputs] if value.kind in _WITH_LOGARITHMS else []
    if None in before:
        return None
    if value.kind == "exp":
        return value.inputs[0]
    if value.kind == "sigmoid":
        return scale(layer("softplus", scale(value.inputs[0], -1.0)), -1.0)
    if value.kind == "scale" and value.argument > 0.0:
        log = scale(before[0], 1.0, math.log(value.argument))
        shift = value.fields.get("shift", 0.0)
        if shift < 0.0:
            return None
        return log if shift == 0.0 else _log_of_shifted(log, math.log(shift))
    if value.kind == "clamp" and value.argument[1] > 0.0:
        least = max(value.argument[0], 1e-37)
        return layer("clamp", before[0], [math.log(least), math.log(value.argument[1])])
    if value.kind == "mul":
        return add(*before)
    if value.kind == "add":
        return log_of_sum(*before)
    return replace(value, inputs=tuple(before)) if value.kind in MOVES else None


_WITH_LOGARITHMS = (*MOVES, "scale", "clamp", "mul", "add")


def log_of_sum(first: Value, second: Value) -> Value:
    """Of two values whose logarithms these are."""
    return add(first, layer("softplus", subtract(second, first)))


def _log_of_shifted(log: Value, log_of_summand: float) -> Value:
    below = layer("softplus", scale(log, 1.0, -log_of_summand))
    return scale(below, 1.0, log_of_summand)


def logit(value: Value) -> Value | None:
    """What a value is the sigmoid of; None if it is of nothing."""
    if value.kind == "sigmoid":
        return value.inputs[0]
    if value.kind not in (*MOVES, "clamp"):
        return None
    before = tuple(logit(x) for x in value.inputs)
    if None in before:
        return None
    if value.kind == "clamp":
        if not 0.0 < value.argument[0] <= value.argument[1] < 1.0:
            return None
        return layer("clamp", before[0], [math.log(p) - math.log1p(-p) for p in value.argument])
    return replace(value, inputs=before)
