//! The product of two matrices that are values.

use bbans_nn::ops::Matmul;
use candle_core::{Result, Tensor};

use super::Trained;

impl Trained for Matmul {
    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: usize) -> Result<Tensor> {
        let by_lane = |x: &Tensor| x.permute((2, 0, 1))?.contiguous();
        let y = by_lane(&inputs[0])?.matmul(&by_lane(&inputs[1])?)?;
        y.permute((1, 2, 0))?.contiguous()
    }
}
