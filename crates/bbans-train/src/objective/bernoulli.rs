//! Bits.

use bbans_nn::likelihood::Bernoulli;
use bbans_nn::math;
use bbans_nn::simd::Path;
use candle_core::{Result, Tensor};

use super::Objective;

impl Objective for Bernoulli {
    fn nats(&self, parameters: &[f64], x: &[u16], by: &mut [f64]) -> f64 {
        let (l, x) = (parameters[0], f64::from(x[0]));
        by[0] = 1.0 / (1.0 + (-l).exp()) - x;
        l.max(0.0) - l * x + (-l.abs()).exp().ln_1p()
    }

    /// `-log p = max(l, 0) - l x + log(1 + e^-|l|)`, and its derivative is `sigmoid(l) - x`.
    fn lanes(&self, path: Path, logits: &[f32], x: &[u16], nats: &mut [f64], by: &mut [f32]) {
        path.vectorize(
            #[inline(always)]
            || {
                let rows = logits.iter().zip(x).zip(by).zip(nats);
                for (((&l, &x), by), nats) in rows {
                    let x = f32::from(x);
                    *by = math::sigmoid(l) - x;
                    *nats += f64::from(math::relu(l) - l * x + math::softplus(-l.abs()));
                }
            },
        );
    }
}

/// The same of each number in candle's own operations, for `x` of 0 and 1.
pub(crate) fn bernoulli_nats_of_tensors(logits: &Tensor, x: &Tensor) -> Result<Tensor> {
    let log = (logits.abs()?.neg()?.exp()? + 1.0)?.log()?;
    (logits.relu()? - (logits * x)?)? + log
}
