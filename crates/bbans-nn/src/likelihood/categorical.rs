//! The categorical distribution.

use serde::{Deserialize, Serialize};

use crate::exact::math;
use crate::likelihood::tables::{Cumulative, Lanes, WIDTH};
use crate::likelihood::{Fields, Kind, Tabular};

/// A logit for each symbol of each dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Categorical {
    /// Number of symbols, 2 to 256.
    pub levels: usize,
}

impl Kind for Categorical {
    fn levels(&self) -> usize {
        self.levels
    }

    fn parameters(&self) -> usize {
        self.levels
    }

    fn fields(&self) -> (&'static str, Fields) {
        ("categorical", Fields::Numbers(vec![self.levels]))
    }
}

impl Tabular for Categorical {
    /// Weights `e^(l_k - max l)`.
    #[inline(always)]
    fn cumulative(&self, row: impl Fn(usize) -> Lanes, cumulative: &mut Cumulative) {
        let levels = self.levels;
        let mut greatest = row(0);
        for k in 1..levels {
            for (m, l) in greatest.iter_mut().zip(row(k)) {
                *m = if l > *m { l } else { *m };
            }
        }
        let mut c = [0.0; WIDTH];
        cumulative[0] = c;
        for (k, to) in cumulative[1..=levels].iter_mut().enumerate() {
            for ((c, l), m) in c.iter_mut().zip(row(k)).zip(greatest) {
                *c += math::exp(l - m);
            }
            *to = c;
        }
    }

    fn nats(&self, p: &[f64], x: usize) -> f64 {
        log_sum_exp(p) - p[x]
    }
}

/// `log` of the sum of `e^v`.
pub(super) fn log_sum_exp(values: &[f64]) -> f64 {
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    greatest
        + values
            .iter()
            .map(|v| (v - greatest).exp())
            .sum::<f64>()
            .ln()
}
