//! Mixtures of discretized logistic distributions.

use bbans_nn::likelihood::{DiscretizedLogistic, Edges, Kind};

use super::logistic::mixture_nats;
use super::{Objective, Unit, units_of_locations};

impl Objective for DiscretizedLogistic {
    fn units(&self) -> Vec<Unit> {
        let locations = units_of_locations(self.levels, self.components).concat();
        let logits = vec![Unit::ONE; self.parameters() - locations.len()];
        [logits, locations].concat()
    }

    fn nats(&self, parameters: &[f64], x: &[u16], by: &mut [f64]) -> f64 {
        let edges = Edges::of(self.levels, None, usize::from(x[0]));
        mixture_nats(parameters, self.components, edges, by)
    }
}
