//! A logistic distribution, cut at the half-integers: what the mixtures of them share.

use bbans_nn::likelihood::{Edges, MAX_COMPONENTS};

use super::{log_sum_exp, moves};

/// `-log` of what a mixture gives a level, and its derivatives.
pub(super) fn mixture_nats(parameters: &[f64], n: usize, edges: Edges, by: &mut [f64]) -> f64 {
    let (logits, rest) = parameters.split_at(parameters.len() - 2 * n);
    let (by_logits, by_rest) = by.split_at_mut(logits.len());
    by_logits.copy_from_slice(logits);
    let total = if logits.is_empty() {
        0.0
    } else {
        log_sum_exp(by_logits)
    };
    let mut terms = [0.0; MAX_COMPONENTS];
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
pub(super) fn log_mass(edges: Edges, mean: f64, log_scale: f64) -> [f64; 3] {
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
