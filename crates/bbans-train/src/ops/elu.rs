//! The exponential linear unit.

use bbans_nn::ops::Elu;
use candle_core::{Result, Tensor};

use super::pointwise::Pointwise;

impl Pointwise for Elu {
    fn of(&self, x: &Tensor) -> Result<Tensor> {
        x.elu(1.0)
    }

    #[inline(always)]
    fn slope(&self, _: f32, y: f32) -> f32 {
        if y > 0.0 { 1.0 } else { y + 1.0 }
    }
}
