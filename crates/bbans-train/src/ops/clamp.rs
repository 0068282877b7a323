//! Values kept within bounds.

use bbans_nn::ops::Clamp;
use candle_core::{Result, Tensor};

use super::pointwise::Pointwise;

impl Pointwise for Clamp {
    fn of(&self, x: &Tensor) -> Result<Tensor> {
        x.clamp(self.min, self.max)
    }

    #[inline(always)]
    fn slope(&self, x: f32, _: f32) -> f32 {
        if x > self.min && x < self.max {
            1.0
        } else {
            0.0
        }
    }
}
