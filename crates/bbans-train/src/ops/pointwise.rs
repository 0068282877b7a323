//! Functions of one number.

use bbans_nn::ops::Elementwise;
use candle_core::{Result, Tensor};

use super::Trained;
use super::fused::{Fused, Pass};

/// A function of one number as it is trained.
pub(super) trait Pointwise: Elementwise {
    /// Its values in candle's own operations.
    fn of(&self, x: &Tensor) -> Result<Tensor>;

    /// Its derivative at `x`, where its value is `y`.
    fn slope(&self, x: f32, y: f32) -> f32;
}

impl<P: Pointwise> Trained for P {
    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: usize) -> Result<Tensor> {
        self.of(&inputs[0])
    }

    fn fused(&self) -> Option<&dyn Fused> {
        Some(self)
    }
}

impl<P: Pointwise> Fused for P {
    fn backward(&self, pass: &Pass<'_>) -> Result<Vec<Vec<f32>>> {
        let mut by_x = pass.gradient.to_vec();
        pass.path.vectorize(
            #[inline(always)]
            || {
                for ((d, &x), &y) in by_x.iter_mut().zip(pass.values[0]).zip(pass.output) {
                    *d *= self.slope(x, y);
                }
            },
        );
        Ok(vec![by_x])
    }
}
