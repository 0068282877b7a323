//! One dense layer on every part of its input.

use bbans_nn::ops::Cells;
use candle_core::{Result, Tensor};
use candle_nn::Init;

use super::dense::affine;
use super::{Trained, ZEROS, glorot, len};

impl Trained for Cells {
    fn forward(&self, inputs: &[Tensor], tensors: &[Tensor], lanes: usize) -> Result<Tensor> {
        // The parts side by side.
        let x = inputs[0]
            .reshape((self.count, (), lanes))?
            .transpose(0, 1)?;
        let x = x.contiguous()?.reshape(((), self.count * lanes))?;
        let y = affine(&x, tensors)?.reshape((self.outputs, self.count, lanes))?;
        y.transpose(0, 1)?.contiguous()
    }

    fn init(&self, inputs: &[&[usize]]) -> Vec<Init> {
        vec![glorot(len(inputs[0]) / self.count, self.outputs), ZEROS]
    }
}
