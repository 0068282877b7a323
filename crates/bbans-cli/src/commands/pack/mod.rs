//! `bbans pack`.

pub(crate) mod handler;
mod input;
mod plan;
mod progress;
mod result;

use std::path::PathBuf;

use bbans_train::Family;

use super::Threads;
use super::bench::Which;
use crate::support::files::{RawArg, Shape};

/// Make an archive that carries its model: train one on the data, and put both in a file
///
/// A network is picked for the data and trained on them, its weights are rounded until they take a few bits each, and the
/// file is decoded and compared. Nothing else is needed to restore it: `bbans unpack FILE`. The bytes of the model are
/// counted, and what other programs make of the same data is shown beside.
///
/// Several inputs of one kind share a model: the output is then a folder, with a .bbans file for each and the model, which
/// is found beside them.
///
/// Examples: bbans pack PHOTOS.npy -o photos.bbans --minutes 30; bbans pack TABLE.csv -o table.bbans;
/// bbans pack A.npy B.npy -o both.
///
/// An interruption (Ctrl-C, a full disk) leaves no output, but a checkpoint beside it (FILE.checkpoint), from which the same
/// command with --resume goes on. How long the run is depends on the machine; what it comes to is told, and the options
/// that it names at the end make the same model again.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Data files, or folders of PNG files
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Archive to write; of several inputs the folder
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) raw: RawArg,
    /// Shape of a datum, of a file that is one long row of values: 360, or 360x2
    #[arg(long, value_name = "SHAPE")]
    pub(crate) shape: Option<Shape>,
    /// Time for all but the rivals, at most; training stops earlier where the total no longer falls [default: 10]
    #[arg(long, value_name = "M", conflicts_with_all = ["effort", "epochs"])]
    pub(crate) minutes: Option<f64>,
    /// Passes over the data instead of a time: 1, 2, 4 and so on to 256
    #[arg(long, value_name = "1..9", value_parser = clap::value_parser!(u32).range(1..=9), conflicts_with = "epochs")]
    pub(crate) effort: Option<u32>,
    /// Passes over the data, exactly so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) epochs: Option<u32>,
    /// Kind of network: stack, numbers or latents [default: by trial]
    #[arg(long, value_name = "KIND", value_parser = family)]
    pub(crate) network: Option<Family>,
    /// Weights of the network, at most [default: by trial]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4_000_000))]
    pub(crate) weights: Option<u32>,
    /// Pictures in colour: take green, red less green and blue less green for symbols
    #[arg(long)]
    pub(crate) green_first: bool,
    /// Seed of every random number
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Go on from the checkpoint of an interrupted run
    #[arg(long)]
    pub(crate) resume: bool,
    /// Rivals to measure, before anything else
    #[arg(long, value_enum, default_value_t = Which::All, value_name = "WHICH")]
    pub(crate) rivals: Which,
    #[command(flatten)]
    pub(crate) threads: Threads,
    /// Overwrite the output, though never an input
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Print nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

fn family(name: &str) -> Result<Family, String> {
    Family::ALL
        .into_iter()
        .find(|family| family.name() == name)
        .ok_or_else(|| format!("{name:?}; expected stack, numbers or latents"))
}
