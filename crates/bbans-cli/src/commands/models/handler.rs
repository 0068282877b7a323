//! The work of `bbans models`.

use std::io::Write;

use anyhow::Result;
use bbans::{FileModel, LatentModel, VaeModel};
use bbans_models::MODELS;

use super::Args;
use crate::support::files::{Output, Protected};
use crate::support::terminal::stdout;
use crate::support::{hex, models};

pub(crate) fn run(args: &Args) -> Result<()> {
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
