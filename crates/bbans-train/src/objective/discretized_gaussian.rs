//! The discretized Gaussian distribution.

use bbans_nn::likelihood::{DiscretizedGaussian, Tabular};

use super::{Objective, Unit, moves, units_of_locations};

impl Objective for DiscretizedGaussian {
    fn units(&self) -> Vec<Unit> {
        units_of_locations(self.levels, 1).concat()
    }

    fn nats(&self, parameters: &[f64], x: &[u16], by: &mut [f64]) -> f64 {
        let (mean, log_sigma) = (parameters[0], parameters[1]);
        let rate = (-log_sigma.clamp(-10.0, 20.0)).exp();
        let (symbol, last) = (usize::from(x[0]), self.levels - 1);
        let at = |edge: f64| (edge - mean) * rate;
        let (low, high) = (at(symbol as f64 - 0.5), at(symbol as f64 + 0.5));
        let nats = Tabular::nats(self, parameters, symbol);
        let density = |v: f64| (-0.5 * v * v).exp() * 0.398_942_280_401_432_7;
        // Of the edges that there are, the derivatives of the log mass.
        let mass = (-nats).exp();
        let [by_high, by_low] = if mass > 1e-280 {
            [density(high) / mass, -density(low) / mass]
        } else if low > 0.0 {
            // Far out, where log mass is about -v^2 / 2 of the nearer edge.
            [0.0, -low]
        } else {
            [-high, 0.0]
        };
        let by_high = if symbol == last { 0.0 } else { by_high };
        let by_low = if symbol == 0 { 0.0 } else { by_low };
        by[0] = rate * (by_high + by_low);
        by[1] = (high * by_high + low * by_low) * moves(log_sigma, [-10.0, 20.0]);
        nats
    }
}
