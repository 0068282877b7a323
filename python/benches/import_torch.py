"""The models of docs/import, brought over by `bbans.import_torch` without a description of their layers: how far their
outputs differ from PyTorch's, the bound in both, and the file of MNIST's test set over its bound.

    python import_torch.py FOLDER       # t10k-images-idx3-ubyte.gz and binarized_mnist_test.amat.gz

Needs safetensors, with which the weights are read.
"""

from __future__ import annotations

import gzip
import importlib.util
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

import bbans

MODELS = Path(__file__).parents[2] / "docs" / "import"


def published(name: str, kind: str) -> nn.Module:
    """A model as docs/import trained it."""
    spec = importlib.util.spec_from_file_location(name.replace("-", "_"), MODELS / name / "train.py")
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    module = getattr(code, kind)()
    weights = load_file(MODELS / name / "weights.safetensors")
    module.load_state_dict({key: value.float() if value.is_floating_point() else value for key, value in weights.items()})
    return module.eval()


class Conv(nn.Module):
    """Strided convolutions, batch norm, residual blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.vae = published("conv-vae", "VAE")

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.vae.encoder(x)
        return self.vae.mean(features), self.vae.log_variance(features)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return self.vae.decoder(z)


class Ladder(nn.Module):
    """Three groups of latents, the lower two with learned priors."""

    def __init__(self) -> None:
        super().__init__()
        self.vae = published("ladder-vae", "LadderVAE")
        self.groups = [None, self.vae.group2, self.vae.group1]

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        first = self.vae.up1(x)
        second = self.vae.up2(first)
        return self.vae.up3(second), second, first

    def start(self) -> torch.Tensor:
        return self.vae.top[None]

    def prior(self, i: int, state: torch.Tensor) -> Any:
        if i == 0:
            return None
        hidden = self.groups[i].prior(state)
        return self.groups[i].prior_mean(hidden), self.groups[i].prior_log_sigma(hidden).clamp(-5, 2)

    def posterior(self, i: int, state: torch.Tensor, features: Any) -> Any:
        both = torch.cat([state, features[i]], 1)
        if i == 0:
            hidden = self.vae.posterior3(both)
            return self.vae.mean3(hidden), self.vae.log_sigma3(hidden).clamp(-7, 2)
        group = self.groups[i]
        hidden = group.posterior(both)
        mean, _ = self.prior(i, state)
        return mean + group.mean(hidden), group.log_sigma(hidden).clamp(-7, 2)

    def update(self, i: int, state: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        both = torch.cat([state, z], 1)
        if i == 0:
            return self.vae.down3(both)
        state = self.groups[i].merge(both)
        state = state + self.groups[i].residual(state)
        return self.vae.down2(state) if i == 1 else state

    def decode(self, state: torch.Tensor) -> torch.Tensor:
        return self.vae.decoder(state)


class Attention(nn.Module):
    """Group norm, self-attention, pixel shuffle; mixtures of logistic distributions for grey pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.vae = published("attention-vae", "AttentionVAE")

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, log_variance = self.vae.encoder(x).chunk(2, 1)
        return mean, log_variance.clamp(-14, 6)

    def decode(self, z: torch.Tensor) -> tuple[torch.Tensor, ...]:
        logits, means, log_scales = self.vae.decoder(z).chunk(3, 1)
        return logits, means, log_scales.clamp(-7, 3)


def main() -> None:
    folder = Path(sys.argv[1])

    def bytes_of(name: str) -> np.ndarray:
        (path,) = folder.rglob(name)
        return np.frombuffer(gzip.open(path).read(), np.uint8)

    grey = bytes_of("t10k-images-idx3-ubyte.gz")[16:].reshape(-1, 28, 28)
    text = bytes_of("binarized_mnist_test.amat.gz")
    static = (text[text >= ord("0")] - ord("0")).reshape(-1, 28, 28)
    mixture = {"kind": "discretized_logistic", "levels": 256, "components": 3, "units": "inputs"}
    for module, data, options in [
        (Conv(), (grey > 127).astype(np.uint8), {}),
        (Ladder(), static, {"latents": [16, (4, 7, 7), (1, 14, 14)]}),
        (Attention(), grey, {"divide": 127.5, "add": -1.0, "likelihood": mixture}),
    ]:
        found: dict[str, Any] = {}
        start = time.perf_counter()
        model = bbans.import_torch(
            module, data[:500], input_shape=(1, 28, 28), verbose=False, report=found, **options
        )
        took = time.perf_counter() - start
        file = bbans.compress(data, model)
        assert (bbans.decompress(file, model) == data).all()
        bound = model.elbo(data, samples=4).bits.sum()
        print(
            f"{model.name:10} outputs differ by {found['largest_difference']:.1g} of their range; bound of the example "
            f"{found['bound_torch_bits_per_dim']:.6f} in PyTorch, {found['bound_bits_per_dim']:.6f} here; the file of "
            f"{len(data)} images {8 * len(file) / data.size:.4f} bits/dim, {8 * len(file) / bound - 1:+.2%} over its "
            f"bound; bins {found['bins']}; {took:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
