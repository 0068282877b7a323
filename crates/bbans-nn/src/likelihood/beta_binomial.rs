//! The beta-binomial distribution.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::exact::math;
use crate::likelihood::tables::{Cumulative, Lanes, MAX_LEVELS, WIDTH, clamp};
use crate::likelihood::{Fields, Kind, Tabular};

/// The binomial distribution of `levels - 1` draws whose probability is beta-distributed. Two parameters for each
/// dimension, `log alpha` and `log beta`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BetaBinomial {
    /// Number of symbols, 2 to 256.
    pub levels: usize,
}

/// Bounds of the log parameters.
const LOG_SHAPE: [f32; 2] = [-20.0, 20.0];
/// `2^60`, where weights are scaled down.
const LARGE: f32 = (1u64 << 60) as f32;
/// `2^-100`, below which a weight is zero.
const SMALL: f32 = 1.0 / (1u128 << 100) as f32;

impl Kind for BetaBinomial {
    fn levels(&self) -> usize {
        self.levels
    }

    fn parameters(&self) -> usize {
        2
    }

    fn fields(&self) -> (&'static str, Fields) {
        ("beta_binomial", Fields::Numbers(vec![self.levels]))
    }
}

impl Tabular for BetaBinomial {
    /// Weights `w_0 = 1`, `w_{k+1} = w_k (n-k)(k+alpha) / ((k+1)(n-k-1+beta))` with `n = levels - 1`
    /// (the ratio of neighbours of the beta-binomial distribution).
    ///
    /// They may grow beyond all bounds: above `2^60` they and their sum are scaled down by `2^60`. Sums that
    /// were stored before the last scaling follow at the end, those before the last but one are zero.
    #[inline(always)]
    fn cumulative(&self, row: impl Fn(usize) -> Lanes, cumulative: &mut Cumulative) {
        let (levels, log_alpha, log_beta) = (self.levels, row(0), row(1));
        let shape = |v: f32| math::exp(clamp(v, LOG_SHAPE));
        let (alpha, beta) = (log_alpha.map(shape), log_beta.map(shape));
        let (mut w, mut c) = ([1.0f32; WIDTH], [0.0f32; WIDTH]);
        // Sums up to the first index have the factor 2^-60 to come, up to the second the factor 0.
        let (mut scaled, mut gone) = ([0i32; WIDTH], [0i32; WIDTH]);
        cumulative[0] = c;
        for k in 0..levels {
            let row = &mut cumulative[k + 1];
            let (up, down) = ((levels - 1 - k) as f32, (k + 1) as f32);
            let (k_f, rest) = (k as f32, (levels as f32 - 2.0) - k as f32);
            for i in 0..WIDTH {
                c[i] += w[i];
                row[i] = c[i];
                let next = w[i] * ((up * (k_f + alpha[i])) / (down * (rest + beta[i])));
                let large = next > LARGE;
                let factor = if large { 1.0 / LARGE } else { 1.0 };
                gone[i] = if large { scaled[i] } else { gone[i] };
                scaled[i] = if large { k as i32 + 1 } else { scaled[i] };
                c[i] *= factor;
                let next = next * factor;
                w[i] = if next > SMALL { next } else { 0.0 };
            }
        }
        // Mostly none.
        let last = scaled.iter().fold(0, |last, &k| k.max(last));
        for k in 1..=last {
            let row = &mut cumulative[k as usize];
            let factors: Lanes = std::array::from_fn(|i| {
                let late = if k <= scaled[i] { 1.0 / LARGE } else { 1.0 };
                if k <= gone[i] { 0.0 } else { late }
            });
            for (c, factor) in row.iter_mut().zip(factors) {
                *c *= factor;
            }
        }
    }

    fn nats(&self, p: &[f64], x: usize) -> f64 {
        let n = self.levels - 1;
        let [alpha, beta] = [p[0], p[1]].map(|v| v.clamp(-20.0, 20.0).exp());
        let f = &*LOG_FACTORIALS;
        let choose = f[n] - f[x] - f[n - x];
        log_rising(alpha + beta, n) - log_rising(alpha, x) - log_rising(beta, n - x) - choose
    }
}

/// `log n!`.
static LOG_FACTORIALS: LazyLock<[f64; MAX_LEVELS]> = LazyLock::new(|| {
    let mut sum = 0.0;
    std::array::from_fn(|n| {
        sum += if n > 0 { (n as f64).ln() } else { 0.0 };
        sum
    })
});

/// `log (a (a+1) .. (a+n-1)) = log Gamma(a+n) - log Gamma(a)`, for `a` from `e^-20` to `e^21`.
fn log_rising(a: f64, n: usize) -> f64 {
    const SHIFT: usize = 8;
    let first = (0..n.min(SHIFT))
        .map(|i| a + i as f64)
        .product::<f64>()
        .ln();
    if n <= SHIFT {
        return first;
    }
    first + stirling(a + n as f64) - stirling(a + SHIFT as f64)
}

/// `log Gamma(z)` without its constant, for `z >= 8`: Stirling's series, to 1e-9.
fn stirling(z: f64) -> f64 {
    let r = 1.0 / z;
    (z - 0.5) * z.ln() - z + r * (1.0 / 12.0 - r * r * (1.0 / 360.0 - r * r / 1260.0))
}
