//! The greatest value, or the mean, of windows of a picture.

use serde::{Deserialize, Serialize};

use crate::exact::simd::Path;
use crate::file::Tensor;
use crate::ops::{Kernel, Operation, Shape, shapes};
use bbans_core::{Error, Result};

/// The greatest value of a window: from its first one on, row by row, `x > y ? x : y`. What is beyond the edge does not
/// count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxPool {
    /// Rows and columns of a window.
    pub kernel: [usize; 2],
    /// Rows and columns from a window to the next.
    pub stride: [usize; 2],
    /// Rows and columns beyond the edge above, below, left and right.
    #[serde(default, skip_serializing_if = "shapes::are_zeros")]
    pub padding: [usize; 4],
}

/// The sum of a window, from +0 on, row by row, divided by its size; what is beyond the edge counts as 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AveragePool {
    /// Rows and columns of a window.
    pub kernel: [usize; 2],
    /// Rows and columns from a window to the next.
    pub stride: [usize; 2],
    /// Rows and columns beyond the edge above, below, left and right.
    #[serde(default, skip_serializing_if = "shapes::are_zeros")]
    pub padding: [usize; 4],
}

/// Windows of a picture.
#[derive(Debug, Clone)]
struct Pool {
    /// Channels, rows and columns.
    input: [usize; 3],
    output: [usize; 3],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 4],
}

impl Pool {
    fn new(
        inputs: &[&[usize]],
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 4],
    ) -> Result<Self> {
        let input = shapes::picture(inputs)?;
        shapes::small(&kernel)?;
        shapes::small(&stride)?;
        let mut output = input;
        for axis in [0, 1] {
            let beyond = [padding[2 * axis], padding[2 * axis + 1]];
            let padded = input[axis + 1]
                .saturating_add(beyond[0])
                .saturating_add(beyond[1]);
            // So every window sees a value.
            if beyond.iter().any(|&b| b >= kernel[axis]) || padded < kernel[axis] {
                return Err(Error::model(format!(
                    "windows of {} of {} rows or columns with {beyond:?} beyond the edges; expected \
                     windows that are no larger, and less beyond an edge",
                    kernel[axis],
                    input[axis + 1]
                )));
            }
            output[axis + 1] = (padded - kernel[axis]) / stride[axis] + 1;
        }
        Ok(Self {
            input,
            output,
            kernel,
            stride,
            padding,
        })
    }

    /// Values that are looked at.
    fn cost(&self) -> u64 {
        shapes::product(self.kernel.iter().chain(&self.output))
    }

    /// Features of the input that the window of a feature of the output sees, in order.
    #[inline(always)]
    fn window(&self, f: usize) -> impl Iterator<Item = usize> {
        let [_, rows, columns] = self.output;
        let (channel, row, column) = (f / columns / rows, f / columns % rows, f % columns);
        let range = |axis: usize, at: usize| {
            let start = at * self.stride[axis];
            let before = self.padding[2 * axis];
            let end = (start + self.kernel[axis] - before).min(self.input[axis + 1]);
            start.saturating_sub(before)..end
        };
        let (rows, columns) = (range(0, row), range(1, column));
        let [_, height, width] = self.input;
        rows.flat_map(move |r| {
            columns
                .clone()
                .map(move |c| (channel * height + r) * width + c)
        })
    }

    /// Folds each window, from `start` or else from its first value on.
    #[inline(always)]
    fn fold(
        &self,
        x: &[f32],
        lanes: usize,
        out: &mut [f32],
        start: Option<f32>,
        join: impl Fn(f32, f32) -> f32,
    ) {
        for (f, out) in out.chunks_exact_mut(lanes.max(1)).enumerate() {
            let mut rows = self.window(f).map(|at| &x[at * lanes..][..lanes]);
            match (start, rows.next()) {
                (None, Some(first)) => out.copy_from_slice(first),
                (start, first) => {
                    out.fill(start.unwrap_or(0.0));
                    for (y, &x) in out.iter_mut().zip(first.unwrap_or_default()) {
                        *y = join(*y, x);
                    }
                }
            }
            for row in rows {
                for (y, &x) in out.iter_mut().zip(row) {
                    *y = join(*y, x);
                }
            }
        }
    }
}

#[derive(Debug)]
struct Greatest(Pool);

#[derive(Debug)]
struct Mean(Pool);

impl Kernel for Greatest {
    fn run(&self, path: Path, inputs: &[&[f32]], lanes: usize, out: &mut [f32]) {
        let [x] = inputs else { return };
        path.vectorize(
            #[inline(always)]
            || (self.0).fold(x, lanes, out, None, |y, x| if x > y { x } else { y }),
        );
    }
}

impl Kernel for Mean {
    fn run(&self, path: Path, inputs: &[&[f32]], lanes: usize, out: &mut [f32]) {
        let [x] = inputs else { return };
        let size = (self.0.kernel[0] * self.0.kernel[1]) as f32;
        path.vectorize(
            #[inline(always)]
            || {
                (self.0).fold(x, lanes, out, Some(0.0), |y, x| y + x);
                out.iter_mut().for_each(|y| *y /= size);
            },
        );
    }
}

impl Operation for MaxPool {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        Ok(Pool::new(inputs, self.kernel, self.stride, self.padding)?
            .output
            .to_vec())
    }

    fn multiply_adds(&self, inputs: &[&[usize]]) -> u64 {
        let pool = Pool::new(inputs, self.kernel, self.stride, self.padding);
        pool.map_or(0, |pool| pool.cost())
    }

    fn kernel(&self, inputs: &[&[usize]], _: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        let pool = Pool::new(inputs, self.kernel, self.stride, self.padding)?;
        Ok(Box::new(Greatest(pool)))
    }
}

impl Operation for AveragePool {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        Ok(Pool::new(inputs, self.kernel, self.stride, self.padding)?
            .output
            .to_vec())
    }

    fn multiply_adds(&self, inputs: &[&[usize]]) -> u64 {
        let pool = Pool::new(inputs, self.kernel, self.stride, self.padding);
        pool.map_or(0, |pool| pool.cost())
    }

    fn kernel(&self, inputs: &[&[usize]], _: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        let pool = Pool::new(inputs, self.kernel, self.stride, self.padding)?;
        Ok(Box::new(Mean(pool)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, laws};

    #[test]
    fn both_obey_the_laws() {
        let shape = [2usize, 5, 7];
        let cases = [
            ([2usize, 2], [2usize, 2], [0usize; 4]),
            ([3, 2], [1, 3], [1, 2, 0, 1]),
        ];
        for (kernel, stride, padding) in cases {
            let windows = |x: &[f32]| -> Vec<Vec<f32>> {
                let rows = (5 + padding[0] + padding[1] - kernel[0]) / stride[0] + 1;
                let columns = (7 + padding[2] + padding[3] - kernel[1]) / stride[1] + 1;
                let mut windows = Vec::new();
                for c in 0..2 {
                    for (row, column) in (0..rows).flat_map(|r| (0..columns).map(move |k| (r, k))) {
                        let mut window = Vec::new();
                        for i in 0..kernel[0] {
                            for j in 0..kernel[1] {
                                let r = (row * stride[0] + i).wrapping_sub(padding[0]);
                                let k = (column * stride[1] + j).wrapping_sub(padding[2]);
                                if r < 5 && k < 7 {
                                    window.push(x[(c * 5 + r) * 7 + k]);
                                }
                            }
                        }
                        windows.push(window);
                    }
                }
                windows
            };
            let op = Op::MaxPool(MaxPool {
                kernel,
                stride,
                padding,
            });
            laws::check(&op, &[&shape], |x, _| {
                let greatest = |w: Vec<f32>| w.into_iter().fold(f32::MIN, f32::max);
                windows(x[0]).into_iter().map(greatest).collect()
            });
            let op = Op::AveragePool(AveragePool {
                kernel,
                stride,
                padding,
            });
            let size = (kernel[0] * kernel[1]) as f32;
            laws::check(&op, &[&shape], |x, _| {
                let mean = |w: Vec<f32>| w.into_iter().fold(0.0, |s, x| s + x) / size;
                windows(x[0]).into_iter().map(mean).collect()
            });
        }
        let too_far = MaxPool {
            kernel: [2, 2],
            stride: [1, 1],
            padding: [2, 0, 0, 0],
        };
        assert!(too_far.output(&[&shape]).is_err());
    }
}
