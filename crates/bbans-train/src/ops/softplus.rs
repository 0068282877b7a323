//! The logarithm of `1 + e^x`.

use bbans_nn::math;
use bbans_nn::ops::Softplus;
use candle_core::{Result, Tensor};

use super::pointwise::Pointwise;

impl Pointwise for Softplus {
    fn of(&self, x: &Tensor) -> Result<Tensor> {
        softplus(x)
    }

    #[inline(always)]
    fn slope(&self, x: f32, _: f32) -> f32 {
        math::sigmoid(x)
    }
}

/// `max(x, 0) + log(1 + e^-|x|)`.
pub(super) fn softplus(x: &Tensor) -> Result<Tensor> {
    x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?
}
