//! The work of `bbans import`.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use bbans::nn::import::{Arch, import};
use bbans::{FileModel, VaeModel};

use super::Args;
use crate::support::files::{Output, Protected};
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
    let bytes = imported.file.to_bytes()?;
    let model = VaeModel::from_bytes(&bytes)?;
    let protected = Protected::inputs([&args.arch, &args.weights]);
    let mut out = Output::create(&args.output, args.force, &protected, None)?;
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
    if !imported.unused.is_empty() {
        note!("unused tensors: {}", imported.unused.join(", "));
    }
    Ok(())
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
