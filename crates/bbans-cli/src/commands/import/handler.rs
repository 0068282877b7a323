//! The work of `bbans import`.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use bbans::nn::description::{BinKind, Latent};
use bbans::nn::import::{Arch, import};
use bbans::nn::{ModelFile, Vae};
use bbans::{FileModel, Fitted, VaeModel};
use ndarray::ArrayView2;

use super::Args;
use crate::support::files::{self, Output, Protected};
use crate::support::rows::DataSet;
use crate::support::terminal::note;

/// The largest weights that are read.
const MAX_BYTES: u64 = 1 << 32;
/// The largest description of layers that is read.
const MAX_ARCH_BYTES: u64 = 1 << 20;

pub(crate) fn run(args: &Args) -> Result<()> {
    let arch = String::from_utf8(read(&args.arch, MAX_ARCH_BYTES)?)
        .ok()
        .with_context(|| format!("{}: not UTF-8 text", args.arch.display()))?;
    let arch = Arch::from_json(&arch).with_context(|| args.arch.display().to_string())?;
    let weights = read(&args.weights, MAX_BYTES)?;
    let imported = import(&weights, &arch).with_context(|| args.weights.display().to_string())?;
    let protected = Protected::inputs([&args.arch, &args.weights].into_iter().chain(&args.data));
    let mut out = Output::create(&args.output, args.force, &protected, None)?;
    let mut file = imported.file;
    let mut chosen = None;
    if let Some(path) = &args.data {
        let fitted = fit(&file, path).with_context(|| path.display().to_string())?;
        chosen = Some(bins_note(&file.description.latent, &fitted));
        file = fitted.file;
    }
    let bytes = file.to_bytes()?;
    let model = VaeModel::from_bytes(&bytes)?;
    out.write_all(&bytes)?;
    out.commit()?;
    note!(
        "{}: {} latents, data of shape {:?}, {} levels, {} bytes -> {}",
        model.name(),
        model.vae().latents(),
        model.shape(),
        model.levels(),
        bytes.len(),
        args.output.display()
    );
    if let Some(chosen) = chosen {
        note!("{chosen}");
    }
    if !imported.unused.is_empty() {
        note!("unused tensors: {}", imported.unused.join(", "));
    }
    Ok(())
}

/// Data that bins are chosen by, at most.
const FIT_DATA: usize = 500;

/// The model with bins for the data at `path`.
fn fit(file: &ModelFile, path: &Path) -> Result<Fitted> {
    let model = VaeModel::new(Vae::new(file)?)?;
    let (reader, _) = files::open_data(path)?;
    bbans::check_fits(&model, reader.source())?;
    let mut data = DataSet::read(reader)?.spread(FIT_DATA);
    bbans::symbols(&model, &mut data.bytes)?;
    let view = ArrayView2::from_shape((data.count(), data.dims()), &data.bytes)?;
    Ok(bbans::fit_bins(file, view)?)
}

/// What was chosen, in a line.
fn bins_note(before: &Latent, fitted: &Fitted) -> String {
    let Fitted {
        file,
        before: spread,
        cost_before,
        cost,
    } = fitted;
    let after = &file.description.latent;
    let percent = |part: f64| format!("{:+.2}%", 100.0 * part);
    if after == before {
        return format!(
            "bins: 2^{} of equal mass cost {} over the bound; kept",
            before.bin_precision,
            percent(*cost_before)
        );
    }
    let kind = match after.bins {
        BinKind::EqualMass => "of equal mass",
        BinKind::Masses => "of equal width",
    };
    format!(
        "bins: 2^{} {kind} cost {} over the bound; 2^{} of equal mass would cost {}, with {:.2}% of the posterior \
         means beyond the outermost",
        after.bin_precision,
        percent(*cost),
        before.bin_precision,
        percent(*cost_before),
        100.0 * spread.outside
    )
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let size = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if !size.is_file() || size.len() > limit {
        bail!(
            "{}: not a file of at most {limit} bytes; expected the weights or the description of a \
             model",
            path.display()
        );
    }
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
