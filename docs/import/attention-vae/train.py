"""A VAE for grey MNIST in the style of image autoencoders: residual blocks of group norm and silu, self-attention,
pixel shuffle, and a mixture of discretized logistic distributions for each pixel.

    python train.py FOLDER      # FOLDER/train-images-idx3-ubyte.gz; writes weights.safetensors
"""

import gzip
import sys

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

LATENTS, COMPONENTS, EPOCHS, BATCH = 2 * 7 * 7, 3, 7, 64


def conv(inputs, outputs, stride=1):
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1)


class ResnetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(8, channels), conv(channels, channels)
        self.norm2, self.conv2 = nn.GroupNorm(8, channels), conv(channels, channels)

    def forward(self, x):
        h = self.conv1(F.silu(self.norm1(x)))
        return x + self.conv2(F.silu(self.norm2(h)))


class Attention(nn.Module):
    """Every place of a picture looks at every other one."""

    def __init__(self, channels):
        super().__init__()
        self.group_norm = nn.GroupNorm(8, channels)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels) for _ in range(3))
        self.to_out = nn.Linear(channels, channels)

    def forward(self, x):
        rows = self.group_norm(x).flatten(2).transpose(1, 2)  # [batch, places, channels]
        q, k, v = self.to_q(rows), self.to_k(rows), self.to_v(rows)
        weights = (q @ k.transpose(1, 2) * x.shape[1] ** -0.5).softmax(-1)
        return x + self.to_out(weights @ v).transpose(1, 2).reshape(x.shape)


class FeedForward(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.fc1, self.fc2 = nn.Linear(channels, 2 * channels), nn.Linear(2 * channels, channels)

    def forward(self, x):
        rows = x.flatten(2).transpose(1, 2)
        rows = self.fc2(F.gelu(self.fc1(self.norm(rows))))
        return x + rows.transpose(1, 2).reshape(x.shape)


class AttentionVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(2), conv(4, 24), ResnetBlock(24),  # [24, 14, 14]
            conv(24, 32, stride=2), ResnetBlock(32),  # [32, 7, 7]
            nn.GroupNorm(8, 32), nn.SiLU(), conv(32, 4),  # means and log variances, each of [2, 7, 7]
        )
        self.decoder = nn.Sequential(
            conv(2, 32), Attention(32), FeedForward(32), ResnetBlock(32),  # [32, 7, 7]
            conv(32, 4 * 24), nn.PixelShuffle(2), ResnetBlock(24),  # [24, 14, 14]
            nn.GroupNorm(8, 24), nn.SiLU(), conv(24, 4 * 3 * COMPONENTS), nn.PixelShuffle(2),  # [9, 28, 28]
        )

    def bound(self, x, noise):
        """KL and -log p(x | z) of each image, in nats; x of shape [batch, 28, 28], its values 0 to 255."""
        mean, log_variance = self.encoder(x[:, None] / 127.5 - 1).flatten(1).chunk(2, 1)
        log_variance = log_variance.clamp(-14, 6)
        z = mean + (log_variance / 2).exp() * noise
        kl = (mean.square() + log_variance.exp() - log_variance - 1).sum(1) / 2
        logits, means, log_scales = self.decoder(z.view(-1, 2, 7, 7)).chunk(3, 1)
        mixture = logits.log_softmax(1) + log_logistic(x[:, None], means, log_scales.clamp(-7, 3))
        return kl, -mixture.logsumexp(1).sum((1, 2))


def log_logistic(x, means, log_scales):
    """Logarithm of sigmoid(above) - sigmoid(below), the ends of the interval of x: `x / 127.5 - 1 +- 1 / 255`, but for
    0 and 255, whose intervals are open at one end."""
    precision = (-log_scales).exp()
    above = ((x + 0.5) / 127.5 - 1 - means) * precision
    below = ((x - 0.5) / 127.5 - 1 - means) * precision
    log_above = torch.where(x == 255, 0, F.logsigmoid(above))
    log_below = torch.where(x == 0, 0, F.logsigmoid(-below))
    inside = (x > 0) & (x < 255)
    return log_above + log_below + torch.where(inside, torch.log(-torch.expm1(-precision / 127.5)), 0)


def read_idx(path):
    with gzip.open(path) as file:
        return torch.from_numpy(np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28).copy())


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    images = read_idx(f"{sys.argv[1]}/train-images-idx3-ubyte.gz")
    model = AttentionVAE().to(memory_format=torch.channels_last)  # faster on a CPU
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    steps = EPOCHS * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(EPOCHS):
        total = 0.0
        for batch in torch.randperm(len(images)).split(BATCH)[: len(images) // BATCH]:
            kl, reconstruction = model.bound(images[batch].float(), torch.randn(BATCH, LATENTS))
            loss = (kl + reconstruction).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1000)
            optimizer.step()
            schedule.step()
            total += (kl + reconstruction).sum().item()
        print(f"epoch {epoch + 1}: {total / (len(images) // BATCH * BATCH):.2f} nats", flush=True)

    model = model.half().to(memory_format=torch.contiguous_format)
    save_file(model.state_dict(), "weights.safetensors")
