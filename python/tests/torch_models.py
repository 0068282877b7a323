"""Models in PyTorch, small and untrained, of the kinds that people have."""

from __future__ import annotations

import math
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import nn


class One(nn.Module):
    """A decoder that is one operation, on latents of some shape."""

    def __init__(self, operation, shape):
        super().__init__()
        self.operation, self.shape = operation, shape
        size = math.prod(shape)
        with torch.no_grad():
            self.outputs = self.eval().decode(torch.zeros(1, size)).shape[1]
        self.encoder = nn.Linear(self.outputs, 2 * size)

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.operation(z.reshape(len(z), *self.shape)).flatten(1)


class Mlp(nn.Module):
    """Linear layers, batch norm, logits."""

    def __init__(self, pixels=64, hidden=20, latents=5):
        super().__init__()
        self.fc1, self.bn1 = nn.Linear(pixels, hidden), nn.BatchNorm1d(hidden)
        self.mean, self.log_variance = nn.Linear(hidden, latents), nn.Linear(hidden, latents)
        self.fc3, self.fc4 = nn.Linear(latents, hidden), nn.Linear(hidden, pixels)

    def encode(self, x):
        h = F.relu(self.bn1(self.fc1(x.flatten(1))))
        return self.mean(h), self.log_variance(h)

    def decode(self, z):
        return self.fc4(F.relu(self.fc3(z)))


class ModelOutput(dict):
    """As pythae has it: a mapping whose values are attributes, too."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class ResBlock(nn.Module):
    """pythae's."""

    def __init__(self, channels):
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReLU(), nn.Conv2d(channels, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, channels, 1)
        )

    def forward(self, x):
        return x + self.conv_block(x)


class PythaeEncoder(nn.Module):
    def __init__(self, latents):
        super().__init__()
        self.layers = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(1, 8, 4, 2, padding=1), nn.BatchNorm2d(8), nn.ReLU()),
                nn.Sequential(nn.Conv2d(8, 12, 4, 2, padding=1), nn.BatchNorm2d(12), nn.ReLU()),
                nn.Sequential(ResBlock(12), ResBlock(12)),
            ]
        )
        self.depth = len(self.layers)
        self.embedding, self.log_var = nn.Linear(12 * 16, latents), nn.Linear(12 * 16, latents)

    def forward(self, x, output_layer_levels=None):
        output = ModelOutput()
        depth = self.depth if output_layer_levels is None else max(output_layer_levels)
        out = x
        for i in range(depth):
            out = self.layers[i](out)
        output["embedding"] = self.embedding(out.reshape(x.shape[0], -1))
        output["log_covariance"] = self.log_var(out.reshape(x.shape[0], -1))
        return output


class PythaeDecoder(nn.Module):
    def __init__(self, latents):
        super().__init__()
        self.fc = nn.Linear(latents, 12 * 16)
        self.layers = nn.ModuleList(
            [
                nn.Sequential(
                    nn.ConvTranspose2d(12, 8, 3, 2, padding=1, output_padding=1), nn.ReLU()
                ),
                nn.Sequential(nn.ConvTranspose2d(8, 1, 4, 2, padding=1), nn.Sigmoid()),
            ]
        )

    def forward(self, z):
        out = self.fc(z).reshape(z.shape[0], 12, 4, 4)
        for layer in self.layers:
            out = layer(out)
        return ModelOutput(reconstruction=out.reshape((z.shape[0], 1, 16, 16)))


class Pythae(nn.Module):
    """A convolutional VAE whose decoder gives probabilities."""

    def __init__(self, latents=6):
        super().__init__()
        self.encoder, self.decoder = PythaeEncoder(latents), PythaeDecoder(latents)


class ResnetBlock(nn.Module):
    """diffusers' ResnetBlock2D without a time."""

    def __init__(self, inputs, outputs, groups=4):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(groups, inputs, eps=1e-6), nn.Conv2d(
            inputs, outputs, 3, padding=1
        )
        self.norm2, self.conv2 = nn.GroupNorm(groups, outputs, eps=1e-6), nn.Conv2d(
            outputs, outputs, 3, padding=1
        )
        self.dropout, self.nonlinearity = nn.Dropout(0.0), nn.SiLU()
        self.conv_shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x):
        h = self.conv1(self.nonlinearity(self.norm1(x)))
        h = self.conv2(self.dropout(self.nonlinearity(self.norm2(h))))
        x = x if self.conv_shortcut is None else self.conv_shortcut(x.contiguous())
        return (x + h) / 1.0


class Attention(nn.Module):
    """diffusers' Attention with its AttnProcessor2_0, of one head."""

    def __init__(self, channels, groups=4):
        super().__init__()
        self.heads, self.rescale_output_factor = 1, 1.0
        self.group_norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(channels, channels), nn.Dropout(0.0)])

    def forward(self, hidden_states):
        residual = hidden_states
        batch, channels, height, width = hidden_states.shape
        hidden_states = hidden_states.view(batch, channels, height * width).transpose(1, 2)
        hidden_states = self.group_norm(hidden_states.transpose(1, 2)).transpose(1, 2)
        query, key, value = (
            self.to_q(hidden_states),
            self.to_k(hidden_states),
            self.to_v(hidden_states),
        )
        inner = key.shape[-1]
        head = inner // self.heads
        query, key, value = (
            t.view(batch, -1, self.heads, head).transpose(1, 2) for t in (query, key, value)
        )
        hidden_states = F.scaled_dot_product_attention(
            query, key, value, attn_mask=None, dropout_p=0.0
        )
        hidden_states = (
            hidden_states.transpose(1, 2).reshape(batch, -1, self.heads * head).to(query.dtype)
        )
        hidden_states = self.to_out[1](self.to_out[0](hidden_states))
        hidden_states = hidden_states.transpose(-1, -2).reshape(batch, channels, height, width)
        return (hidden_states + residual) / self.rescale_output_factor


class Middle(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.resnets = nn.ModuleList(
            [ResnetBlock(channels, channels), ResnetBlock(channels, channels)]
        )
        self.attentions = nn.ModuleList([Attention(channels)])

    def forward(self, x):
        x = self.resnets[0](x)
        for attention, resnet in zip(self.attentions, list(self.resnets)[1:]):
            x = resnet(attention(x))
        return x


class Downsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=0)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1), mode="constant", value=0))


class Upsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class KlEncoder(nn.Module):
    def __init__(self, widths, latents):
        super().__init__()
        first, second = widths
        self.conv_in = nn.Conv2d(3, first, 3, padding=1)
        self.down = nn.Sequential(
            ResnetBlock(first, first), Downsample(first), ResnetBlock(first, second)
        )
        self.mid_block = Middle(second)
        self.conv_norm_out, self.conv_act = nn.GroupNorm(4, second, eps=1e-6), nn.SiLU()
        self.conv_out = nn.Conv2d(second, 2 * latents, 3, padding=1)

    def forward(self, x):
        x = self.mid_block(self.down(self.conv_in(x)))
        return self.conv_out(self.conv_act(self.conv_norm_out(x)))


class KlDecoder(nn.Module):
    def __init__(self, widths, latents):
        super().__init__()
        first, second = widths
        self.conv_in = nn.Conv2d(latents, second, 3, padding=1)
        self.mid_block = Middle(second)
        self.up = nn.Sequential(
            ResnetBlock(second, second), Upsample(second), ResnetBlock(second, first)
        )
        self.conv_norm_out, self.conv_act = nn.GroupNorm(4, first, eps=1e-6), nn.SiLU()
        self.conv_out = nn.Conv2d(first, 3, 3, padding=1)

    def forward(self, z):
        z = self.up(self.mid_block(self.conv_in(z)))
        return self.conv_out(self.conv_act(self.conv_norm_out(z)))


class DiagonalGaussian:
    """diffusers' DiagonalGaussianDistribution."""

    def __init__(self, parameters):
        self.parameters = parameters
        self.mean, self.logvar = torch.chunk(parameters, 2, dim=1)
        self.logvar = torch.clamp(self.logvar, -30.0, 20.0)
        self.deterministic = False
        self.std, self.var = torch.exp(0.5 * self.logvar), torch.exp(self.logvar)

    def sample(self):
        return self.mean + self.std * torch.randn_like(self.mean)


class AutoencoderKl(nn.Module):
    """diffusers' AutoencoderKL: colours, `[3, rows, columns]` from -1 to 1."""

    def __init__(self, widths=(8, 12), latents=2):
        super().__init__()
        self.encoder, self.decoder = KlEncoder(widths, latents), KlDecoder(widths, latents)
        self.quant_conv, self.post_quant_conv = nn.Conv2d(2 * latents, 2 * latents, 1), nn.Conv2d(
            latents, latents, 1
        )

    def encode(self, x):
        return SimpleNamespace(latent_dist=DiagonalGaussian(self.quant_conv(self.encoder(x))))

    def decode(self, z):
        return SimpleNamespace(sample=self.decoder(self.post_quant_conv(z)))


class Ladder(nn.Module):
    """Three groups of latents with learned priors; the first one has a start."""

    shapes = [6, (2, 4, 4), (1, 8, 8)]

    def __init__(self):
        super().__init__()
        self.up1 = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.GroupNorm(2, 8), nn.SiLU())
        self.up2 = nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1), nn.SiLU())
        self.up3 = nn.Sequential(nn.Flatten(), nn.Linear(128, 16), nn.SiLU())
        self.top = nn.Parameter(torch.randn(1, 10))
        self.posterior1 = nn.Linear(26, 12)
        self.down1 = nn.Sequential(nn.Linear(16, 8 * 16), nn.SiLU(), nn.Unflatten(1, (8, 4, 4)))
        self.prior2, self.posterior2 = nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(16, 4, 3, padding=1)
        self.down2 = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(10, 8, 3, padding=1))
        self.prior3, self.posterior3 = nn.Conv2d(8, 2, 1), nn.Conv2d(16, 2, 3, padding=1)
        self.down3 = nn.Conv2d(9, 8, 3, padding=1)
        self.out = nn.Sequential(nn.SiLU(), nn.ConvTranspose2d(8, 1, 4, 2, 1))

    def encode(self, x):
        first = self.up1(x)
        second = self.up2(first)
        return {"first": first, "others": (second, self.up3(second))}

    def start(self):
        return self.top

    def prior(self, i, state):
        if i == 0:
            return None
        mean, log_sigma = [None, self.prior2, self.prior3][i](state).chunk(2, 1)
        return mean, log_sigma.clamp(-3, 1)

    def posterior(self, i, state, features):
        feature = [features["others"][1], features["others"][0], features["first"]][i]
        joined = torch.cat([state, feature], 1)
        mean, log_sigma = [self.posterior1, self.posterior2, self.posterior3][i](joined).chunk(2, 1)
        if i:
            mean = mean + self.prior(i, state)[0]
        return mean, log_sigma.clamp(-3, 1)

    def update(self, i, state, z):
        return [self.down1, self.down2, self.down3][i](torch.cat([state, z], 1))

    def decode(self, state):
        return self.out(state)


class Transformer(nn.Module):
    """Patches, places, multi-head attention in several spellings; a token for all."""

    def __init__(self, width=12, heads=3, latents=4):
        super().__init__()
        self.heads = heads
        self.patches = nn.Conv2d(1, width, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.places = nn.Parameter(torch.randn(1, 17, width) / 10)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 20), nn.GELU(), nn.Linear(20, width))
        self.block = nn.TransformerEncoderLayer(width, heads, 16, batch_first=True, norm_first=True)
        self.head = nn.Linear(width, 2 * latents)
        self.query = nn.Parameter(torch.randn(16, width))
        self.cross = nn.MultiheadAttention(width, heads, batch_first=True)
        self.memory = nn.Linear(latents, 4 * width)
        self.pixels = nn.Linear(width, 16)

    def encode(self, x):
        h = self.patches(x).flatten(2).transpose(1, 2)
        h = torch.cat([self.token.expand(len(h), -1, -1), h], 1) + self.places
        batch, places, width = h.shape
        qkv = self.qkv(self.norm1(h)).reshape(batch, places, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q @ k.transpose(-2, -1) * (width // self.heads) ** -0.5).softmax(dim=-1)
        h = h + self.proj((weights @ v).transpose(1, 2).reshape(batch, places, width))
        h = self.block(h + self.mlp(self.norm2(h)))
        return self.head(h[:, 0])

    def decode(self, z):
        memory = self.memory(z).view(len(z), 4, -1)
        h, _ = self.cross(self.query.expand(len(z), -1, -1), memory, memory, need_weights=False)
        return self.pixels(h).view(-1, 4, 4, 4, 4).permute(0, 1, 3, 2, 4).reshape(-1, 1, 16, 16)


class SqueezeExcite(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(channels, 3), nn.ReLU(inplace=True), nn.Linear(3, channels), nn.Sigmoid()
        )

    def forward(self, x):
        b, c, _, _ = x.size()
        y = self.fc(self.pool(x).view(b, c)).view(b, c, 1, 1)
        return x * y.expand_as(x)


class Normed(nn.Module):
    """Weight norm, squeeze and excitation, a learned scale for all data."""

    def __init__(self):
        super().__init__()
        norm = torch.nn.utils.parametrizations.weight_norm
        self.first = norm(nn.Conv2d(1, 6, 3, 2, 1))
        self.gate = SqueezeExcite(6)
        self.mean = norm(nn.Linear(6 * 64, 5))
        self.log_sigma = nn.Parameter(torch.randn(5) / 3)
        self.out = nn.Sequential(
            norm(nn.Linear(5, 30)), nn.ELU(), norm(nn.Linear(30, 256)), nn.Unflatten(1, (16, 16))
        )

    def encode(self, x):
        h = self.gate(F.elu(self.first(x)))
        return torch.distributions.Normal(self.mean(h.flatten(1)), self.log_sigma.exp())

    def decode(self, z):
        return torch.distributions.Bernoulli(logits=self.out(z))
