//! `bbans binarize`.

pub(crate) mod handler;

use std::path::PathBuf;

/// Make grey data binary: a lossy step, by a threshold or by a random draw for each value
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Grey data: IDX, .npy (each also .gz), PNG or a folder of PNG files
    pub(crate) input: PathBuf,
    /// Output file: .amat, or IDX with values 0 and 1
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Values from this on become 1
    #[arg(
        long,
        default_value_t = 128,
        value_name = "VALUE",
        conflicts_with = "stochastic"
    )]
    pub(crate) threshold: u8,
    /// A value v becomes 1 with probability v/255
    #[arg(long)]
    pub(crate) stochastic: bool,
    /// Seed of the random draws
    #[arg(long, default_value_t = 0, requires = "stochastic")]
    pub(crate) seed: u64,
    /// Overwrite the output
    #[arg(short, long)]
    pub(crate) force: bool,
}
