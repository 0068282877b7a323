"""Values as lists of layers, as ARCH.json has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .values import JOINS, Value
from .weights import Weights

Layers = list[Any]

# A list of layers: the value it begins with, if there is one, and those it makes, the last one
# last.
Part = tuple["Value | None", Sequence[Value]]


class Names:
    """Names for values, each but once in a model."""

    def __init__(self) -> None:
        self.count = 0

    def new(self) -> str:
        self.count += 1
        return f"v{self.count}"


def lists(
    parts: Sequence[Part],
    weights: Weights,
    names: Names,
    known: dict[Value, str],
    given: dict[Value, str],
) -> list[Layers]:
    """Lists of layers, one after another in a function: each may take what those before it made.

    `known` has names that the function may take from elsewhere; `given` those that some of its
    values must have.
    """
    given = dict(given)
    # What is taken where it is not at hand gets a name. The first round finds these values.
    for _ in range(2):
        rounds = _Lists(weights, names, known, given)
        made = [rounds.list(part) for part in parts]
    return made


class _Lists:
    def __init__(
        self, weights: Weights, names: Names, known: dict[Value, str], given: dict[Value, str]
    ) -> None:
        self.weights, self.names, self.known, self.given = weights, names, known, given
        self.made: set[Value] = set()

    def list(self, part: Part) -> Layers:
        start, roots = part
        layers: Layers = []
        current = start
        if start is not None:
            self._called(layers, start)
        for value in _in_order(roots, self.made | self.known.keys() | {start}):
            if value.constant is not None:
                continue
            if value.kind in JOINS:
                branches = [self._taken(before, current) for before in value.inputs]
                layers.append({value.kind: branches})
            else:
                layers += self._taken(value.inputs[0], current)
                layers.append(self._layer(value))
            current = value
            self.made.add(value)
            self._called(layers, value)
        return layers + self._taken(roots[-1], current)

    def _layer(self, value: Value) -> Any:
        argument = self.weights.add(value.hint, value.tensors) if value.tensors else value.argument
        return value.kind if argument is None else {value.kind: argument, **value.fields}

    def _called(self, layers: Layers, value: Value) -> None:
        if value in self.given:
            layers.append({"as": self.given[value]})

    def _taken(self, value: Value, current: Value | None) -> Layers:
        """Layers from the current value to another one that is there."""
        if value is current:
            return []
        if value.constant is not None:
            return [self._layer(value)]
        if value in self.known:
            return [{"from": self.known[value]}]
        return [{"from": self.given.setdefault(value, self.names.new())}]


def _in_order(roots: Iterable[Value], there: set[Any]) -> list[Value]:
    """All that the roots are made of, each value after what it takes; but for what is there."""
    order: list[Value] = []
    seen = set(there)
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        value, ready = stack.pop()
        if ready:
            order.append(value)
        elif value not in seen:
            seen.add(value)
            stack.append((value, True))
            stack += [(before, False) for before in reversed(value.inputs)]
    return order


def ancestors(value: Value) -> set[Value]:
    """A value and all that it is made of."""
    return set(_in_order([value], set()))


def split(first: Value, second: Value, start: Value) -> Value:
    """The value from which both follow, and that alone; `start` if there is none beside it."""
    both = {v for v in ancestors(first) & ancestors(second) if v.constant is None}
    border = {first, second} & both
    for value in (ancestors(first) | ancestors(second)) - both:
        border.update(before for before in value.inputs if before in both)
    return border.pop() if len(border) == 1 else start
