//! Mixtures of discretized logistic distributions of colours.

use bbans_nn::likelihood::{ColourLogistics, Edges};

use super::logistic::log_mass;
use super::{Objective, Unit, log_sum_exp, moves, units_of_locations};

/// Bounds of a coefficient.
const COEFFICIENT: [f64; 2] = [-1024.0, 1024.0];

/// A channel that moves with the others by this is about as uncertain as they are.
const COEFFICIENT_UNIT: Unit = Unit {
    offset: 0.0,
    gain: 0.25,
};

impl Objective for ColourLogistics {
    fn units(&self) -> Vec<Unit> {
        let n = self.components;
        let [means, log_scales] = units_of_locations(self.levels, n);
        let logits = vec![Unit::ONE; n];
        let coefficients = vec![COEFFICIENT_UNIT; 3 * n];
        [logits, means.repeat(3), log_scales.repeat(3), coefficients].concat()
    }

    fn nats(&self, parameters: &[f64], x: &[u16], by: &mut [f64]) -> f64 {
        let n = self.components;
        // Numbers of the parameters: logits, means, log scales and coefficients, by channel and component.
        let mean = |channel: usize, i: usize| n * (1 + channel) + i;
        let log_scale = |channel: usize, i: usize| n * (4 + channel) + i;
        let coefficient = |from: usize, to: usize, i: usize| n * (6 + from + to) + i;
        let middle = (self.levels as f64 - 1.0) / 2.0;
        let off = |channel: usize| f64::from(x[channel]) - middle;
        by.fill(0.0);
        by[..n].copy_from_slice(&parameters[..n]);
        let total = log_sum_exp(&mut by[..n]);
        let mut terms = parameters[..n].to_vec();
        for (i, term) in terms.iter_mut().enumerate() {
            for channel in 0..3 {
                let moved = |from: usize| {
                    let c = parameters[coefficient(from, channel, i)];
                    c.clamp(COEFFICIENT[0], COEFFICIENT[1]) * off(from)
                };
                let centre = parameters[mean(channel, i)] + (0..channel).map(moved).sum::<f64>();
                let scale = parameters[log_scale(channel, i)];
                let edges = Edges::of(self.levels, None, usize::from(x[channel]));
                let [value, by_mean, by_log_scale] = log_mass(edges, centre, scale);
                *term += value;
                by[mean(channel, i)] = by_mean;
                by[log_scale(channel, i)] = by_log_scale;
                for from in 0..channel {
                    let at = coefficient(from, channel, i);
                    by[at] = by_mean * off(from) * moves(parameters[at], COEFFICIENT);
                }
            }
        }
        let of_terms = log_sum_exp(&mut terms);
        for (i, part) in terms.iter().enumerate() {
            by[i] -= part;
            by.iter_mut()
                .skip(n + i)
                .step_by(n)
                .for_each(|by| *by *= -part);
        }
        total - of_terms
    }
}
