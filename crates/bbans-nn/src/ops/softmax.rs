//! Weights that sum to 1 along the last axis.

use serde::{Deserialize, Serialize};

use crate::exact::math;
use crate::exact::simd::Path;
use crate::file::Tensor;
use crate::ops::{Kernel, Operation, Shape, shapes};
use bbans_core::Result;

/// With `m` the greatest of the last axis: `e_i = exp(x_i - m)`, `s = e_0 + e_1 + ..` in this order, `y_i = e_i / s`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Softmax {}

impl Operation for Softmax {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        let input = shapes::one(inputs)?;
        shapes::first(input)?;
        Ok(input.to_vec())
    }

    fn kernel(&self, inputs: &[&[usize]], _: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        let shape = self.output(inputs)?;
        Ok(Box::new(Weights(shape.last().copied().unwrap_or(1))))
    }
}

/// Of so many values each.
#[derive(Debug)]
struct Weights(usize);

impl Kernel for Weights {
    fn run(&self, path: Path, inputs: &[&[f32]], lanes: usize, out: &mut [f32]) {
        let ([x], 1..) = (inputs, lanes) else { return };
        path.vectorize(
            #[inline(always)]
            || {
                let (mut greatest, mut sum) = (vec![0.0; lanes], vec![0.0; lanes]);
                let parts = x.chunks_exact(self.0 * lanes);
                for (x, out) in parts.zip(out.chunks_exact_mut(self.0 * lanes)) {
                    greatest.copy_from_slice(&x[..lanes]);
                    for row in x.chunks_exact(lanes).skip(1) {
                        for (m, &x) in greatest.iter_mut().zip(row) {
                            *m = if x > *m { x } else { *m };
                        }
                    }
                    sum.fill(0.0);
                    for (x, out) in x.chunks_exact(lanes).zip(out.chunks_exact_mut(lanes)) {
                        for (((y, x), m), sum) in out.iter_mut().zip(x).zip(&greatest).zip(&mut sum)
                        {
                            *y = math::exp(x - m);
                            *sum += *y;
                        }
                    }
                    for out in out.chunks_exact_mut(lanes) {
                        for (y, sum) in out.iter_mut().zip(&sum) {
                            *y /= sum;
                        }
                    }
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        for shape in [vec![3, 6], vec![5], vec![2, 2, 33]] {
            let last = shape.last().copied().unwrap();
            laws::check(&Op::Softmax(Softmax {}), &[&shape], |x, _| {
                let weights = |x: &[f32]| {
                    let m = x.iter().copied().fold(f32::MIN, f32::max);
                    let e: Vec<f32> = x.iter().map(|x| math::exp(x - m)).collect();
                    let sum = e.iter().fold(0.0, |s, e| s + e);
                    e.into_iter().map(move |e| e / sum).collect::<Vec<_>>()
                };
                x[0].chunks(last).flat_map(weights).collect()
            });
        }
    }
}
