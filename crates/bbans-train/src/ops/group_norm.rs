//! Group norm.

use bbans_nn::ops::GroupNorm;
use candle_core::{Result, Tensor};
use candle_nn::Init;

use super::fused::{Fused, Pass};
use super::norm::{Norm, by_channel, normed};
use super::{ONES, Trained, ZEROS, len};

impl Trained for GroupNorm {
    fn forward(&self, inputs: &[Tensor], tensors: &[Tensor], lanes: usize) -> Result<Tensor> {
        let x = &inputs[0];
        let parts = x.reshape((self.groups, (), lanes))?;
        let y = normed(&parts, self.eps)?.reshape(x.shape())?;
        by_channel(&y, &tensors[0], &tensors[1])
    }

    fn init(&self, _: &[&[usize]]) -> Vec<Init> {
        vec![ONES, ZEROS]
    }

    fn fused(&self) -> Option<&dyn Fused> {
        Some(self)
    }
}

impl Fused for GroupNorm {
    fn backward(&self, pass: &Pass<'_>) -> Result<Vec<Vec<f32>>> {
        let norm = Norm {
            part: len(pass.shapes[0]) / self.groups,
            each: len(&pass.shapes[0][1..]),
            eps: self.eps,
        };
        Ok(norm.backward(pass))
    }
}
