//! The logistic sigmoid.

use bbans_nn::ops::Sigmoid;
use candle_core::{Result, Tensor};

use super::pointwise::Pointwise;

impl Pointwise for Sigmoid {
    fn of(&self, x: &Tensor) -> Result<Tensor> {
        candle_nn::ops::sigmoid(x)
    }

    #[inline(always)]
    fn slope(&self, _: f32, y: f32) -> f32 {
        y * (1.0 - y)
    }
}
