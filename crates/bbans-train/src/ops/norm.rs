//! Means and variances of a datum's values: what group norm and layer norm share.

use candle_core::{DType, Result, Tensor};

use super::fused::Pass;
use crate::product::sum;

/// Mean 0 and variance 1 of `[parts, values, lanes]` along the values, in `f64`, in which large means do not cancel.
pub(super) fn normed(x: &Tensor, eps: f32) -> Result<Tensor> {
    let x = x.to_dtype(DType::F64)?;
    let off = x.broadcast_sub(&x.mean_keepdim(1)?)?;
    let variance = off.sqr()?.mean_keepdim(1)?;
    let y = off.broadcast_div(&(variance + f64::from(eps))?.sqrt()?)?;
    y.to_dtype(DType::F32)
}

/// A factor and a summand for each of the first axis.
pub(super) fn by_channel(x: &Tensor, scale: &Tensor, shift: &Tensor) -> Result<Tensor> {
    let mut shape = vec![1; x.rank()];
    shape[0] = x.dim(0)?;
    x.broadcast_mul(&scale.reshape(shape.clone())?)?
        .broadcast_add(&shift.reshape(shape)?)
}

/// The norm of parts of so many values; weights and biases change after `each` of them, and begin anew after the last.
pub(super) struct Norm {
    pub part: usize,
    pub each: usize,
    pub eps: f32,
}

impl Norm {
    /// With `n` the values' number, `r = 1 / sqrt(variance + eps)`, `h = (x - mean) r` and `g = d w`:
    /// by `x` `r (g - mean of g - h mean of g h)`, by `w` the sum of `d h`, by `b` that of `d`.
    pub(super) fn backward(&self, pass: &Pass<'_>) -> Vec<Vec<f32>> {
        let (lanes, [x, weights]) = (pass.lanes, [pass.values[0], pass.values[1]]);
        let mut by_x = vec![0.0; x.len()];
        let mut by_weights = vec![0.0; weights.len()];
        let mut by_biases = vec![0.0; weights.len()];
        let size = self.part * lanes;
        pass.path.vectorize(
            #[inline(always)]
            || {
                let parts = x.chunks_exact(size).zip(pass.gradient.chunks_exact(size));
                for (p, ((x, d), by_x)) in parts.zip(by_x.chunks_exact_mut(size)).enumerate() {
                    let weight = |i: usize| (p * self.part + i) / self.each % weights.len();
                    self.part(
                        x,
                        d,
                        by_x,
                        lanes,
                        weights,
                        &weight,
                        &mut by_weights,
                        &mut by_biases,
                    );
                }
            },
        );
        vec![by_x, by_weights, by_biases]
    }

    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the parts of one sum")]
    fn part(
        &self,
        x: &[f32],
        d: &[f32],
        by_x: &mut [f32],
        lanes: usize,
        weights: &[f32],
        weight: &impl Fn(usize) -> usize,
        by_weights: &mut [f32],
        by_biases: &mut [f32],
    ) {
        let n = self.part as f32;
        let zeros = || vec![0.0f32; lanes];
        let (mut mean, mut rate) = (zeros(), zeros());
        for x in x.chunks_exact(lanes) {
            mean.iter_mut().zip(x).for_each(|(m, x)| *m += x);
        }
        mean.iter_mut().for_each(|m| *m /= n);
        for x in x.chunks_exact(lanes) {
            for ((r, x), m) in rate.iter_mut().zip(x).zip(&mean) {
                *r += (x - m) * (x - m);
            }
        }
        for r in &mut rate {
            *r = 1.0 / (*r / n + self.eps).sqrt();
        }
        // By lane the sums of g and of g h; `by_x` is h meanwhile.
        let (mut total, mut product, mut of_weight) = (zeros(), zeros(), zeros());
        let rows = x.chunks_exact(lanes).zip(d.chunks_exact(lanes));
        for (i, ((x, d), h)) in rows.zip(by_x.chunks_exact_mut(lanes)).enumerate() {
            let at = weight(i);
            let w = weights[at];
            for (lane, h) in h.iter_mut().enumerate() {
                *h = (x[lane] - mean[lane]) * rate[lane];
                total[lane] += d[lane] * w;
                of_weight[lane] = d[lane] * *h;
                product[lane] += of_weight[lane] * w;
            }
            by_weights[at] += sum(&of_weight);
            by_biases[at] += sum(d);
        }
        total.iter_mut().chain(&mut product).for_each(|s| *s /= n);
        let rows = d.chunks_exact(lanes).zip(by_x.chunks_exact_mut(lanes));
        for (i, (d, h)) in rows.enumerate() {
            let w = weights[weight(i)];
            for (lane, h) in h.iter_mut().enumerate() {
                *h = rate[lane] * (d[lane] * w - total[lane] - *h * product[lane]);
            }
        }
    }
}
