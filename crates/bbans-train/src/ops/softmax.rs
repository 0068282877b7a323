//! The softmax along the last axis.

use bbans_nn::ops::Softmax;
use candle_core::{Result, Tensor};

use super::Trained;
use super::fused::{Fused, Pass};

impl Trained for Softmax {
    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: usize) -> Result<Tensor> {
        candle_nn::ops::softmax(&inputs[0], inputs[0].rank() - 2)
    }

    fn fused(&self) -> Option<&dyn Fused> {
        Some(self)
    }
}

impl Fused for Softmax {
    /// `y (d - sum of d y)`.
    fn backward(&self, pass: &Pass<'_>) -> Result<Vec<Vec<f32>>> {
        let lanes = pass.lanes;
        let axis = pass.shapes[0].last().copied().unwrap_or(1) * lanes;
        let mut by_x = pass.gradient.to_vec();
        let mut sums = vec![0.0f32; lanes];
        for (by_x, y) in by_x
            .chunks_exact_mut(axis)
            .zip(pass.output.chunks_exact(axis))
        {
            sums.fill(0.0);
            for (d, y) in by_x.chunks_exact(lanes).zip(y.chunks_exact(lanes)) {
                for ((sum, d), y) in sums.iter_mut().zip(d).zip(y) {
                    *sum += d * y;
                }
            }
            for (d, y) in by_x.chunks_exact_mut(lanes).zip(y.chunks_exact(lanes)) {
                for ((d, y), sum) in d.iter_mut().zip(y).zip(&sums) {
                    *d = y * (*d - sum);
                }
            }
        }
        Ok(vec![by_x])
    }
}
