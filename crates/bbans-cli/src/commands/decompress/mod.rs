//! `bbans decompress`.

pub(crate) mod handler;

use std::ops::Range;
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
    /// Restore data A to B, without B, alone, the first being 0, as a file of these; of the file the blocks that they are
    /// in are read. With -o or -c
    #[arg(long, value_name = "A..B", conflicts_with = "rm", value_parser = range)]
    pub(crate) range: Option<Range<u64>>,
    /// Restore datum N alone: --range N..N+1
    #[arg(long, value_name = "N", conflicts_with_all = ["rm", "range"])]
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

/// `A..B`.
pub(crate) fn range(text: &str) -> Result<Range<u64>, String> {
    let numbers = text.split_once("..").and_then(|(a, b)| {
        let number = |n: &str| n.trim().parse::<u64>().ok();
        Some(number(a)?..number(b)?)
    });
    numbers
        .filter(|range| range.start < range.end)
        .ok_or_else(|| format!("{text:?}; expected A..B with A below B, such as 10..20"))
}
