//! Plots of `bbans compare`.

use std::path::Path;

use anyhow::Result;
use bbans_twopart::BlockFigures;

/// Bits a draw, total variation and candidates by the length of a block.
pub(super) fn toy(_folder: &Path, _kl_bits: f64, _figures: &[BlockFigures]) -> Result<()> {
    Ok(())
}
