//! Values one after another.

use bbans_nn::ops::Concat;
use candle_core::{Result, Tensor};

use super::Trained;

impl Trained for Concat {
    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: usize) -> Result<Tensor> {
        Tensor::cat(inputs, 0)
    }
}
