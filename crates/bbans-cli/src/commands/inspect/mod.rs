//! `bbans inspect`.

pub(crate) mod handler;
mod model;

use std::path::PathBuf;

/// Show what a .bbans file consists of: header, blocks, model, bits per block; or what a model is
///
/// Reads everything and checks what checksums there are, but decodes nothing and needs no model: lean files have no
/// checksum but that of what they restore to, which `bbans test` checks.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Compressed file, or a model file, which ends in .safetensors; - is standard input
    #[arg(default_value = "-")]
    pub(crate) input: PathBuf,
    /// Print JSON: one object for each file that is in the input; of a model its description
    #[arg(long)]
    pub(crate) json: bool,
}
