//! What a model file says of its model.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use bbans::nn::description::Values;
use bbans::nn::{ModelFile, Vae};
use bbans::{FileModel, VaeModel};

use crate::support::{hex, models};

/// Columns of a table that are shown.
const SHOWN: usize = 40;

/// Whether a name is that of a model file.
pub(super) fn is_model(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "safetensors")
}

/// Shows a model; as JSON its description.
pub(super) fn show(path: &Path, json: bool, out: &mut impl Write) -> Result<()> {
    let name = path.to_str().context("a name that is not UTF-8")?;
    let bytes = models::bytes(name)?;
    let file = ModelFile::from_bytes(&bytes)?;
    let description = &file.description;
    if json {
        serde_json::to_writer_pretty(&mut *out, description).map_err(std::io::Error::from)?;
        return Ok(writeln!(out)?);
    }
    let model = VaeModel::new(Vae::new(&file)?)?;
    let vae = model.vae();
    writeln!(out, "model           {}", description.name)?;
    writeln!(out, "fingerprint     {}", hex(&model.fingerprint()))?;
    writeln!(out, "description     version {}", description.version)?;
    writeln!(out, "bytes           {}", bytes.len())?;
    writeln!(
        out,
        "data            shape {:?}, up to {} levels",
        description.data_shape,
        model.levels()
    )?;
    match vae.latents() {
        0 => writeln!(out, "latents         none")?,
        latents => writeln!(
            out,
            "latents         {latents} in {} groups, 2^{} bins",
            vae.latent_groups().len(),
            description.latent.bin_precision
        )?,
    }
    writeln!(out, "multiply-adds   {} a datum", vae.multiply_adds())?;
    match &description.values {
        Values::Numbers(step) => writeln!(
            out,
            "symbols         numbers from {} on in steps of {}",
            step.lowest, step.step
        )?,
        Values::GreenFirst(colours) => writeln!(
            out,
            "symbols         green, and red and blue less green, of {} levels",
            colours.levels
        )?,
        Values::Columns(columns) => {
            for column in columns.iter().take(SHOWN) {
                let numbers = column.numbers.map_or(String::new(), |numbers| {
                    let unit = 10f64.powi(-i32::from(numbers.decimals));
                    let first = numbers.lowest as f64 * unit;
                    let last = first + f64::from(numbers.step) * (numbers.count - 1) as f64 * unit;
                    format!("numbers from {first} to {last}")
                });
                let texts = match column.texts.len() {
                    0 => String::new(),
                    n => format!("{n} texts"),
                };
                let both: Vec<String> = [texts, numbers]
                    .into_iter()
                    .filter(|t| !t.is_empty())
                    .collect();
                writeln!(
                    out,
                    "column          {:?}: {}",
                    column.name,
                    both.join(", ")
                )?;
            }
            if columns.len() > SHOWN {
                writeln!(
                    out,
                    "                ... and {} more",
                    columns.len() - SHOWN
                )?;
            }
        }
    }
    Ok(())
}
