//! `bbans bench`.

pub(crate) mod handler;
mod measure;

use std::path::PathBuf;

use super::Threads;

/// Compress a data set to a real file, decode it, compare every byte, and show the figures
///
/// Without --data it takes the static binarized MNIST test set from the data folder (see
/// `bbans data`), else demonstration data that are built in: samples of the built-in model.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Data set: IDX, .amat, .npy (each also .gz), PNG or a folder of PNG files
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    /// Model: a built-in name (see `bbans models`) or a file
    #[arg(short, long, value_name = "NAME|FILE")]
    pub(crate) model: Option<String>,
    /// Take this many data, spread evenly over the set
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
    /// Data that a step codes side by side, 1 to 4096
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) lanes: u16,
    #[command(flatten)]
    pub(crate) threads: Threads,
    /// Samples of z for each datum in the bound
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) samples: u16,
    /// Seed of the samples
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
