//! How a model is trained.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Everything that decides what a run computes, besides the description and the data. In a description it is the
/// field `training`; what is left out is as [`Schedule::default`] has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// Passes over the training data, if [`Schedule::min_steps`] does not ask for more.
    pub epochs: usize,
    /// Least number of steps: few data are looked at more often.
    pub min_steps: usize,
    /// Data in a step.
    pub batch: usize,
    /// Peak learning rate: reached linearly over the first epoch, left along a cosine to 0.
    pub learning_rate: f64,
    /// Part of the weights that a step takes away, times the learning rate (Loshchilov & Hutter 2019).
    pub weight_decay: f64,
    /// The weight of the KL term rises linearly from 0 to 1 over this many epochs.
    pub kl_warmup_epochs: usize,
    /// Bits a datum below which the KL divergence of a group of latents costs no less (Kingma et al. 2016).
    pub free_bits: f64,
    /// Samples of the latents of each datum in the importance-weighted bound (Burda, Grosse & Salakhutdinov 2016); with
    /// 1 it is the evidence lower bound.
    pub samples: usize,
    /// Decay of the average of the weights, by step.
    pub average_decay: f64,
    /// One part in this many of the data, the last ones, is held out for validation; 0 holds out none.
    pub held_out_part: usize,
    /// Seed of every random number of the run.
    pub seed: u64,
    /// Factors of initial values, by the tensor's name: with 0 they are zeros.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub init: BTreeMap<String, f64>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            epochs: 32,
            min_steps: 6000,
            batch: 128,
            learning_rate: 2e-3,
            weight_decay: 0.0,
            kl_warmup_epochs: 8,
            free_bits: 0.0,
            samples: 1,
            average_decay: 0.999,
            held_out_part: 6,
            seed: 1,
            init: BTreeMap::new(),
        }
    }
}

impl Schedule {
    /// Checks that numbers are in their ranges.
    pub(crate) fn check(&self) -> Result<()> {
        let small = |v: f64, max: f64| v >= 0.0 && v <= max;
        let fits = [
            (
                "epochs",
                (1..=1_000_000).contains(&self.epochs),
                "1 to 1000000",
            ),
            ("min_steps", self.min_steps <= 1 << 32, "at most 2^32"),
            ("batch", (1..=1 << 16).contains(&self.batch), "1 to 65536"),
            (
                "samples",
                (1..=1 << 12).contains(&self.samples),
                "1 to 4096",
            ),
            ("learning_rate", small(self.learning_rate, 1.0), "0 to 1"),
            ("weight_decay", small(self.weight_decay, 1e3), "0 to 1000"),
            ("free_bits", small(self.free_bits, 1e6), "0 to 1000000"),
            ("average_decay", small(self.average_decay, 1.0), "0 to 1"),
            (
                "kl_warmup_epochs",
                self.kl_warmup_epochs <= 1_000_000,
                "at most 1000000",
            ),
            ("held_out_part", self.held_out_part != 1, "0, or at least 2"),
            (
                "free_bits",
                self.free_bits == 0.0 || self.samples == 1,
                "0 with several samples",
            ),
            (
                "init",
                self.init.values().all(|&v| v.abs() <= 1e3),
                "factors of at most 1000",
            ),
        ];
        match fits.iter().find(|(_, fits, _)| !fits) {
            None => Ok(()),
            Some((name, _, expected)) => {
                Err(Error::new(format!("training.{name}: expected {expected}")))
            }
        }
    }

    /// Epochs of so many training data.
    pub(crate) fn epochs_of(&self, count: usize) -> usize {
        let steps = count.div_ceil(self.batch).max(1);
        self.epochs.max(self.min_steps.div_ceil(steps))
    }
}
