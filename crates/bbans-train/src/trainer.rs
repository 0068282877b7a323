//! The training loop.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bbans_nn::{ModelFile, Tensor as ModelTensor, bins};
use candle_core::{Device, Tensor};
use serde_json::json;

use crate::adam::Adam;
use crate::checkpoint::{self, State};
use crate::dataset::{Dataset, Values, shuffled};
use crate::error::{Error, Result};
use crate::network::{Elbo, Network};
use crate::noise::{Purpose, generator};
use crate::preset::Config;

/// Where a run stands, told after every step.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Epoch that is being trained, from 0.
    pub epoch: usize,
    /// Steps made in the whole run.
    pub step: usize,
    /// Steps of the whole run.
    pub steps: usize,
    /// Mean negative ELBO of the epoch's data so far, in nats a datum.
    pub train_nats: f64,
    /// Negative ELBO of the held-out data, if there are any, after the last epoch, in nats a datum.
    pub validation_nats: Option<f64>,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The best model so far, ready to be written; if no data are held out, the last.
    pub model: ModelFile,
    /// Its negative ELBO on the held-out data, in nats a datum; if none are held out, the mean over
    /// the training of the last epoch.
    pub nats: f64,
    /// Whether data are held out.
    pub validated: bool,
    /// Whether all epochs were run; if not, the checkpoint goes on from here.
    pub complete: bool,
}

/// A training run.
pub struct Trainer {
    config: Config,
    name: String,
    training: Dataset,
    /// Unless none are held out.
    validation: Option<Dataset>,
    network: Network,
    adam: Adam,
    state: State,
    /// Weights of the smallest validation loss so far.
    best: Vec<Vec<f32>>,
    checkpoint: Option<PathBuf>,
}

/// Where a run is.
fn device() -> Result<Device> {
    if cfg!(feature = "cuda") {
        return Ok(Device::cuda_if_available(0)?);
    }
    Ok(Device::Cpu)
}

impl Trainer {
    /// Prepares a run on `data`; goes on from `checkpoint` where that file is there.
    ///
    /// # Errors
    /// If the data are too few, or the checkpoint is of another run.
    pub fn new(
        config: Config,
        name: &str,
        data: Dataset,
        checkpoint: Option<PathBuf>,
    ) -> Result<Self> {
        let data_digest = blake3::hash(data.bytes()).to_hex().to_string();
        let (training, validation) = match config.held_out_part {
            0 => (data, None),
            part => {
                let held_out = data.count() / part;
                let (training, validation) = data.split(held_out)?;
                (training, Some(validation))
            }
        };
        let mut rng = generator(config.seed, Purpose::Initialization, 0);
        let network = Network::random(
            name,
            training.shape(),
            &config.architecture,
            device()?,
            &mut rng,
        )?;
        let adam = Adam::new(network.vars())?;
        let state = State {
            config: config.clone(),
            data_digest,
            epoch: 0,
            step: 0,
            seconds: 0.0,
            best: None,
        };
        let name = name.to_owned();
        let mut trainer = Self {
            config,
            name,
            training,
            validation,
            network,
            adam,
            state,
            best: vec![],
            checkpoint,
        };
        trainer.resume()?;
        Ok(trainer)
    }

    fn resume(&mut self) -> Result<()> {
        let Some(path) = self.checkpoint.as_ref().filter(|p| p.exists()) else {
            return Ok(());
        };
        let (state, adam, best) = checkpoint::load(path)?;
        let sizes = |a: &Adam| a.slots.iter().map(|s| s.value.len()).collect::<Vec<_>>();
        if state.config != self.state.config
            || state.data_digest != self.state.data_digest
            || sizes(&adam) != sizes(&self.adam)
        {
            return Err(Error::new(format!(
                "the checkpoint {} is of a run with other options or other data; \
                 remove it to start again",
                path.display()
            )));
        }
        (self.state, self.adam, self.best) = (state, adam, best);
        self.load_weights(|slot| &slot.value)
    }

    /// Whether it runs on a GPU: with the feature `cuda`, where there is one.
    pub fn on_gpu(&self) -> bool {
        !self.network.device().is_cpu()
    }

    /// Epochs completed, in this run and those it goes on from.
    pub fn epochs_done(&self) -> usize {
        self.state.epoch
    }

    /// Trains until all epochs are run, `limit` has passed, or `report` breaks. `report` is called
    /// after every step; what is lost by a kill is the epoch that was under way.
    ///
    /// # Errors
    /// If a checkpoint cannot be written or the loss is no longer a number.
    pub fn run(
        &mut self,
        limit: Option<Duration>,
        mut report: impl FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Outcome> {
        let start = Instant::now();
        let before = self.state.seconds;
        let held_out = self.validation.is_some();
        let mut validation = (self.state.best.filter(|_| held_out)).map(|(nats, _)| nats);
        while self.state.epoch < self.config.epochs {
            let expired = || limit.is_some_and(|limit| start.elapsed() >= limit);
            let mut report = |p: &Progress| {
                if expired() {
                    ControlFlow::Break(())
                } else {
                    report(p)
                }
            };
            let ControlFlow::Continue(train_nats) = self.epoch(validation, &mut report)? else {
                break;
            };
            self.state.epoch += 1;
            self.state.step = self.adam.step;
            self.state.seconds = before + start.elapsed().as_secs_f64();
            let nats = self.keep_best(train_nats)?;
            validation = Some(nats).filter(|_| held_out);
            if let Some(path) = &self.checkpoint {
                checkpoint::save(path, &self.state, &self.adam, &self.best)?;
            }
        }
        let Some((nats, _)) = self.state.best else {
            return Err(Error::new(
                "stopped before the first epoch was over: there is no model yet; allow more time",
            ));
        };
        let model = self.model_file()?;
        Ok(Outcome {
            model,
            nats,
            validated: self.validation.is_some(),
            complete: self.state.epoch == self.config.epochs,
        })
    }

    /// One epoch; gives the mean negative ELBO of its data.
    fn epoch(
        &mut self,
        validation_nats: Option<f64>,
        report: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<ControlFlow<(), f64>> {
        let Config {
            seed,
            batch,
            epochs,
            kl_warmup_epochs,
            ..
        } = self.config;
        let epoch = self.state.epoch;
        let order = shuffled(
            self.training.count(),
            &mut generator(seed, Purpose::Order, epoch),
        );
        let mut binarization = generator(seed, Purpose::Binarization, epoch);
        let mut latents = generator(seed, Purpose::Latents, epoch);
        let steps_an_epoch = order.len().div_ceil(batch);
        let (mut total_nats, mut seen) = (0.0, 0);
        for (i, rows) in order.chunks(batch).enumerate() {
            let x = self.training.batch(rows, &mut binarization);
            let (x, epsilon) = self.network.batch(x, &mut latents)?;
            let (kl, reconstruction) = self.network.terms(&x, &epsilon)?;
            let passed = epoch as f64 + i as f64 / steps_an_epoch as f64;
            let kl_weight = (passed / kl_warmup_epochs.max(1) as f64).min(1.0);
            let loss =
                ((kl.affine(kl_weight, 0.0)? + &reconstruction)? * (1.0 / rows.len() as f64))?;
            let nats = kl.to_scalar::<f32>()? + reconstruction.to_scalar::<f32>()?;
            if !nats.is_finite() {
                return Err(Error::new(format!(
                    "the loss is {nats} in epoch {epoch}; use a smaller learning rate"
                )));
            }
            total_nats += f64::from(nats);
            seen += rows.len();
            let grads = loss.backward()?;
            let rate = self.learning_rate(passed);
            self.adam
                .step(self.network.vars(), &grads, rate, self.config.average_decay)?;
            let progress = Progress {
                epoch,
                step: self.adam.step,
                steps: epochs * steps_an_epoch,
                train_nats: total_nats / seen as f64,
                validation_nats,
            };
            if report(&progress).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(total_nats / seen as f64))
    }

    /// Linear to the peak over the first epoch, then a cosine to 0 at the last.
    fn learning_rate(&self, epochs_passed: f64) -> f64 {
        let rise = epochs_passed.min(1.0);
        let part = epochs_passed / self.config.epochs as f64;
        self.config.learning_rate * rise * 0.5 * (1.0 + (part * std::f64::consts::PI).cos())
    }

    /// Keeps the averaged weights if they are the best on the held-out data, or if there are none;
    /// gives their loss there, in nats a datum, or `train_nats`.
    fn keep_best(&mut self, train_nats: f64) -> Result<f64> {
        let nats = match &self.validation {
            Some(data) => self.validate(data)?,
            None => train_nats,
        };
        let best = (self.state.best).filter(|&(best, _)| self.validation.is_some() && best <= nats);
        if best.is_none() {
            self.state.best = Some((nats, self.state.epoch));
            self.best = self.adam.slots.iter().map(|s| s.average.clone()).collect();
        }
        Ok(nats)
    }

    /// Loss of the averaged weights on the held-out data, in nats a datum.
    fn validate(&self, data: &Dataset) -> Result<f64> {
        self.load_weights(|slot| &slot.average)?;
        let rows: Vec<usize> = (0..data.count()).collect();
        // The same draws after every epoch, so that epochs compare.
        let mut rng = generator(self.config.seed, Purpose::Validation, 0);
        let x = data.batch(&rows, &mut rng);
        let Elbo {
            kl_nats,
            reconstruction_nats,
        } = self.network.elbo(&x, &mut rng)?;
        self.load_weights(|slot| &slot.value)?;
        Ok((kl_nats + reconstruction_nats) / rows.len() as f64)
    }

    fn load_weights(&self, part: fn(&crate::adam::Slot) -> &Vec<f32>) -> Result<()> {
        for (var, slot) in self.network.vars().iter().zip(&self.adam.slots) {
            var.set(&Tensor::from_slice(part(slot), var.shape(), var.device())?)?;
        }
        Ok(())
    }

    /// The best weights with their description.
    fn model_file(&self) -> Result<ModelFile> {
        let mut description = self.network.description().clone();
        description.name.clone_from(&self.name);
        let (nats, best_epoch) = self.state.best.unwrap_or_default();
        let bits_per_dim = nats / std::f64::consts::LN_2 / description.dims()? as f64;
        let held_out = self.validation.as_ref().map_or(0, Dataset::count);
        let mut training = json!({
            "config": self.config,
            "data_blake3": self.state.data_digest,
            "data_values": match self.training.values() {
                Values::Binary => "binary",
                Values::Grey => "grey, binarized anew in every epoch",
                Values::Levels => "grey",
            },
            "training_count": self.training.count(),
            "validation_count": held_out,
            "epochs_run": self.state.epoch,
            "best_epoch": best_epoch,
            "seconds": self.state.seconds.round(),
            "program": concat!("bbans ", env!("CARGO_PKG_VERSION")),
        });
        let of = if held_out > 0 {
            "validation"
        } else {
            "training"
        };
        training[format!("{of}_nats")] = json!(nats);
        training[format!("{of}_bits_per_dim")] = json!(bits_per_dim);
        description.training = Some(training);
        let mut tensors = BTreeMap::new();
        for ((name, var), values) in self
            .network
            .names()
            .iter()
            .zip(self.network.vars())
            .zip(&self.best)
        {
            let mut tensor = ModelTensor::new(var.dims().to_vec(), values.clone())?;
            // The codec's data are levels, the network's are parts of the greatest.
            if name == self.network.first_weight() {
                let scale = self.network.scale();
                tensor.values.iter_mut().for_each(|w| *w *= scale);
            }
            // Half the size, at a cost far below the noise of training.
            let tensor = if description.version >= 3 {
                tensor.halved()?
            } else {
                tensor
            };
            tensors.insert(name.clone(), tensor);
        }
        bins::insert_standard_normal(&mut tensors, description.latent.bin_precision)?;
        Ok(ModelFile {
            description,
            tensors,
        })
    }
}
