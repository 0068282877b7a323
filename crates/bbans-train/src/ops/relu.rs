//! The rectified linear unit.

use bbans_nn::ops::Relu;
use candle_core::{Result, Tensor};

use super::pointwise::Pointwise;

impl Pointwise for Relu {
    fn of(&self, x: &Tensor) -> Result<Tensor> {
        x.relu()
    }

    #[inline(always)]
    fn slope(&self, _: f32, y: f32) -> f32 {
        if y > 0.0 { 1.0 } else { 0.0 }
    }
}
