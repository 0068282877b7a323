"""Operations: the nodes of a function.

Each takes the node with its attributes, its tensors by the last part of their names, and of one datum the inputs'
shapes and values, row by row; it gives the shape and the values of its output. Shapes are trusted to fit.
"""
import itertools
import math

import arithmetic
from arithmetic import add_products, f32, f32s, in_order, total


def elementwise(function):
    return lambda node, tensors, shapes, inputs: (shapes[0], [function(v) for v in inputs[0]])


def leaky_relu(node, tensors, shapes, inputs):
    slope = f32(node["slope"])
    return shapes[0], [v if v > 0 else f32(v * slope) for v in inputs[0]]


def gelu(node, tensors, shapes, inputs):
    function = arithmetic.gelu_tanh if node.get("tanh") else arithmetic.gelu
    return shapes[0], [function(v) for v in inputs[0]]


def clamp(node, tensors, shapes, inputs):
    low, high = f32(node["min"]), f32(node["max"])
    return shapes[0], [arithmetic.clamp(v, low, high) for v in inputs[0]]


def add(node, tensors, shapes, inputs):
    return shapes[0], f32s([a + b for a, b in zip(*inputs)])


def mul(node, tensors, shapes, inputs):
    return shapes[0], f32s([a * b for a, b in zip(*inputs)])


def constant(node, tensors, shapes, inputs):
    return node["shape"], tensors["value"]


# Products.


def product(a, b, rows, columns, start):
    """[rows, inner] by [inner, columns], inner ascending."""
    inner = len(a) // rows
    terms = ((a[k::inner], b[k * columns:(k + 1) * columns]) for k in range(inner))
    return add_products(start, terms)


def matmul(node, tensors, shapes, inputs):
    rows, columns = shapes[0][0], shapes[1][1]
    return [rows, columns], product(*inputs, rows, columns, [0.0] * (rows * columns))


def dense(node, tensors, shapes, inputs):
    outputs = node["outputs"]
    return [outputs], product(inputs[0], tensors["weight"], 1, outputs, tensors["bias"])


def cells(node, tensors, shapes, inputs):
    """The same dense layer on each of the input's parts."""
    count, outputs = node["count"], node["outputs"]
    return [count, outputs], product(inputs[0], tensors["weight"], count, outputs, tensors["bias"] * count)


# Convolutions. A tap is a place of the kernel: how far down and right of an output it sees the input, and which one of
# the kernel's places it is.


def windows(x, shape, tensors, groups, size, stride, taps):
    """For each output channel and position: the bias, and then the terms by tap and input channel, ascending."""
    (channels, rows, columns), (weight, bias) = shape, (tensors["weight"], tensors["bias"])
    inputs, outputs, pixels = channels // groups, len(bias) // groups, rows * columns
    # Where in a channel a tap sees what, position by position; -1 is the zero put behind each channel.
    places = []
    for down, right, _ in taps:
        at = ((y * stride[0] + down, x * stride[1] + right) for y in range(size[0]) for x in range(size[1]))
        places.append([r * columns + c if 0 <= r < rows and 0 <= c < columns else -1 for r, c in at])
    padded = [x[c * pixels:(c + 1) * pixels] + [0.0] for c in range(channels)]

    def terms(group):
        for (_, _, tap), seen in zip(taps, places):
            for k in range(inputs):
                at = (tap * inputs + k) * len(bias) + group * outputs
                channel = padded[group * inputs + k]
                yield weight[at:at + outputs], [channel[p] for p in seen]

    out = []
    for group in range(groups):
        own = bias[group * outputs:(group + 1) * outputs]
        out += add_products([b for b in own for _ in range(size[0] * size[1])], terms(group))
    return out


def conv2d(node, tensors, shapes, inputs):
    kernel, stride, dilation = node["kernel"], node.get("stride", [1, 1]), node.get("dilation", [1, 1])
    padding = node.get("padding", [0] * 4)
    size = [(shapes[0][1 + a] + padding[2 * a] + padding[2 * a + 1] - dilation[a] * (kernel[a] - 1) - 1)
            // stride[a] + 1 for a in (0, 1)]
    taps = [(i * dilation[0] - padding[0], j * dilation[1] - padding[2], i * kernel[1] + j)
            for i in range(kernel[0]) for j in range(kernel[1])]
    y = windows(inputs[0], shapes[0], tensors, node.get("groups", 1), size, stride, taps)
    return [node["channels"], *size], y


def conv_transpose2d(node, tensors, shapes, inputs):
    kernel, stride, dilation = node["kernel"], node.get("stride", [1, 1]), node.get("dilation", [1, 1])
    padding, added, channels = node.get("padding", [0] * 4), node.get("output_padding", [0, 0]), node["channels"]
    size = [(shapes[0][1 + a] - 1) * stride[a] + dilation[a] * (kernel[a] - 1) + 1 + added[a]
            - padding[2 * a] - padding[2 * a + 1] for a in (0, 1)]
    out = [0.0] * (channels * size[0] * size[1])

    def reach(axis, start):
        """Of the kernel's rows or columns those that reach output `start`, and how far off they see the input."""
        at = ((k, start + padding[2 * axis] - k * dilation[axis]) for k in range(kernel[axis]))
        return [(k, a // stride[axis]) for k, a in at if a % stride[axis] == 0]

    # The same taps reach every stride-th row and column: of these the input is seen without a stride.
    for top, left in itertools.product(range(min(stride[0], size[0])), range(min(stride[1], size[1]))):
        taps = [(down, right, i * kernel[1] + j) for i, down in reach(0, top) for j, right in reach(1, left)]
        rows, columns = range(top, size[0], stride[0]), range(left, size[1], stride[1])
        sizes = len(rows), len(columns)
        y = windows(inputs[0], shapes[0], tensors, node.get("groups", 1), sizes, (1, 1), taps)
        for (c, row, column), v in zip(itertools.product(range(channels), rows, columns), y):
            out[(c * size[0] + row) * size[1] + column] = v
    return [channels, *size], out


# Means, norms, windows without weights.


def norm(x, part, eps, affine):
    """Each part of so many values less its mean, over its standard deviation; then factors and summands."""
    y = []
    for at in range(0, len(x), part):
        values = x[at:at + part]
        mean = f32(total(values) / part)
        centred = f32s([v - mean for v in values])
        variance = f32(total(f32s([v * v for v in centred])) / part)
        rate = f32(1 / f32(math.sqrt(f32(variance + f32(eps)))))
        y += f32s([v * rate for v in centred])
    return scaled(y, *affine)


def scaled(x, factors, summands):
    return f32s([p + b for p, b in zip(f32s([v * a for v, a in zip(x, factors)]), summands)])


def by_channel(shape, *tensors):
    """For each value of a shape what its channel, the first axis, has."""
    each = math.prod(shape[1:])
    return [[v for v in tensor for _ in range(each)] for tensor in tensors]


def group_norm(node, tensors, shapes, inputs):
    affine = by_channel(shapes[0], tensors["weight"], tensors["bias"])
    return shapes[0], norm(inputs[0], len(inputs[0]) // node["groups"], node["eps"], affine)


def layer_norm(node, tensors, shapes, inputs):
    affine = map(itertools.cycle, (tensors["weight"], tensors["bias"]))
    return shapes[0], norm(inputs[0], len(tensors["weight"]), node["eps"], affine)


def scale_shift(node, tensors, shapes, inputs):
    return shapes[0], scaled(inputs[0], *by_channel(shapes[0], tensors["scale"], tensors["shift"]))


def global_mean(node, tensors, shapes, inputs):
    each = math.prod(shapes[0][1:])
    parts = (inputs[0][at:at + each] for at in range(0, len(inputs[0]), each))
    return [shapes[0][0]], [f32(total(part) / each) for part in parts]


def softmax(node, tensors, shapes, inputs):
    y, last = [], shapes[0][-1]
    for at in range(0, len(inputs[0]), last):
        x = inputs[0][at:at + last]
        top = max(x)
        e = [arithmetic.exp(f32(v - top)) for v in x]
        whole = in_order(e)
        y += f32s([v / whole for v in e])
    return shapes[0], y


def pool(node, shape, x, of_window):
    """What `of_window` gives of the values in each window that are not beyond the edge, row by row."""
    (channels, *picture), kernel, stride = shape, node["kernel"], node["stride"]
    padding = node.get("padding", [0] * 4)
    spans = []
    for a in (0, 1):
        beyond = padding[2 * a] + padding[2 * a + 1]
        starts = [i * stride[a] - padding[2 * a] for i in range((picture[a] + beyond - kernel[a]) // stride[a] + 1)]
        spans.append([range(max(s, 0), min(s + kernel[a], picture[a])) for s in starts])
    y = [of_window([x[(c * picture[0] + r) * picture[1] + k] for r in rows for k in columns])
         for c in range(channels) for rows in spans[0] for columns in spans[1]]
    return [channels, len(spans[0]), len(spans[1])], y


def max_pool(node, tensors, shapes, inputs):
    return pool(node, shapes[0], inputs[0], max)


def average_pool(node, tensors, shapes, inputs):
    size = math.prod(node["kernel"])
    return pool(node, shapes[0], inputs[0], lambda window: f32(in_order(window) / size))


# Values that change their places alone.


def concat(node, tensors, shapes, inputs):
    return [sum(shape[0] for shape in shapes), *shapes[0][1:]], list(itertools.chain(*inputs))


def slice_(node, tensors, shapes, inputs):
    each, start, end = math.prod(shapes[0][1:]), node["start"], node["end"]
    return [end - start, *shapes[0][1:]], inputs[0][start * each:end * each]


def reshape(node, tensors, shapes, inputs):
    return node["shape"], inputs[0]


def moved(x, shape, axes):
    """The values in the order of other axes."""
    steps = [math.prod(shape[axis + 1:]) for axis in axes]
    places = itertools.product(*(range(shape[axis]) for axis in axes))
    return [x[sum(i * step for i, step in zip(at, steps))] for at in places]


def permute(node, tensors, shapes, inputs):
    return [shapes[0][axis] for axis in node["axes"]], moved(inputs[0], shapes[0], node["axes"])


def pixel_shuffle(node, tensors, shapes, inputs):
    (channels, rows, columns), f = shapes[0], node["factor"]
    y = moved(inputs[0], [channels // f // f, f, f, rows, columns], [0, 3, 1, 4, 2])
    return [channels // f // f, rows * f, columns * f], y


def pixel_unshuffle(node, tensors, shapes, inputs):
    (channels, rows, columns), f = shapes[0], node["factor"]
    y = moved(inputs[0], [channels, rows // f, f, columns // f, f], [0, 2, 4, 1, 3])
    return [channels * f * f, rows // f, columns // f], y


def tiles(node, tensors, shapes, inputs):
    rows, columns, height, width = (node[key] for key in ("rows", "columns", "height", "width"))
    channels = len(inputs[0]) // (rows * columns * height * width)
    y = moved(inputs[0], [rows, columns, height, width, channels], [0, 2, 1, 3, 4])
    return [rows * height, columns * width, channels], y


def upsample(node, tensors, shapes, inputs):
    (channels, rows, columns), (down, right) = shapes[0], node["factor"]
    # Rows of all channels lie together.
    y = [inputs[0][r // down * columns + c // right]
         for r in range(channels * rows * down) for c in range(columns * right)]
    return [channels, rows * down, columns * right], y


OPS = {name: elementwise(getattr(arithmetic, name))
       for name in ("relu", "elu", "silu", "sigmoid", "tanh", "softplus", "mish", "exp")}
OPS |= {function.__name__.rstrip("_"): function for function in (
    leaky_relu, gelu, clamp, add, mul, constant, matmul, dense, cells, conv2d, conv_transpose2d, group_norm, layer_norm,
    scale_shift, global_mean, softmax, max_pool, average_pool, concat, slice_, reshape, permute, pixel_shuffle,
    pixel_unshuffle, tiles, upsample)}
