//! How a model is trained.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// Of the run, the last part in which weights are rounded to multiples of steps, so that a file takes them in few
    /// bits; 0: they are not.
    #[serde(skip_serializing_if = "is_zero")]
    pub quantized_part: f64,
    /// Seed of every random number of the run.
    pub seed: u64,
    /// Factors of initial values, by the tensor's name: with 0 they are zeros.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub init: BTreeMap<String, f64>,
}

fn is_zero(part: &f64) -> bool {
    *part == 0.0
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
            quantized_part: 0.0,
            seed: 1,
            init: BTreeMap::new(),
        }
    }
}

impl Schedule {
    /// What the record of a model has that was trained before there were schedules.
    pub(crate) fn of_config(config: &Value) -> Self {
        let number = |name: &str| config.get(name).and_then(Value::as_f64);
        let count = |name: &str| number(name).map(|n| n as usize);
        let default = Self::default();
        Self {
            epochs: count("epochs").unwrap_or(default.epochs),
            batch: count("batch").unwrap_or(default.batch),
            learning_rate: number("learning_rate").unwrap_or(default.learning_rate),
            kl_warmup_epochs: count("kl_warmup_epochs").unwrap_or(default.kl_warmup_epochs),
            average_decay: number("average_decay").unwrap_or(default.average_decay),
            held_out_part: count("held_out_part").unwrap_or(default.held_out_part),
            ..default
        }
    }

    /// Checks that numbers are in their ranges.
    pub(crate) fn check(&self) -> Result<()> {
        let counts = [
            ("epochs", self.epochs, 1, 1_000_000),
            ("min_steps", self.min_steps, 0, 1 << 32),
            ("batch", self.batch, 1, 1 << 16),
            ("samples", self.samples, 1, 1 << 12),
            ("kl_warmup_epochs", self.kl_warmup_epochs, 0, 1_000_000),
        ];
        for (name, found, least, most) in counts {
            if !(least..=most).contains(&found) {
                return Err(Error::new(format!(
                    "training.{name} is {found}; expected {least} to {most}"
                )));
            }
        }
        let numbers = [
            ("learning_rate", self.learning_rate, 1.0),
            ("weight_decay", self.weight_decay, 1e3),
            ("free_bits", self.free_bits, 1e6),
            ("average_decay", self.average_decay, 1.0),
            ("quantized_part", self.quantized_part, 1.0),
        ];
        for (name, found, most) in numbers {
            if !(found >= 0.0 && found <= most) {
                return Err(Error::new(format!(
                    "training.{name} is {found}; expected 0 to {most}"
                )));
            }
        }
        if let Some((name, factor)) = self.init.iter().find(|(_, v)| v.abs() > 1e3) {
            return Err(Error::new(format!(
                "training.init has the factor {factor} for {name}; expected -1000 to 1000"
            )));
        }
        if self.held_out_part == 1 {
            return Err(Error::new(
                "training.held_out_part is 1, which leaves nothing to train on; expected 0, for none, or at least 2",
            ));
        }
        if self.free_bits > 0.0 && self.samples > 1 {
            return Err(Error::new(format!(
                "training.free_bits is {} and training.samples {}; expected free bits of 0, or 1 sample: the \
                 importance-weighted bound has no KL divergences",
                self.free_bits, self.samples
            )));
        }
        Ok(())
    }

    /// Epochs of so many training data.
    pub(crate) fn epochs_of(&self, count: usize) -> usize {
        let steps = count.div_ceil(self.batch).max(1);
        self.epochs.max(self.min_steps.div_ceil(steps))
    }
}
