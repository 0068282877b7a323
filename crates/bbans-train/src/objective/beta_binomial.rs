//! The beta-binomial distribution.

use bbans_nn::likelihood::{BetaBinomial, Tabular};

use super::{Objective, moves};

impl Objective for BetaBinomial {
    /// The derivative of `log Gamma(a + n) - log Gamma(a)` by `a` is the sum of `1 / (a + i)` for `i < n`.
    fn nats(&self, parameters: &[f64], x: &[u16], by: &mut [f64]) -> f64 {
        let (x, n) = (usize::from(x[0]), self.levels - 1);
        let [alpha, beta] = [parameters[0], parameters[1]].map(|v| v.clamp(-20.0, 20.0).exp());
        let sum = |a: f64, n: usize| (0..n).map(|i| 1.0 / (a + i as f64)).sum::<f64>();
        let both = sum(alpha + beta, n);
        let bounds = [-20.0, 20.0];
        by[0] = alpha * (both - sum(alpha, x)) * moves(parameters[0], bounds);
        by[1] = beta * (both - sum(beta, n - x)) * moves(parameters[1], bounds);
        Tabular::nats(self, parameters, x)
    }
}
