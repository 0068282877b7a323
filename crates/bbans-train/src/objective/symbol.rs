//! A symbol given those before it: categories, mixtures of logistic distributions, hurdles.

use bbans_nn::description::Scaling;
use bbans_nn::likelihood::{Categorical, Edges, Kind, SymbolKind};
use bbans_nn::simd::Path;

use super::{Objective, Unit, log_sum_exp, moves};

/// The mixture of a kind, if it has one: levels, components, and the level that is left out, whose logit comes first.
fn mixture(kind: &SymbolKind) -> Option<(usize, usize, Option<usize>)> {
    match *kind {
        SymbolKind::Categorical { .. } => None,
        SymbolKind::Logistics { levels, components } => Some((levels, components, None)),
        SymbolKind::Hurdle {
            levels,
            components,
            frequent,
        } => Some((levels, components, Some(frequent))),
    }
}

/// A symbol's distribution, and about where its values are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OfSymbol {
    pub kind: SymbolKind,
    pub scaling: Scaling,
}

impl Kind for OfSymbol {
    fn levels(&self) -> usize {
        self.kind.levels()
    }

    fn parameters(&self) -> usize {
        self.kind.parameters()
    }
}

impl Objective for OfSymbol {
    /// Means are spread over where values are, and scales are so wide that they reach each other.
    fn units(&self) -> Vec<Unit> {
        let Some((_, components, _)) = mixture(&self.kind) else {
            return vec![Unit::ONE; self.parameters()];
        };
        let Scaling { middle, unit } = self.scaling;
        let n = components as f32;
        let mean = |i: usize| Unit {
            offset: middle + unit * ((2 * i + 1) as f32 / n - 1.0),
            gain: unit,
        };
        let log_scale = Unit {
            offset: (unit / n).max(0.25).ln(),
            gain: 1.0,
        };
        let means = (0..components).map(mean);
        let logits = self.parameters() - 2 * components;
        std::iter::repeat_n(Unit::ONE, logits)
            .chain(means)
            .chain(std::iter::repeat_n(log_scale, components))
            .collect()
    }

    fn nats(&self, parameters: &[f64], x: &[u16], by: &mut [f64]) -> f64 {
        let Some((levels, components, without)) = mixture(&self.kind) else {
            let levels = self.levels();
            return Categorical { levels }.nats(parameters, x, by);
        };
        let x = usize::from(x[0]);
        let mut nats = 0.0;
        let (mut parameters, mut by) = (parameters, by);
        if let Some(frequent) = without {
            let logit = parameters[0];
            let is = x == frequent;
            // -log sigmoid of the logit, or of its negative.
            let signed = if is { logit } else { -logit };
            nats = (-signed).max(0.0) + (-signed.abs()).exp().ln_1p();
            by[0] = 1.0 / (1.0 + (-logit).exp()) - f64::from(u8::from(is));
            (parameters, by) = (&parameters[1..], &mut by[1..]);
            if is {
                by.fill(0.0);
                return nats;
            }
        }
        nats + mixture_nats(parameters, components, Edges::of(levels, without, x), by)
    }

    fn lanes(&self, path: Path, parameters: &[f32], x: &[u16], nats: &mut [f64], by: &mut [f32]) {
        match mixture(&self.kind) {
            None => {
                let levels = self.levels();
                Categorical { levels }.lanes(path, parameters, x, nats, by);
            }
            Some(_) => super::lane_after_lane(self, parameters, x, nats, by),
        }
    }
}

/// `-log` of what a mixture gives a level, and its derivatives.
fn mixture_nats(parameters: &[f64], n: usize, edges: Edges, by: &mut [f64]) -> f64 {
    let (logits, rest) = parameters.split_at(parameters.len() - 2 * n);
    let (by_logits, by_rest) = by.split_at_mut(logits.len());
    by_logits.copy_from_slice(logits);
    let total = if logits.is_empty() {
        0.0
    } else {
        log_sum_exp(by_logits)
    };
    let mut terms = [0.0; 64];
    let terms = &mut terms[..n];
    for i in 0..n {
        let [value, by_mean, by_log_scale] = log_mass(edges, rest[i], rest[n + i]);
        terms[i] = logits.get(i).copied().unwrap_or(0.0) + value;
        (by_rest[i], by_rest[n + i]) = (by_mean, by_log_scale);
    }
    let of_terms = log_sum_exp(terms);
    for (i, part) in terms.iter().enumerate() {
        if let Some(by) = by_logits.get_mut(i) {
            *by -= part;
        }
        by_rest[i] *= -part;
        by_rest[n + i] *= -part;
    }
    total - of_terms
}

/// `log` of what a logistic distribution gives a level, and its derivatives by the mean and by the log scale.
fn log_mass(edges: Edges, mean: f64, log_scale: f64) -> [f64; 3] {
    let rate = (-log_scale.clamp(-10.0, 20.0)).exp();
    let at = |edge: f64| (edge - mean) * rate;
    // `log sigmoid` of a number, and the sigmoid of its negative, by one exponential.
    let log_sigmoid = |v: f64| {
        let e = (-v.abs()).exp();
        let small = e / (1.0 + e);
        (
            v.min(0.0) - e.ln_1p(),
            if v < 0.0 { 1.0 - small } else { small },
        )
    };
    let (mut value, mut by_mean, mut by_log_scale) = (0.0, 0.0, 0.0);
    if let Some(high) = edges.high.map(at) {
        let (log, rest) = log_sigmoid(high);
        value += log;
        by_mean -= rate * rest;
        by_log_scale -= high * rest;
    }
    if let Some(low) = edges.low.map(at) {
        let (log, rest) = log_sigmoid(-low);
        value += log;
        by_mean += rate * rest;
        by_log_scale += low * rest;
    }
    if let (Some(low), Some(high)) = (edges.low, edges.high) {
        let width = (high - low) * rate;
        let below = -(-width).exp_m1();
        value += below.ln();
        by_log_scale -= width * (1.0 - below) / below;
    }
    [
        value,
        by_mean,
        by_log_scale * moves(log_scale, [-10.0, 20.0]),
    ]
}
