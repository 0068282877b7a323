//! `bbans decompress`.

pub(crate) mod handler;

use std::path::PathBuf;

use super::Threads;

/// Restore what a .bbans file holds
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Compressed files; - is standard input
    #[arg(default_value = "-", value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Output file of one input, or folder for a set of PNG files; - is standard output
    /// [default: INPUT without .bbans; standard output for standard input]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write to standard output, one file after another; data are written before the last check of their file, so look at
    /// the exit status
    #[arg(short = 'c', long, conflicts_with = "output")]
    pub(crate) stdout: bool,
    /// Model file, where the model is not built in
    #[arg(short, long, value_name = "NAME|FILE")]
    pub(crate) model: Option<String>,
    /// Restore datum N alone, the first being 0, of a file that `compress --independent` wrote; with -o or -c
    #[arg(long, value_name = "N", conflicts_with = "rm")]
    pub(crate) datum: Option<u64>,
    /// Keep the input (the default)
    #[arg(short, long, conflicts_with = "rm")]
    pub(crate) keep: bool,
    /// Remove the input after the output is complete and on the disk
    #[arg(long, conflicts_with = "stdout")]
    pub(crate) rm: bool,
    /// Overwrite the output, though never an input
    #[arg(short, long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) threads: Threads,
}
