"""Functions of one number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .. import values
from ..values import Value, layer
from .registry import rule

if TYPE_CHECKING:
    from ..trace import Call

# About the largest 32-bit number, for a bound that there is not.
UNBOUNDED = 3.4e38

for _name in ("relu", "silu", "tanh", "sigmoid", "exp", "mish"):
    rule(_name)(lambda call, x, _kind=_name: call.give(layer(_kind, x.value)))


def _clamp(value: Value, least: float | None, most: float | None) -> Value:
    bounds = [
        -UNBOUNDED if least is None else float(least),
        UNBOUNDED if most is None else float(most),
    ]
    return layer("clamp", value, bounds)


def _softplus(value: Value, beta: float = 1.0) -> Value:
    return values.scale(layer("softplus", values.scale(value, beta)), 1.0 / beta)


@rule("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
def dropout(call: Call, x: Any, p: float = 0.5, train: bool = False) -> Any:
    if train and p > 0:
        raise call.unsupported(
            "it draws random numbers in evaluation, too; expected a module in evaluation mode"
        )
    return x


@rule(
    "clone",
    "contiguous",
    "detach",
    "alias",
    "lift_fresh_copy",
    "lift_fresh",
    "positive",
    "identity",
)
def same(call: Call, x: Any, **_: Any) -> Any:
    return x


@rule("to", "_to_copy", "type_as", "float", "double")
def to(call: Call, x: Any, **_: Any) -> Any:
    kind = call.node.meta["val"].dtype
    if kind != call.node.all_input_nodes[0].meta["val"].dtype:
        raise call.unsupported(
            f"numbers become {kind}; bbans computes all in float32: cast the module before"
        )
    return x


@rule("leaky_relu")
def leaky_relu(call: Call, x: Any, negative_slope: float = 0.01) -> Any:
    return call.give(layer("leaky_relu", x.value, float(negative_slope)))


@rule("prelu", "_prelu_kernel")
def prelu(call: Call, x: Any, weight: Any) -> Any:
    if weight.numel() == 1:
        return call.give(layer("leaky_relu", x.value, float(weight)))
    # Above 0, and below 0 with a factor for each channel, which is axis 1.
    front = values.moved(call.full(x), 1 if x.ndim > 1 else 0, 0)
    below = layer("relu", values.scale(front, -1.0))
    name = call.name(weight)
    whole = values.add(layer("relu", front), values.channels(below, -weight.flatten(), None, name))
    return call.give(values.moved(whole, 0, 1 if x.ndim > 1 else 0))


@rule("elu", "celu", "selu")
def elu(
    call: Call, x: Any, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0
) -> Any:
    if call.operation == "selu":
        alpha, scale = 1.6732632423543772848, 1.0507009873554804934
    if call.operation == "celu":
        input_scale = 1.0 / alpha
    if (alpha, scale, input_scale) == (1.0, 1.0, 1.0):
        return call.give(layer("elu", x.value))
    above = values.scale(layer("relu", x.value), scale)
    below = layer("elu", _clamp(values.scale(x.value, input_scale), None, 0.0))
    return call.give(values.add(above, values.scale(below, alpha * scale)))


@rule("softplus")
def softplus(call: Call, x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    if threshold < 15:
        raise call.unsupported(f"its threshold is {threshold}; expected 20")
    return call.give(_softplus(x.value, float(beta)))


@rule("log_sigmoid")
def log_sigmoid(call: Call, x: Any) -> Any:
    return call.give(values.scale(_softplus(values.scale(x.value, -1.0)), -1.0))


@rule("gelu")
def gelu(call: Call, x: Any, approximate: str = "none") -> Any:
    return call.give(layer("gelu_tanh" if approximate == "tanh" else "gelu", x.value))


@rule("hardtanh", "clamp", "clip")
def clamp(
    call: Call,
    x: Any,
    min: Any = None,
    max: Any = None,
    min_val: float = -1.0,
    max_val: float = 1.0,
) -> Any:
    if call.operation == "hardtanh":
        min, max = min_val, max_val
    if any(hasattr(bound, "shape") for bound in (min, max)):
        raise call.unsupported("bounds that are tensors; expected numbers")
    return call.give(_clamp(x.value, min, max))


@rule("clamp_min")
def clamp_min(call: Call, x: Any, min: float) -> Any:
    return clamp(call, x, min)


@rule("clamp_max")
def clamp_max(call: Call, x: Any, max: float) -> Any:
    return clamp(call, x, None, max)


@rule("relu6")
def relu6(call: Call, x: Any) -> Any:
    return call.give(_clamp(x.value, 0.0, 6.0))


def _hardsigmoid(value: Value) -> Value:
    return _clamp(values.scale(value, 1.0 / 6.0, 0.5), 0.0, 1.0)


@rule("hardsigmoid")
def hardsigmoid(call: Call, x: Any) -> Any:
    return call.give(_hardsigmoid(x.value))


@rule("hardswish")
def hardswish(call: Call, x: Any) -> Any:
    return call.give(values.mul(x.value, _hardsigmoid(x.value)))


@rule("threshold")
def threshold(call: Call, x: Any, threshold: float, value: float) -> Any:
    if (threshold, value) != (0, 0):
        raise call.unsupported("a threshold that is not 0; expected relu")
    return call.give(layer("relu", x.value))


@rule("neg")
def neg(call: Call, x: Any) -> Any:
    return call.give(values.scale(x.value, -1.0))


@rule("abs")
def absolute(call: Call, x: Any) -> Any:
    return call.give(values.add(layer("relu", x.value), layer("relu", values.scale(x.value, -1.0))))


@rule("square")
def square(call: Call, x: Any) -> Any:
    return call.give(values.mul(x.value, x.value))


@rule("exp2")
def exp2(call: Call, x: Any) -> Any:
    return call.give(layer("exp", values.scale(x.value, math.log(2.0))))


@rule("expm1")
def expm1(call: Call, x: Any) -> Any:
    return call.give(values.scale(layer("exp", x.value), 1.0, -1.0))


@rule("log")
def log(call: Call, x: Any) -> Any:
    return call.give(_log(call, x.value))


@rule("log1p")
def log1p(call: Call, x: Any) -> Any:
    return call.give(_log(call, values.scale(x.value, 1.0, 1.0)))


@rule("sqrt")
def sqrt(call: Call, x: Any) -> Any:
    return call.give(layer("exp", values.scale(_log(call, x.value), 0.5)))


@rule("rsqrt")
def rsqrt(call: Call, x: Any) -> Any:
    return call.give(layer("exp", values.scale(_log(call, x.value), -0.5)))


@rule("reciprocal")
def reciprocal(call: Call, x: Any) -> Any:
    return call.give(layer("exp", values.scale(_log(call, x.value), -1.0)))


def _log(call: Call, value: Value) -> Value:
    found = values.logarithm(value)
    if found is None:
        raise call.unsupported(
            "bbans has neither logarithms nor roots nor quotients but of what is made of exp; "
            "return logits and logs as they are"
        )
    return found


@rule("glu")
def glu(call: Call, x: Any, dim: int = -1) -> Any:
    whole, axis = call.full(x), dim % x.ndim
    half = x.shape[axis] // 2
    first, second = values.part(whole, axis, 0, half), values.part(whole, axis, half, 2 * half)
    return call.give(values.mul(first, layer("sigmoid", second)))


@rule("softmax", "_softmax", "_safe_softmax")
def softmax(call: Call, x: Any, dim: int, **_: Any) -> Any:
    axis = dim % x.ndim
    last = values.moved(call.full(x), axis, x.ndim - 1)
    return call.give(values.moved(layer("softmax", last), x.ndim - 1, axis))
