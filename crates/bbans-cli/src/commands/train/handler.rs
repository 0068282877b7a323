//! The work of `bbans train`.

use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bbans::{FileModel, VaeModel};
use bbans_train::{Config, Dataset, Hierarchy, Progress, Trainer, Values};
use indicatif::ProgressBar;
use serde_json::json;

use super::Args;
use crate::support::files::{self, Output, Protected, check_free};
use crate::support::rows::DataSet;
use crate::support::terminal::note;
use crate::support::{hex, progress};

pub(crate) fn run(args: &Args) -> Result<()> {
    if files::is_dash(&args.output) {
        bail!("a model is written to a file; name one with -o");
    }
    let protected = Protected::inputs([&args.data]);
    check_free(&args.output, args.force, &protected)?;
    let notebook = args.notebook.open()?;
    let start = Instant::now();
    let limit = match args.max_minutes {
        Some(m) if !(m > 0.0 && m < 1e6) => bail!("--max-minutes {m}: expected a positive number"),
        minutes => minutes.map(|m| Duration::from_secs_f64(60.0 * m)),
    };
    let data = training_data(args)?;
    let dims = data.dims();
    let digest = blake3::hash(data.bytes()).to_hex().to_string();
    let mut checkpoint = args.output.clone().into_os_string();
    checkpoint.push(".checkpoint");
    let checkpoint = std::path::PathBuf::from(checkpoint);
    let mut trainer = Trainer::new(config(args)?, &name(args)?, data, Some(checkpoint.clone()))?;
    // An unwritable folder is found out now, not after hours.
    let mut out = Output::create(&args.output, args.force, &protected, None)?;
    if trainer.on_gpu() {
        note!("training on the GPU");
    }
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
    let outcome = trainer.run(limit, |p| {
        bar.set_length(p.steps as u64);
        bar.set_position(p.step as u64);
        bar.set_message(message(p, dims));
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    let outcome = outcome?;
    let bytes = outcome.model.to_bytes()?;
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
        let config = config(args)?;
        notebook.append(
            "train",
            json!({
                "model": name(args)?,
                "fingerprint": hex(&model.fingerprint()),
                "data": {"name": args.data.display().to_string(), "blake3": digest},
                "preset": args.preset,
                "seed": config.seed,
                "epochs": trainer.epochs_done(),
                "complete": outcome.complete,
                (format!("{of}_nats")): outcome.nats,
                (format!("{of}_bits_per_dim")): bits_per_dim(outcome.nats, dims),
                "seconds": start.elapsed().as_secs_f64(),
            }),
        )?;
    }
    note!(
        "{}: {of} -ELBO {:.3} nats, {:.4} bits/dim",
        args.output.display(),
        outcome.nats,
        bits_per_dim(outcome.nats, dims)
    );
    Ok(())
}

fn config(args: &Args) -> Result<Config> {
    let mut config = Config::preset(&args.preset).context("no such preset")?;
    config.epochs = args.epochs.map_or(config.epochs, |n| n as usize);
    config.seed = args.seed.unwrap_or(config.seed);
    if args.latent_layers > 1 {
        config.architecture.hierarchy = Some(Hierarchy {
            layers: args.latent_layers as usize,
            hidden: vec![],
        });
    }
    if args.all {
        config.held_out_part = 0;
    }
    Ok(config)
}

fn name(args: &Args) -> Result<String> {
    let stem = args.output.file_stem().and_then(|s| s.to_str());
    let name = args.name.as_deref().or(stem).unwrap_or("model");
    if name.is_empty() || name.len() > 100 || !name.chars().all(|c| c.is_ascii_graphic()) {
        bail!(
            "the model's name {name:?} must be 1 to 100 printable ASCII characters without spaces; give one with --name"
        );
    }
    Ok(name.to_owned())
}

fn training_data(args: &Args) -> Result<Dataset> {
    let mut data = DataSet::read(files::open_data(&args.data)?.0)?;
    let values = if config(args)?.architecture.levels() > 2 {
        if args.binarize {
            bail!(
                "the preset {} is for grey data as they are; leave out --binarize",
                args.preset
            );
        }
        Values::Levels
    } else if args.binarize {
        Values::Grey
    } else {
        bbans::binary_symbols(&mut data.bytes).map_err(|e| {
            let hint = e.context("for grey data, --binarize draws them anew in every epoch");
            anyhow::Error::from(hint).context(args.data.display().to_string())
        })?;
        Values::Binary
    };
    Ok(Dataset::new(data.bytes, data.shape, values)?)
}

fn bits_per_dim(nats: f64, dims: usize) -> f64 {
    nats / std::f64::consts::LN_2 / dims as f64
}

fn message(p: &Progress, dims: usize) -> String {
    let figure = |nats: f64| format!("{nats:.2} nats {:.4} bits/dim", bits_per_dim(nats, dims));
    let validation = p
        .validation_nats
        .map_or(String::new(), |v| format!(", validation {}", figure(v)));
    format!(
        "{}: -ELBO {}{validation}",
        p.epoch + 1,
        figure(p.train_nats)
    )
}
