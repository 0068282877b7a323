"""ATen's operations as values: one small function for each, by its name.

A rule gets a `Call`, of which it asks what it needs to know, and the arguments that are not the
default, by ATen's names; the first one is `x`. Computed tensors are `Array`s, known numbers
tensors.
"""

from . import arithmetic, elementwise, moves, networks, pictures, products
from .registry import RULES, why_not

__all__ = [
    "RULES",
    "why_not",
    "arithmetic",
    "elementwise",
    "moves",
    "networks",
    "pictures",
    "products",
]
