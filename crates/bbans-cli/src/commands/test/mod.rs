//! `bbans test`.

pub(crate) mod handler;

use std::path::PathBuf;

use super::Threads;

/// Decode files and check every checksum and digest, without writing anything
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Compressed files; - is standard input
    #[arg(required = true)]
    pub(crate) inputs: Vec<PathBuf>,
    /// Model file, where the model is not built in
    #[arg(short, long, value_name = "NAME|FILE")]
    pub(crate) model: Option<String>,
    #[command(flatten)]
    pub(crate) threads: Threads,
    /// Print nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}
