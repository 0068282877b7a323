//! The work of `bbans sample`.

use std::io::Write;

use anyhow::{Result, bail};
use bbans::FileModel;

use super::Args;
use crate::support::files::{Output, Protected, check_free};
use crate::support::models;
use crate::support::picture::Picture;
use crate::support::rows::DataSet;

/// Data drawn at a time.
const LANES: usize = 100;

pub(crate) fn run(args: &Args) -> Result<()> {
    let protected = Protected::inputs(&args.model);
    check_free(&args.output, args.force, &protected)?;
    let model = models::load(args.model.as_deref().unwrap_or(models::default_name()))?;
    if model.levels() > 2 && args.output.extension().is_some_and(|e| e == "amat") {
        bail!(
            "samples of {} are grey, .amat holds 0 and 1; write .idx or .png",
            model.name()
        );
    }
    let count = args.count as usize;
    let mut symbols = Vec::new();
    for (step, start) in (0..count).step_by(LANES).enumerate() {
        let lanes = LANES.min(count - start);
        symbols.extend(
            bbans::sample(&model, lanes, args.seed, step as u64)?
                .iter()
                .copied(),
        );
    }
    let data = DataSet {
        shape: model.shape().to_vec(),
        symbols,
    };
    let mut out = Output::create(&args.output, args.force, &protected, None)?;
    if args.output.extension().is_some_and(|e| e == "png") {
        let white = model.levels().saturating_sub(1).min(255) as u8;
        let picture = Picture::tiled(&data)?.brightened(white);
        out.write_all(&picture.to_png()?)?;
    } else {
        data.write(&args.output, &mut out)?;
    }
    out.commit()?;
    Ok(())
}
