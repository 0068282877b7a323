"""Which rule an operation has."""

from __future__ import annotations

from typing import Any, Callable

Rule = Callable[..., Any]

RULES: dict[str, Rule] = {}

# What to do about operations that one meets in models, and that bbans has not.
HINTS = {
    "log_softmax": "bbans has no logarithm; return the logits before it",
    "reciprocal": "bbans divides by constants alone",
    "rsqrt": "bbans divides by constants alone",
    "conv3d": "bbans has convolutions of pictures and signals",
    "lstm": "bbans has no recurrent layers",
    "gru": "bbans has no recurrent layers",
    "rnn_tanh": "bbans has no recurrent layers",
    "rnn_relu": "bbans has no recurrent layers",
    "copy": "it changes a part of a tensor in place; use torch.cat instead",
}


def rule(*names: str) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return register


def why_not(name: str) -> str:
    """What to do about an operation that has none."""
    return HINTS.get(name, "bbans has no such operation; use those that docs/import.md lists")
