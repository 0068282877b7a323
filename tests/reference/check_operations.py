"""Holds the operations of ops.py against PyTorch's values, which operations.py made: check_operations.py [FILE]"""
import json
import math
import pathlib
import sys

# The source tree stays as it is, whoever runs this.
sys.dont_write_bytecode = True

from model import read_tensors
from ops import OPS

# It computes nothing; and the layers that versions 3 to 5 of the model description have, which PyTorch does not.
WITHOUT = {"constant", "cells", "tiles"}


def main():
    beside = pathlib.Path(__file__).resolve().parent.parent / "golden" / "operations.safetensors"
    path = sys.argv[1] if len(sys.argv) > 1 else beside
    with open(path, "rb") as file:
        tensors, metadata = read_tensors(file.read())
    seen, worst = set(), 0.0
    for case, text in sorted(metadata.items()):
        node = json.loads(text)
        parts = {name[len(case) + 1:]: t for name, t in tensors.items() if name.rpartition(".")[0] == case}
        (lanes, *shape), expected = parts.pop("y")
        inputs = [parts.pop(f"x{i}") for i in (0, 1) if f"x{i}" in parts]
        weights = {part: values for part, (_, values) in parts.items()}
        y = []
        for lane in range(lanes):
            each = [len(values) // lanes for _, values in inputs]
            x = [values[lane * n:(lane + 1) * n] for n, (_, values) in zip(each, inputs)]
            found, values = OPS[node["op"]](node, weights, [shape[1:] for shape, _ in inputs], x)
            assert list(found) == shape and len(values) == math.prod(shape), f"{case}: shape {found}, not {shape}"
            y += values
        for found, wanted in zip(y, expected):
            # Rounding, of sums of a few hundred terms about 1.
            error = abs(found - wanted) / (3e-6 + 1e-5 * abs(wanted))
            assert error <= 1, f"{case}: {found}, not {wanted}"
            worst = max(worst, error)
        seen.add(node["op"])
    missing = set(OPS) - seen - WITHOUT
    assert not missing, f"without a case: {missing}"
    print(f"{len(metadata)} cases agree, at {worst:.2f} of the allowed difference at most")


main()
