"""A ladder VAE for binarized MNIST: three groups of latents, the lower two with learned conditional priors.

    python train.py FOLDER      # FOLDER/train-images-idx3-ubyte.gz; writes weights.safetensors
"""

import gzip
import sys

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

LATENTS, EPOCHS, BATCH = 16 + 4 * 7 * 7 + 1 * 14 * 14, 11, 64


def conv(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class Group(nn.Module):
    """Latents of shape [latents, rows, columns]: their prior given the state, their posterior given features of the
    image too, and the state after them."""

    def __init__(self, state, features, latents):
        super().__init__()
        self.prior = nn.Sequential(conv(state, state), nn.SiLU())
        self.prior_mean, self.prior_log_sigma = nn.Conv2d(state, latents, 1), nn.Conv2d(state, latents, 1)
        self.posterior = nn.Sequential(conv(state + features, state), nn.GroupNorm(4, state), nn.SiLU())
        self.mean, self.log_sigma = nn.Conv2d(state, latents, 1), nn.Conv2d(state, latents, 1)
        self.merge = conv(state + latents, state)
        self.residual = nn.Sequential(
            nn.GroupNorm(4, state), nn.SiLU(), conv(state, state), nn.GroupNorm(4, state), nn.SiLU(), conv(state, state)
        )

    def forward(self, state, features, noise):
        h = self.prior(state)
        mean_p, log_sigma_p = self.prior_mean(h), self.prior_log_sigma(h).clamp(-5, 2)
        h = self.posterior(torch.cat([state, features], 1))
        mean_q, log_sigma_q = mean_p + self.mean(h), self.log_sigma(h).clamp(-7, 2)
        z = mean_q + log_sigma_q.exp() * noise.view_as(mean_q)
        state = self.merge(torch.cat([state, z], 1))
        return state + self.residual(state), (mean_q, log_sigma_q, mean_p, log_sigma_p)


class LadderVAE(nn.Module):
    def __init__(self):
        super().__init__()
        # Up from the image: features of [16, 14, 14], [24, 7, 7] and [64].
        self.up1 = nn.Sequential(nn.Conv2d(1, 16, 4, 2, 1), nn.GroupNorm(4, 16), nn.SiLU())
        self.up2 = nn.Sequential(nn.Conv2d(16, 24, 4, 2, 1), nn.GroupNorm(4, 24), nn.SiLU())
        self.up3 = nn.Sequential(nn.Conv2d(24, 8, 3, 2, 1), nn.SiLU(), nn.Flatten(), nn.Linear(128, 64), nn.SiLU())
        # Down from a constant: 16 latents, then [4, 7, 7], then [1, 14, 14].
        self.top = nn.Parameter(0.1 * torch.randn(32))
        self.posterior3 = nn.Sequential(nn.Linear(32 + 64, 64), nn.SiLU())
        self.mean3, self.log_sigma3 = nn.Linear(64, 16), nn.Linear(64, 16)
        self.down3 = nn.Sequential(
            nn.Linear(32 + 16, 192), nn.SiLU(), nn.Unflatten(1, (12, 4, 4)), nn.ConvTranspose2d(12, 32, 3, 2, 1)
        )
        self.group2 = Group(32, 24, 4)
        self.down2 = nn.Sequential(nn.SiLU(), nn.Upsample(scale_factor=2), conv(32, 16))
        self.group1 = Group(16, 16, 1)
        self.decoder = nn.Sequential(nn.SiLU(), nn.ConvTranspose2d(16, 8, 4, 2, 1), nn.SiLU(), conv(8, 1))

    def forward(self, x, noise):
        """Of each group the posterior's means and log standard deviations, then the prior's; and the logits."""
        noise3, noise2, noise1 = noise.split([16, 4 * 7 * 7, 14 * 14], 1)
        features1 = self.up1(x[:, None])
        features2 = self.up2(features1)
        features3 = self.up3(features2)

        state = self.top.expand(len(x), -1)
        h = self.posterior3(torch.cat([state, features3], 1))
        mean, log_sigma = self.mean3(h), self.log_sigma3(h).clamp(-7, 2)
        standard = torch.zeros_like(mean)
        z = mean + log_sigma.exp() * noise3

        state = self.down3(torch.cat([state, z], 1))
        state, group2 = self.group2(state, features2, noise2)
        state, group1 = self.group1(self.down2(state), features1, noise1)
        return [(mean, log_sigma, standard, standard), group2, group1], self.decoder(state)[:, 0]

    def bound(self, x, noise):
        """KL and -log p(x | z) of each image, in nats; x of shape [batch, 28, 28], its values 0 and 1."""
        groups, logits = self(x, noise)
        kl = sum(gaussian_kl(*group).flatten(1).sum(1) for group in groups)
        return kl, F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum((1, 2))


def gaussian_kl(mean_q, log_sigma_q, mean_p, log_sigma_p):
    distance = (mean_q - mean_p).square() + (2 * log_sigma_q).exp()
    return log_sigma_p - log_sigma_q + distance / (2 * (2 * log_sigma_p).exp()) - 0.5


def read_idx(path):
    with gzip.open(path) as file:
        return torch.from_numpy(np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28).copy())


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    images = read_idx(f"{sys.argv[1]}/train-images-idx3-ubyte.gz")
    model = LadderVAE().to(memory_format=torch.channels_last)  # faster on a CPU
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    steps = EPOCHS * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(EPOCHS):
        total = 0.0
        for batch in torch.randperm(len(images)).split(BATCH)[: len(images) // BATCH]:
            x = torch.bernoulli(images[batch] / 255)  # bits drawn anew every time
            kl, reconstruction = model.bound(x, torch.randn(BATCH, LATENTS))
            warm_up = min(1, (epoch + 1) / 4)
            loss = (warm_up * kl + reconstruction).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 50)
            optimizer.step()
            schedule.step()
            total += (kl + reconstruction).sum().item()
        print(f"epoch {epoch + 1}: {total / (len(images) // BATCH * BATCH):.2f} nats", flush=True)

    model = model.half().to(memory_format=torch.contiguous_format)
    save_file(model.state_dict(), "weights.safetensors")
