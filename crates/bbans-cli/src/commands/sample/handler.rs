//! The work of `bbans sample`.

use std::io::Write;

use anyhow::{Result, bail};
use bbans::nn::description::Values;
use bbans::{FileModel, VaeModel};

use super::Args;
use crate::support::files::{Output, Protected, check_free};
use crate::support::models;
use crate::support::picture::Picture;
use crate::support::rows::DataSet;

pub(crate) fn run(args: &Args) -> Result<()> {
    let protected = Protected::inputs(&args.model);
    check_free(&args.output, args.force, &protected)?;
    let model = models::load(args.model.as_deref().unwrap_or(models::default_name()))?;
    let extension = args.output.extension().and_then(|e| e.to_str());
    check_extension(&model, extension)?;
    let count = args.count as usize;
    let symbols = bbans::samples(&model, count, args.seed, || Ok(()))?;
    let mut data = DataSet {
        shape: model.shape().to_vec(),
        symbols,
        ..DataSet::default()
    };
    let mut out = Output::create(&args.output, args.force, &protected, None)?;
    match (extension, model.values()) {
        (Some("npy" | "csv"), _) => {
            out.write_all(&bbans::samples_file(&model, data.symbols, count)?)?
        }
        (Some("png"), values) => {
            let mut levels = model.levels();
            if let Values::GreenFirst(colours) = values {
                levels = colours.levels;
                for pixel in data.symbols.chunks_exact_mut(colours.channels) {
                    colours.channels(pixel);
                }
            }
            let white = levels.saturating_sub(1).min(65_535) as u16;
            out.write_all(&Picture::tiled(&data, white)?.to_png()?)?;
        }
        _ => data.write(&args.output, &mut out)?,
    }
    out.commit()?;
    Ok(())
}

/// Checks that samples can be written as what a name ends in.
fn check_extension(model: &VaeModel, extension: Option<&str>) -> Result<()> {
    let name = model.name();
    let plain = model.values() == Values::default() && model.levels() <= 256;
    let tables = matches!(model.values(), Values::Columns(_));
    let bits = plain && model.levels() == 2;
    let expected = match (tables, bits, plain) {
        (true, ..) => ".csv",
        (_, true, _) => ".npy, .idx, .amat or .png",
        (_, _, true) => ".npy, .idx or .png",
        _ => ".npy or .png",
    };
    match extension {
        Some("csv") if tables => Ok(()),
        Some("npy" | "png") if !tables => Ok(()),
        Some("amat") if bits => Ok(()),
        // Without a suffix it is IDX.
        None | Some("idx") if plain => Ok(()),
        None => bail!("samples of {name} in a file without a suffix; write {expected}"),
        Some(other) => bail!("samples of {name} are not written as .{other}; write {expected}"),
    }
}
