"""Layers with weights, and norms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from .. import values
from ..arrays import Array
from ..values import Value
from .registry import rule

if TYPE_CHECKING:
    from ..trace import Call


def dense(
    call: Call,
    x: Array,
    weight: torch.Tensor,
    bias: Any,
    shape: Sequence[int],
    transposed: bool = False,
) -> Array:
    """A linear layer along the last axis; the weight is `[outputs, inputs]`, or transposed."""
    inputs, outputs = weight.shape if transposed else weight.shape[::-1]
    rows = x.value.size // inputs
    fields: dict[str, Any] = {} if bias is not None else {"bias": False}
    if transposed:
        fields["transposed"] = True
    kind, value, made = "linear", x.value, (outputs,)
    if rows > 1:
        kind, value, made = "linear_rows", values.reshape(x.value, (rows, inputs)), (rows, outputs)
    tensors = {"weight": weight, "bias": bias}
    return call.give(
        values.weighted(kind, value, made, call.name(weight, "weight"), tensors, **fields), shape
    )


def known(call: Call, *tensors: Any) -> None:
    """Refuses weights that are computed from the data."""
    if any(isinstance(tensor, Array) for tensor in tensors):
        raise call.unsupported("weights that depend on the data; expected the module's own")


@rule("linear")
def linear(call: Call, x: Any, weight: Any, bias: Any = None) -> Any:
    known(call, weight, bias)
    return dense(call, x, weight, bias, call.shape)


@rule("conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d", "convolution", "_convolution")
def convolution(
    call: Call,
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    transposed: bool = False,
    output_padding: Any = 0,
    groups: int = 1,
    **_: Any,
) -> Any:
    known(call, weight, bias)
    axes = weight.ndim - 2
    if axes not in (1, 2):
        raise call.unsupported(
            f"a convolution along {axes} axes; bbans has those of pictures and signals"
        )
    transposed = transposed or "transpose" in call.operation
    name = call.name(weight, "weight")
    strides, dilations, extra = (two(sizes, axes) for sizes in (stride, dilation, output_padding))
    sides = _sides(padding, weight, dilations)
    if x.padded is not None and not transposed:
        x, more = x.padded
        sides = [side + further for side, further in zip(sides, more)]
    value = _picture(call, x, axes)
    if axes == 1:
        weight, extra[0] = weight.unsqueeze(2), 0
    fields = {
        "stride": strides if strides != [1, 1] else None,
        "padding": sides if any(sides) else None,
        "dilation": dilations if dilations != [1, 1] else None,
        "output_padding": extra if transposed and any(extra) else None,
        "groups": int(groups) if groups != 1 else None,
        "bias": False if bias is None else None,
    }
    fields = {name: given for name, given in fields.items() if given is not None}
    kind = "conv_transpose2d" if transposed else "conv2d"
    shape = call.shape[-axes - 1 : -axes] + (1,) * (2 - axes) + call.shape[-axes:]
    tensors = {"weight": weight, "bias": bias}
    return call.give(values.weighted(kind, value, shape, name, tensors, **fields))


def two(sizes: Any, axes: int) -> list[int]:
    """A number for each of a picture's two axes; a signal is a picture of one row."""
    sizes = [int(size) for size in ([sizes] if isinstance(sizes, int) else sizes)]
    return [1] * (2 - axes) + (sizes * axes if len(sizes) == 1 else sizes)


def _sides(padding: Any, weight: torch.Tensor, dilations: Sequence[int]) -> list[int]:
    """How many zeros above, below, at the left and at the right."""
    kernel = list(weight.shape[2:])
    if padding == "same":
        # What is left over is below and at the right, as in PyTorch.
        total = [d * (k - 1) for d, k in zip(dilations[-len(kernel) :], kernel)]
        sides = [side for size in total for side in (size // 2, size - size // 2)]
    else:
        sizes = (
            [0] if padding == "valid" else [padding] if isinstance(padding, int) else list(padding)
        )
        sides = [int(size) for size in (sizes * len(kernel))[: len(kernel)] for _ in range(2)]
    return [0, 0] * (2 - len(kernel)) + sides


def _picture(call: Call, x: Array, axes: int) -> Value:
    """`[channels, rows, columns]`, with one row if it is a signal."""
    if x.ndim == axes + 2 and x.shape[0] != 1:
        raise call.unsupported(f"a batch of {x.shape[0]} made of one datum; expected one")
    return values.reshape(x.value, x.shape[-axes - 1 : -axes] + (1,) * (2 - axes) + x.shape[-axes:])


@rule(
    "batch_norm",
    "native_batch_norm",
    "_native_batch_norm_legit",
    "_native_batch_norm_legit_no_training",
    "cudnn_batch_norm",
)
def batch_norm(
    call: Call,
    x: Array,
    weight: Any = None,
    bias: Any = None,
    running_mean: Any = None,
    running_var: Any = None,
    training: bool = False,
    eps: float = 1e-5,
    **_: Any,
) -> Any:
    known(call, weight, bias, running_mean, running_var)
    if training or running_mean is None:
        raise call.unsupported(
            "batch norm without running statistics; expected those of the training"
        )
    name = call.name(running_mean, "running_mean")
    tensors = {
        "running_mean": running_mean,
        "running_var": running_var,
        "weight": weight,
        "bias": bias,
    }
    fields: dict[str, Any] = {"eps": float(eps)}
    if weight is None and bias is None:
        fields["affine"] = False
    elif weight is None or bias is None:
        tensors["weight"] = torch.ones_like(running_mean) if weight is None else weight
        tensors["bias"] = torch.zeros_like(running_mean) if bias is None else bias
    # Channels are axis 1, and bbans' are the first one.
    front = x.value if x.shape[0] == 1 else values.moved(call.full(x), 1, 0)
    value = values.weighted("batch_norm", front, front.shape, name, tensors, **fields)
    return _first(call, value if x.shape[0] == 1 else values.moved(value, 0, 1))


def _first(call: Call, value: Value) -> Any:
    """What the node gives, or the first of what it gives."""
    result = call.give(value)
    return result if isinstance(call.node.meta["val"], torch.Tensor) else [result]


def _affine(
    weight: Any, bias: Any, shape: Sequence[int], like: torch.Tensor
) -> dict[str, torch.Tensor]:
    ones = torch.ones(shape, dtype=like.dtype, device=like.device)
    return {
        "weight": ones if weight is None else weight,
        "bias": 0 * ones if bias is None else bias,
    }


def _like(call: Call) -> torch.Tensor:
    """A tensor of the type and the place of the node's."""
    kind = call.node.meta["val"]
    kind = kind if isinstance(kind, torch.Tensor) else kind[0]
    return torch.empty(0, dtype=kind.dtype)


def _normed(call: Call, x: Array, groups: int, weight: Any, bias: Any, eps: float) -> Any:
    known(call, weight, bias)
    count, channels = x.shape[0], x.shape[1]
    # Several of a batch that was made of one datum are more groups.
    value = values.reshape(call.full(x), (count * channels,) + x.shape[2:])
    tensors = _affine(weight, bias, (channels,), _like(call))
    if count > 1:
        tensors = {part: tensor.repeat(count) for part, tensor in tensors.items()}
    name = call.path if weight is None else call.name(weight, "weight")
    fields = {"groups": int(count * groups), "eps": float(eps)}
    return _first(call, values.weighted("group_norm", value, value.shape, name, tensors, **fields))


@rule("group_norm")
def group_norm(
    call: Call,
    x: Array,
    num_groups: int,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    **_: Any,
) -> Any:
    return _normed(call, x, num_groups, weight, bias, eps)


@rule("native_group_norm")
def native_group_norm(
    call: Call,
    x: Array,
    weight: Any = None,
    bias: Any = None,
    group: int = 1,
    eps: float = 1e-5,
    **_: Any,
) -> Any:
    return _normed(call, x, group, weight, bias, eps)


@rule("instance_norm")
def instance_norm(
    call: Call,
    x: Array,
    weight: Any = None,
    bias: Any = None,
    running_mean: Any = None,
    running_var: Any = None,
    use_input_stats: bool = True,
    eps: float = 1e-5,
    **_: Any,
) -> Any:
    if not use_input_stats:
        return batch_norm(call, x, weight, bias, running_mean, running_var, eps=eps)
    return _normed(call, x, x.shape[1], weight, bias, eps)


@rule("layer_norm", "native_layer_norm")
def layer_norm(
    call: Call,
    x: Array,
    normalized_shape: Sequence[int],
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    **_: Any,
) -> Any:
    known(call, weight, bias)
    numbers = math.prod(normalized_shape)
    tensors = _affine(weight, bias, tuple(normalized_shape), _like(call))
    tensors = {part: tensor.reshape(numbers) for part, tensor in tensors.items()}
    value = values.reshape(x.value, (x.value.size // numbers, numbers))
    name = call.path if weight is None else call.name(weight, "weight")
    return _first(
        call, values.weighted("layer_norm", value, value.shape, name, tensors, eps=float(eps))
    )


@rule("rms_norm", "_fused_rms_norm")
def rms_norm(
    call: Call, x: Array, normalized_shape: Sequence[int], weight: Any = None, eps: Any = None
) -> Any:
    # The numbers and their negatives have a mean of 0: of both, layer norm is RMS norm.
    numbers = math.prod(normalized_shape)
    like = _like(call)
    eps = torch.finfo(like.dtype).eps if eps is None else float(eps)
    known(call, weight)
    ones = torch.ones(numbers, dtype=like.dtype) if weight is None else weight.reshape(numbers)
    both = torch.cat([ones, ones])
    rows = values.reshape(x.value, (x.value.size // numbers, numbers))
    doubled = values.concat([rows, values.scale(rows, -1.0)], 1)
    name = call.path if weight is None else call.name(weight, "weight")
    tensors = {"weight": both, "bias": 0 * both}
    value = values.weighted("layer_norm", doubled, doubled.shape, name, tensors, eps=eps)
    return _first(call, values.part(value, 1, 0, numbers))
