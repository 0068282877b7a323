"""Models of PyTorch, whose outputs and bounds are compared as they are imported."""

from __future__ import annotations

import re

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

import bbans  # noqa: E402
import torch_models as models  # noqa: E402

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def bits(*shape, seed=0):
    return (np.random.default_rng(seed).random(shape) < 0.3).astype(np.uint8)


def bytes_(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def imported(module, example, **arguments):
    """The model, whose outputs were compared; the bound, too, is PyTorch's."""
    report = {}
    mode = module.training
    model = bbans.import_torch(module, example, verbose=False, report=report, **arguments)
    assert report["largest_difference"] < 1e-4
    assert report["bound_bits_per_dim"] == pytest.approx(
        report["bound_torch_bits_per_dim"], rel=1e-4
    )
    assert module.training == mode
    return model


def compressed(model, example):
    """The data come back."""
    restored = bbans.decompress(bbans.compress(example, model=model), model=model)
    np.testing.assert_array_equal(restored, example)


def settle(module, *inputs):
    """Statistics of batch norm, and weights of norms, that are not those of the beginning."""
    with torch.no_grad():
        for part in module.modules():
            if isinstance(
                part,
                (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm, nn.InstanceNorm2d),
            ):
                for tensor in [*part.parameters(), *part.buffers()]:
                    if tensor.is_floating_point():
                        tensor.copy_(torch.rand_like(tensor) + 0.5)
    return module


# Single operations: what they are called, the shape of their input, and they.

PICTURE = (4, 6, 8)
ROWS = (5, 6)


class Weighted(nn.Module):
    """A function with a weight of some shape."""

    def __init__(self, shape, function):
        super().__init__()
        self.weight, self.function = nn.Parameter(torch.rand(shape) + 0.5), function

    def forward(self, x):
        return self.function(x, self.weight)


def changed_in_place(x):
    y = x * 2
    y += 1
    return F.relu_(y) + y


def heads(x):
    """Attention whose heads are in the batch, as older models have it."""
    batch, rows, width = x.shape
    q = x.view(batch, rows, 2, width // 2).transpose(1, 2).reshape(batch * 2, rows, width // 2)
    scores = torch.baddbmm(
        torch.empty(2 * batch, rows, rows), q, q.transpose(1, 2), beta=0, alpha=0.3
    )
    h = torch.bmm(scores.softmax(-1), q)
    return h.reshape(batch, 2, rows, width // 2).transpose(1, 2).reshape(batch, rows, width)


def moments(x):
    mean = x.mean((2, 3), keepdim=True)
    return (x - mean).square().sum((1, 2)) / 10


OPERATIONS = {
    "linear": (ROWS, lambda: nn.Linear(6, 3)),
    "linear_flat": ((6,), lambda: nn.Linear(6, 3, bias=False)),
    "bilinear_rows": (ROWS, lambda: Weighted((6, 4), lambda x, w: x @ w)),
    "addmm": (
        (6,),
        lambda: Weighted((6, 4), lambda x, w: torch.addmm(w[0], x, w, beta=2, alpha=3)),
    ),
    "conv2d": (PICTURE, lambda: nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 2), (1, 2), 2)),
    "conv2d_same": (PICTURE, lambda: nn.Conv2d(4, 3, (4, 3), padding="same", bias=False)),
    "conv2d_valid": (PICTURE, lambda: nn.Conv2d(4, 3, 2, padding="valid")),
    "conv2d_circular": (PICTURE, lambda: nn.Conv2d(4, 3, 3, padding=1, padding_mode="circular")),
    "conv2d_padded": (
        PICTURE,
        lambda: nn.Sequential(nn.ZeroPad2d((0, 1, 2, 1)), nn.Conv2d(4, 3, 3, 2, 1)),
    ),
    "conv1d": ((4, 10), lambda: nn.Conv1d(4, 6, 3, 2, 1, 2)),
    "conv1d_same": ((4, 10), lambda: nn.Conv1d(4, 6, 4, padding="same")),
    "conv_transpose2d": (PICTURE, lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, (1, 0), 2)),
    "conv_transpose2d_dilated": (PICTURE, lambda: nn.ConvTranspose2d(4, 2, (3, 2), dilation=2)),
    "conv_transpose1d": ((4, 7), lambda: nn.ConvTranspose1d(4, 3, 4, 2, 1, 1)),
    "batch_norm": (PICTURE, lambda: nn.BatchNorm2d(4)),
    "batch_norm_after_conv": (
        PICTURE,
        lambda: nn.Sequential(nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5, affine=False)),
    ),
    "batch_norm_flat": ((6,), lambda: nn.BatchNorm1d(6)),
    "batch_norm_rows": (
        ROWS,
        lambda: nn.Sequential(nn.Flatten(0, 1), nn.BatchNorm1d(6), nn.Unflatten(0, (-1, 5))),
    ),
    "group_norm": (PICTURE, lambda: nn.GroupNorm(2, 4, eps=1e-3)),
    "group_norm_plain": (PICTURE, lambda: nn.GroupNorm(2, 4, affine=False)),
    "group_norm_rows": ((4, 9), lambda: nn.GroupNorm(4, 4)),
    "instance_norm": (PICTURE, lambda: nn.InstanceNorm2d(4, affine=True)),
    "instance_norm_tracked": (PICTURE, lambda: nn.InstanceNorm2d(4, track_running_stats=True)),
    "layer_norm": (ROWS, lambda: nn.LayerNorm(6)),
    "layer_norm_flat": ((6,), lambda: nn.LayerNorm(6, eps=1e-2, elementwise_affine=False)),
    "layer_norm_pictures": (PICTURE, lambda: nn.LayerNorm([6, 8])),
    "relu": (ROWS, nn.ReLU),
    "relu_in_place": (ROWS, lambda: nn.Sequential(nn.Unflatten(1, (5, 1)), nn.ReLU(inplace=True))),
    "changed_in_place": (ROWS, lambda: changed_in_place),
    "silu": (ROWS, nn.SiLU),
    "tanh": (ROWS, nn.Tanh),
    "sigmoid": (ROWS, lambda: nn.Sequential(nn.Sigmoid(), nn.ReLU())),
    "exp": (ROWS, lambda: torch.exp),
    "elu": (ROWS, nn.ELU),
    "elu_alpha": (ROWS, lambda: nn.ELU(0.7)),
    "selu": (ROWS, nn.SELU),
    "celu": (ROWS, lambda: nn.CELU(1.7)),
    "softplus": (ROWS, nn.Softplus),
    "softplus_beta": (ROWS, lambda: nn.Softplus(beta=2)),
    "gelu": (ROWS, nn.GELU),
    "gelu_tanh": (ROWS, lambda: nn.GELU("tanh")),
    "mish": (ROWS, nn.Mish),
    "leaky_relu": (ROWS, lambda: nn.LeakyReLU(0.2)),
    "leaky_relu_default": (ROWS, nn.LeakyReLU),
    "prelu": (PICTURE, lambda: nn.PReLU(4)),
    "prelu_single": (ROWS, nn.PReLU),
    "hardtanh": (ROWS, lambda: nn.Hardtanh(-0.5, 0.7)),
    "relu6": (ROWS, nn.ReLU6),
    "hardsigmoid": (ROWS, nn.Hardsigmoid),
    "hardswish": (ROWS, nn.Hardswish),
    "log_sigmoid": (ROWS, nn.LogSigmoid),
    "glu": (ROWS, nn.GLU),
    "clamp": (ROWS, lambda: lambda x: x.clamp(-0.5, 0.5) + x.clamp_min(0.1) + x.clamp(max=0.3)),
    "abs": (ROWS, lambda: torch.abs),
    "square": (ROWS, lambda: lambda x: x**2 + x.pow(3) - x.square()),
    "log_of_exp": (ROWS, lambda: lambda x: torch.log(2 * torch.exp(x)) + torch.sqrt(torch.exp(x))),
    "divided_by_exp": (ROWS, lambda: lambda x: x / torch.exp(0.5 * x)),
    "log_of_sums": (
        ROWS,
        lambda: lambda x: torch.log(1 + x.exp()) + torch.logaddexp(x, 2 * x) + x.exp().log1p(),
    ),
    "of_sigmoid": (ROWS, lambda: lambda x: torch.log(x.sigmoid()) + x.sigmoid().rsqrt()),
    "dropout": (ROWS, lambda: nn.Sequential(nn.Dropout(), nn.Identity())),
    "softmax": (ROWS, lambda: nn.Softmax(-1)),
    "softmax_first": (PICTURE, lambda: nn.Softmax2d()),
    "max_pool": (PICTURE, lambda: nn.MaxPool2d(3, 2, 1)),
    "max_pool_ceil": (PICTURE, lambda: nn.MaxPool2d((4, 3), ceil_mode=True)),
    "max_pool1d": ((4, 9), lambda: nn.MaxPool1d(2)),
    "average_pool": (PICTURE, lambda: nn.AvgPool2d((3, 2), 2, 1)),
    "average_pool_inside": (PICTURE, lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False)),
    "max_pool1d_function": ((4, 9), lambda: lambda x: F.max_pool1d(x, 3, 2, 1)),
    "average_pool1d": ((4, 9), lambda: nn.AvgPool1d(3)),
    "adaptive_average_pool": (PICTURE, lambda: nn.AdaptiveAvgPool2d(1)),
    "adaptive_average_pool_large": (PICTURE, lambda: nn.AdaptiveAvgPool2d((4, 3))),
    "adaptive_max_pool": (PICTURE, lambda: nn.AdaptiveMaxPool2d(1)),
    "mean": (PICTURE, lambda: lambda x: x.mean((-2, -1))),
    "mean_kept": (PICTURE, lambda: lambda x: x.mean(1, keepdim=True) - x),
    "moments": (PICTURE, lambda: moments),
    "amax": (PICTURE, lambda: lambda x: x.amax(1)),
    "upsample": (PICTURE, lambda: nn.Upsample(scale_factor=(2, 3))),
    "upsample_size": (PICTURE, lambda: nn.Upsample((9, 10))),
    "upsample1d": ((4, 5), lambda: nn.Upsample(scale_factor=2)),
    "upsample_bilinear": (PICTURE, lambda: nn.Upsample(scale_factor=2, mode="bilinear")),
    "upsample_corners": (PICTURE, lambda: nn.Upsample((9, 9), mode="bilinear", align_corners=True)),
    "upsample_bicubic": (PICTURE, lambda: nn.Upsample(scale_factor=2, mode="bicubic")),
    "upsample_linear": ((4, 5), lambda: nn.Upsample(scale_factor=2, mode="linear")),
    "pixel_shuffle": (PICTURE, lambda: nn.PixelShuffle(2)),
    "pixel_unshuffle": (PICTURE, lambda: nn.PixelUnshuffle(2)),
    "channel_shuffle": (
        PICTURE,
        lambda: lambda x: x.unflatten(1, (2, 2)).transpose(1, 2).flatten(1, 2),
    ),
    "pad": (PICTURE, lambda: nn.ConstantPad2d((1, 2, 0, -1), 0.5)),
    "pad_zeros": (PICTURE, lambda: nn.ZeroPad2d(1)),
    "pad_reflect": (PICTURE, lambda: nn.ReflectionPad2d((1, 2, 0, 3))),
    "pad_replicate": (PICTURE, lambda: nn.ReplicationPad2d((1, 2, 0, 3))),
    "cat": (PICTURE, lambda: lambda x: torch.cat([x, x * 2, x[:, :, :1]], 2)),
    "cat_constant": (
        ROWS,
        lambda: Weighted((1, 2, 6), lambda x, w: torch.cat([w.expand(len(x), -1, -1), x], 1)),
    ),
    "stack": (ROWS, lambda: lambda x: torch.stack([x, -x], 2)),
    "chunk": (PICTURE, lambda: lambda x: torch.mul(*x.chunk(2, 1))),
    "split": (PICTURE, lambda: lambda x: x.split([1, 2, 1], 1)[1] + x.split(3, 3)[0][:, :1, :, :1]),
    "unbind": (ROWS, lambda: lambda x: x.unbind(1)[2] - x.select(1, 0)),
    "slice": (PICTURE, lambda: lambda x: x[:, 1:3, ::2, -3:]),
    "narrow": (PICTURE, lambda: lambda x: x.narrow(2, 1, 3)),
    "flip": (PICTURE, lambda: lambda x: x.flip((2, 3))),
    "roll": (PICTURE, lambda: lambda x: x.roll((2, -1), (2, 3))),
    "index": (PICTURE, lambda: lambda x: x[:, :, torch.tensor([3, 0, 1])]),
    "reshape": (
        PICTURE,
        lambda: lambda x: x.view(len(x), 8, 24)
        .unsqueeze(1)
        .squeeze(1)
        .flatten(1)
        .unflatten(1, (3, 64)),
    ),
    "permute": (PICTURE, lambda: lambda x: x.permute(0, 3, 1, 2).transpose(1, 3).movedim(1, 2)),
    "batch_moved": (ROWS, lambda: lambda x: x.transpose(0, 1).contiguous().transpose(1, 0)),
    "expand": ((4, 1, 1), lambda: lambda x: x.expand(-1, -1, 6, 8)),
    "expand_middle": ((4, 1, 3), lambda: lambda x: x.expand(-1, -1, 5, -1)),
    "expand_first": ((1, 3), lambda: lambda x: x.expand(-1, 5, -1)),
    "repeat": ((4, 3), lambda: lambda x: x.repeat(1, 2, 3)),
    "repeat_interleave": ((4, 3), lambda: lambda x: x.repeat_interleave(2, 1)),
    "add": (ROWS, lambda: lambda x: torch.add(x, x.flip(1), alpha=2) + 1 - x),
    "sub": (ROWS, lambda: lambda x: 3 - x - x * x.flip(1)),
    "neg": (ROWS, lambda: lambda x: -x / 4),
    "add_channels": (PICTURE, lambda: Weighted((4, 1, 1), lambda x, w: x + w)),
    "mul_channels": (PICTURE, lambda: Weighted((1, 4, 1, 1), lambda x, w: x * w - w)),
    "mul_last": (PICTURE, lambda: Weighted((8,), lambda x, w: x * w)),
    "add_table": (ROWS, lambda: Weighted((5, 6), lambda x, w: x + w / 3)),
    "divided": (ROWS, lambda: Weighted((6,), lambda x, w: x / w)),
    "arange": (ROWS, lambda: lambda x: x + torch.linspace(0, 1, 6)),
    "mul_computed": (PICTURE, lambda: lambda x: x * x.mean((2, 3), keepdim=True)),
    "add_outer": (ROWS, lambda: lambda x: x[:, :, :1] + x[:, :1]),
    "maximum": (ROWS, lambda: lambda x: torch.maximum(x, x.flip(1)) + torch.minimum(x, x.flip(2))),
    "matmul": (ROWS, lambda: lambda x: x @ x.transpose(1, 2)),
    "matmul_heads": (PICTURE, lambda: lambda x: x @ x.transpose(2, 3)),
    "matmul_repeated": (PICTURE, lambda: lambda x: x @ x[:, :1].mT),
    "matmul_constant": (ROWS, lambda: Weighted((3, 5), lambda x, w: w @ x)),
    "bmm": (ROWS, lambda: lambda x: torch.bmm(x, x.mT)),
    "heads": (ROWS, lambda: heads),
    "einsum": (PICTURE, lambda: lambda x: torch.einsum("bchw,bkhw->bhck", x, x.flip(1))),
    "attention": (
        PICTURE,
        lambda: lambda x: F.scaled_dot_product_attention(x, x.flip(2), x * 2, scale=0.7),
    ),
    "multi_head": (
        ROWS,
        lambda: nn.TransformerEncoderLayer(6, 2, 8, activation="gelu", batch_first=True),
    ),
    "spectral_norm": (ROWS, lambda: torch.nn.utils.parametrizations.spectral_norm(nn.Linear(6, 3))),
}

if hasattr(nn, "RMSNorm"):
    OPERATIONS["rms_norm"] = (ROWS, lambda: nn.RMSNorm(6, eps=1e-3))


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(name):
    shape, operation = OPERATIONS[name]
    operation = operation()
    if isinstance(operation, nn.Module):
        settle(operation)
    module = models.One(operation, shape)
    imported(module, bits(3, module.outputs), bins=False)


# Whole models


def test_mlp():
    example = bits(70, 8, 8)
    module = settle(models.Mlp().eval())
    model = imported(module, example, latents=5, name="mine")
    assert (model.name, model.shape, model.latents, model.groups) == ("mine", (8, 8), 5, [5])
    # A chain of linear layers is one, which every version reads.
    assert model.description["version"] == 1
    compressed(model, example)


def test_training_mode_is_kept():
    module = settle(models.Mlp())
    module.bn1.eval()
    imported(module, bits(2, 8, 8))
    assert module.training and not module.bn1.training


def test_pythae():
    example = bits(20, 16, 16)
    module = settle(models.Pythae().eval())
    model = imported(module, example, input_shape=(1, 16, 16), likelihood="bernoulli_probabilities")
    compressed(model, example)


def test_autoencoder_kl():
    example = bytes_(3, 16, 16, 3)
    module = settle(models.AutoencoderKl())
    likelihood = {"kind": "discretized_gaussian", "levels": 256, "units": "inputs", "sigma": 0.1}
    model = imported(
        module,
        example,
        latents=(2, 8, 8),
        likelihood=likelihood,
        divide=127.5,
        add=-1,
        input_shape=(3, 16, 16),
    )
    assert model.groups == [128]
    compressed(model, example)


def test_ladder():
    example = bits(20, 16, 16)
    model = imported(
        settle(models.Ladder()), example, latents=models.Ladder.shapes, input_shape=(1, 16, 16)
    )
    assert model.groups == [6, 32, 64]
    compressed(model, example)


class Steps(nn.Module):
    """Groups without a start, whose state is what they drew; the data themselves are a feature."""

    def __init__(self, prior):
        super().__init__()
        self.first, self.second, self.third = nn.Linear(64, 6), nn.Linear(67, 8), nn.Linear(10, 64)
        self.constant = prior == "constant"
        self.learned = nn.Parameter(torch.rand(1, 8) - 0.5) if self.constant else nn.Linear(3, 8)

    def encode(self, x):
        return x, self.first(x)

    def prior(self, i, state):
        if i == 0:
            return None
        whole = self.learned if self.constant else self.learned(state)
        return {"mean": whole[:, :4], "log_sigma": whole[:, 4:] / 3}

    def posterior(self, i, state, features):
        x, first = features
        whole = first if i == 0 else self.second(torch.cat([x, state], 1))
        mean, log_sigma = whole.chunk(2, 1)
        return torch.distributions.Normal(mean, torch.exp(log_sigma / 2))

    def update(self, i, state, z):
        return z if i == 0 else torch.cat([z, z * z, state[:, :2]], 1)

    def decode(self, state):
        return self.third(state)


@pytest.mark.parametrize("prior", ["constant", "computed"])
def test_groups_without_a_start(prior):
    example = bits(5, 64)
    model = imported(Steps(prior), example, latents=[3, 4])
    assert model.groups == [3, 4]
    compressed(model, example)


def test_one_group_as_a_list():
    class Single(models.Mlp):
        def posterior(self, i, state, features):
            return features

        def update(self, i, state, z):
            return z

    imported(Single(), bits(3, 64), latents=[5], scale="log_variance")


def test_transformer():
    example = bits(5, 16, 16)
    compressed(imported(settle(models.Transformer()), example, input_shape=(1, 16, 16)), example)


def test_weight_norm_and_broadcasts():
    example = bits(5, 16, 16)
    compressed(imported(models.Normed(), example, input_shape=(1, 16, 16)), example)


def test_a_file_is_written(tmp_path, capsys):
    path = tmp_path / "vae.safetensors"
    model = bbans.import_torch(models.Mlp(), torch.from_numpy(bits(3, 64)), path=path)
    assert bbans.Model.load(path).fingerprint == model.fingerprint
    told = capsys.readouterr().err
    assert re.search(r"mlp: 5 latents, \d,\d{3} weights\. .* bits/dim, in PyTorch", told)


# What encoders return


class Encoder(models.Mlp):
    """Returns the outputs in some form."""

    def __init__(self, form):
        super().__init__()
        self.form = form

    def encode(self, x):
        return self.form(*super().encode(x))


FORMS = {
    "tuple": lambda mean, scale: (mean, scale),
    "list": lambda mean, scale: [mean, scale],
    "tensor": lambda mean, scale: torch.cat([mean, scale], 1),
    "mapping": lambda mean, scale: {"z": mean + 1, "mu": mean, "logvar": scale},
    "log_sigma": lambda mean, scale: {"log_std": scale / 2, "loc": mean},
    "normal": lambda mean, scale: torch.distributions.Normal(mean, torch.exp(scale / 2)),
    "root": lambda mean, scale: torch.distributions.Normal(
        mean, scale.exp().sqrt().clamp(1e-3, 1e3)
    ),
    "above_a_bound": lambda mean, scale: torch.distributions.Normal(mean, scale.exp() + 1e-3),
    "below_a_bound": lambda mean, scale: {"mu": mean, "std": 2 * torch.sigmoid(scale) + 1e-4},
    "independent": lambda mean, scale: torch.distributions.Independent(
        torch.distributions.Normal(mean, scale.mul(0.5).exp()), 1
    ),
    "of_the_mean": lambda mean, scale: (mean, mean * 0.5 + scale),
    "shared": lambda mean, scale: (mean + scale, (mean - scale).tanh()),
    "constant": lambda mean, scale: (mean, torch.full_like(mean, -1.5)),
    "single": lambda mean, scale: (mean, scale.mean(1, keepdim=True)),
    "with_noise": lambda mean, scale: {
        "z": mean + torch.randn_like(mean),
        "mean": mean,
        "log_var": scale,
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_encoder_returns(form):
    imported(Encoder(FORMS[form]), bits(3, 64))


def test_scale_says_what_follows_the_mean():
    variance = imported(models.Mlp(), bits(3, 64))
    torch.manual_seed(0)
    sigma = imported(models.Mlp(), bits(3, 64), scale="log_sigma")
    x = bits(3, 64)
    np.testing.assert_allclose(2 * variance.encode(x)[1], sigma.encode(x)[1], rtol=1e-5, atol=1e-6)


def test_wide_scales_are_kept():
    module = models.Mlp()
    with torch.no_grad():
        module.log_variance.bias += -25
    model = imported(module, bits(3, 64))
    assert model.encode(bits(3, 64))[1].max() < -11


# Functions by name and by value, and the shapes of the data


def test_functions():
    module = nn.ModuleDict({"q": nn.Linear(64, 10), "p": nn.Linear(5, 64)})
    by_name = imported(module, bits(3, 64), encode="q", decode="p", name="m")
    by_value = imported(
        module, bits(3, 64), encode=lambda x: module["q"](x), decode=module["p"], name="m"
    )
    assert by_name.fingerprint == by_value.fingerprint


def test_functions_of_other_modules():
    module, other = models.Mlp(), models.Mlp()
    model = imported(module, bits(3, 64), decode=other.decode)
    expected = other.decode(torch.zeros(1, 5)).detach().numpy()
    np.testing.assert_allclose(
        model.decode(np.zeros((1, 5), np.float32))[..., 0], expected, rtol=1e-4, atol=1e-5
    )


def test_double_precision():
    imported(
        settle(models.Pythae().double().eval()),
        bits(3, 16, 16),
        input_shape=(1, 16, 16),
        likelihood="bernoulli_probabilities",
    )


class Of(nn.Module):
    """A decoder of some outputs for each of `shape`."""

    def __init__(self, shape, outputs, form=lambda x: x):
        super().__init__()
        size = int(np.prod(shape))
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(size, 8))
        self.out, self.outputs, self.form = nn.Linear(4, int(np.prod(outputs))), outputs, form

    def decode(self, z):
        return self.form(self.out(z).reshape(len(z), *self.outputs))


LOGISTIC = {"kind": "discretized_logistic", "levels": 256, "units": "inputs"}
LIKELIHOODS = {
    "logistic": (LOGISTIC, (2, 6), None),
    "logistic_tuple": (LOGISTIC, (2, 6), lambda x: x.unbind(1)),
    "logistic_scale": ({**LOGISTIC, "scale": 0.1}, (2, 3), None),
    "logistic_mixture": ({**LOGISTIC, "components": 3}, (9, 6), None),
    "logistic_last": ({**LOGISTIC, "components": 2, "order": "dimensions_first"}, (6, 6), None),
    "gaussian": ({**LOGISTIC, "kind": "discretized_gaussian"}, (2, 6), None),
    "gaussian_symbols": (
        {**LOGISTIC, "kind": "discretized_gaussian", "units": "symbols"},
        (2, 6),
        None,
    ),
    "categorical": ({"kind": "categorical", "levels": 256}, (256, 6), None),
    "beta_binomial": ({"kind": "beta_binomial", "levels": 256}, (2, 6), lambda x: {"out": x}),
}


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_likelihood(name):
    likelihood, outputs, form = LIKELIHOODS[name]
    module = Of((2, 3), outputs, form or (lambda x: x))
    example = bytes_(5, 2, 3)
    compressed(imported(module, example, likelihood=likelihood, divide=127.5, add=-1), example)


@pytest.mark.parametrize("components", [1, 2, 3])
def test_colours(components):
    module = Of((4, 5, 3), (10 * components, 4, 5), lambda x: x / 3)
    likelihood = {**LOGISTIC, "kind": "colour_logistics", "components": components}
    example = bytes_(5, 4, 5, 3)
    model = imported(
        module, example, likelihood=likelihood, divide=127.5, add=-1, input_shape=(3, 4, 5)
    )
    compressed(model, example)


@pytest.mark.parametrize("order", ["parameters_first", "dimensions_first"])
def test_axes_in_another_order(order):
    # What is computed of a place alone stays at its place.
    class Places(nn.Module):
        def encode(self, x):
            return x.flatten(1), torch.zeros_like(x).flatten(1)

        def decode(self, z):
            mean = z.reshape(-1, 3, 4, 5)
            both = torch.stack([mean, 0 * mean - 4], 1)
            return both if order == "parameters_first" else both.movedim(1, -1)

    example = bytes_(5, 4, 5, 3)
    likelihood = {**LOGISTIC, "order": order}
    model = imported(Places(), example, likelihood=likelihood, divide=255, input_shape=(3, 4, 5))
    parameters = model.decode(model.encode(example)[0])
    np.testing.assert_allclose(parameters[..., 0].reshape(example.shape), example, atol=1e-3)


# Refusals


def refused(module, example, *words, **arguments):
    with pytest.raises(bbans.InvalidArgument) as error:
        bbans.import_torch(module, example, verbose=False, **arguments)
    for word in words:
        assert word in str(error.value), str(error.value)
    assert "\n" not in str(error.value)


class Within(nn.Module):
    """A function somewhere in a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def broken(function):
    module = models.Mlp()
    module.fc3 = nn.Sequential(module.fc3, Within(function))
    return module


def test_control_flow_is_refused():
    refused(
        broken(lambda x: x if x.sum() > 0 else -x),
        bits(3, 64),
        "fc3.1: torch.export cannot trace it: ",
    )


def test_unknown_operations_are_refused():
    refused(
        broken(lambda x: x.cumsum(1)),
        bits(3, 64),
        "fc3.1: aten.cumsum: bbans has no such operation",
    )
    refused(broken(lambda x: x / (1 + x * x)), bits(3, 64), "fc3.1: aten.div: ")
    refused(broken(lambda x: torch.log(1 + x * x)), bits(3, 64), "fc3.1: aten.log: bbans has ")
    refused(
        broken(lambda x: x + torch.rand(20)),
        bits(3, 64),
        "fc3.1: aten.rand: it draws random numbers",
    )
    unset = nn.BatchNorm1d(4, track_running_stats=False)
    refused(
        broken(lambda x: unset(x.view(-1, 4, 5)).flatten(1)),
        bits(3, 64),
        "without running statistics",
    )
    refused(
        broken(lambda x: x.index_put((torch.tensor([0]),), torch.zeros(1, 20))),
        bits(3, 64),
        "aten.index_put",
    )


def test_parts_that_change_in_place_are_refused():
    def zeroed(x):
        y = x * 2
        y[:, 0] = 0
        return y

    refused(broken(zeroed), bits(3, 64), "fc3.1: aten.")


def test_scales_without_a_log_are_refused():
    form = lambda mean, scale: torch.distributions.Normal(mean, F.softplus(scale))  # noqa: E731
    refused(Encoder(form), bits(3, 64), "standard deviations that are not an exp")


def test_a_decoder_of_probabilities_is_said_to_be_one():
    class Probabilities(models.Mlp):
        def decode(self, z):
            return super().decode(z).sigmoid()

    refused(Probabilities(), bits(3, 64), "ends in a sigmoid", "bernoulli_probabilities")
    imported(Probabilities(), bits(3, 64), likelihood="bernoulli_probabilities")


def test_a_model_file_is_replaced_where_it_may_be(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(b"other")
    refused(models.Mlp(), bits(3, 64), "is there already", path=path)
    assert path.read_bytes() == b"other"
    model = imported(models.Mlp(), bits(3, 8, 8), input_shape=64, path=path, overwrite=True)
    assert bbans.Model.load(path).fingerprint == model.fingerprint


def test_weights_must_be_finite():
    module = models.Mlp()
    with torch.no_grad():
        module.fc3.weight[1, 2] = float("nan")
    refused(module, bits(3, 64), "fc3.weight", "nan")


def test_examples():
    module = models.Mlp()
    refused(module, bits(3, 64) * 0.5, "0.5", "divide=255")
    refused(module, bits(3, 64) + 1, "the number 2; expected 0 to 1")
    refused(module, bits(3), "an example of shape [3]")
    refused(module, bits(0, 64), "an example of shape [0, 64]")
    imported(module, bits(3, 64).astype(np.float32))


def test_shapes_are_checked():
    refused(models.Mlp(), bits(3, 64), "input_shape [1, 8, 9]", input_shape=(1, 8, 9))
    refused(models.Mlp(), bits(3, 64), "latents of shape [5]; expected [4]", latents=4)
    refused(models.Mlp(), bits(3, 32), "fc1: it fails on data of shape [32]", "mat1 and mat2")
    refused(Of((64,), (65,)), bits(3, 64), "expected 64 numbers, 1 for each of 64 dimensions")


def test_arguments_are_checked():
    refused(models.Mlp(), bits(3, 64), "has no guess", encode="guess")
    refused(nn.Linear(2, 2), bits(3, 64), "has no encode or encoder")
    refused(models.Mlp(), bits(3, 64), "scale 'sigma'", scale="sigma")
    refused(models.Mlp(), bits(3, 64), "likelihood 'poisson'", likelihood="poisson")
    refused(
        models.Mlp(), bits(3, 64), "units", likelihood={"kind": "discretized_logistic", "levels": 2}
    )
    refused(
        models.Mlp(),
        bits(3, 64),
        "probabilities that are not of a sigmoid",
        likelihood="bernoulli_probabilities",
    )
    refused(Encoder(lambda mean, scale: mean), bits(3, 64), "expected a mean and a log variance")
    refused(models.Mlp().half(), bits(3, 64), "float16")


def test_outputs_that_differ_are_refused():
    class Batch(models.Mlp):
        def decode(self, z):
            return super().decode(z - z.mean(0))

    refused(Batch(), bits(3, 64), "differ from PyTorch's")


def test_groups_that_are_not_named_are_an_error():
    with pytest.raises(bbans.InvalidArgument, match="shapes of the groups"):
        bbans.import_torch(models.Ladder(), bits(4, 16, 16), input_shape=(1, 16, 16))
