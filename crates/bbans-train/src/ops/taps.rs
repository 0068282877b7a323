//! Pictures seen through the taps of a kernel: what convolutions share.

use candle_core::{Device, Result, Tensor, bail};

use super::fused::Pass;
use crate::product::{Rows, add_scalar_products};

/// `[channels, rows, columns, lanes]` with so many more rows above and below and columns left and right; fewer where
/// there are less than 0.
pub(super) fn padded(x: &Tensor, padding: [isize; 4], value: f32) -> Result<Tensor> {
    let mut x = x.clone();
    for (axis, sides) in [(1, [padding[0], padding[1]]), (2, [padding[2], padding[3]])] {
        let [before, after] = sides.map(|side| side.min(0).unsigned_abs());
        let rest = x.dim(axis)? - before - after;
        x = x.narrow(axis, before, rest)?;
        for (first, side) in [(true, sides[0]), (false, sides[1])] {
            if side <= 0 {
                continue;
            }
            let mut shape = x.dims().to_vec();
            shape[axis] = side.unsigned_abs();
            let edge = Tensor::full(value, shape, x.device())?;
            let parts = if first { [edge, x] } else { [x, edge] };
            x = Tensor::cat(&parts, axis)?;
        }
    }
    Ok(x)
}

/// Of `[channels, rows, columns, lanes]` so many rows and columns, from the first on every so many.
pub(super) fn every(
    x: &Tensor,
    first: [usize; 2],
    sizes: [usize; 2],
    steps: [usize; 2],
) -> Result<Tensor> {
    let mut x = x.clone();
    for axis in [0, 1] {
        let (first, size, step) = (first[axis], sizes[axis], steps[axis]);
        x = match step {
            1 => x.narrow(axis + 1, first, size)?,
            _ => {
                let at = (0..size).map(|i| (first + i * step) as u32);
                let at = Tensor::from_iter(at, &Device::Cpu)?.to_device(x.device())?;
                x.contiguous()?.index_select(&at, axis + 1)?
            }
        };
    }
    Ok(x)
}

/// With zeros between rows and columns, so that they are so many apart.
pub(super) fn spread(x: &Tensor, [down, right]: [usize; 2]) -> Result<Tensor> {
    let (channels, height, width, lanes) = x.dims4()?;
    let x = x.reshape(&[channels, height, 1, width, 1, lanes][..])?;
    let x = x
        .pad_with_zeros(2, 0, down - 1)?
        .pad_with_zeros(4, 0, right - 1)?;
    let x = x.reshape((channels, height * down, width * right, lanes))?;
    x.narrow(1, 0, (height - 1) * down + 1)?
        .narrow(2, 0, (width - 1) * right + 1)
}

/// A convolution of a picture that is padded already, with a kernel `[rows, columns, inputs / groups, channels]`: for
/// every tap a matrix product. (candle 0.9.2's own `conv2d` is wrong on a CPU where there are as many channels as
/// rows and columns, its issue 3404.)
pub(super) fn convolved(
    x: &Tensor,
    tensors: &[Tensor],
    stride: [usize; 2],
    dilation: [usize; 2],
    groups: usize,
) -> Result<Tensor> {
    let (kernel_rows, kernel_columns, inputs, channels) = tensors[0].dims4()?;
    let (_, height, width, lanes) = x.dims4()?;
    let size = |size: usize, kernel: usize, axis: usize| {
        (size - dilation[axis] * (kernel - 1) - 1) / stride[axis] + 1
    };
    let sizes = [size(height, kernel_rows, 0), size(width, kernel_columns, 1)];
    let each = channels / groups;
    let mut all = Vec::new();
    for group in 0..groups {
        let x = x.narrow(0, group * inputs, inputs)?;
        let mut sum: Option<Tensor> = None;
        for i in 0..kernel_rows {
            for j in 0..kernel_columns {
                let x = every(&x, [i * dilation[0], j * dilation[1]], sizes, stride)?;
                let x = x.reshape((inputs, sizes[0] * sizes[1] * lanes))?;
                let weight = tensors[0].get(i)?.get(j)?;
                let weight = weight.narrow(1, group * each, each)?.t()?;
                let term = weight.contiguous()?.matmul(&x)?;
                sum = Some(match sum {
                    None => term,
                    Some(sum) => (sum + term)?,
                });
            }
        }
        all.extend(sum);
    }
    let y = Tensor::cat(&all, 0)?.broadcast_add(&tensors[1].unsqueeze(1)?)?;
    y.reshape((channels, sizes[0], sizes[1], lanes))
}

/// `[taps, rows, columns]` of groups, `rows` of one of them and `columns` of all, as `[taps, columns, rows]`: `columns`
/// of one and `rows` of all.
fn transposed(weight: &[f32], taps: usize, rows: usize, columns: usize, groups: usize) -> Vec<f32> {
    let each = columns / groups;
    let mut out = vec![0.0; weight.len()];
    let all_rows = rows * groups;
    for tap in 0..taps {
        for row in 0..rows {
            for column in 0..columns {
                let (group, within) = (column / each, column % each);
                out[(tap * each + within) * all_rows + group * rows + row] =
                    weight[(tap * rows + row) * columns + column];
            }
        }
    }
    out
}

/// Values `[channels, rows, columns, lanes]`.
#[derive(Clone, Copy)]
struct Picture<'a> {
    values: &'a [f32],
    channels: usize,
    rows: usize,
    columns: usize,
}

impl<'a> Picture<'a> {
    fn new(values: &'a [f32], shape: &[usize]) -> Result<Self> {
        let &[channels, rows, columns] = shape else {
            bail!("a convolution of what is no picture, of shape {shape:?}");
        };
        Ok(Self {
            values,
            channels,
            rows,
            columns,
        })
    }
}

/// How a kernel lies on a picture.
pub(super) struct Kernel {
    pub size: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Rows above and columns to the left of the picture.
    pub before: [usize; 2],
    pub groups: usize,
}

impl Kernel {
    /// The derivatives by a kernel's weights: for every tap, over all positions of the smaller picture and all lanes, the
    /// products of its channels and of those that the tap sees in the larger. Rows of the result are channels of the larger
    /// picture, columns those of the smaller, or with `turned` the other way around.
    fn by_weights(
        &self,
        small: Picture<'_>,
        large: Picture<'_>,
        lanes: usize,
        turned: bool,
    ) -> Vec<f32> {
        let groups = self.groups;
        let each = [large.channels / groups, small.channels / groups];
        let [rows, columns] = if turned {
            [each[1], large.channels]
        } else {
            [each[0], small.channels]
        };
        let mut out = vec![0.0; self.size[0] * self.size[1] * rows * columns];
        let phases = Phases::new(large, self.stride[1], lanes);
        let starts = |channels: usize, size: usize| -> Vec<usize> {
            (0..channels).map(|c| c * size * lanes).collect()
        };
        let of_large = starts(each[0], phases.size());
        let of_small = starts(each[1], small.rows * small.columns);
        let taps = (0..self.size[0]).flat_map(|i| (0..self.size[1]).map(move |j| [i, j]));
        for (tap, [i, j]) in taps.enumerate() {
            let off = |axis: usize, at: usize| {
                (at * self.dilation[axis]) as isize - self.before[axis] as isize
            };
            let seen = self.seen(1, off(1, j), small.columns, large.columns);
            let ys = self.seen(0, off(0, i), small.rows, large.rows);
            if seen.is_empty() {
                continue;
            }
            for y in ys {
                let row = (y * self.stride[0]).saturating_add_signed(off(0, i));
                let from = phases.at(row, seen.start, off(1, j)) * lanes;
                let to = (y * small.columns + seen.start) * lanes;
                for group in 0..groups {
                    let first = group * each[0] * phases.size() * lanes;
                    let of_large = Rows {
                        values: &phases.values()[first + from..],
                        starts: &of_large,
                    };
                    let first = group * each[1] * small.rows * small.columns * lanes;
                    let of_small = Rows {
                        values: &small.values[first + to..],
                        starts: &of_small,
                    };
                    let (x, y, within) = match turned {
                        false => (of_large, of_small, group * each[1]),
                        true => (of_small, of_large, group * each[0]),
                    };
                    let out = &mut out[tap * rows * columns + within..];
                    add_scalar_products(x, y, seen.len() * lanes, out, columns);
                }
            }
        }
        out
    }

    /// The positions of the smaller picture whose tap, so far off, lies in the larger.
    fn seen(&self, axis: usize, off: isize, small: usize, large: usize) -> std::ops::Range<usize> {
        let stride = self.stride[axis];
        let start = (-off).max(0).unsigned_abs().div_ceil(stride);
        let end = (large as isize - off)
            .max(0)
            .unsigned_abs()
            .div_ceil(stride);
        start..end.min(small).max(start)
    }
}

/// A picture whose columns lie so that those a stride apart are neighbours.
enum Phases<'a> {
    /// A stride of 1.
    Whole(Picture<'a>),
    Cut {
        values: Vec<f32>,
        rows: usize,
        stride: usize,
        /// Columns of a phase.
        columns: usize,
    },
}

impl<'a> Phases<'a> {
    fn new(picture: Picture<'a>, stride: usize, lanes: usize) -> Self {
        if stride == 1 {
            return Self::Whole(picture);
        }
        let columns = picture.columns.div_ceil(stride);
        let lines = picture.channels * picture.rows;
        let mut values = vec![0.0; lines * stride * columns * lanes];
        let whole = picture.values.chunks_exact(picture.columns * lanes);
        for (line, to) in whole.zip(values.chunks_exact_mut(stride * columns * lanes)) {
            for (column, from) in line.chunks_exact(lanes).enumerate() {
                let at = (column % stride * columns + column / stride) * lanes;
                to[at..at + lanes].copy_from_slice(from);
            }
        }
        Self::Cut {
            values,
            rows: picture.rows,
            stride,
            columns,
        }
    }

    fn values(&self) -> &[f32] {
        match self {
            Self::Whole(picture) => picture.values,
            Self::Cut { values, .. } => values,
        }
    }

    /// Positions of a channel.
    fn size(&self) -> usize {
        match self {
            Self::Whole(picture) => picture.rows * picture.columns,
            Self::Cut {
                rows,
                stride,
                columns,
                ..
            } => rows * stride * columns,
        }
    }

    /// Where column `x` times the stride, so far off, of a row lies.
    fn at(&self, row: usize, x: usize, off: isize) -> usize {
        match self {
            Self::Whole(picture) => row * picture.columns + x.saturating_add_signed(off),
            Self::Cut {
                stride, columns, ..
            } => {
                let column = (x * stride).saturating_add_signed(off);
                (row * stride + column % stride) * columns + column / stride
            }
        }
    }
}

/// The sum of each channel's values.
fn by_biases(picture: Picture<'_>, lanes: usize) -> Vec<f32> {
    let size = picture.rows * picture.columns * lanes;
    picture
        .values
        .chunks_exact(size)
        .map(crate::product::sum)
        .collect()
}

/// Derivatives of a convolution, or with `turned` of a transposed one: those by the input, if they are wanted, come from
/// `by_input`.
pub(super) fn backward(
    pass: &Pass<'_>,
    kernel: &Kernel,
    turned: bool,
    by_input: impl Fn(&[usize], Vec<f32>) -> Result<Vec<f32>>,
) -> Result<Vec<Vec<f32>>> {
    let output = super::fused::output(pass)?;
    let [x, d] = [
        Picture::new(pass.values[0], pass.shapes[0])?,
        Picture::new(pass.gradient, &output)?,
    ];
    let by_x = match pass.of_input {
        true => {
            let taps = kernel.size[0] * kernel.size[1];
            let each = x.channels / kernel.groups;
            let weight = transposed(pass.values[1], taps, each, d.channels, kernel.groups);
            by_input(&output, weight)?
        }
        false => Vec::new(),
    };
    let [small, large] = if turned { [x, d] } else { [d, x] };
    Ok(vec![
        by_x,
        kernel.by_weights(small, large, pass.lanes, turned),
        by_biases(d, pass.lanes),
    ])
}
