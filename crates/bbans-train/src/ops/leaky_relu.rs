//! The leaky rectified linear unit.

use bbans_nn::ops::LeakyRelu;
use candle_core::{Result, Tensor};

use super::pointwise::Pointwise;

impl Pointwise for LeakyRelu {
    fn of(&self, x: &Tensor) -> Result<Tensor> {
        x.relu()? - (x.neg()?.relu()? * f64::from(self.slope))?
    }

    #[inline(always)]
    fn slope(&self, x: f32, _: f32) -> f32 {
        if x > 0.0 { 1.0 } else { self.slope }
    }
}
