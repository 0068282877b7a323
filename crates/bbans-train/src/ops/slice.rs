//! A part of the first axis.

use bbans_nn::ops::Slice;
use candle_core::{Result, Tensor};

use super::Trained;

impl Trained for Slice {
    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: usize) -> Result<Tensor> {
        inputs[0].narrow(0, self.start, self.end - self.start)
    }
}
