//! Means and variances of a datum's values: what group norm and layer norm share.

use crate::exact::simd::Path;
use crate::ops::Kernel;
use crate::ops::sums::sums;

/// With the mean `m` and the variance `v` of each part's `n` values, sums as [`sums`] says:
/// `m = sum of x / n`, `v = sum of (x - m) (x - m) / n`, `r = 1 / sqrt(v + eps)`, `y = ((x - m) r) w + b`.
#[derive(Debug)]
pub(super) struct Norm {
    /// Values of a part; parts lie one after another.
    pub part: usize,
    pub eps: f32,
    /// Weights and biases, of a part or of several.
    pub weights: Vec<f32>,
    pub biases: Vec<f32>,
    /// Values from one weight to the next.
    pub each: usize,
}

impl Kernel for Norm {
    fn run(&self, path: Path, inputs: &[&[f32]], lanes: usize, out: &mut [f32]) {
        let ([x], 1..) = (inputs, lanes) else { return };
        path.vectorize(
            #[inline(always)]
            || {
                let parts = x.chunks_exact(self.part * lanes);
                let outs = out.chunks_exact_mut(self.part * lanes);
                for (p, (x, out)) in parts.zip(outs).enumerate() {
                    self.part(p, x, lanes, out);
                }
            },
        );
    }
}

impl Norm {
    #[inline(always)]
    fn part(&self, part: usize, x: &[f32], lanes: usize, out: &mut [f32]) {
        let count = self.part as f32;
        let (mut mean, mut rate) = (vec![0.0; lanes], vec![0.0; lanes]);
        sums(x, &mut mean, |x, _| x);
        mean.iter_mut().for_each(|m| *m /= count);
        sums(x, &mut rate, |x, lane| (x - mean[lane]) * (x - mean[lane]));
        for rate in &mut rate {
            *rate = 1.0 / (*rate / count + self.eps).sqrt();
        }
        let rows = x.chunks_exact(lanes).zip(out.chunks_exact_mut(lanes));
        for (i, (x, out)) in rows.enumerate() {
            let at = (part * self.part + i) / self.each % self.weights.len();
            let (weight, bias) = (self.weights[at], self.biases[at]);
            for (lane, (y, x)) in out.iter_mut().zip(x).enumerate() {
                *y = ((x - mean[lane]) * rate[lane]) * weight + bias;
            }
        }
    }
}

/// The definition for one datum, for tests: `affine(i)` is weight and bias of value `i`.
#[cfg(test)]
pub(super) fn definition(
    x: &[f32],
    part: usize,
    eps: f32,
    affine: impl Fn(usize) -> (f32, f32),
) -> Vec<f32> {
    use crate::ops::sums::definition as sum;
    let mut out = Vec::new();
    for x in x.chunks(part) {
        let mean = sum(x.iter().copied()) / part as f32;
        let variance = sum(x.iter().map(|x| (x - mean) * (x - mean))) / part as f32;
        let rate = 1.0 / (variance + eps).sqrt();
        for x in x {
            let (weight, bias) = affine(out.len());
            out.push(((x - mean) * rate) * weight + bias);
        }
    }
    out
}
