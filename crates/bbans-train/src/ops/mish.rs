//! Mish, `x tanh(softplus(x))`.

use bbans_nn::math;
use bbans_nn::ops::Mish;
use candle_core::{Result, Tensor};

use super::pointwise::Pointwise;
use super::softplus::softplus;

impl Pointwise for Mish {
    fn of(&self, x: &Tensor) -> Result<Tensor> {
        x * softplus(x)?.tanh()?
    }

    #[inline(always)]
    fn slope(&self, x: f32, _: f32) -> f32 {
        let t = math::tanh(math::softplus(x));
        t + x * (1.0 - t * t) * math::sigmoid(x)
    }
}
