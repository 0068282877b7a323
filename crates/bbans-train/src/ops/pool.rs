//! The greatest value, or the mean, of windows of a picture.

use bbans_nn::ops::{AveragePool, MaxPool};
use candle_core::{Result, Tensor};

use super::fused::{Fused, Pass};
use super::taps::{every, padded};
use super::{Trained, shape_of};

impl Trained for MaxPool {
    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: usize) -> Result<Tensor> {
        let x = padded(
            &inputs[0],
            self.padding.map(|n| n as isize),
            f32::NEG_INFINITY,
        )?;
        pooled(&x, self.kernel, self.stride, |a, b| a.maximum(b))
    }

    fn fused(&self) -> Option<&dyn Fused> {
        Some(self)
    }
}

impl Trained for AveragePool {
    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: usize) -> Result<Tensor> {
        let x = padded(&inputs[0], self.padding.map(|n| n as isize), 0.0)?;
        let sums = pooled(&x, self.kernel, self.stride, |a, b| a + b)?;
        sums / (self.kernel[0] * self.kernel[1]) as f64
    }

    fn fused(&self) -> Option<&dyn Fused> {
        Some(self)
    }
}

/// The windows' taps brought together two by two.
fn pooled(
    x: &Tensor,
    kernel: [usize; 2],
    stride: [usize; 2],
    join: fn(&Tensor, &Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let (_, height, width, _) = x.dims4()?;
    let sizes = [
        (height - kernel[0]) / stride[0] + 1,
        (width - kernel[1]) / stride[1] + 1,
    ];
    let mut all: Option<Tensor> = None;
    for dy in 0..kernel[0] {
        for dx in 0..kernel[1] {
            let tap = every(x, [dy, dx], sizes, stride)?;
            all = Some(match all {
                None => tap,
                Some(all) => join(&all, &tap)?,
            });
        }
    }
    match all {
        Some(all) => Ok(all),
        None => candle_core::bail!("windows of nothing, of shape {:?}", shape_of(x)),
    }
}

/// Calls `f` with the number of each output and of the inputs that its window has, row by row.
fn each_window(
    pass: &Pass<'_>,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 4],
    mut f: impl FnMut(usize, &mut dyn Iterator<Item = usize>),
) {
    let &[channels, height, width] = pass.shapes[0] else {
        return;
    };
    let size = |axis: usize, input: usize| {
        (input + padding[2 * axis] + padding[2 * axis + 1] - kernel[axis]) / stride[axis] + 1
    };
    let range = |axis: usize, at: usize, input: usize| {
        let (start, before) = (at * stride[axis], padding[2 * axis]);
        let end = (start + kernel[axis]).saturating_sub(before).min(input);
        start.saturating_sub(before)..end
    };
    let mut output = 0;
    for channel in 0..channels {
        for row in 0..size(0, height) {
            for column in 0..size(1, width) {
                let columns = range(1, column, width);
                let rows = range(0, row, height);
                let mut window = rows.flat_map(|y| {
                    let first = (channel * height + y) * width;
                    columns.clone().map(move |x| first + x)
                });
                f(output, &mut window);
                output += 1;
            }
        }
    }
}

impl Fused for MaxPool {
    fn backward(&self, pass: &Pass<'_>) -> Result<Vec<Vec<f32>>> {
        let (x, lanes) = (pass.values[0], pass.lanes);
        let mut by_x = vec![0.0f32; x.len()];
        each_window(
            pass,
            self.kernel,
            self.stride,
            self.padding,
            |output, window| {
                let window: Vec<usize> = window.collect();
                for lane in 0..lanes {
                    let greatest = pass.output[output * lanes + lane];
                    // The first of those that are as great.
                    let mut places = window.iter().map(|i| i * lanes + lane);
                    if let Some(place) = places.find(|&place| x[place] == greatest) {
                        by_x[place] += pass.gradient[output * lanes + lane];
                    }
                }
            },
        );
        Ok(vec![by_x])
    }
}

impl Fused for AveragePool {
    fn backward(&self, pass: &Pass<'_>) -> Result<Vec<Vec<f32>>> {
        let lanes = pass.lanes;
        let part = 1.0 / (self.kernel[0] * self.kernel[1]) as f32;
        let mut by_x = vec![0.0f32; pass.values[0].len()];
        each_window(
            pass,
            self.kernel,
            self.stride,
            self.padding,
            |output, window| {
                let row = &pass.gradient[output * lanes..][..lanes];
                for i in window {
                    let to = by_x[i * lanes..][..lanes].iter_mut();
                    to.zip(row).for_each(|(to, d)| *to += d * part);
                }
            },
        );
        Ok(vec![by_x])
    }
}
