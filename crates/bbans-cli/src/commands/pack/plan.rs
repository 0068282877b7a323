//! Which network is trained, how long, and what that was decided by.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bbans_train::{Arch, Dataset, Family, Trainer, archive_arch, weights_for};
use serde::{Deserialize, Serialize};

use super::Args;
use super::handler::with_bins;
use super::input::Input;
use crate::support::terminal::note;

/// What a run does. It is kept beside the checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) network: String,
    /// Weights at most, as they were asked for.
    pub(super) weights: usize,
    pub(super) epochs: usize,
    /// Data that are trained on, spread over all.
    pub(super) count: usize,
    pub(super) seed: u64,
}

/// Epochs after which it is looked whether more of them make the total fall.
pub(super) const ROUND: usize = 100;
/// Part of the time for trials.
const TRIALS: f64 = 0.2;
/// Trials at most.
const MOST_TRIALS: usize = 8;
/// Shorter runs, in seconds, make none.
const MIN_TRIALS: f64 = 10.0;
/// The best size grows with the time of training by this power, about (compare Hoffmann et al. 2022, where it is a half
/// without a cost of weights), up to a factor.
const GROWTH: f64 = 0.35;
const MOST_GROWTH: f64 = 4.0;
/// Weights for a byte of the total, at most.
const MOST_PART: f64 = 0.15;
/// Part of the time for training and trials; the others are for writing, decoding and comparing.
const TRAINING: f64 = 0.92;
/// A trial's part of held-out data.
const HELD_OUT: usize = 8;

impl Plan {
    pub(super) fn family(&self) -> Result<Family> {
        Family::ALL
            .into_iter()
            .find(|family| family.name() == self.network)
            .with_context(|| {
                format!(
                    "a checkpoint with a network {:?}, which there is not",
                    self.network
                )
            })
    }

    /// What is trained.
    pub(super) fn arch(&self, input: &Input) -> Result<Arch> {
        let mut arch = arch(input, self.family()?, self.weights)?;
        let schedule = &mut arch.schedule;
        (schedule.epochs, schedule.min_steps) = (self.epochs, 0);
        schedule.seed = self.seed;
        Ok(arch)
    }

    /// A trainer of it.
    pub(super) fn trainer(&self, input: &Input, name: &str, checkpoint: &Path) -> Result<Trainer> {
        let data = some(&input.data, self.count)?;
        let arch = self.arch(input)?;
        let mut trainer = Trainer::new(&arch, name, data, None, Some(checkpoint.to_owned()))?;
        trainer.codes(input.data.count());
        Ok(trainer)
    }

    /// The plan beside a checkpoint, if there is one.
    pub(super) fn read(path: &Path) -> Result<Option<Self>> {
        match fs::read(path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            read => {
                let text = read.with_context(|| path.display().to_string())?;
                let plan = serde_json::from_slice(&text);
                plan.map(Some)
                    .with_context(|| format!("{} is no plan of a run", path.display()))
            }
        }
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
    }
}

/// The network of a family for the input.
fn arch(input: &Input, family: Family, weights: usize) -> Result<Arch> {
    let levels = input.stand_for.levels.as_deref();
    let values = &input.stand_for.values;
    let mut arch = archive_arch(family, &input.data, levels, values, weights)?;
    arch.description.name = "archive".to_owned();
    Ok(arch)
}

fn some(data: &Dataset, count: usize) -> Result<Dataset> {
    match count < data.count() {
        true => Ok(Dataset::new(
            data.spread(count),
            data.shape().to_vec(),
            data.values(),
        )?),
        false => Ok(data.clone()),
    }
}

/// Decides what is trained in `seconds`, or in so many `epochs`; `rival` is the size of the best rival, if one was
/// measured.
pub(super) fn decide(
    args: &Args,
    input: &Input,
    seconds: Option<f64>,
    epochs: Option<usize>,
    rival: Option<u64>,
) -> Result<Plan> {
    let begin = Instant::now();
    let bits = match rival {
        Some(bytes) => 6.4 * bytes as f64,
        None => 0.5 * order_0(&input.data),
    };
    let families = match args.network {
        Some(family) => vec![family],
        None => Family::of(&input.data),
    };
    let mut choice = (
        families[0],
        args.weights.map_or(weights_for(bits), |n| n as usize),
    );
    let time = seconds.map(|seconds| TRAINING * seconds);
    if let Some(time) = time.filter(|&time| time >= MIN_TRIALS) {
        let mut trials = Trials {
            args,
            input,
            each: TRIALS * time / MOST_TRIALS as f64,
            left: MOST_TRIALS,
        };
        choice = trials.choose(&families, choice.1, time)?;
    }
    let count = input.data.count();
    let mut plan = Plan {
        network: choice.0.name().to_owned(),
        weights: choice.1,
        epochs: epochs.unwrap_or(ROUND),
        count,
        seed: args.seed,
    };
    if let Some(time) = time {
        let left = (time - begin.elapsed().as_secs_f64()).max(0.0);
        let rate = rate(&plan.arch(input)?, &input.data)?;
        let affordable = rate * left;
        match affordable < count as f64 {
            true => (plan.epochs, plan.count) = (1, (affordable as usize).clamp(1, count)),
            false => plan.epochs = ((affordable / count as f64) as usize).min(ROUND),
        }
    }
    Ok(plan)
}

/// Networks that are tried on the data before one of them is trained.
struct Trials<'a> {
    args: &'a Args,
    input: &'a Input,
    /// Seconds of each.
    each: f64,
    /// How many may still be made.
    left: usize,
}

impl Trials<'_> {
    /// The kind of network and the number of weights of the least total, from so many `weights` on.
    fn choose(
        &mut self,
        families: &[Family],
        weights: usize,
        time: f64,
    ) -> Result<(Family, usize)> {
        let mut best: Option<(f64, Family)> = None;
        let mut longest = 1.0f64;
        for &family in families {
            if families.len() == 1 && self.args.weights.is_some() {
                return Ok((family, weights));
            }
            if let Some(trial) = self.make(family, weights)?
                && best.is_none_or(|(total, _)| trial.total() < total)
            {
                best = Some((trial.total(), family));
                longest = longest.max(trial.seconds);
            }
        }
        let Some((mut total, family)) = best else {
            return Ok((families[0], weights));
        };
        let mut size = weights;
        if self.args.weights.is_none() {
            for up in [true, false] {
                loop {
                    let other = if up { 2 * size } else { size / 2 };
                    let Some(trial) = self.make(family, other)? else {
                        break;
                    };
                    longest = longest.max(trial.seconds);
                    if trial.total() >= total {
                        break;
                    }
                    (total, size) = (trial.total(), other);
                }
                if size != weights {
                    break;
                }
            }
            // What is trained for longer has use for more weights.
            let longer = (0.8 * time / longest).max(1.0);
            let grown = size as f64 * longer.powf(GROWTH).min(MOST_GROWTH);
            size = (grown as usize).min((size).max((MOST_PART * total) as usize));
        }
        Ok((family, size))
    }

    fn make(&mut self, family: Family, weights: usize) -> Result<Option<Trial>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let trial = trial(self.input, family, weights, self.each, self.args.seed)?;
        if let Some(trial) = trial.as_ref().filter(|_| !self.args.quiet) {
            note!(
                "trial: {} of {} weights, {:.0} s: {:.0} bytes of data and {} of model",
                family.name(),
                trial.weights,
                trial.seconds,
                trial.data_bytes,
                trial.model_bytes
            );
        }
        Ok(trial)
    }
}

/// How a network did that was trained for a short time.
struct Trial {
    weights: usize,
    /// All data would take so much.
    data_bytes: f64,
    model_bytes: usize,
    seconds: f64,
}

impl Trial {
    fn total(&self) -> f64 {
        self.data_bytes + self.model_bytes as f64
    }
}

/// Trains on some data for `seconds`, about; none if they are too few to tell.
fn trial(
    input: &Input,
    family: Family,
    weights: usize,
    seconds: f64,
    seed: u64,
) -> Result<Option<Trial>> {
    let mut arch = arch(input, family, weights)?;
    let start = Instant::now();
    let rate = rate(&arch, &input.data)?;
    let left = (seconds - start.elapsed().as_secs_f64()).max(0.3 * seconds);
    let whole = input.data.count();
    // Twice over, or as often as there is time for.
    let seen = (rate * left) as usize;
    let count = (seen / 2).min(whole);
    if count == 0 {
        return Ok(None);
    }
    let schedule = &mut arch.schedule;
    (schedule.epochs, schedule.min_steps) = ((seen / count).clamp(1, ROUND), 0);
    schedule.seed = seed;
    if count < whole && count >= 8 * HELD_OUT {
        // What it says of the others is what counts.
        schedule.held_out_part = HELD_OUT;
    }
    let data = some(&input.data, count)?;
    let mut trainer = Trainer::new(&arch, "trial", data, None, None)?;
    trainer.codes(whole);
    let limit = Duration::from_secs_f64(2.0 * seconds);
    let Ok(outcome) = trainer.run(Some(limit), |_| ControlFlow::Continue(())) else {
        return Ok(None);
    };
    Ok(Some(Trial {
        weights: arch.weights()?,
        data_bytes: outcome.nats / std::f64::consts::LN_2 / 8.0 * whole as f64,
        model_bytes: with_bins(outcome.model, input)?.pack()?.len(),
        seconds: start.elapsed().as_secs_f64(),
    }))
}

/// Data that are trained on in a second.
fn rate(arch: &Arch, data: &Dataset) -> Result<f64> {
    let mut arch = arch.clone();
    (arch.schedule.epochs, arch.schedule.min_steps) = (1, 0);
    let batch = arch.schedule.batch;
    let data = some(data, 64 * batch)?;
    let epochs = (64 * batch).div_ceil(data.count());
    arch.schedule.epochs = epochs;
    let each = data.count().min(batch);
    let mut trainer = Trainer::new(&arch, "rate", data, None, None)?;
    let mut start = None;
    let mut rate = 1.0;
    // It is the steps that are measured; what comes of them is nothing.
    let _ = trainer.run(None, |p| {
        let (first, begin) = *start.get_or_insert((p.step, Instant::now()));
        let seconds = begin.elapsed().as_secs_f64();
        if p.step > first {
            rate = (p.step - first) as f64 * each as f64 / seconds.max(1e-6);
        }
        match p.step > first + 3 && seconds > 1.0 {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    Ok(rate)
}

/// Bits of all symbols by how often they are there.
fn order_0(data: &Dataset) -> f64 {
    let mut counts = vec![0u64; 1 << 16];
    for &symbol in data.symbols() {
        counts[usize::from(symbol)] += 1;
    }
    let total = data.symbols().len() as f64;
    let bits = |&n: &u64| n as f64 * (total / n as f64).log2();
    counts.iter().filter(|&&n| n > 0).map(bits).sum()
}
