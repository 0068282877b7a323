//! The discretized Gaussian distribution.

use serde::{Deserialize, Serialize};

use crate::exact::math;
use crate::likelihood::tables::{Cumulative, Lanes, WIDTH, ascend, clamp};
use crate::likelihood::{Kind, Tabular};

/// A normal distribution, cut at the half-integers: for each dimension its mean and its log standard deviation, in
/// units of the symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscretizedGaussian {
    /// Number of symbols, 2 to 256.
    pub levels: usize,
}

/// Bounds of the log standard deviation.
const LOG_SIGMA: [f32; 2] = [-10.0, 20.0];

impl Kind for DiscretizedGaussian {
    fn levels(&self) -> usize {
        self.levels
    }

    fn parameters(&self) -> usize {
        2
    }
}

impl Tabular for DiscretizedGaussian {
    /// `Phi((k - 1/2 - mu) r)`, with all that is below symbol 1 and above the last edge given to the first and the last
    /// symbol.
    #[inline(always)]
    fn cumulative(&self, row: impl Fn(usize) -> Lanes, cumulative: &mut Cumulative) {
        let (mean, rate) = (row(0), row(1).map(|v| math::exp(-clamp(v, LOG_SIGMA))));
        cumulative[0] = [0.0; WIDTH];
        for (k, c) in cumulative[..=self.levels].iter_mut().enumerate().skip(1) {
            let edge = k as f32 - 0.5;
            for lane in 0..WIDTH {
                let below = math::normal_cdf((edge - mean[lane]) * rate[lane]);
                c[lane] = if k == self.levels { 1.0 } else { below };
            }
        }
        ascend(self.levels, cumulative);
    }

    fn nats(&self, p: &[f64], x: usize) -> f64 {
        let rate = (-p[1].clamp(-10.0, 20.0)).exp();
        // The upper tail from `v` on.
        let tail = |v: f64| 0.5 * libm::erfc(v * std::f64::consts::FRAC_1_SQRT_2);
        let at = |edge: f64| (edge - p[0]) * rate;
        let (low, high) = (at(x as f64 - 0.5), at(x as f64 + 0.5));
        let mass = match x {
            0 => tail(-high),
            x if x == self.levels - 1 => tail(low),
            // The smaller tails, so that nothing cancels.
            _ if low > 0.0 => tail(low) - tail(high),
            _ => tail(-high) - tail(-low),
        };
        -mass.max(f64::MIN_POSITIVE).ln()
    }
}
