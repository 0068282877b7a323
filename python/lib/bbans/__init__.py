"""Lossless compression with latent-variable models: bits-back coding on an ANS stack.

>>> import bbans
>>> data = bbans.Model.load("mnist-binary-small").sample(100)      # [100, 28, 28], uint8
>>> file = bbans.compress(data, model="mnist-binary-small")        # bytes: a whole .bbans file
>>> (bbans.decompress(file) == data).all()                         # dtype and shape come back
True

A file decodes bit for bit on every machine, here and with the program `bbans`.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from ._errors import (
    Compatibility,
    Corruption,
    Error,
    InsufficientData,
    InvalidArgument,
    IoError,
    ModelError,
)
from ._files import (
    Report,
    compress,
    compress_file,
    decompress,
    decompress_file,
    inspect,
)
from ._model import Elbo, Model, import_arch, models
from .codecs import BitsBack, Message

__all__ = [
    "BitsBack",
    "Compatibility",
    "Corruption",
    "Elbo",
    "Error",
    "InsufficientData",
    "InvalidArgument",
    "IoError",
    "Message",
    "Model",
    "ModelError",
    "Report",
    "compress",
    "compress_file",
    "decompress",
    "decompress_file",
    "import_arch",
    "import_torch",
    "inspect",
    "models",
]

__version__ = version("bbans")


def __getattr__(name: str) -> Any:
    # PyTorch is only imported where it is asked for.
    if name == "import_torch":
        from ._torch import import_torch

        return import_torch
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
