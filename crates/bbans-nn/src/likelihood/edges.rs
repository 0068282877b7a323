//! What a level has of the axis of a logistic distribution, in `f64`, for bounds and training.

use super::categorical::log_sum_exp;

/// What a level has of the axis: from its lower edge, unless it is the first, to its upper one, unless it is the last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edges {
    /// The lower one.
    pub low: Option<f64>,
    /// The upper one.
    pub high: Option<f64>,
}

impl Edges {
    /// Of a level among so many, without one of them, whose place belongs to the level after it.
    pub fn of(levels: usize, without: Option<usize>, x: usize) -> Self {
        let first = usize::from(without == Some(0));
        let last = levels - 1 - usize::from(without == Some(levels - 1));
        let wide = without.is_some_and(|without| x == without + 1);
        Self {
            low: (x > first).then_some(x as f64 - 0.5 - f64::from(u8::from(wide))),
            high: (x < last).then_some(x as f64 + 0.5),
        }
    }

    /// `log` of what a logistic distribution gives it.
    pub fn log_mass(self, mean: f64, log_scale: f64) -> f64 {
        let rate = (-log_scale.clamp(-10.0, 20.0)).exp();
        let at = |edge: f64| (edge - mean) * rate;
        // With sigmoid(high) - sigmoid(low) = sigmoid(high) sigmoid(-low) (1 - e^(low - high)) nothing cancels.
        let log_sigmoid = |v: f64| v.min(0.0) - (-v.abs()).exp().ln_1p();
        match (self.low.map(at), self.high.map(at)) {
            (None, None) => 0.0,
            (None, Some(high)) => log_sigmoid(high),
            (Some(low), None) => log_sigmoid(-low),
            (Some(low), Some(high)) => {
                log_sigmoid(high) + log_sigmoid(-low) + (-(low - high).exp_m1()).ln()
            }
        }
    }
}

/// `-log` of what a mixture gives a level: from its logits, unless it has one component, its means and log scales.
pub(super) fn mixture_nats(parameters: &[f64], components: usize, edges: Edges) -> f64 {
    let logits = if components > 1 { components } else { 0 };
    let (logits, rest) = parameters.split_at(logits);
    let (means, log_scales) = rest.split_at(components);
    let terms = means.iter().zip(log_scales).enumerate();
    let terms: Vec<f64> = terms
        .map(|(i, (&mean, &log_scale))| {
            logits.get(i).copied().unwrap_or(0.0) + edges.log_mass(mean, log_scale)
        })
        .collect();
    let total = if logits.is_empty() {
        0.0
    } else {
        log_sum_exp(logits)
    };
    total - log_sum_exp(&terms)
}
