//! The operations in candle, on values `[lanes, ..]`, for comparisons.

use bbans::nn::ops::Op;
use candle_core::{D, DType, Device, Result, Tensor};

/// An operation with its tensors, in the order of `Operation::tensors`, on its inputs.
pub(crate) fn run(op: &Op, tensors: &[Tensor], inputs: &[Tensor], lanes: usize) -> Result<Tensor> {
    let x = || &inputs[0];
    let rows = |x: &Tensor| x.reshape((x.dim(0)?, ()));
    Ok(match op {
        Op::Dense(_) => rows(x())?.matmul(&tensors[0])?.broadcast_add(&tensors[1])?,
        Op::Cells(cells) => {
            let cell = rows(x())?.reshape((lanes * cells.count, ()))?;
            let y = cell.matmul(&tensors[0])?.broadcast_add(&tensors[1])?;
            y.reshape((lanes, cells.count, cells.outputs))?
        }
        Op::Tiles(tiles) => {
            let (rows, columns) = (tiles.rows, tiles.columns);
            let (height, width) = (tiles.height, tiles.width);
            let channels = x().elem_count() / (lanes * rows * columns * height * width);
            let split = x().reshape(&[lanes, rows, columns, height, width, channels][..])?;
            let y = split.permute(&[0, 1, 3, 2, 4, 5][..])?;
            y.reshape((lanes, rows * height, columns * width, channels))?
        }
        Op::Conv2d(conv) => {
            let x = padded(x(), conv.padding.map(|n| n as isize), 0.0)?;
            let y = convolved(&x, &tensors[0], conv.dilation, conv.groups)?;
            every(&with_bias(&y, &tensors[1])?, conv.stride)?
        }
        Op::ConvTranspose2d(conv) => {
            // A convolution of the input with zeros in between, with the kernel turned around.
            let [height, width, ..] = *tensors[0].dims() else {
                unreachable!("a kernel has four axes")
            };
            let turned = |n: usize| (0..n as u32).rev().collect::<Vec<_>>();
            let kernel = tensors[0].index_select(&indices(turned(height))?, 0)?;
            let kernel = kernel.index_select(&indices(turned(width))?, 1)?;
            let spread = spread(x(), conv.stride)?;
            let around = |axis: usize, size: usize, padding: usize| {
                (conv.dilation[axis] * (size - 1)) as isize - padding as isize
            };
            let [above, below, left, right] = conv.padding;
            let [more_rows, more_columns] = conv.output_padding.map(|n| n as isize);
            let padding = [
                around(0, height, above),
                around(0, height, below) + more_rows,
                around(1, width, left),
                around(1, width, right) + more_columns,
            ];
            let x = padded(&spread, padding, 0.0)?;
            let y = convolved(&x, &kernel, conv.dilation, conv.groups)?;
            with_bias(&y, &tensors[1])?
        }
        Op::Add(_) => (x() + &inputs[1])?,
        Op::Mul(_) => (x() * &inputs[1])?,
        Op::Concat(_) => Tensor::cat(inputs, 1)?,
        Op::Slice(slice) => x().narrow(1, slice.start, slice.end - slice.start)?,
        Op::Reshape(reshape) => x().reshape([&[lanes], &reshape.shape[..]].concat())?,
        Op::Permute(permute) => {
            let axes = permute.axes.iter().map(|axis| axis + 1);
            x().permute(std::iter::once(0).chain(axes).collect::<Vec<_>>())?
        }
        Op::Upsample(upsample) => {
            let (n, c, h, w) = x().dims4()?;
            let [rows, columns] = upsample.factor;
            let split = x().reshape(&[n, c, h, 1, w, 1][..])?;
            let wide = split.broadcast_as(&[n, c, h, rows, w, columns][..])?;
            wide.reshape((n, c, h * rows, w * columns))?
        }
        Op::PixelShuffle(shuffle) => {
            let ((n, c, h, w), f) = (x().dims4()?, shuffle.factor);
            let split = x().reshape(&[n, c / f / f, f, f, h, w][..])?;
            let y = split.permute(&[0, 1, 4, 2, 5, 3][..])?;
            y.reshape((n, c / f / f, h * f, w * f))?
        }
        Op::PixelUnshuffle(shuffle) => {
            let ((n, c, h, w), f) = (x().dims4()?, shuffle.factor);
            let split = x().reshape(&[n, c, h / f, f, w / f, f][..])?;
            let y = split.permute(&[0, 1, 3, 5, 2, 4][..])?;
            y.reshape((n, c * f * f, h / f, w / f))?
        }
        Op::MaxPool(pool) => {
            let x = padded(x(), pool.padding.map(|n| n as isize), f64::NEG_INFINITY)?;
            pooled(&x, pool.kernel, pool.stride, |a, b| a.maximum(b))?
        }
        Op::AveragePool(pool) => {
            let x = padded(x(), pool.padding.map(|n| n as isize), 0.0)?;
            let sums = pooled(&x, pool.kernel, pool.stride, Tensor::add)?;
            (sums / (pool.kernel[0] * pool.kernel[1]) as f64)?
        }
        Op::GlobalMean(_) => x().reshape((lanes, x().dim(1)?, ()))?.mean(D::Minus1)?,
        Op::GroupNorm(norm) => {
            let parts = x().reshape((lanes, norm.groups, ()))?;
            let y = normed(&parts, norm.eps)?.reshape(x().shape())?;
            by_channel(&y, &tensors[0], &tensors[1])?
        }
        Op::LayerNorm(norm) => {
            let last: usize = tensors[0].elem_count();
            let y = normed(&x().reshape(((), last))?, norm.eps)?.reshape(x().shape())?;
            let y = y.broadcast_mul(&tensors[0])?;
            y.broadcast_add(&tensors[1])?
        }
        Op::ScaleShift(_) => by_channel(x(), &tensors[0], &tensors[1])?,
        Op::Matmul(_) => x().contiguous()?.matmul(&inputs[1].contiguous()?)?,
        Op::Softmax(_) => {
            let greatest = x().max_keepdim(D::Minus1)?;
            let e = x().broadcast_sub(&greatest)?.exp()?;
            e.broadcast_div(&e.sum_keepdim(D::Minus1)?)?
        }
        Op::Constant(_) => {
            let shape = [&[lanes], tensors[0].dims()].concat();
            tensors[0].broadcast_as(shape)?
        }
        Op::Relu(_) => x().relu()?,
        Op::LeakyRelu(relu) => (x().relu()? - (x().neg()?.relu()? * f64::from(relu.slope))?)?,
        Op::Elu(_) => x().elu(1.0)?,
        Op::Silu(_) => x().silu()?,
        Op::Gelu(gelu) if gelu.tanh => x().gelu()?,
        Op::Gelu(_) => x().gelu_erf()?,
        Op::Sigmoid(_) => (x().neg()?.exp()? + 1.0)?.recip()?,
        Op::Tanh(_) => x().tanh()?,
        Op::Softplus(_) => (x().relu()? + (x().abs()?.neg()?.exp()? + 1.0)?.log()?)?,
        Op::Mish(_) => {
            let softplus = (x().relu()? + (x().abs()?.neg()?.exp()? + 1.0)?.log()?)?;
            (x() * softplus.tanh()?)?
        }
        Op::Exp(_) => x().exp()?,
        Op::Clamp(clamp) => x().clamp(clamp.min, clamp.max)?,
    })
}

fn indices(rows: Vec<u32>) -> Result<Tensor> {
    let count = rows.len();
    Tensor::from_vec(rows, count, &Device::Cpu)
}

/// With so many values above, below, left and right; fewer where there are less than 0.
fn padded(x: &Tensor, padding: [isize; 4], value: f64) -> Result<Tensor> {
    let mut x = x.clone();
    for (axis, sides) in [(2, [padding[0], padding[1]]), (3, [padding[2], padding[3]])] {
        let [before, after] = sides.map(|side| side.min(0).unsigned_abs());
        let len = x.dim(axis)? - before - after;
        x = x.narrow(axis, before, len)?;
        for (first, side) in [(true, sides[0]), (false, sides[1])] {
            if side <= 0 {
                continue;
            }
            let mut shape = x.dims().to_vec();
            shape[axis] = side.unsigned_abs();
            let edge = Tensor::full(value as f32, shape, &Device::Cpu)?;
            let parts = if first { [edge, x] } else { [x, edge] };
            x = Tensor::cat(&parts, axis)?;
        }
    }
    x.contiguous()
}

/// Every so many rows and columns.
fn every(x: &Tensor, [rows, columns]: [usize; 2]) -> Result<Tensor> {
    let of = |size: usize, step: usize| (0..size as u32).step_by(step).collect::<Vec<_>>();
    x.contiguous()?
        .index_select(&indices(of(x.dim(2)?, rows))?, 2)?
        .index_select(&indices(of(x.dim(3)?, columns))?, 3)
}

/// With zeros between rows and columns.
fn spread(x: &Tensor, [rows, columns]: [usize; 2]) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    let x = x.reshape(&[n, c, h, 1, w, 1][..])?;
    let x = x
        .pad_with_zeros(3, 0, rows - 1)?
        .pad_with_zeros(5, 0, columns - 1)?;
    let x = x.reshape((n, c, h * rows, w * columns))?;
    x.narrow(2, 0, (h - 1) * rows + 1)?
        .narrow(3, 0, (w - 1) * columns + 1)?
        .contiguous()
}

/// For every tap of a kernel `[rows, columns, inputs / groups, outputs]` a matrix product. candle 0.9.2's own `conv2d` is
/// wrong on a CPU where there are as many channels as rows and columns (its issue 3404).
fn convolved(x: &Tensor, kernel: &Tensor, dilation: [usize; 2], groups: usize) -> Result<Tensor> {
    let ((n, channels, h, w), (kh, kw, inputs, outputs)) = (x.dims4()?, kernel.dims4()?);
    let (rows, columns) = (h - dilation[0] * (kh - 1), w - dilation[1] * (kw - 1));
    let (each, of_group) = (channels / groups, outputs / groups);
    assert_eq!(each, inputs);
    let mut all = Vec::new();
    for group in 0..groups {
        let x = x.narrow(1, group * each, each)?;
        let mut sum = Tensor::zeros((n, of_group, rows * columns), DType::F32, &Device::Cpu)?;
        for (dy, dx) in (0..kh).flat_map(|dy| (0..kw).map(move |dx| (dy, dx))) {
            let x = x
                .narrow(2, dy * dilation[0], rows)?
                .narrow(3, dx * dilation[1], columns)?
                .reshape((n, each, rows * columns))?;
            let weight = kernel
                .get(dy)?
                .get(dx)?
                .narrow(1, group * of_group, of_group)?;
            sum = (sum + weight.t()?.contiguous()?.broadcast_matmul(&x)?)?;
        }
        all.push(sum.reshape((n, of_group, rows, columns))?);
    }
    Tensor::cat(&all, 1)
}

fn with_bias(y: &Tensor, bias: &Tensor) -> Result<Tensor> {
    y.broadcast_add(&bias.reshape((1, (), 1, 1))?)
}

/// The windows' taps brought together two by two.
fn pooled(
    x: &Tensor,
    kernel: [usize; 2],
    stride: [usize; 2],
    join: fn(&Tensor, &Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    let (rows, columns) = (h - kernel[0] + 1, w - kernel[1] + 1);
    let mut all: Option<Tensor> = None;
    for dy in 0..kernel[0] {
        for dx in 0..kernel[1] {
            let tap = every(&x.narrow(2, dy, rows)?.narrow(3, dx, columns)?, stride)?;
            all = Some(match all {
                None => tap,
                Some(all) => join(&all, &tap)?,
            });
        }
    }
    all.ok_or_else(|| candle_core::Error::Msg("a window of nothing".to_owned()))
}

/// Mean 0 and variance 1 along the last axis, in `f64`, in which large means do not cancel.
fn normed(x: &Tensor, eps: f32) -> Result<Tensor> {
    let x = x.to_dtype(DType::F64)?;
    let off = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = off.sqr()?.mean_keepdim(D::Minus1)?;
    let y = off.broadcast_div(&(variance + f64::from(eps))?.sqrt()?)?;
    y.to_dtype(DType::F32)
}

/// A factor and a summand for each of the axis after the lanes.
fn by_channel(x: &Tensor, scale: &Tensor, shift: &Tensor) -> Result<Tensor> {
    let mut shape = vec![1; x.rank()];
    shape[1] = x.dim(1)?;
    x.broadcast_mul(&scale.reshape(shape.clone())?)?
        .broadcast_add(&shift.reshape(shape)?)
}
