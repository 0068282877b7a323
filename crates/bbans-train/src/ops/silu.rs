//! The sigmoid-weighted linear unit.

use bbans_nn::math;
use bbans_nn::ops::Silu;
use candle_core::{Result, Tensor};

use super::pointwise::Pointwise;

impl Pointwise for Silu {
    fn of(&self, x: &Tensor) -> Result<Tensor> {
        x.silu()
    }

    #[inline(always)]
    fn slope(&self, x: f32, y: f32) -> f32 {
        let s = math::sigmoid(x);
        s + y * (1.0 - s)
    }
}
