"""Between the axes of the data and those of the networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from .._errors import InvalidArgument
from . import values
from .likelihoods import Likelihood
from .values import Shape, Value


class Layout:
    """Shapes of a datum and of what the encoder sees of it."""

    def __init__(self, data: Shape, network: Sequence[int] | None, likelihood: Likelihood) -> None:
        self.data = data
        self.network: Shape = data if network is None else tuple(int(size) for size in network)
        self.likelihood = likelihood
        if math.prod(self.network) != math.prod(data):
            raise InvalidArgument(
                f"input_shape {list(self.network)}, but data of shape {list(data)}; "
                "expected as many numbers, without the axis of the batch"
            )
        # Which axis of the data each axis of the network is, if it has the same axes in another
        # order.
        self.axes: list[int] | None = None
        if self.network != data and sorted(self.network) == sorted(data):
            left = list(range(len(data)))
            self.axes = []
            for size in self.network:
                axis = next(a for a in left if data[a] == size)
                left.remove(axis)
                self.axes.append(axis)
        if self.axes and likelihood.kind == "colour_logistics":
            pixels = [axis for axis in self.axes if axis != len(data) - 1]
            if pixels != sorted(pixels):
                raise InvalidArgument(
                    f"input_shape {list(self.network)}; expected the pixels' axes in their order"
                )

    @property
    def dims(self) -> int:
        return math.prod(self.data)

    @property
    def positions(self) -> int:
        """What has parameters of its own: dimensions, or pixels."""
        return self.dims // 3 if self.likelihood.kind == "colour_logistics" else self.dims

    @property
    def back(self) -> list[int] | None:
        """Which axis of the network each axis of the data is, for parameters of each dimension."""
        if self.axes is None or self.likelihood.kind == "colour_logistics":
            return None
        return [self.axes.index(axis) for axis in range(len(self.axes))]

    @property
    def last(self) -> bool:
        """Whether a dimension's parameters lie together."""
        return self.likelihood.fields.get("order") == "dimensions_first"

    def inputs(self, x: torch.Tensor) -> torch.Tensor:
        """Data `[count, *data]` as the encoder sees them."""
        if self.axes is not None:
            return x.permute([0] + [axis + 1 for axis in self.axes]).contiguous()
        return x.reshape((len(x),) + self.network)

    def input(self, x: Value) -> Value:
        """The same of one datum."""
        return (
            values.reshape(x, self.network) if self.axes is None else values.permute(x, self.axes)
        )

    def parameters(self, tensors: Sequence[torch.Tensor]) -> torch.Tensor:
        """What the decoder gives for some data as `[count, positions, parameters]`."""
        whole = torch.cat([tensor.flatten(1) for tensor in tensors], 1)
        each = self.likelihood.given
        self.check(whole.shape[1], tensors)
        if self.last:
            ordered = whole.reshape(
                (len(whole),) + (self.network if self.back else (self.positions,)) + (each,)
            )
            axes = [0] + [axis + 1 for axis in self.back or [0]] + [ordered.ndim - 1]
        else:
            ordered = whole.reshape(
                (len(whole), each) + (self.network if self.back else (self.positions,))
            )
            axes = [0] + [axis + 2 for axis in self.back or [0]] + [1]
        return ordered.permute(axes).reshape(len(whole), self.positions, each)

    def output(self, outputs: Sequence[Value]) -> Value:
        """The decoder's output of one datum, in the order that the likelihood says."""
        whole = outputs[0]
        if len(outputs) > 1:
            whole = values.concat([values.reshape(output, (output.size,)) for output in outputs])
        if self.back:
            each = self.likelihood.given
            if self.last:
                whole = values.permute(
                    values.reshape(whole, self.network + (each,)), self.back + [len(self.data)]
                )
            else:
                axes = [0] + [axis + 1 for axis in self.back]
                whole = values.permute(values.reshape(whole, (each,) + self.network), axes)
        # The shape does not matter.
        return whole.inputs[0] if whole.kind in ("reshape", "flatten") else whole

    def check(self, numbers: int, tensors: Sequence[Any]) -> None:
        expected = self.positions * self.likelihood.given
        if numbers != expected:
            shapes = ", ".join(str(list(tensor.shape[1:])) for tensor in tensors)
            raise InvalidArgument(
                f"decode: it returned {shapes} for a datum; expected {expected} numbers, "
                f"{self.likelihood.given} for each of {self.positions} "
                f"{'pixels' if self.positions != self.dims else 'dimensions'}"
            )
