//! `bbans inspect`.

pub(crate) mod handler;

use std::path::PathBuf;

/// Show what a .bbans file consists of: header, blocks, model, bits per block
///
/// Reads everything and checks what checksums there are, but decodes nothing and needs no model: lean files have no
/// checksum but that of what they restore to, which `bbans test` checks.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Compressed file; - is standard input
    #[arg(default_value = "-")]
    pub(crate) input: PathBuf,
    /// Print JSON, one object for each file that is in the input
    #[arg(long)]
    pub(crate) json: bool,
}
