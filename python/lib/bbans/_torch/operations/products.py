"""Products of matrices, and attention."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from .. import values
from ..arrays import Array
from ..values import Value
from .arithmetic import summed, times
from .networks import dense
from .registry import rule

if TYPE_CHECKING:
    from ..trace import Call


def product(call: Call, x: Any, other: Any, shape: Sequence[int]) -> Array:
    """`torch.matmul`, whose result has this shape."""
    if isinstance(other, torch.Tensor) and other.ndim == 2 and isinstance(x, Array):
        return dense(call, x, other, None, shape, transposed=True)
    first, second = call.full(x), call.full(other)
    if len(first.shape) == 1:
        first = values.reshape(first, (1,) + first.shape)
    if len(second.shape) == 1:
        second = values.reshape(second, second.shape + (1,))
    return call.give(values.products(*_stacks(call, first, second)), shape)


def _stacks(call: Call, first: Value, second: Value) -> list[Value]:
    """Both as `[count, rows, columns]`, with the axes before the last two repeated to the same."""
    before = torch.broadcast_shapes(first.shape[:-2], second.shape[:-2])
    stacks = []
    for value in (first, second):
        matrix = value.shape[-2:]
        wide = (1,) * (len(before) + 2 - len(value.shape)) + value.shape
        large = values.expand(values.reshape(value, wide), tuple(before) + matrix)
        if large is None:
            raise call.unsupported(f"matrices repeated to {list(before)}; expected fewer")
        stacks.append(values.reshape(large, (math.prod(before),) + matrix))
    return stacks


@rule("matmul", "mm", "bmm", "mv")
def matmul(call: Call, x: Any, other: Any = None, mat2: Any = None, vec: Any = None) -> Any:
    second = next(y for y in (other, mat2, vec) if y is not None)
    return product(call, x, second, call.shape)


@rule("addmm", "baddbmm")
def addmm(
    call: Call,
    x: Any,
    mat1: Any = None,
    mat2: Any = None,
    batch1: Any = None,
    batch2: Any = None,
    beta: float = 1,
    alpha: float = 1,
) -> Any:
    first, second = (mat1, mat2) if batch1 is None else (batch1, batch2)
    whole = times(product(call, first, second, call.shape), alpha)
    # With a beta of 0 the summand may be memory that was never set.
    return whole if beta == 0 else summed(call, times(x, beta), whole)


@rule("scaled_dot_product_attention")
def attention(
    call: Call,
    x: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    scale: Any = None,
    **others: Any,
) -> Any:
    if attn_mask is not None or others:
        raise call.unsupported("attention with a mask; expected that of all places to all others")
    if dropout_p:
        raise call.unsupported("it draws random numbers in evaluation, too; pass dropout_p=0")
    query, keys, rows = (call.full(tensor) for tensor in (x, key, value))
    factor = 1.0 / math.sqrt(query.shape[-1]) if scale is None else float(scale)
    keys = values.moved(keys, len(keys.shape) - 1, len(keys.shape) - 2)
    scores = values.products(*_stacks(call, values.scale(query, factor), keys))
    weights = values.layer("softmax", scores)
    before = tuple(query.shape[:-2])
    whole = values.reshape(weights, before + weights.shape[1:])
    return call.give(values.products(*_stacks(call, whole, rows)))


@rule("einsum")
def einsum(call: Call, x: str, tensors: Sequence[Any], path: Any = None) -> Any:
    """Of two tensors: a product of matrices, once for each index that all three have."""
    left, _, result = x.replace(" ", "").partition("->")
    names = left.split(",")
    apart = len(names) == 2 and all(len(set(name)) == len(name) for name in names + [result])
    if not apart or "." in x or not result:
        raise call.unsupported(f"the equation {x}; expected one of two tensors without ellipses")
    first, second = names
    both = [i for i in first if i in second and i in result]
    inner = [i for i in first if i in second and i not in result]
    rows = [i for i in first if i not in second]
    columns = [i for i in second if i not in first]
    if sorted(both + rows + columns) != sorted(result):
        raise call.unsupported(f"the equation {x}; expected sums over what both tensors have")
    sizes = {i: n for name, tensor in zip(names, tensors) for i, n in zip(name, tensor.shape)}
    count, m, k, n = (
        math.prod(sizes[i] for i in indices) for indices in (both, rows, inner, columns)
    )

    def matrices(tensor: Any, name: str, order: Sequence[str], shape: Sequence[int]) -> Value:
        return values.reshape(
            values.permute(call.full(tensor), [name.index(i) for i in order]), shape
        )

    left_stack = matrices(tensors[0], first, both + rows + inner, (count, m, k))
    right_stack = matrices(tensors[1], second, both + inner + columns, (count, k, n))
    made = both + rows + columns
    whole = values.reshape(values.products(left_stack, right_stack), [sizes[i] for i in made])
    return call.give(values.permute(whole, [made.index(i) for i in result]))
