//! The work of `bbans import`.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use bbans::nn::import::{Arch, Imported, import, import_description};
use bbans::nn::{Description, ModelFile};
use bbans::{FileModel, VaeModel};

use super::Args;
use crate::support::bins;
use crate::support::files::{Output, Protected};
use crate::support::terminal::note;

/// The largest weights that are read.
const MAX_BYTES: u64 = 1 << 32;
/// The largest description of layers that is read.
const MAX_ARCH_BYTES: u64 = 1 << 20;

pub(crate) fn run(args: &Args) -> Result<()> {
    let weights = read(&args.weights, MAX_BYTES)?;
    let (mut file, unused) = match &args.arch {
        Some(path) => {
            let arch = String::from_utf8(read(path, MAX_ARCH_BYTES)?).ok();
            let arch = arch.with_context(|| format!("{}: not UTF-8 text", path.display()))?;
            let imported = of_arch(&weights, &arch, path)?;
            let imported = imported.with_context(|| args.weights.display().to_string())?;
            (imported.file, imported.unused)
        }
        None => {
            let file = ModelFile::from_bytes(&weights).with_context(|| {
                format!(
                    "{}: not a model file of bbans; weights need --arch ARCH.json",
                    args.weights.display()
                )
            })?;
            (file, Vec::new())
        }
    };
    if args.arch.is_none() && args.data.is_none() {
        bail!(
            "{}: a model file already; --data chooses its bins anew",
            args.weights.display()
        );
    }
    let protected = Protected::inputs(args.arch.iter().chain([&args.weights]).chain(&args.data));
    let mut out = Output::create(&args.output, args.force, &protected, None)?;
    let mut chosen = None;
    if let Some(path) = &args.data {
        let fitted = bins::fit(&file, path)?;
        chosen = Some(bins::told(&file.description.latent, &fitted));
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
    if !unused.is_empty() {
        note!("unused tensors: {}", unused.join(", "));
    }
    Ok(())
}

/// What ARCH.json is: a list of layers, as PyTorch has them, or a description with graphs.
fn of_arch(weights: &[u8], arch: &str, path: &Path) -> Result<bbans::Result<Imported>> {
    let in_arch = |e: bbans::Error| anyhow::Error::from(e).context(path.display().to_string());
    let fields = Description::fields_of_json(arch).map_err(in_arch)?;
    if fields.contains_key("encode") {
        let description = Description::from_json(arch).map_err(in_arch)?;
        return Ok(import_description(weights, &description));
    }
    let arch = Arch::from_json(arch).map_err(in_arch)?;
    Ok(import(weights, &arch))
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
