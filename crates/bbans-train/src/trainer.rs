//! The training loop.

mod record;
mod rounding;
mod step;

use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bbans_nn::{ModelFile, Vae};
use candle_core::{Device, Var};
use candle_nn::{Optimizer, ParamsAdamW};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::adam::{AdamW, Slot};
use crate::arch::Arch;
use crate::batch::Batch;
use crate::bound::negative_bound;
use crate::checkpoint::{self, State};
use crate::dataset::{Dataset, shuffled};
use crate::error::{Error, Result};
use crate::head::Derivatives;
use crate::network::{Network, Source, lock};
use crate::noise::{Purpose, generator};
use crate::schedule::Schedule;
use record::values_of;

/// Where a run stands, told after every step.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Epoch that is being trained, from 0.
    pub epoch: usize,
    /// Steps made in the whole run.
    pub step: usize,
    /// Steps of the whole run.
    pub steps: usize,
    /// Mean negative bound of the epoch's data so far, in nats a datum.
    pub train_nats: f64,
    /// Negative bound of the held-out data, if there are any, when it was last computed, in nats a datum.
    pub validation_nats: Option<f64>,
    /// Bytes of the packed model, of a run whose weights are rounded at the end, after the epoch before.
    pub model_bytes: Option<usize>,
    /// Whether the weights are rounded by now.
    pub rounded: bool,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The best model so far, ready to be written; if no data are held out, the last.
    pub model: ModelFile,
    /// Its negative bound on the held-out data, in nats a datum; if none are held out, the mean over
    /// the training of the last epoch.
    pub nats: f64,
    /// Whether data are held out.
    pub validated: bool,
    /// Whether all epochs were run; if not, the checkpoint goes on from here.
    pub complete: bool,
    /// Seconds of training, those before an interruption too.
    pub seconds: f64,
}

/// A training run.
pub struct Trainer {
    schedule: Schedule,
    /// Epochs of the run.
    epochs: usize,
    name: String,
    training: Dataset,
    /// Number of the data that the model will code.
    coded: usize,
    /// Unless none are held out.
    validation: Option<Dataset>,
    network: Network,
    adam: AdamW,
    state: State,
    /// Weights of the smallest validation loss so far.
    best: Vec<Vec<f32>>,
    /// Of the packed model.
    model_bytes: Option<usize>,
    checkpoint: Option<PathBuf>,
    /// A thread for each processor, or one beside a GPU.
    pool: ThreadPool,
}

/// Where a run is.
fn device() -> Result<Device> {
    if cfg!(feature = "cuda") {
        return Ok(Device::cuda_if_available(0)?);
    }
    Ok(Device::Cpu)
}

/// Bytes of an allocation after whose release glibc keeps freed memory instead of giving it back after every step and
/// having it zeroed anew, a third of a step of the preset balanced: from then on it trims what is above twice as much.
const KEPT: usize = 31 << 20;

/// Bytes of a thread's stack: candle goes through a network's operations by recursion.
const STACK: usize = 1 << 26;
/// Bytes of a number of a lane in a step: its value, the derivative by it, and what makes the two.
const BYTES: usize = 16;
/// Most bytes of a step.
const MAX_BYTES: usize = 1 << 36;

/// Part of a run in which the learning rate rises, if that is less than an epoch.
const RISE: f64 = 0.1;
/// Least number of steps from a validation and checkpoint to the next: epochs of few data are short.
const STEPS_BETWEEN: usize = 100;
/// Data that are validated at a time, for each processor.
const VALIDATED: usize = 128;

impl Trainer {
    /// Prepares a run on `data`, from the tensors of `from` where they fit; goes on from `checkpoint` where that file is
    /// there.
    ///
    /// # Errors
    /// If the data are too few, the description is none, or the checkpoint is of another run.
    pub fn new(
        arch: &Arch,
        name: &str,
        data: Dataset,
        from: Option<&ModelFile>,
        checkpoint: Option<PathBuf>,
    ) -> Result<Self> {
        let schedule = arch.schedule.clone();
        schedule.check()?;
        drop(std::hint::black_box(Vec::<u8>::with_capacity(KEPT)));
        let digest = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
        let data_digest = data.digest();
        let (training, validation) = match schedule.held_out_part {
            0 => (data, None),
            part => {
                if data.count() < part {
                    return Err(Error::new(format!(
                        "{} data are too few to hold one in {part} out for validation; expected at least {part}, \
                         or --all to hold none out",
                        data.count()
                    )));
                }
                let held_out = data.count() / part;
                let (training, validation) = data.split(held_out)?;
                (training, Some(validation))
            }
        };
        let rng = generator(schedule.seed, Purpose::Initialization, 0);
        let source = Source::random(from, rng, &schedule.init);
        let network = Network::new(&arch.description, source, device()?)?;
        let lanes = schedule.batch.min(training.count()) * schedule.samples;
        let bytes = network
            .numbers()
            .saturating_mul(lanes)
            .saturating_mul(BYTES);
        if bytes > MAX_BYTES {
            return Err(Error::new(format!(
                "training.batch: a step of {} data with {} samples each takes about {} GiB of memory; the limit is {} GiB: use a \
                 smaller batch or fewer samples",
                lanes / schedule.samples,
                schedule.samples,
                bytes >> 30,
                MAX_BYTES >> 30
            )));
        }
        let vars = lock(network.vars());
        let of_name = |name: &String| vars.get(name).cloned();
        let vars_in_order: Vec<Var> = network.names().iter().filter_map(of_name).collect();
        drop(vars);
        let params = ParamsAdamW {
            lr: schedule.learning_rate,
            weight_decay: schedule.weight_decay,
            ..ParamsAdamW::default()
        };
        let mut adam = AdamW::new(vars_in_order, params)?;
        adam.average_decay = schedule.average_decay;
        let json = serde_json::to_string(network.description());
        let json = json.map_err(|e| Error::because("the description", e))?;
        let from_digest = from.map(|file| file.to_bytes().map(|bytes| digest(&bytes)));
        let state = State {
            schedule: schedule.clone(),
            description_digest: digest(json.as_bytes()),
            data_digest,
            data_values: values_of(training.values()).to_owned(),
            from_digest: from_digest.transpose()?,
            epoch: 0,
            step: 0,
            seconds: 0.0,
            best: None,
            grids: None,
        };
        let threads = match network.device().is_cpu() {
            true => std::thread::available_parallelism().map_or(1, NonZero::get),
            false => 1,
        };
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .stack_size(STACK)
            .build();
        let mut trainer = Self {
            epochs: schedule.epochs_of(training.count()),
            schedule,
            name: name.to_owned(),
            coded: training.count(),
            training,
            validation,
            network,
            adam,
            state,
            best: vec![],
            model_bytes: None,
            checkpoint,
            pool: pool.map_err(|e| Error::because("threads for training", e))?,
        };
        // What the codec would refuse is refused now, not after hours.
        Vae::new(&trainer.file(trainer.adam.slots.iter().map(|s| &s.value), None)?)?;
        trainer.resume()?;
        Ok(trainer)
    }

    fn resume(&mut self) -> Result<()> {
        let Some(path) = self.checkpoint.as_ref().filter(|p| p.exists()) else {
            return Ok(());
        };
        let (state, slots, best) = checkpoint::load(path)?;
        let sizes = |slots: &[Slot]| -> Vec<[usize; 4]> {
            let of = |s: &Slot| [&s.value, &s.first, &s.second, &s.average].map(Vec::len);
            slots.iter().map(of).collect()
        };
        let own = &self.state;
        let other = if state.description_digest != own.description_digest
            || sizes(&slots) != sizes(&self.adam.slots)
        {
            Some("another network")
        } else if state.data_digest != own.data_digest || state.data_values != own.data_values {
            Some("other data")
        } else if state.schedule != own.schedule || state.from_digest != own.from_digest {
            Some("other options")
        } else {
            None
        };
        if let Some(other) = other {
            return Err(Error::new(format!(
                "the checkpoint {} is of a run with {other}; give the command of that run, name another output, \
                 or remove the checkpoint to start again",
                path.display()
            )));
        }
        self.adam.steps = state.step;
        (self.state, self.adam.slots, self.best) = (state, slots, best);
        self.load(|slot| &slot.value)
    }

    /// The model is to code so many data, of which those that it is trained on are a part: by them it is decided how
    /// finely weights are rounded.
    pub fn codes(&mut self, count: usize) {
        self.coded = count;
    }

    /// The model before any training.
    ///
    /// # Errors
    /// If its parts do not fit together.
    pub fn initial(&self) -> Result<ModelFile> {
        self.file(self.adam.slots.iter().map(|slot| &slot.value), None)
    }

    /// Whether it runs on a GPU: with the feature `cuda`, where there is one.
    pub fn on_gpu(&self) -> bool {
        !self.network.device().is_cpu()
    }

    /// What a user should know of the network, a line each.
    pub fn remarks(&self) -> &[String] {
        self.network.remarks()
    }

    /// Epochs completed, in this run and those it goes on from.
    pub fn epochs_done(&self) -> usize {
        self.state.epoch
    }

    /// Trains until all epochs are run, `limit` has passed, or `report` breaks. `report` is called
    /// after every step; what is lost by a kill is what came after the last checkpoint.
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
        let mut saved = self.adam.steps;
        while self.state.epoch < self.epochs {
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
            self.state.step = self.adam.steps;
            self.state.seconds = before + start.elapsed().as_secs_f64();
            let first = self.state.best.is_none();
            let last = self.state.epoch == self.epochs;
            if !first && !last && self.adam.steps < saved + STEPS_BETWEEN {
                continue;
            }
            saved = self.adam.steps;
            let nats = self.keep_best(train_nats)?;
            if self.schedule.quantized_part > 0.0 {
                self.model_bytes = Some(self.packed()?.len());
            }
            validation = Some(nats).filter(|_| held_out);
            if let Some(path) = &self.checkpoint {
                checkpoint::save(path, &self.state, &self.adam.slots, &self.best)?;
            }
        }
        if self.schedule.quantized_part > 0.0 && self.state.grids.is_none() {
            // Stopped before its time.
            self.state.grids = Some(self.grids());
        }
        let Some((nats, _)) = self.state.best else {
            return Err(Error::new(
                "stopped before the first epoch was over: there is no model yet; allow more time (--max-minutes)",
            ));
        };
        let model = self.model_file()?;
        Ok(Outcome {
            model,
            nats,
            validated: self.validation.is_some(),
            complete: self.state.epoch == self.epochs,
            seconds: self.state.seconds,
        })
    }

    /// One epoch; gives the mean negative bound of its data.
    fn epoch(
        &mut self,
        validation_nats: Option<f64>,
        report: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<ControlFlow<(), f64>> {
        let (seed, batch) = (self.schedule.seed, self.schedule.batch);
        let epoch = self.state.epoch;
        let order = shuffled(
            self.training.count(),
            &mut generator(seed, Purpose::Order, epoch),
        );
        let mut binarization = generator(seed, Purpose::Binarization, epoch);
        let mut latents = generator(seed, Purpose::Latents, epoch);
        let steps_an_epoch = order.len().div_ceil(batch);
        // A run of more epochs than the schedule has is the schedule, drawn out.
        let drawn_out = self.epochs as f64 / self.schedule.epochs as f64;
        let rounded_from = (1.0 - self.schedule.quantized_part) * self.epochs as f64;
        let (mut total_nats, mut seen) = (0.0, 0);
        for (i, rows) in order.chunks(batch).enumerate() {
            let passed = (epoch as f64 + i as f64 / steps_an_epoch as f64) / drawn_out;
            let kl_weight = match self.schedule.kl_warmup_epochs {
                0 => 1.0,
                epochs => (passed / epochs as f64).min(1.0),
            };
            let x = self.training.batch(rows, &mut binarization);
            let noise = self.noise(rows.len(), &mut latents);
            if passed * drawn_out >= rounded_from && self.state.grids.is_none() {
                self.state.grids = Some(self.grids());
                self.load(|slot| &slot.value)?;
            }
            let (nats, grads) = self.gradients(&x, &noise, kl_weight)?;
            if !nats.is_finite() {
                return Err(self.not_a_number("training", nats));
            }
            total_nats += nats;
            seen += rows.len();
            let half_a_step = 0.5 / steps_an_epoch as f64 / drawn_out;
            self.adam
                .set_learning_rate(self.learning_rate(passed + half_a_step));
            self.adam.step(&grads)?;
            if self.state.grids.is_some() {
                self.load(|slot| &slot.value)?;
            }
            let progress = Progress {
                epoch,
                step: self.adam.steps,
                steps: self.epochs * steps_an_epoch,
                train_nats: total_nats / seen as f64,
                validation_nats,
                model_bytes: self.model_bytes,
                rounded: self.state.grids.is_some(),
            };
            if report(&progress).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(total_nats / seen as f64))
    }

    /// The error of a loss that is none, of training or validation.
    fn not_a_number(&self, what: &str, nats: f64) -> Error {
        let kept = match &self.checkpoint {
            Some(path) if path.exists() => format!(
                "; {} has the state after epoch {}: name another output, or remove it",
                path.display(),
                self.state.epoch
            ),
            _ => String::new(),
        };
        Error::new(format!(
            "the {what} loss is {nats} after {} steps; expected a number: give the network a smaller \
             training.learning_rate{kept}",
            self.adam.steps
        ))
    }

    /// Linear to the peak over the first epoch, then a cosine to 0 at the last.
    fn learning_rate(&self, epochs_passed: f64) -> f64 {
        // Of few epochs a part.
        let rise = (epochs_passed / (RISE * self.schedule.epochs as f64).min(1.0)).min(1.0);
        let part = epochs_passed / self.schedule.epochs as f64;
        self.schedule.learning_rate * rise * 0.5 * (1.0 + (part * std::f64::consts::PI).cos())
    }

    /// Keeps the averaged weights if they are the best on the held-out data, or if there are none;
    /// gives their loss there, in nats a datum, or `train_nats`.
    fn keep_best(&mut self, train_nats: f64) -> Result<f64> {
        let nats = match &self.validation {
            Some(data) => self.validate(data)?,
            None => train_nats,
        };
        if !nats.is_finite() {
            return Err(self.not_a_number("validation", nats));
        }
        let best = (self.state.best).filter(|&(best, _)| self.validation.is_some() && best <= nats);
        if best.is_none() {
            self.state.best = Some((nats, self.state.epoch));
            self.best = self.adam.slots.iter().map(|s| s.average.clone()).collect();
        }
        Ok(nats)
    }

    /// Loss of the averaged weights on the held-out data, in nats a datum.
    fn validate(&self, data: &Dataset) -> Result<f64> {
        self.load(|slot| &slot.average)?;
        let rows: Vec<usize> = (0..data.count()).collect();
        // The same draws after every epoch, so that epochs compare.
        let mut rng = generator(self.schedule.seed, Purpose::Validation, 0);
        let x = data.batch(&rows, &mut rng);
        let mut nats = 0.0;
        let samples = self.schedule.samples;
        let room = MAX_BYTES / BYTES / self.network.numbers().max(1) / samples;
        let at_a_time = (VALIDATED * self.pool.current_num_threads()).div_ceil(samples);
        for x in x.chunks(at_a_time.min(room).max(1) * data.dims()) {
            let noise = self.noise(x.len() / data.dims(), &mut rng);
            let parts = self.parallel(self.parts(x, &noise), |(x, noise)| {
                let batch = Batch::new(&self.network, x, noise, samples)?;
                negative_bound(&self.network.terms(&batch, Derivatives::None)?, &batch)
            })?;
            nats += parts.iter().sum::<f64>();
        }
        self.load(|slot| &slot.value)?;
        Ok(nats / rows.len() as f64)
    }
}
