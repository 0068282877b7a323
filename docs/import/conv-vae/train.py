"""A convolutional VAE for binarized MNIST (1 where the grey value is above 127): strided convolutions, batch norm,
residual blocks.

    python train.py FOLDER      # FOLDER/train-images-idx3-ubyte.gz; writes weights.safetensors
"""

import gzip
import sys

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

LATENTS, EPOCHS, BATCH = 32, 16, 64


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x):
        h = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.shortcut(x) + self.bn2(self.conv2(h)))


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),  # [16, 14, 14]
            Block(16, 32, stride=2),  # [32, 7, 7]
            nn.Conv2d(32, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),  # [32, 4, 4]
            nn.Flatten(),
        )
        self.mean, self.log_variance = nn.Linear(512, LATENTS), nn.Linear(512, LATENTS)
        self.decoder = nn.Sequential(
            nn.Linear(LATENTS, 512), nn.ReLU(), nn.Unflatten(1, (32, 4, 4)),
            nn.ConvTranspose2d(32, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),  # [32, 7, 7]
            Block(32, 32),
            nn.ConvTranspose2d(32, 16, 4, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),  # [16, 14, 14]
            nn.ConvTranspose2d(16, 8, 4, 2, 1), nn.ReLU(),  # [8, 28, 28]
            nn.Conv2d(8, 1, 3, padding=1),
        )

    def bound(self, x, noise):
        """KL and -log p(x | z) of each image, in nats; x of shape [batch, 28, 28], its values 0 and 1."""
        h = self.encoder(x[:, None])
        mean, log_variance = self.mean(h), self.log_variance(h)
        z = mean + (log_variance / 2).exp() * noise
        logits = self.decoder(z)[:, 0]
        kl = (mean.square() + log_variance.exp() - log_variance - 1).sum(1) / 2
        return kl, F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum((1, 2))


def read_idx(path):
    with gzip.open(path) as file:
        return torch.from_numpy(np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28).copy())


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    images = (read_idx(f"{sys.argv[1]}/train-images-idx3-ubyte.gz") > 127).float()
    model = VAE().to(memory_format=torch.channels_last)  # faster on a CPU
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    steps = EPOCHS * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(EPOCHS):
        total = 0.0
        for batch in torch.randperm(len(images)).split(BATCH)[: len(images) // BATCH]:
            kl, reconstruction = model.bound(images[batch], torch.randn(BATCH, LATENTS))
            loss = (kl + reconstruction).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += (kl + reconstruction).sum().item()
        print(f"epoch {epoch + 1}: {total / (len(images) // BATCH * BATCH):.2f} nats", flush=True)

    model = model.half().to(memory_format=torch.contiguous_format)
    save_file(model.state_dict(), "weights.safetensors")
