"""Values of operations that PyTorch computes, for tests/library/operations.rs.

    pip install torch safetensors numpy
    python3 tests/reference/operations.py tests/golden/operations.safetensors

Each case has tensors `CASE.x0`, `CASE.x1`, .. and `CASE.y`, `[lanes, ..]`, the tensors that the operation wants as
`CASE.weight` and so on, in bbans's own axes, and the operation's JSON in the metadata. Made with torch 2.15.0.
"""

import json
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(1)
torch.set_num_threads(1)
LANES = 3
tensors, cases = {}, {}


def case(name, op, inputs, result, **weights):
    cases[name] = json.dumps(op, sort_keys=True)
    for i, x in enumerate(inputs):
        tensors[f"{name}.x{i}"] = x.clone().contiguous()
    tensors[f"{name}.y"] = result.detach().clone().contiguous()
    for part, value in weights.items():
        tensors[f"{name}.{part}"] = value.detach().clone().contiguous()


def picture(*shape):
    return torch.randn(LANES, *shape)


def convolution(name, channels, inputs, kernel, shape, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    layer = torch.nn.Conv2d(inputs, channels, kernel, stride, padding, dilation, groups)
    x = picture(inputs, *shape)
    op = {"op": "conv2d", "channels": channels, "kernel": kernel, "stride": stride, "dilation": dilation}
    op |= {"padding": [padding[0]] * 2 + [padding[1]] * 2, "groups": groups}
    # PyTorch's weight is [out, in, rows, columns].
    case(name, op, [x], layer(x), weight=layer.weight.permute(2, 3, 1, 0), bias=layer.bias)


def transposed(name, channels, inputs, kernel, shape, stride, padding, added=(0, 0), dilation=(1, 1), groups=1):
    layer = torch.nn.ConvTranspose2d(inputs, channels, kernel, stride, padding, added, groups, True, dilation)
    x = picture(inputs, *shape)
    op = {"op": "conv_transpose2d", "channels": channels, "kernel": kernel, "stride": stride}
    op |= {"padding": [padding[0]] * 2 + [padding[1]] * 2, "output_padding": added}
    op |= {"dilation": dilation, "groups": groups}
    # PyTorch's weight is [in, out of a group, rows, columns]; bbans's [rows, columns, in of a group, out].
    weight = layer.weight.reshape(groups, inputs // groups, channels // groups, *kernel)
    weight = weight.permute(3, 4, 1, 0, 2).reshape(*kernel, inputs // groups, channels)
    case(name, op, [x], layer(x), weight=weight, bias=layer.bias)


convolution("conv", 6, 4, (3, 3), (7, 6), padding=(1, 1))
convolution("conv_strided", 5, 3, (3, 2), (9, 8), stride=(2, 3), padding=(1, 0))
convolution("conv_dilated", 4, 3, (3, 3), (9, 9), dilation=(2, 3), padding=(2, 3))
convolution("conv_groups", 8, 6, (3, 3), (5, 6), padding=(1, 1), groups=2)
convolution("conv_depthwise", 6, 6, (5, 5), (7, 6), padding=(2, 2), groups=6)
transposed("conv_transpose", 4, 3, (4, 4), (5, 4), (2, 2), (1, 1))
transposed("conv_transpose_added", 6, 4, (3, 3), (4, 5), (2, 2), (1, 1), added=(1, 1), groups=2)
transposed("conv_transpose_dilated", 3, 2, (3, 2), (5, 4), (3, 1), (0, 1), dilation=(2, 3))

x = picture(4, 3)
layer = torch.nn.Linear(12, 5)
case("dense", {"op": "dense", "outputs": 5}, [x], layer(x.flatten(1)), weight=layer.weight.T, bias=layer.bias)

x = picture(6, 5, 4) * 3 + 1
weight, bias = torch.randn(6), torch.randn(6)
case("group_norm", {"op": "group_norm", "groups": 3, "eps": 1e-5}, [x], F.group_norm(x, 3, weight, bias, 1e-5), weight=weight, bias=bias)
weight, bias = torch.randn(5, 4), torch.randn(5, 4)
case("layer_norm", {"op": "layer_norm", "axes": 2, "eps": 1e-5}, [x], F.layer_norm(x, (5, 4), weight, bias, 1e-5), weight=weight, bias=bias)
norm = torch.nn.BatchNorm2d(6).eval()
norm.running_mean, norm.running_var = torch.randn(6), torch.rand(6) + 0.1
norm.weight, norm.bias = torch.nn.Parameter(torch.randn(6)), torch.nn.Parameter(torch.randn(6))
scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
case("scale_shift", {"op": "scale_shift"}, [x], norm(x), scale=scale, shift=norm.bias - norm.running_mean * scale)

case("max_pool", {"op": "max_pool", "kernel": [3, 2], "stride": [2, 1], "padding": [1, 1, 0, 0]}, [x], F.max_pool2d(x, (3, 2), (2, 1), (1, 0)))
case("average_pool", {"op": "average_pool", "kernel": [2, 2], "stride": [2, 1], "padding": [1, 1, 1, 1]}, [x], F.avg_pool2d(x, 2, (2, 1), 1))
case("global_mean", {"op": "global_mean"}, [x], x.mean((2, 3)))
case("upsample", {"op": "upsample", "factor": [2, 3]}, [x], F.interpolate(x, scale_factor=(2, 3), mode="nearest"))
x = picture(8, 3, 2)
case("pixel_shuffle", {"op": "pixel_shuffle", "factor": 2}, [x], F.pixel_shuffle(x, 2))
x = picture(2, 4, 6)
case("pixel_unshuffle", {"op": "pixel_unshuffle", "factor": 2}, [x], F.pixel_unshuffle(x, 2))
case("permute", {"op": "permute", "axes": [2, 0, 1]}, [x], x.permute(0, 3, 1, 2))
case("reshape", {"op": "reshape", "shape": [8, 6]}, [x], x.reshape(LANES, 8, 6))
case("slice", {"op": "slice", "start": 1, "end": 2}, [x], x[:, 1:2])
other = picture(1, 4, 6)
case("concat", {"op": "concat"}, [x, other], torch.cat([x, other], 1))
other = picture(2, 4, 6)
case("add", {"op": "add"}, [x, other], x + other)
case("mul", {"op": "mul"}, [x, other], x * other)
a, b = picture(5, 7), picture(7, 4)
case("matmul", {"op": "matmul"}, [a, b], a @ b)
case("softmax", {"op": "softmax"}, [a * 4], F.softmax(a * 4, -1))

x = torch.cat([torch.randn(LANES, 30) * 3, torch.tensor([[-80.0, -20.0, -1.0, 0.0, 1.0, 20.0, 80.0]] * LANES)], 1)
for name, op, result in [
    ("relu", {}, F.relu(x)),
    ("leaky_relu", {"slope": 0.125}, F.leaky_relu(x, 0.125)),
    ("elu", {}, F.elu(x)),
    ("silu", {}, F.silu(x)),
    ("gelu", {}, F.gelu(x)),
    ("gelu_tanh", {"op": "gelu", "tanh": True}, F.gelu(x, approximate="tanh")),
    ("sigmoid", {}, torch.sigmoid(x)),
    ("tanh", {}, torch.tanh(x)),
    ("softplus", {}, torch.logaddexp(x, torch.zeros(()))),
    ("exp", {}, torch.exp(x)),
    ("clamp", {"min": -1.5, "max": 0.5}, torch.clamp(x, -1.5, 0.5)),
]:
    case(name, {"op": name} | op, [x], result)
case("mish", {"op": "mish"}, [x], F.mish(x))

save_file(tensors, sys.argv[1], metadata=cases)
