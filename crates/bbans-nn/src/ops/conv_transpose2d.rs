//! Transposed convolution of a picture: what a convolution of the same kernel sees an output from, it adds to
//! that output. An output is the sum over the kernel's rows, its columns, then the input channels, each
//! ascending, of those terms that there are, from the bias on.

use serde::{Deserialize, Serialize};

use crate::exact::simd::Path;
use crate::exact::windows::{Spread, Windows};
use crate::file::Tensor;
use crate::ops::groups::{self, Groups};
use crate::ops::{Kernel, Operation, Shape, TensorSpec, shapes};
use bbans_core::{Error, Result};

/// From `[inputs, rows, columns]` to `[channels, ..]`, with the tensors `weight`,
/// `[kernel rows, kernel columns, inputs / groups, channels]`, and `bias`, `[channels]`.
///
/// Weight `[i, j]` takes row `r`, column `c` to row `r * stride + i * dilation - padding above`, and the
/// column alike; what falls beyond the edge is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvTranspose2d {
    /// Output channels.
    pub channels: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Rows and columns that an input's row or column goes on.
    #[serde(default = "shapes::ones", skip_serializing_if = "shapes::are_ones")]
    pub stride: [usize; 2],
    /// Rows and columns that are cut off above, below, left and right.
    #[serde(default, skip_serializing_if = "shapes::are_zeros")]
    pub padding: [usize; 4],
    /// Rows below and columns to the right that are added.
    #[serde(default, skip_serializing_if = "shapes::are_zeros")]
    pub output_padding: [usize; 2],
    /// Rows and columns from a weight of the kernel to the next.
    #[serde(default = "shapes::ones", skip_serializing_if = "shapes::are_ones")]
    pub dilation: [usize; 2],
    /// Groups of channels.
    #[serde(default = "shapes::unit", skip_serializing_if = "shapes::is_unit")]
    pub groups: usize,
}

impl ConvTranspose2d {
    /// Rows, or columns, of the output.
    fn size(&self, axis: usize, input: usize) -> Result<usize> {
        let (kernel, stride) = (self.kernel[axis], self.stride[axis]);
        let (dilation, added) = (self.dilation[axis], self.output_padding[axis]);
        let [before, after] = [self.padding[2 * axis], self.padding[2 * axis + 1]];
        shapes::small(&[kernel, stride, dilation])?;
        shapes::small_paddings(&[before, after, added])?;
        let whole = (input - 1) * stride + dilation * (kernel - 1) + 1 + added;
        match whole.checked_sub(before + after) {
            Some(size @ 1..) => Ok(size),
            _ => Err(Error::model(format!(
                "padding of {before} and {after} cut off {whole} rows or columns; expected fewer"
            ))),
        }
    }
}

impl Operation for ConvTranspose2d {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        let [channels, rows, columns] = shapes::picture(inputs)?;
        shapes::check_groups(channels, self.channels, self.groups)?;
        let (rows, columns) = (self.size(0, rows)?, self.size(1, columns)?);
        shapes::checked(vec![self.channels, rows, columns])
    }

    fn tensors(&self, inputs: &[&[usize]]) -> Vec<TensorSpec> {
        groups::tensors(inputs, self.kernel, self.channels, self.groups)
    }

    fn multiply_adds(&self, inputs: &[&[usize]]) -> u64 {
        let weights = &self.tensors(inputs)[0].1;
        let pixels = inputs.first().and_then(|shape| shape.get(1..));
        shapes::product(weights.iter().chain(pixels.unwrap_or_default()))
    }

    fn kernel(&self, inputs: &[&[usize]], tensors: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        let output = self.output(inputs)?;
        let [channels, rows, columns] = shapes::picture(inputs)?;
        let [weight, bias] = shapes::tensors(tensors)?;
        let each = channels / self.groups;
        let mut phases = Vec::new();
        let reached = |axis: usize, size: usize| -> Vec<(usize, Vec<(usize, isize)>)> {
            let starts =
                (0..self.stride[axis].min(size)).map(|start| (start, self.taps(axis, start)));
            // Where no weight reaches, nothing comes but the bias.
            starts.filter(|(_, taps)| !taps.is_empty()).collect()
        };
        let of_columns = reached(1, output[2]);
        for (y, downs) in reached(0, output[1]) {
            for (x, rights) in &of_columns {
                let x = *x;
                let mut taps = Vec::new();
                let mut weights = Vec::new();
                for &(i, down) in &downs {
                    for &(j, right) in rights {
                        taps.push([down, right]);
                        let line = each * self.channels;
                        let at = (i * self.kernel[1] + j) * line;
                        weights.extend_from_slice(&weight.values[at..at + line]);
                    }
                }
                let terms = taps.len() * each;
                phases.push(Phase {
                    start: [y, x],
                    groups: Groups::new(&weights, &bias.values, terms, self.groups)?,
                    windows: Windows {
                        input: [rows, columns],
                        outputs: [
                            (output[1] - y).div_ceil(self.stride[0]),
                            (output[2] - x).div_ceil(self.stride[1]),
                        ],
                        step: [1, 1],
                        taps,
                    },
                });
            }
        }
        Ok(Box::new(Transposed {
            phases,
            bias: bias.values.clone(),
            picture: [output[1], output[2]],
            step: self.stride,
        }))
    }
}

impl ConvTranspose2d {
    /// The rows, or columns, of the kernel that reach output `start`, and from which row, or column, of the
    /// input, for every `stride`-th output the next.
    fn taps(&self, axis: usize, start: usize) -> Vec<(usize, isize)> {
        let stride = self.stride[axis] as isize;
        let from = (start + self.padding[2 * axis]) as isize;
        let taps = (0..self.kernel[axis]).map(|k| (k, from - (k * self.dilation[axis]) as isize));
        let reach = taps.filter(|(_, at)| at % stride == 0);
        reach.map(|(k, at)| (k, at / stride)).collect()
    }
}

/// The outputs at every `stride`-th row and column, which the same weights reach.
#[derive(Debug)]
struct Phase {
    start: [usize; 2],
    windows: Windows,
    groups: Groups,
}

#[derive(Debug)]
struct Transposed {
    phases: Vec<Phase>,
    /// What is where no weight reaches.
    bias: Vec<f32>,
    /// Rows and columns of the output.
    picture: [usize; 2],
    step: [usize; 2],
}

impl Kernel for Transposed {
    fn run(&self, path: Path, inputs: &[&[f32]], lanes: usize, out: &mut [f32]) {
        let ([x], 1..) = (inputs, lanes) else {
            return;
        };
        if self.phases.len() < self.step[0] * self.step[1] {
            let channel_len = self.picture[0] * self.picture[1] * lanes;
            for (out, bias) in out.chunks_exact_mut(channel_len).zip(&self.bias) {
                out.fill(*bias);
            }
        }
        for phase in &self.phases {
            let mut place = Spread {
                out,
                picture: self.picture,
                start: phase.start,
                step: self.step,
                columns: phase.windows.outputs[1],
                lanes,
            };
            (phase.groups).run(path, &phase.windows, x, lanes, &mut place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, laws};

    /// The definition, word for word.
    fn definition(
        op: &ConvTranspose2d,
        shape: &[usize],
        x: &[f32],
        tensors: &[&[f32]],
    ) -> Vec<f32> {
        let output = op.output(&[shape]).unwrap();
        let (inputs, each) = (shape[0] / op.groups, op.channels / op.groups);
        // The row or column of the input that weight `k` takes to `to`.
        let from = |axis: usize, to: usize, k: usize| {
            let at = (to + op.padding[2 * axis]).checked_sub(k * op.dilation[axis])?;
            let from = at / op.stride[axis];
            (at % op.stride[axis] == 0 && from < shape[axis + 1]).then_some(from)
        };
        let mut out = Vec::new();
        for c in 0..op.channels {
            for y in 0..output[1] {
                for x_at in 0..output[2] {
                    let mut sum = tensors[1][c];
                    for i in 0..op.kernel[0] {
                        for j in 0..op.kernel[1] {
                            let (Some(row), Some(column)) = (from(0, y, i), from(1, x_at, j))
                            else {
                                continue;
                            };
                            for k in 0..inputs {
                                let w = (i * op.kernel[1] + j) * inputs + k;
                                let from = c / each * inputs + k;
                                sum += x[(from * shape[1] + row) * shape[2] + column]
                                    * tensors[0][w * op.channels + c];
                            }
                        }
                    }
                    out.push(sum);
                }
            }
        }
        out
    }

    #[test]
    fn obeys_the_laws() {
        let plain = ConvTranspose2d {
            channels: 6,
            kernel: [4, 4],
            stride: [2, 2],
            padding: [1; 4],
            output_padding: [0, 0],
            dilation: [1, 1],
            groups: 1,
        };
        let cases = [
            (plain.clone(), [2, 3, 5]),
            (
                ConvTranspose2d {
                    kernel: [3, 3],
                    output_padding: [1, 0],
                    ..plain.clone()
                },
                [3, 4, 4],
            ),
            // Outputs that nothing reaches but the bias.
            (
                ConvTranspose2d {
                    kernel: [1, 2],
                    stride: [3, 3],
                    padding: [0; 4],
                    ..plain.clone()
                },
                [2, 3, 2],
            ),
            (
                ConvTranspose2d {
                    dilation: [3, 2],
                    padding: [2, 0, 1, 3],
                    ..plain.clone()
                },
                [2, 4, 3],
            ),
            (
                ConvTranspose2d {
                    channels: 4,
                    groups: 4,
                    ..plain.clone()
                },
                [4, 9, 8],
            ),
            // Outputs that see nothing but what is beyond an edge, on either side, of enough lanes and channels to be
            // taken by lines.
            (
                ConvTranspose2d {
                    kernel: [1, 3],
                    stride: [1, 1],
                    padding: [0, 0, 5, 0],
                    output_padding: [0, 2],
                    ..plain.clone()
                },
                [8, 2, 2],
            ),
            (
                ConvTranspose2d {
                    kernel: [1, 2],
                    stride: [1, 2],
                    padding: [0, 0, 0, 40],
                    dilation: [1, 41],
                    ..plain.clone()
                },
                [8, 2, 2],
            ),
            (
                ConvTranspose2d {
                    channels: 8,
                    groups: 2,
                    stride: [1, 2],
                    ..plain
                },
                [4, 3, 3],
            ),
        ];
        for (op, shape) in cases {
            laws::check(&Op::ConvTranspose2d(op.clone()), &[&shape], |x, tensors| {
                definition(&op, &shape, x[0], tensors)
            });
        }
    }
}
