//! The Gaussian error linear unit.

use bbans_nn::math;
use bbans_nn::ops::Gelu;
use candle_core::{Result, Tensor};

use super::pointwise::Pointwise;

impl Pointwise for Gelu {
    fn of(&self, x: &Tensor) -> Result<Tensor> {
        if self.tanh { x.gelu() } else { x.gelu_erf() }
    }

    #[inline(always)]
    fn slope(&self, x: f32, _: f32) -> f32 {
        if self.tanh {
            let (a, b) = (0.797_884_6, 0.044_715);
            let t = math::tanh(a * (x + b * x * x * x));
            0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * a * (1.0 + 3.0 * b * x * x)
        } else {
            // The density at x: 1 / sqrt(2 pi) e^(-x x / 2).
            math::normal_cdf(x) + x * 0.398_942_3 * math::exp(-0.5 * x * x)
        }
    }
}
