//! The work of `bbans pack`.

use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bbans::VaeModel;
use bbans::nn::{ModelFile, Vae};
use bbans_train::Outcome;
use indicatif::ProgressBar;

use super::Args;
use super::input::Input;
use super::plan::{self, Plan, ROUND};
use super::progress::Line;
use super::result::{self, Archive};
use crate::commands::bench::{Contender, Subject, Which, measure_rivals};
use crate::support::files::{Output, OutputFolder, Protected, check_free, is_dash};
use crate::support::models::SHARED_SUFFIX;
use crate::support::progress;
use crate::support::terminal::{note, stdout};

/// The name of a model in an archive.
pub(super) const NAME: &str = "archive";

/// Time for a run where none is given.
const MINUTES: f64 = 10.0;
/// Rounds go on while each makes the total fall by this part.
const WORTH: f64 = 0.002;

pub(crate) fn run(args: &Args) -> Result<()> {
    let begin = Instant::now();
    let seconds = match (args.minutes, args.effort.is_some() || args.epochs.is_some()) {
        (Some(m), _) if !(0.0..1e6).contains(&m) => {
            bail!("--minutes {m}: expected a number from 0 to 1000000")
        }
        (Some(minutes), _) => Some(60.0 * minutes),
        (None, true) => None,
        (None, false) => Some(60.0 * MINUTES),
    };
    let epochs = args.epochs.or(args.effort.map(|effort| 1 << (effort - 1)));
    if is_dash(&args.output) {
        bail!("an archive is written to a file; name one with -o");
    }
    let protected = Protected::inputs(&args.inputs);
    let mut place = Place::create(args, &protected)?;
    let beside = Beside::of(&args.output);
    let known = beside.known(args.resume)?;
    let input = Input::read(args)?;
    let (rivals, seconds) = match args.rivals {
        Which::None => (Vec::new(), seconds),
        _ => {
            let start = Instant::now();
            let rivals = measure(args, &input)?;
            (rivals, seconds.map(|s| s + start.elapsed().as_secs_f64()))
        }
    };
    let rival = best(&rivals);
    let left = || seconds.map(|seconds| seconds - begin.elapsed().as_secs_f64());
    let mut plan = match known {
        Some(plan) => plan,
        None => {
            let rival = rival.as_ref().map(|(_, bytes)| *bytes);
            plan::decide(args, &input, left(), epochs.map(|n| n as usize), rival)?
        }
    };
    let mut archive: Option<(Archive, Plan)> = None;
    loop {
        if !args.quiet {
            note!(
                "training: {} of {} weights, {} over {} of {} data",
                plan.network,
                plan.arch(&input)?.weights()?,
                match plan.epochs {
                    1 => "once".to_owned(),
                    n => format!("{n} times"),
                },
                plan.count,
                input.data.count()
            );
        }
        let round = Instant::now();
        // A run of a plan takes what it takes, but for what comes after the first one.
        let limit = left().filter(|_| archive.is_some() || args.minutes.is_some() && args.resume);
        let outcome = train(&plan, &input, &beside, rival.clone(), limit)?;
        let file = with_bins(outcome.model, &input)?;
        input.check_unchanged(args)?;
        let made = Archive::make(args, &input, &file)?;
        let before = archive.as_ref().map(|(best, _)| best.total);
        let falls = before.is_none_or(|before| (made.total as f64) < (1.0 - WORTH) * before as f64);
        let smaller = before.is_none_or(|before| made.total < before);
        if smaller {
            archive = Some((made, plan.clone()));
        }
        // Twice as long, if there is time and it has been of use.
        let next = 2.2 * round.elapsed().as_secs_f64();
        let time = left().is_some_and(|left| left > next);
        if !falls || !time || plan.epochs < ROUND || epochs.is_some() {
            break;
        }
        plan.epochs *= 2;
        beside.remove();
    }
    let (archive, plan) = archive.context("nothing was trained")?;
    let decode_seconds = archive.check(&input, args.threads.get())?;
    place.fill(args, &archive)?;
    place.commit()?;
    beside.remove();
    if args.quiet {
        return Ok(());
    }
    let mut out = stdout()?.lock();
    result::print(&mut out, &archive, decode_seconds, &input, &rivals)?;
    drop(out);
    note!(
        "the same model again: --network {} --weights {} --epochs {} --seed {}{}",
        plan.network,
        plan.weights,
        plan.epochs,
        plan.seed,
        match plan.count < input.data.count() {
            true => ", but of a part of the data, since there was no time for all",
            false => "",
        }
    );
    Ok(())
}

/// Trains what a plan says.
fn train(
    plan: &Plan,
    input: &Input,
    beside: &Beside,
    rival: Option<(String, u64)>,
    limit: Option<f64>,
) -> Result<Outcome> {
    let mut trainer = plan.trainer(input, NAME, &beside.checkpoint)?;
    plan.write(&beside.plan)?;
    if trainer.epochs_done() > 0 {
        note!("going on after {} epochs", trainer.epochs_done());
    }
    let mut line = Line::new(input.data.count(), plan.epochs, rival);
    let limit = limit.map(|seconds| Duration::from_secs_f64(seconds.max(0.0)));
    let outcome = trainer.run(limit, |p| match line.step(p) {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    });
    line.finish();
    outcome.with_context(|| format!("the checkpoint is {}", beside.checkpoint.display()))
}

/// Bins of one width, which take next to no bytes, as few of them as cost little.
pub(super) fn with_bins(file: ModelFile, input: &Input) -> Result<ModelFile> {
    if file.description.latent.is_none() {
        return Ok(file);
    }
    let some = input.data.spread(100);
    let some = ndarray::ArrayView2::from_shape(
        (some.len() / input.data.dims(), input.data.dims()),
        &some,
    )?;
    let mut best: Option<(f64, ModelFile)> = None;
    for (precision, width) in [(7, 8), (8, 16), (9, 32), (10, 64), (11, 128)] {
        let reach = ((1 << precision) - 2) as f64 / (2 * width) as f64;
        let cut = bbans::with_equal_width(&file, precision, reach)?;
        let model = VaeModel::new(Vae::new(&cut)?)?;
        let cost = bbans::bins_cost(&model, some)?;
        if best.as_ref().is_none_or(|(least, _)| cost < least - 0.001) {
            best = Some((cost, cut));
        }
    }
    best.map(|(_, file)| file).context("no bins")
}

/// Every rival's best file of each input, added up.
fn measure(args: &Args, input: &Input) -> Result<Vec<Contender>> {
    // Untrained: it tells the shape and the values alone.
    let plan = Plan {
        network: bbans_train::Family::Numbers.name().to_owned(),
        weights: 0,
        epochs: 1,
        count: input.data.count().min(64),
        seed: args.seed,
    };
    let file = plan.trainer(input, NAME, Path::new(""))?.initial()?;
    let model = VaeModel::new(Vae::new(&file)?)?;
    let mut all: Vec<Contender> = Vec::new();
    for path in &args.inputs {
        let subject = Subject::of_path(path, args.raw.raw.clone(), &model)?;
        let (data, levels) = subject.for_rivals();
        let bar = progress::styled(
            ProgressBar::new(0),
            "rivals {wide_bar} {pos} of {len} files",
        );
        let threads = args.threads.get();
        let found = measure_rivals(
            args.rivals,
            &data,
            levels,
            subject.text()?,
            threads,
            &mut |n, of| {
                bar.set_length(of as u64);
                bar.set_position(n as u64);
            },
        )?;
        bar.finish_and_clear();
        all = match all.is_empty() {
            true => found,
            false => all.into_iter().zip(found).map(|(a, b)| a.plus(b)).collect(),
        };
    }
    Ok(all)
}

fn best(rivals: &[Contender]) -> Option<(String, u64)> {
    let sizes = rivals
        .iter()
        .filter_map(|r| Some((r.name.to_owned(), r.outcome.bytes()?)));
    sizes.min_by_key(|(_, bytes)| *bytes)
}

/// What lies beside an output while it is made.
struct Beside {
    checkpoint: PathBuf,
    plan: PathBuf,
}

impl Beside {
    fn of(output: &Path) -> Self {
        let with = |suffix: &str| {
            let mut path = output.to_owned().into_os_string();
            path.push(suffix);
            PathBuf::from(path)
        };
        Self {
            checkpoint: with(".checkpoint"),
            plan: with(".plan.json"),
        }
    }

    /// The plan to go on with, if that is asked for.
    fn known(&self, resume: bool) -> Result<Option<Plan>> {
        let plan = Plan::read(&self.plan)?;
        match (resume, &plan) {
            (true, None) => bail!(
                "there is no {} to go on from; leave --resume out",
                self.plan.display()
            ),
            (false, Some(_)) if self.checkpoint.exists() => bail!(
                "{} is the checkpoint of a run that was interrupted; go on with --resume, or remove it to start again",
                self.checkpoint.display()
            ),
            (false, _) => Ok(None),
            (true, _) => Ok(plan),
        }
    }

    fn remove(&self) {
        for path in [&self.checkpoint, &self.plan] {
            fs::remove_file(path).ok();
        }
    }
}

/// Where the archive goes.
enum Place {
    File(Output),
    Folder(OutputFolder),
}

impl Place {
    fn create(args: &Args, protected: &Protected) -> Result<Self> {
        if args.inputs.len() > 1 {
            return OutputFolder::create(&args.output, None, true).map(Self::Folder);
        }
        check_free(&args.output, args.force, protected)?;
        Output::create(&args.output, args.force, protected, None).map(Self::File)
    }

    fn fill(&mut self, args: &Args, archive: &Archive) -> Result<()> {
        match self {
            Self::File(out) => {
                let made = archive.files.first().context("no archive")?;
                std::io::copy(&mut fs::File::open(made)?, out)?;
            }
            Self::Folder(folder) => {
                for (made, path) in archive.files.iter().zip(&args.inputs) {
                    let to = folder.path().join(result::file_name(path)?);
                    if to.exists() {
                        bail!(
                            "two inputs of the name {}; expected one of each",
                            to.display()
                        );
                    }
                    fs::copy(made, to)?;
                }
                if let Some(shared) = &archive.shared {
                    let name = format!("{NAME}{SHARED_SUFFIX}");
                    fs::File::create(folder.path().join(name))?.write_all(shared)?;
                }
            }
        }
        Ok(())
    }

    fn commit(self) -> Result<()> {
        match self {
            Self::File(out) => out.commit().map(drop),
            Self::Folder(folder) => folder.commit().map(drop),
        }
    }
}
