//! The work of `bbans models`.

use std::io::Write;

use anyhow::{Context, Result};
use bbans::nn::ModelFile;
use bbans::{FileModel, LatentModel, VaeModel};
use bbans_models::MODELS;

use super::{Args, Command, Extract};
use crate::support::files::{Output, Protected};
use crate::support::models::SHARED_SUFFIX;
use crate::support::terminal::stdout;
use crate::support::{hex, models};

pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(Command::Extract(args)) = &args.command {
        return extract(args);
    }
    match (&args.name, &args.output) {
        (Some(name), Some(path)) => {
            let protected = Protected::inputs([name]);
            let mut out = Output::create(path, args.force, &protected, None)?;
            out.write_all(&models::bytes(name)?)?;
            out.commit()?;
            Ok(())
        }
        (Some(name), None) => show(name),
        (None, _) => list(),
    }
}

/// Writes the model of a file as one of its own.
fn extract(args: &Extract) -> Result<()> {
    let protected = Protected::inputs([&args.input]);
    let name = args.input.to_str().context("a name that is not UTF-8")?;
    let bytes = models::bytes(name)?;
    let file = ModelFile::from_bytes(&bytes).with_context(|| format!("model {name}"))?;
    let packed = args.output.to_string_lossy().ends_with(SHARED_SUFFIX);
    let bytes = match packed {
        true => file.to_packed_file()?,
        false => file.to_bytes()?,
    };
    let mut out = Output::create(&args.output, args.force, &protected, None)?;
    out.write_all(&bytes)?;
    out.commit().map(drop)
}

fn list() -> Result<()> {
    let mut out = stdout()?.lock();
    writeln!(
        out,
        "{:<24} {:>10} {:>8} {:>8} {:>10}",
        "name", "shape", "levels", "latents", "bytes"
    )?;
    for model in MODELS {
        let vae = VaeModel::from_bytes(model.bytes)?;
        let shape = vae
            .shape()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("x");
        let (latents, bytes) = (vae.vae().latents(), model.bytes.len());
        writeln!(
            out,
            "{:<24} {shape:>10} {:>8} {latents:>8} {bytes:>10}",
            model.name,
            vae.levels()
        )?;
    }
    Ok(())
}

fn show(name: &str) -> Result<()> {
    let model = models::load(name)?;
    let mut out = stdout()?.lock();
    if let Some(embedded) = MODELS.iter().find(|m| m.name == name) {
        writeln!(out, "{}", embedded.card)?;
    }
    writeln!(out, "fingerprint: {}", hex(&model.fingerprint()))?;
    writeln!(out, "dims: {}", model.dims())?;
    writeln!(
        out,
        "{}",
        serde_json::to_string_pretty(model.vae().description())?
    )?;
    Ok(())
}
