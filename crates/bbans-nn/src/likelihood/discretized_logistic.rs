//! Mixtures of discretized logistic distributions.

use serde::{Deserialize, Serialize};

use crate::exact::math;
use crate::likelihood::edges::{Edges, mixture_nats};
use crate::likelihood::tables::{Cumulative, Lanes, WIDTH, ascend, clamp};
use crate::likelihood::{Fields, Kind, MAX_COMPONENTS, Tabular, check_components, check_levels};
use bbans_core::Result;

/// Logistic distributions, cut at the half-integers (Salimans et al. 2017): for each dimension
/// the logits of the components, unless there is one; their means; their log scales. Means and
/// scales are in units of the symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscretizedLogistic {
    /// Number of symbols, 2 to 256.
    pub levels: usize,
    /// Number of logistic distributions that are mixed, 1 to 64.
    pub components: usize,
}

/// Bounds of the log scale.
pub(super) const LOG_SCALE: [f32; 2] = [-10.0, 20.0];

impl DiscretizedLogistic {
    /// Number of logits: one component has none.
    fn logits(&self) -> usize {
        if self.components > 1 {
            self.components
        } else {
            0
        }
    }
}

impl Kind for DiscretizedLogistic {
    fn levels(&self) -> usize {
        self.levels
    }

    fn parameters(&self) -> usize {
        self.logits() + 2 * self.components
    }

    fn check(&self) -> Result<()> {
        check_levels(self.levels)?;
        check_components(self.components)
    }

    fn fields(&self) -> (&'static str, Fields) {
        let numbers = vec![self.levels, self.components];
        ("discretized_logistic", Fields::Numbers(numbers))
    }
}

impl Tabular for DiscretizedLogistic {
    #[inline(always)]
    fn cumulative(&self, row: impl Fn(usize) -> Lanes, cumulative: &mut Cumulative) {
        let (count, logits) = (self.components, self.logits());
        let mut weights = [[1.0; WIDTH]; MAX_COMPONENTS];
        if logits > 0 {
            weights_of_logits(count, &row, &mut weights);
        }
        let component = |i| (weights[i], row(logits + i), rate(row(logits + count + i)));
        mixture(self.levels, count, component, cumulative);
    }

    fn nats(&self, p: &[f64], x: usize) -> f64 {
        mixture_nats(p, self.components, Edges::of(self.levels, None, x))
    }
}

/// `e^(l_i - max l)`.
#[inline(always)]
pub(super) fn weights_of_logits(
    count: usize,
    row: impl Fn(usize) -> Lanes,
    weights: &mut [Lanes; MAX_COMPONENTS],
) {
    let mut greatest = [f32::MIN; WIDTH];
    for i in 0..count {
        for (m, l) in greatest.iter_mut().zip(row(i)) {
            *m = if l > *m { l } else { *m };
        }
    }
    for (i, weights) in weights.iter_mut().take(count).enumerate() {
        for ((w, l), m) in weights.iter_mut().zip(row(i)).zip(greatest) {
            *w = math::exp(l - m);
        }
    }
}

/// `e^-s`, of log scales within their bounds.
#[inline(always)]
pub(super) fn rate(log_scale: Lanes) -> Lanes {
    log_scale.map(|v| math::exp(-clamp(v, LOG_SCALE)))
}

/// `sum_i w_i sigmoid((k - 1/2 - mu_i) r_i)`, with all that is below symbol 1 and above the last
/// edge given to the first and the last symbol. A component has a weight, a mean and a rate.
#[inline(always)]
pub(super) fn mixture(
    levels: usize,
    components: usize,
    component: impl Fn(usize) -> (Lanes, Lanes, Lanes),
    cumulative: &mut Cumulative,
) {
    for row in cumulative[..=levels].iter_mut() {
        *row = [0.0; WIDTH];
    }
    for i in 0..components {
        let (weight, mean, rate) = component(i);
        for (k, c) in cumulative[..=levels].iter_mut().enumerate().skip(1) {
            let edge = k as f32 - 0.5;
            for lane in 0..WIDTH {
                let below = math::sigmoid((edge - mean[lane]) * rate[lane]);
                let below = if k == levels { 1.0 } else { below };
                c[lane] += weight[lane] * below;
            }
        }
    }
    ascend(levels, cumulative);
}
