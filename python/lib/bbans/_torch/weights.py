"""The weights that the layers name, as a safetensors file."""

from __future__ import annotations

import json
import re

import torch

from .._errors import InvalidArgument


class Weights:
    """Tensors by name."""

    def __init__(self) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        # Which tensors a layer's name stands for.
        self.layers: dict[str, dict[str, torch.Tensor]] = {}

    def add(self, hint: str, tensors: dict[str, torch.Tensor]) -> str:
        """The name of a layer with these tensors, `name.part`; the same layer has one name."""
        hint = re.sub(r"[^!-~]", "_", hint)
        name, number = hint, 1
        while name in self.layers:
            if _same(self.layers[name], tensors):
                return name
            number += 1
            name = f"{hint}.{number}"
        self.layers[name] = dict(tensors)
        for part, tensor in tensors.items():
            self.tensors[f"{name}.{part}" if part else name] = finite(
                tensor, f"{name}.{part}" if part else name
            )
        return name

    @property
    def count(self) -> int:
        return sum(tensor.numel() for tensor in self.tensors.values())

    def safetensors(self) -> bytes:
        """A safetensors file: the length of its header, the header, the numbers."""
        header, data = {}, []
        end = 0
        for name, tensor in self.tensors.items():
            kind = "F64" if tensor.dtype == torch.float64 else "F32"
            wanted = torch.float64 if kind == "F64" else torch.float32
            array = tensor.to("cpu", wanted).contiguous().numpy()
            data.append(array.astype(array.dtype.newbyteorder("<")).tobytes())
            offsets = [end, end + len(data[-1])]
            header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": offsets}
            end = offsets[1]
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        return b"".join([len(text).to_bytes(8, "little"), text, *data])


def _same(some: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> bool:
    return some.keys() == others.keys() and all(
        some[part] is others[part] or torch.equal(some[part], others[part]) for part in some
    )


def finite(tensor: torch.Tensor, name: str) -> torch.Tensor:
    """The tensor, if all its numbers are finite."""
    if not torch.isfinite(tensor).all():
        wrong = tensor[~torch.isfinite(tensor)][0].item()
        raise InvalidArgument(f"the weight {name} has the value {wrong}; expected finite numbers")
    return tensor
