//! Convolution of a picture.

use bbans_nn::ops::{Conv2d, ConvTranspose2d};
use candle_core::{Result, Tensor};
use candle_nn::Init;

use super::fused::{Fused, Pass};
use super::taps::{Kernel, backward, convolved, padded};
use super::{Trained, ZEROS, glorot};

impl Trained for Conv2d {
    fn forward(&self, inputs: &[Tensor], tensors: &[Tensor], _: usize) -> Result<Tensor> {
        let x = padded(&inputs[0], self.padding.map(|n| n as isize), 0.0)?;
        convolved(&x, tensors, self.stride, self.dilation, self.groups)
    }

    fn init(&self, inputs: &[&[usize]]) -> Vec<Init> {
        let taps = self.kernel[0] * self.kernel[1];
        let each = |channels: usize| taps * channels / self.groups;
        vec![glorot(each(inputs[0][0]), each(self.channels)), ZEROS]
    }

    fn fused(&self) -> Option<&dyn Fused> {
        Some(self)
    }
}

impl Fused for Conv2d {
    fn backward(&self, pass: &Pass<'_>) -> Result<Vec<Vec<f32>>> {
        let kernel = Kernel {
            size: self.kernel,
            stride: self.stride,
            dilation: self.dilation,
            before: [self.padding[0], self.padding[2]],
            groups: self.groups,
        };
        let by_input = |output: &[usize], weight| by_input(self, pass, output, weight);
        backward(pass, &kernel, false, by_input)
    }
}

/// A transposed convolution of the derivatives by the output.
fn by_input(
    conv: &Conv2d,
    pass: &Pass<'_>,
    output: &[usize],
    weight: Vec<f32>,
) -> Result<Vec<f32>> {
    let input = pass.shapes[0];
    let more = |axis: usize| {
        let reach = conv.dilation[axis] * (conv.kernel[axis] - 1) + 1;
        let [before, after] = [conv.padding[2 * axis], conv.padding[2 * axis + 1]];
        let seen = (output[axis + 1] - 1) * conv.stride[axis] + reach;
        input[axis + 1] + before + after - seen
    };
    let op = ConvTranspose2d {
        channels: input[0],
        kernel: conv.kernel,
        stride: conv.stride,
        padding: conv.padding,
        output_padding: [more(0), more(1)],
        dilation: conv.dilation,
        groups: conv.groups,
    };
    super::fused::run(&op, output, weight, input[0], pass).map(|(values, _)| values)
}
