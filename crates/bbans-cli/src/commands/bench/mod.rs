//! `bbans bench`.

mod expect;
pub(crate) mod handler;
mod measure;
mod report;
mod rivals;
mod subject;
mod truth;

use std::path::PathBuf;

use super::Coding;
use crate::support::files::RawArg;
use crate::support::notebook::NotebookArgs;
pub(crate) use rivals::{Contender, Outcome, Which, measure as measure_rivals};
pub(crate) use subject::Subject;

/// Compress a data set to real files, decode them, compare every byte, and show the figures, beside
/// what anyone could use instead
///
/// Without --data it takes the static binarized MNIST test set from the data folder (see
/// `bbans data`), else demonstration data that are built in: samples of the built-in model. Every
/// figure comes from a file that was decoded and compared; rivals are taken at the best of several
/// layouts and settings, and ranked wherever they stand.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Data set: IDX, .amat, .npy (each also .gz), PNG or a folder of PNG files
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) raw: RawArg,
    /// Model: a built-in name (see `bbans models`) or a file; give it again for more models
    #[arg(short, long, value_name = "NAME|FILE")]
    pub(crate) model: Vec<String>,
    /// Take this many data, spread evenly over the set
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
    #[command(flatten)]
    pub(crate) coding: Coding,
    /// Samples of z for each datum in the bounds: 16, or as many as particles
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) samples: Option<u16>,
    /// Seed of the samples
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Rivals to measure
    #[arg(long, value_enum, default_value_t = Which::All, value_name = "WHICH")]
    pub(crate) rivals: Which,
    /// Check the expectations in FILE; they are written to the notebook before the run
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) expect: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) notebook: NotebookArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a row for each model and each rival to FILE
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) csv: Option<PathBuf>,
    /// Write a report to FOLDER: index.html with plots (SVG and PNG) and pictures
    #[arg(long, value_name = "FOLDER")]
    pub(crate) report: Option<PathBuf>,
    /// Overwrite the CSV file if it exists
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Measure instead synthetic models whose true code length is known in closed form
    #[arg(long, conflicts_with_all = ["data", "model", "expect", "csv", "report", "limit", "format", "particles", "uncoupled"])]
    pub(crate) truth: bool,
}

impl Args {
    pub(crate) fn samples(&self) -> u16 {
        let usual = match self.coding.particles {
            1 => 16,
            particles => particles,
        };
        self.samples.unwrap_or(usual)
    }
}
