//! `bbans sample`.

pub(crate) mod handler;

use std::path::PathBuf;

/// Draw data from a model: a grid of pictures, numbers, or a table
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Output file: .png (a grid of pictures), .npy, .idx (bytes alone), .amat (bits alone), or .csv of a model of tables
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Model: a built-in name (see `bbans models`) or a file
    #[arg(short, long, value_name = "NAME|FILE")]
    pub(crate) model: Option<String>,
    /// Number of data
    #[arg(short = 'n', long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) count: u32,
    /// Seed of the random draws
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Overwrite the output
    #[arg(short, long)]
    pub(crate) force: bool,
}
