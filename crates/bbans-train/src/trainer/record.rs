//! What a run writes: the model with a record of its training.

use std::collections::BTreeMap;
use std::f64::consts::LN_2;

use bbans_nn::{ModelFile, Tensor as ModelTensor, bins};
use serde_json::json;

use super::Trainer;
use crate::dataset::{Dataset, Values};
use crate::error::Result;
use crate::quantize::{self, Grids};

impl Trainer {
    /// The best weights with their description.
    pub(super) fn model_file(&self) -> Result<ModelFile> {
        let mut file = self.file(self.best.iter(), self.state.grids.as_ref())?;
        let description = &mut file.description;
        let (nats, best_epoch) = self.state.best.unwrap_or_default();
        let bits_per_dim = nats / LN_2 / description.dims()? as f64;
        let held_out = self.validation.as_ref().map_or(0, Dataset::count);
        let mut training = json!({
            "schedule": self.schedule,
            "data_blake3": self.state.data_digest,
            "data_values": self.state.data_values,
            "training_count": self.training.count(),
            "validation_count": held_out,
            "epochs_run": self.state.epoch,
            "best_epoch": best_epoch,
            "program": concat!("bbans ", env!("CARGO_PKG_VERSION")),
        });
        let of = if held_out > 0 {
            "validation"
        } else {
            "training"
        };
        training[format!("{of}_nats")] = json!(nats);
        training[format!("{of}_bits_per_dim")] = json!(bits_per_dim);
        if let Some(digest) = &self.state.from_digest {
            training["from_blake3"] = json!(digest);
        }
        description.training = Some(training);
        Ok(file)
    }

    /// A model file with these values of the parameters, rounded to multiples of steps if there are some.
    pub(super) fn file<'a>(
        &self,
        values: impl Iterator<Item = &'a Vec<f32>>,
        grids: Option<&Grids>,
    ) -> Result<ModelFile> {
        let mut description = self.network.description().clone();
        description.name.clone_from(&self.name);
        let mut tensors = BTreeMap::new();
        let vars = self.network.names().iter().zip(self.adam.vars());
        for ((name, var), values) in vars.zip(values) {
            let mut values = values.clone();
            self.network.fold().folded(name, &mut values);
            let steps = grids.and_then(|grids| grids.get(name));
            if let Some(steps) = steps {
                quantize::round(&mut values, steps);
            }
            let tensor = ModelTensor::new(var.dims().to_vec(), values)?;
            // Half the size, at a cost far below the noise of training. Biases are few, and those of means are as large
            // as symbols are.
            let tensor = match tensor.shape.len() {
                _ if steps.is_some() => tensor,
                0 | 1 => tensor,
                _ => tensor.halved()?,
            };
            tensors.insert(name.clone(), tensor);
        }
        if !description.latent.is_none() {
            bins::insert_standard_normal(&mut tensors, description.latent.bin_precision)?;
        }
        Ok(ModelFile {
            description,
            tensors,
        })
    }
}

/// A word for what the bytes of data are.
pub(super) fn values_of(values: Values) -> &'static str {
    match values {
        Values::Binary => "binary",
        Values::Grey => "grey, binarized anew in every epoch",
        Values::Levels => "levels",
    }
}
