//! Weights of a run that are rounded: their steps, and the parameters with them.

use candle_core::{Tensor, Var};

use super::Trainer;
use crate::adam::Slot;
use crate::error::Result;
use crate::quantize::{self, Grids};

impl Trainer {
    /// Steps for all weights as they are.
    pub(super) fn grids(&self) -> Grids {
        // The mean of the squares begins at 0.
        let known = 1.0 - self.adam.second_decay().powf(self.adam.steps as f64);
        let batch = self.schedule.batch.min(self.training.count());
        let scale = self.coded as f64 * batch as f64 / known.max(1e-3);
        let vars = self.network.names().iter().zip(self.adam.vars());
        let of_var = |((name, var), slot): ((&String, &Var), &Slot)| {
            let steps = quantize::steps(self.network.fold(), name, var.dims(), slot, scale);
            (name.clone(), steps)
        };
        vars.zip(&self.adam.slots).map(of_var).collect()
    }

    /// The best weights so far in few bytes, rounded now if they are not yet.
    pub(super) fn packed(&self) -> Result<Vec<u8>> {
        let now;
        let grids = match &self.state.grids {
            Some(grids) => grids,
            None => {
                now = self.grids();
                &now
            }
        };
        Ok(self.file(self.best.iter(), Some(grids))?.pack()?)
    }

    /// Sets the parameters to a part of their slots, rounded if they are.
    pub(super) fn load(&self, part: fn(&Slot) -> &Vec<f32>) -> Result<()> {
        let Some(grids) = &self.state.grids else {
            return Ok(self.adam.load(part)?);
        };
        let fold = self.network.fold();
        let vars = self.network.names().iter().zip(self.adam.vars());
        for ((name, var), slot) in vars.zip(&self.adam.slots) {
            let mut values = part(slot).clone();
            if let Some(steps) = grids.get(name) {
                fold.folded(name, &mut values);
                quantize::round(&mut values, steps);
                fold.unfolded(name, &mut values);
            }
            var.set(&Tensor::from_vec(values, var.shape(), var.device())?)?;
        }
        Ok(())
    }
}
