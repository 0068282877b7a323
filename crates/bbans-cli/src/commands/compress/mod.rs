//! `bbans compress`.

pub(crate) mod handler;

use std::path::PathBuf;

use super::Threads;

/// Compress a data file: IDX, .amat, .npy (each also .gz), PNG, or a folder of PNG files
///
/// Restored bytes equal the input's, without a gzip around it. Of PNG files the names and pixels
/// are restored, not the files' own compression.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Data files or folders of PNG files, each to a file of its own; - is standard input
    #[arg(default_value = "-", value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Output file of one input; - is standard output
    /// [default: INPUT.bbans; standard output for standard input]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write to standard output, one file after another
    #[arg(short = 'c', long, conflicts_with = "output")]
    pub(crate) stdout: bool,
    /// Model: a built-in name (see `bbans models`) or a file
    #[arg(short, long, value_name = "NAME|FILE")]
    pub(crate) model: Option<String>,
    /// Keep the input (the default)
    #[arg(short, long, conflicts_with = "rm")]
    pub(crate) keep: bool,
    /// Remove the input after the output was decoded and compared
    #[arg(long, conflicts_with = "stdout")]
    pub(crate) rm: bool,
    /// Overwrite the output, though never an input
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Data that a step codes side by side, 1 to 4096
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) lanes: u16,
    #[command(flatten)]
    pub(crate) threads: Threads,
    /// Version of the file format, 1 or 2. Version 2 is not complete: such files are for trials, and later versions
    /// of bbans may not read them
    #[arg(long, default_value_t = 1, value_name = "VERSION", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) format: u8,
    /// Particles of a datum, 1 to 1024, with --format 2: shorter files, by the importance-weighted bound, in as many
    /// times the time
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) particles: u16,
    /// Print nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}
