//! Mixtures of discretized logistic distributions.

use bbans_nn::likelihood::{DiscretizedLogistic, Kind};

use super::logistic::log_mass;
use super::{Objective, Unit, log_sum_exp, units_of_locations};

impl Objective for DiscretizedLogistic {
    fn units(&self) -> Vec<Unit> {
        let locations = units_of_locations(self.levels, self.components).concat();
        let logits = vec![Unit::ONE; self.parameters() - locations.len()];
        [logits, locations].concat()
    }

    fn nats(&self, parameters: &[f64], x: &[u16], by: &mut [f64]) -> f64 {
        let n = self.components;
        let (logits, rest) = parameters.split_at(parameters.len() - 2 * n);
        let (by_logits, by_rest) = by.split_at_mut(logits.len());
        by_logits.copy_from_slice(logits);
        let total = if logits.is_empty() {
            0.0
        } else {
            log_sum_exp(by_logits)
        };
        let mut terms = vec![0.0; n];
        for i in 0..n {
            let [value, by_mean, by_log_scale] = log_mass(self.levels, rest[i], rest[n + i], x[0]);
            terms[i] = logits.get(i).copied().unwrap_or(0.0) + value;
            (by_rest[i], by_rest[n + i]) = (by_mean, by_log_scale);
        }
        let of_terms = log_sum_exp(&mut terms);
        for (i, part) in terms.iter().enumerate() {
            if let Some(by) = by_logits.get_mut(i) {
                *by -= part;
            }
            by_rest[i] *= -part;
            by_rest[n + i] *= -part;
        }
        total - of_terms
    }
}
