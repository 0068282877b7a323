//! The hyperbolic tangent.

use bbans_nn::ops::Tanh;
use candle_core::{Result, Tensor};

use super::pointwise::Pointwise;

impl Pointwise for Tanh {
    fn of(&self, x: &Tensor) -> Result<Tensor> {
        x.tanh()
    }

    #[inline(always)]
    fn slope(&self, _: f32, y: f32) -> f32 {
        1.0 - y * y
    }
}
