//! Transposed convolution of a picture.

use bbans_nn::ops::{Conv2d, ConvTranspose2d};
use candle_core::{Result, Tensor};
use candle_nn::Init;

use super::fused::{Fused, Pass};
use super::taps::{Kernel, backward, convolved, padded, spread};
use super::{Trained, ZEROS, glorot};

impl Trained for ConvTranspose2d {
    /// A convolution of the input with zeros in between, with the kernel turned around.
    fn forward(&self, inputs: &[Tensor], tensors: &[Tensor], _: usize) -> Result<Tensor> {
        let kernel = tensors[0].flip(&[0, 1])?;
        let around = |axis: usize, padding: usize| {
            (self.dilation[axis] * (self.kernel[axis] - 1)) as isize - padding as isize
        };
        let [above, below, left, right] = self.padding;
        let [more_rows, more_columns] = self.output_padding.map(|n| n as isize);
        let padding = [
            around(0, above),
            around(0, below) + more_rows,
            around(1, left),
            around(1, right) + more_columns,
        ];
        let x = padded(&spread(&inputs[0], self.stride)?, padding, 0.0)?;
        let tensors = [kernel, tensors[1].clone()];
        convolved(&x, &tensors, [1, 1], self.dilation, self.groups)
    }

    /// As many terms come together as fall on an output, on average.
    fn init(&self, inputs: &[&[usize]]) -> Vec<Init> {
        let taps = self.kernel[0] * self.kernel[1];
        let steps = self.stride[0] * self.stride[1];
        let fan_in = (taps * inputs[0][0] / self.groups).div_ceil(steps);
        vec![glorot(fan_in, taps * self.channels / self.groups), ZEROS]
    }

    fn fused(&self) -> Option<&dyn Fused> {
        Some(self)
    }
}

impl Fused for ConvTranspose2d {
    fn backward(&self, pass: &Pass<'_>) -> Result<Vec<Vec<f32>>> {
        let kernel = Kernel {
            size: self.kernel,
            stride: self.stride,
            dilation: self.dilation,
            before: [self.padding[0], self.padding[2]],
            groups: self.groups,
        };
        let by_input = |output: &[usize], weight| by_input(self, pass, output, weight);
        backward(pass, &kernel, true, by_input)
    }
}

/// A convolution of the derivatives by the output.
fn by_input(
    conv: &ConvTranspose2d,
    pass: &Pass<'_>,
    output: &[usize],
    weight: Vec<f32>,
) -> Result<Vec<f32>> {
    let input = pass.shapes[0];
    let op = Conv2d {
        channels: input[0],
        kernel: conv.kernel,
        stride: conv.stride,
        padding: conv.padding,
        dilation: conv.dilation,
        groups: conv.groups,
    };
    let (values, shape) = super::fused::run(&op, output, weight, input[0], pass)?;
    if shape == input {
        return Ok(values);
    }
    // Rows and columns that are added to the output, and that a stride reaches, have no input.
    let line = input[2] * pass.lanes;
    let lines = values.chunks_exact(shape[2] * pass.lanes).enumerate();
    let of_input = lines.filter(|(i, _)| i % shape[1] < input[1]);
    Ok(of_input
        .flat_map(|(_, from)| &from[..line])
        .copied()
        .collect())
}
