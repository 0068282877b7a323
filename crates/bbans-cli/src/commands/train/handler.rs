//! The work of `bbans train`.

use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use bbans::nn::{self, ModelFile};
use bbans::{FileModel, VaeModel};
use bbans_train::{Arch, DataKind, Dataset, Facts, Preset, Progress, Trainer, Values, in_layers};
use indicatif::ProgressBar;
use ndarray::ArrayView2;
use serde_json::json;

use super::Args;
use crate::support::bins;
use crate::support::files::{self, Output, Protected, check_free};
use crate::support::models;
use crate::support::rows::DataSet;
use crate::support::terminal::note;
use crate::support::training::{StandFor, Taken, fit};
use crate::support::{hex, progress};

/// Most bytes of ARCH.json.
const MAX_ARCH: u64 = 1 << 20;
/// Rows and columns of the cells of the preset gray.
const CELL: usize = 4;

pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(name) = &args.print_arch {
        let json = match (Preset::named(name), &args.data) {
            (Some(preset), None) => preset.json.to_owned(),
            (Some(_), Some(_)) => {
                bail!("the preset {name} is the same for all data; leave --data out")
            }
            (None, Some(path)) => data_and_arch(path, args, None)?.2.to_json()?,
            (None, None) => bail!("the preset {name} is made for data; name some with --data"),
        };
        std::io::stdout().write_all(json.as_bytes())?;
        return Ok(());
    }
    let (Some(path), Some(output)) = (&args.data, &args.output) else {
        bail!("--data and -o are needed");
    };
    if files::is_dash(output) {
        bail!("a model is written to a file; name one with -o");
    }
    let inputs = [Some(path), args.arch.as_ref(), args.from.as_ref()];
    let protected = Protected::inputs(inputs.into_iter().flatten());
    check_free(output, args.force, &protected)?;
    let notebook = args.notebook.open()?;
    let start = Instant::now();
    let limit = match args.max_minutes {
        Some(m) if !(m > 0.0 && m < 1e6) => {
            bail!("--max-minutes {m}: expected a number above 0 and below 1000000")
        }
        minutes => minutes.map(|m| Duration::from_secs_f64(60.0 * m)),
    };
    let from = args.from.as_deref().map(read_model).transpose()?;
    let (data, source, arch) = data_and_arch(path, args, from.as_ref())?;
    let dims = data.dims();
    let some = data.spread(bins::FIT_DATA);
    let digest = data.digest();
    let mut checkpoint = output.clone().into_os_string();
    checkpoint.push(".checkpoint");
    let checkpoint = PathBuf::from(checkpoint);
    let name = name(args, output)?;
    let mut trainer = Trainer::new(&arch, &name, data, from.as_ref(), Some(checkpoint.clone()))
        .with_context(|| source.clone())?;
    // An unwritable folder is found out now, not after hours.
    let mut out = Output::create(output, args.force, &protected, None)?;
    if trainer.on_gpu() {
        note!("training on the GPU");
    }
    trainer
        .remarks()
        .iter()
        .for_each(|remark| note!("{remark}"));
    if trainer.epochs_done() > 0 {
        note!(
            "going on after {} epochs from {}",
            trainer.epochs_done(),
            checkpoint.display()
        );
    }
    let bar = progress::styled(
        ProgressBar::no_length(),
        "epoch {msg} {wide_bar} {percent}% {eta}",
    );
    let (bound, samples) = match arch.schedule.samples {
        1 => ("-ELBO", String::new()),
        samples => ("-IWAE", format!(" of {samples} samples")),
    };
    let outcome = trainer.run(limit, |p| {
        bar.set_length(p.steps as u64);
        bar.set_position(p.step as u64);
        bar.set_message(message(p, dims, bound));
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    let outcome = outcome?;
    let some = ArrayView2::from_shape((some.len() / dims, dims), &some)?;
    let fitted = bbans::fit_bins(&outcome.model, some)?;
    if fitted.file.description.latent != outcome.model.description.latent {
        note!("{}", bins::told(&outcome.model.description.latent, &fitted));
    }
    let bytes = fitted.file.to_bytes()?;
    let model = VaeModel::from_bytes(&bytes).context("the trained model cannot be used")?;
    out.write_all(&bytes)?;
    out.commit()?;
    if outcome.complete {
        fs::remove_file(&checkpoint).ok();
    } else {
        note!("stopped before the last epoch; the same command with -f goes on");
    }
    let of = if outcome.validated {
        "validation"
    } else {
        "training"
    };
    if let Some(notebook) = notebook {
        notebook.append(
            "train",
            json!({
                "model": name,
                "fingerprint": hex(&model.fingerprint()),
                "data": {"name": path.display().to_string(), "blake3": digest},
                "arch": source,
                "schedule": arch.schedule,
                "epochs": trainer.epochs_done(),
                "complete": outcome.complete,
                (format!("{of}_nats")): outcome.nats,
                (format!("{of}_bits_per_dim")): bits_per_dim(outcome.nats, dims),
                "seconds": start.elapsed().as_secs_f64(),
            }),
        )?;
    }
    note!(
        "{}: {of} {bound}{samples} {:.3} nats, {:.4} bits/dim after {} in {:.0} s",
        output.display(),
        outcome.nats,
        bits_per_dim(outcome.nats, dims),
        match trainer.epochs_done() {
            1 => "1 epoch".to_owned(),
            epochs => format!("{epochs} epochs"),
        },
        outcome.seconds
    );
    Ok(())
}

fn read_model(name: &Path) -> Result<ModelFile> {
    let name = name.to_str().context("--from: expected a name in UTF-8")?;
    let bytes = models::bytes(name)?;
    ModelFile::from_bytes(&bytes).with_context(|| format!("model {name}"))
}

/// The data, what is trained on them, and a word for where that is from.
fn data_and_arch(
    path: &Path,
    args: &Args,
    from: Option<&ModelFile>,
) -> Result<(Dataset, String, Arch)> {
    let raw = args.raw.raw.as_ref();
    let (mut reader, _) = files::open_data(path, raw)?;
    let values = match from {
        Some(file) => StandFor::of_model(file),
        None => {
            let what = match (args.green_first, args.binarize) {
                (true, _) => Taken::GreenFirst,
                (_, true) => Taken::Bits,
                _ => Taken::Numbers,
            };
            let values = StandFor::of_file(&reader, path, raw, what);
            values.with_context(|| path.display().to_string())?
        }
    };
    let bound = reader.bind(&values.values, values.most.max(1));
    bound.with_context(|| path.display().to_string())?;
    if let Some(shape) = &args.shape {
        fit(&mut reader, &shape.0).with_context(|| path.display().to_string())?;
    }
    let DataSet {
        shape, mut symbols, ..
    } = DataSet::read(reader)?;
    let kind = if args.binarize {
        Values::Grey
    } else {
        Values::Levels
    };
    let plain = values.values == nn::description::Values::default();
    if !args.binarize
        && plain
        && let Ok(one) = bbans::binary_symbols(&mut symbols)
    {
        let data = Dataset::new(symbols, shape.clone(), Values::Binary)?;
        let (source, found) = arch(args, from, &data, &values)?;
        if found.description.likelihood.levels() == 2 {
            return Ok((data, source, found));
        }
        // Of more levels two values are what they are.
        symbols = data.symbols().iter().map(|bit| bit * one).collect();
    }
    let data = Dataset::new(symbols, shape, kind)?;
    let (source, found) = arch(args, from, &data, &values)?;
    Ok((data, source, found))
}

/// What is trained, and a word for where it is from.
fn arch(
    args: &Args,
    from: Option<&ModelFile>,
    data: &Dataset,
    stand_for: &StandFor,
) -> Result<(String, Arch)> {
    let facts = Facts {
        shape: data.shape().to_vec(),
        levels: data.levels(),
        values: stand_for.values.clone(),
    };
    let preset = args.preset.as_ref().or(args.print_arch.as_ref());
    let (source, mut arch) = match (&args.arch, preset, from) {
        (Some(path), ..) => {
            let source = path.display().to_string();
            let read = || Ok(Arch::from_json(&read_text(path)?, &facts)?);
            (
                source.clone(),
                read().map_err(|e: anyhow::Error| e.context(source))?,
            )
        }
        (None, None, Some(file)) => {
            let path = args.from.as_deref().unwrap_or(Path::new(""));
            let source = path.display().to_string();
            (
                source.clone(),
                Arch::of_model(file, &facts).context(source)?,
            )
        }
        (None, preset, _) => {
            let (name, why) = match preset.map(String::as_str) {
                Some(name) => (name, None),
                None => default_preset(&facts, data),
            };
            if let Some(why) = why {
                note!("preset {name}: {why}");
            }
            let arch = match DataKind::ALL.iter().find(|kind| kind.name() == name) {
                Some(kind) => kind
                    .arch(data, stand_for.levels.as_deref(), &stand_for.values)
                    .map_err(anyhow::Error::from),
                None => of_preset(name, args, &facts),
            };
            let arch = arch.with_context(|| shown(args))?;
            (format!("preset {name}"), arch)
        }
    };
    if args.latent_layers > 1 {
        in_layers(
            &mut arch.description,
            &mut arch.schedule,
            args.latent_layers as usize,
        )?;
    }
    let schedule = &mut arch.schedule;
    if let Some(epochs) = args.epochs {
        (schedule.epochs, schedule.min_steps) = (epochs as usize, 0);
        // What is written was trained for its whole bound.
        schedule.kl_warmup_epochs = schedule.kl_warmup_epochs.min(schedule.epochs / 2);
    }
    schedule.seed = args.seed.unwrap_or(schedule.seed);
    if let Some(samples) = args.samples {
        schedule.samples = samples as usize;
        // Free bits are of KL divergences, which the importance-weighted bound does not have.
        schedule.free_bits = if samples > 1 { 0.0 } else { schedule.free_bits };
    }
    if args.all {
        schedule.held_out_part = 0;
    }
    Ok((source, arch))
}

/// What a preset of any data of some shape has for these.
fn of_preset(name: &str, args: &Args, facts: &Facts) -> Result<Arch> {
    let preset = Preset::named(name).context("no such preset")?;
    let [least, most] = preset.levels;
    preset.arch(facts).map_err(|e| {
        if facts.levels > most {
            anyhow!("{e:#}; with --binarize grey data become bits, anew in every epoch")
        } else if facts.levels < least && args.binarize {
            anyhow!("{e:#}; --binarize makes bits of the data, leave it out")
        } else {
            anyhow::Error::from(e)
        }
    })
}

/// Of so many values a model may be a large one.
const MANY: usize = 1 << 24;

/// The preset for some data, and why.
fn default_preset(facts: &Facts, data: &Dataset) -> (&'static str, Option<&'static str>) {
    let cells = |shape: &[usize]| shape.iter().all(|size| size.is_multiple_of(CELL));
    let many = data.count().saturating_mul(data.dims()) >= MANY;
    let table = matches!(facts.values, nn::description::Values::Columns(_));
    let few_levels =
        facts.levels <= 256 && matches!(facts.values, nn::description::Values::Numbers(_));
    match facts.shape[..] {
        [columns] if table && columns > DataKind::MAX_COLUMNS && facts.levels <= 256 => (
            "small",
            Some("a table of so many columns that a network for each would be large"),
        ),
        _ if table => ("table", Some("a table")),
        _ if facts.levels <= 2 && few_levels => ("small", None),
        [_, _] if few_levels && many && cells(&facts.shape) => (
            "gray",
            Some("many grey pictures whose sides are multiples of 4"),
        ),
        _ => match DataKind::of_shape(&facts.shape) {
            Some((kind, why)) => (kind.name(), Some(why)),
            None => ("small", Some("data of a shape that no other is for")),
        },
    }
}

fn read_text(path: &Path) -> Result<String> {
    use std::io::Read;
    let mut text = String::new();
    let file = files::open(path)?.0;
    file.take(MAX_ARCH + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_ARCH {
        bail!("over 1 MiB; expected a description, JSON of at most that");
    }
    Ok(text)
}

fn shown(args: &Args) -> String {
    args.data
        .as_ref()
        .map_or(String::new(), |path| path.display().to_string())
}

fn name(args: &Args, output: &Path) -> Result<String> {
    let stem = output.file_stem().and_then(|s| s.to_str());
    let name = args.name.as_deref().or(stem).unwrap_or("model");
    if name.is_empty() || name.len() > 100 || !name.chars().all(|c| c.is_ascii_graphic()) {
        bail!(
            "the model's name {name:?} must be 1 to 100 printable ASCII characters without spaces; give one with --name"
        );
    }
    Ok(name.to_owned())
}

fn bits_per_dim(nats: f64, dims: usize) -> f64 {
    nats / std::f64::consts::LN_2 / dims as f64
}

fn message(p: &Progress, dims: usize, bound: &str) -> String {
    let figure = |nats: f64| format!("{nats:.2} nats {:.4} bits/dim", bits_per_dim(nats, dims));
    let validation = p
        .validation_nats
        .map_or(String::new(), |v| format!(", validation {}", figure(v)));
    format!(
        "{}: {bound} {}{validation}",
        p.epoch + 1,
        figure(p.train_nats)
    )
}
