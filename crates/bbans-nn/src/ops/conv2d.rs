//! Convolution of a picture: over the kernel's rows, its columns, then the input channels, each ascending,
//! `y = y + x w`, from the bias on. Beyond the edge `x` is +0, whose terms change no sum.

use serde::{Deserialize, Serialize};

use crate::exact::dense;
use crate::exact::simd::Path;
use crate::exact::windows::{InOrder, Windows};
use crate::file::Tensor;
use crate::ops::groups::{self, Groups};
use crate::ops::{Kernel, Operation, Shape, TensorSpec, shapes};
use bbans_core::{Error, Result};

/// From `[inputs, rows, columns]` to `[channels, ..]`, with the tensors `weight`,
/// `[kernel rows, kernel columns, inputs / groups, channels]`, and `bias`, `[channels]`.
///
/// Input channel `i` is of group `i / (inputs / groups)`, output channel `c` of group
/// `c / (channels / groups)`; an output sees the inputs of its group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2d {
    /// Output channels.
    pub channels: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Rows and columns from an output to the next.
    #[serde(default = "shapes::ones", skip_serializing_if = "shapes::are_ones")]
    pub stride: [usize; 2],
    /// Zeros above, below, left and right.
    #[serde(default, skip_serializing_if = "shapes::are_zeros")]
    pub padding: [usize; 4],
    /// Rows and columns from a weight of the kernel to the next.
    #[serde(default = "shapes::ones", skip_serializing_if = "shapes::are_ones")]
    pub dilation: [usize; 2],
    /// Groups of channels.
    #[serde(default = "shapes::unit", skip_serializing_if = "shapes::is_unit")]
    pub groups: usize,
}

impl Conv2d {
    /// Rows, or columns, of the output.
    fn size(&self, axis: usize, input: usize) -> Result<usize> {
        let (kernel, stride) = (self.kernel[axis], self.stride[axis]);
        let dilation = self.dilation[axis];
        let [before, after] = [self.padding[2 * axis], self.padding[2 * axis + 1]];
        shapes::small(&[kernel, stride, dilation])?;
        shapes::small_paddings(&[before, after])?;
        let (padded, reach) = (input + before + after, dilation * (kernel - 1) + 1);
        match padded.checked_sub(reach) {
            Some(rest) => Ok(rest / stride + 1),
            None => Err(Error::model(format!(
                "a kernel that reaches over {reach} of {padded} rows or columns; expected no more"
            ))),
        }
    }
}

impl Operation for Conv2d {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        let [channels, rows, columns] = shapes::picture(inputs)?;
        shapes::check_groups(channels, self.channels, self.groups)?;
        let size = |axis: usize, input: usize| {
            let of_input = |e: Error| e.context(format!("an input of shape {:?}", inputs[0]));
            self.size(axis, input).map_err(of_input)
        };
        let (rows, columns) = (size(0, rows)?, size(1, columns)?);
        shapes::checked(vec![self.channels, rows, columns])
    }

    fn tensors(&self, inputs: &[&[usize]]) -> Vec<TensorSpec> {
        groups::tensors(inputs, self.kernel, self.channels, self.groups)
    }

    fn multiply_adds(&self, inputs: &[&[usize]]) -> u64 {
        let outputs = self.output(inputs).unwrap_or_default();
        let weights = &self.tensors(inputs)[0].1[..3];
        shapes::product(weights.iter().chain(&outputs))
    }

    fn kernel(&self, inputs: &[&[usize]], tensors: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        let output = self.output(inputs)?;
        let [channels, rows, columns] = shapes::picture(inputs)?;
        let [weight, bias] = shapes::tensors(tensors)?;
        let taps = (0..self.kernel[0]).flat_map(|y| (0..self.kernel[1]).map(move |x| [y, x]));
        let [top, _, left, _] = self.padding;
        let at = |[y, x]: [usize; 2]| {
            let [down, right] = self.dilation;
            [
                shapes::offset(y * down, top),
                shapes::offset(x * right, left),
            ]
        };
        let windows = Windows {
            input: [rows, columns],
            outputs: [output[1], output[2]],
            step: self.stride,
            taps: taps.map(at).collect(),
        };
        let terms = windows.taps.len() * (channels / self.groups);
        Ok(Box::new(Convolution {
            groups: Groups::new(&weight.values, &bias.values, terms, self.groups)?,
            windows,
        }))
    }
}

/// A convolution's weights, and where they look.
#[derive(Debug)]
struct Convolution {
    windows: Windows,
    groups: Groups,
}

impl Convolution {
    /// The dense layer that a kernel of one row and column is at every position of the picture.
    fn at_every_position(&self) -> Option<&dense::Dense> {
        let Windows {
            input,
            outputs,
            step,
            taps,
        } = &self.windows;
        let (Groups::Dense(layers), [[0, 0]], [1, 1]) = (&self.groups, &taps[..], step) else {
            return None;
        };
        match &layers[..] {
            [layer] if input == outputs => Some(layer),
            _ => None,
        }
    }
}

impl Kernel for Convolution {
    fn run(&self, path: Path, inputs: &[&[f32]], lanes: usize, out: &mut [f32]) {
        let positions = self.windows.positions(lanes);
        if let ([x], 1..) = (inputs, positions) {
            if let Some(layer) = self.at_every_position() {
                return layer.product(path, &[x], positions, 0, out);
            }
            let mut place = InOrder { out, positions };
            self.groups.run(path, &self.windows, x, lanes, &mut place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, laws};

    /// The definition, word for word.
    fn definition(op: &Conv2d, shape: &[usize], x: &[f32], tensors: &[&[f32]]) -> Vec<f32> {
        let output = op.output(&[shape]).unwrap();
        let (inputs, each) = (shape[0] / op.groups, op.channels / op.groups);
        let mut out = Vec::new();
        for c in 0..op.channels {
            for y in 0..output[1] {
                for x_at in 0..output[2] {
                    let mut sum = tensors[1][c];
                    for i in 0..op.kernel[0] {
                        for j in 0..op.kernel[1] {
                            let row = (y * op.stride[0] + i * op.dilation[0])
                                .checked_sub(op.padding[0])
                                .filter(|&row| row < shape[1]);
                            let column = (x_at * op.stride[1] + j * op.dilation[1])
                                .checked_sub(op.padding[2])
                                .filter(|&column| column < shape[2]);
                            let (Some(row), Some(column)) = (row, column) else {
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

    fn plain() -> Conv2d {
        Conv2d {
            channels: 6,
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1; 4],
            dilation: [1, 1],
            groups: 1,
        }
    }

    #[test]
    fn obeys_the_laws() {
        let plain = plain();
        let cases = [
            (plain.clone(), [2, 5, 7]),
            (
                Conv2d {
                    channels: 33,
                    kernel: [1, 1],
                    padding: [0; 4],
                    ..plain.clone()
                },
                [5, 3, 4],
            ),
            (
                Conv2d {
                    stride: [2, 2],
                    padding: [0, 1, 2, 0],
                    ..plain.clone()
                },
                [3, 8, 9],
            ),
            (
                Conv2d {
                    dilation: [2, 3],
                    padding: [2, 1, 3, 3],
                    ..plain.clone()
                },
                [2, 6, 5],
            ),
            (
                Conv2d {
                    groups: 3,
                    kernel: [2, 4],
                    ..plain.clone()
                },
                [9, 4, 6],
            ),
            (
                Conv2d {
                    channels: 8,
                    groups: 2,
                    ..plain.clone()
                },
                [4, 4, 6],
            ),
            (
                Conv2d {
                    channels: 5,
                    groups: 5,
                    ..plain.clone()
                },
                [5, 40, 70],
            ),
            // Padding beyond the kernel, which then sees nothing.
            (
                Conv2d {
                    kernel: [2, 2],
                    padding: [5; 4],
                    ..plain
                },
                [1, 1, 2],
            ),
        ];
        for (op, shape) in cases {
            laws::check(&Op::Conv2d(op.clone()), &[&shape], |x, tensors| {
                definition(&op, &shape, x[0], tensors)
            });
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_named() {
        let op = |text: &str| serde_json::from_str::<Op>(text).unwrap();
        for (text, shape, expected) in [
            (
                r#"{"op":"conv2d","channels":4,"kernel":[3,3]}"#,
                &[1, 2, 9][..],
                "reaches over 3 of 2",
            ),
            (
                r#"{"op":"conv2d","channels":4,"kernel":[3,0]}"#,
                &[1, 9, 9],
                "expected 1 to",
            ),
            (
                r#"{"op":"conv2d","channels":4,"kernel":[1,1]}"#,
                &[9, 9],
                "[channels, rows, columns]",
            ),
            (
                r#"{"op":"conv2d","channels":4,"kernel":[1,1],"groups":3}"#,
                &[3, 9, 9],
                "3 groups",
            ),
            (
                r#"{"op":"conv2d","channels":16777216,"kernel":[1,1]}"#,
                &[1, 9, 9],
                "product",
            ),
        ] {
            let e = op(text).operation().output(&[shape]).unwrap_err();
            assert!(format!("{e:#}").contains(expected), "{text}: {e:#}");
        }
        let far = Conv2d {
            padding: [usize::MAX, 0, 0, 0],
            ..plain()
        };
        let e = far.output(&[&[1, 9, 9]]).unwrap_err();
        assert!(format!("{e:#}").contains("a padding of"), "{e}");
        // A product of sizes beyond 64 bits is one that no limit allows.
        let wide = Conv2d {
            channels: 1 << 24,
            kernel: [1024; 2],
            padding: [511, 512, 511, 512],
            ..plain()
        };
        assert_eq!(wide.multiply_adds(&[&[1 << 24, 1, 1]]), u64::MAX);
        let unknown = r#"{"op":"conv2d","channels":4,"kernel":[3,3],"bias":false}"#;
        assert!(serde_json::from_str::<Op>(unknown).is_err());
    }
}
