"""Tensors of a traced graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .values import Shape, Value


@dataclass(frozen=True, eq=False)
class Array:
    """A tensor whose numbers depend on the inputs: a value, and the shape in PyTorch."""

    value: Value
    shape: Shape
    # Where it is a picture with zeros around it: the picture, and how many above, below, at the
    # left, at the right.
    padded: tuple[Array, list[int]] | None = None

    @property
    def ndim(self) -> int:
        return len(self.shape)


def of_datum(shape: Sequence[int]) -> Shape:
    """The shape that bbans has of a tensor that was traced with a batch of 1: without that axis."""
    shape = tuple(int(size) for size in shape)
    if len(shape) >= 2 and shape[0] == 1:
        return shape[1:]
    return shape or (1,)
