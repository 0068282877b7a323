//! `bbans train`.

pub(crate) mod handler;

use std::path::PathBuf;

use crate::support::notebook::NotebookArgs;

/// Train a model on one's own data of one shape
///
/// small: bits of any shape, pixels independent given the latents, the fastest files. balanced and best: images of bits,
/// a decoder that is autoregressive in a small window, smaller and slower files. gray: the same for images of bytes.
///
/// A checkpoint lies beside the output (FILE.checkpoint) after every epoch: the same command goes on
/// from it after an interruption.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Training data: IDX, .amat, .npy (each also .gz), PNG or a folder of PNG files
    #[arg(long, value_name = "PATH")]
    pub(crate) data: PathBuf,
    /// Sizes of the networks and the schedule
    #[arg(long, default_value = "small", value_parser = clap::builder::PossibleValuesParser::new(bbans_train::PRESETS))]
    pub(crate) preset: String,
    /// Model file to write
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// The data are grey: draw each value v anew as 1 with probability v/255 in every epoch
    #[arg(long)]
    pub(crate) binarize: bool,
    /// Infer the latents in so many layers, one after another from the top; they must divide the latents
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) latent_layers: u32,
    /// Train on all data: none are held out for validation, the weights of the last epoch are kept
    #[arg(long)]
    pub(crate) all: bool,
    /// Name in the model's description [default: the output's name without its suffix]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Passes over the training data [default: the preset's]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) epochs: Option<u32>,
    /// Stop after this time with the best model so far; the same command goes on from there
    #[arg(long, value_name = "MINUTES")]
    pub(crate) max_minutes: Option<f64>,
    /// Seed of every random number
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Overwrite the output
    #[arg(short, long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) notebook: NotebookArgs,
}
