//! `bbans train`.

pub(crate) mod handler;

use std::path::PathBuf;

use bbans_train::DataKind;
use clap::builder::PossibleValuesParser;

use crate::support::files::{RawArg, Shape};
use crate::support::notebook::NotebookArgs;

/// Train a model on one's own data of one shape
///
/// Presets: small takes data of any shape with up to 256 levels, and is the fastest to compress with; its values are
/// independent given the latents. balanced, best, gray, conv and ladder are for pictures whose sides are multiples of 4:
/// balanced and best of bits, gray of 3 to 256 levels, with decoders that are autoregressive in a small window, for
/// smaller and slower files; conv, with convolutions, and ladder, with four groups of latents, of bits. pixels (also in
/// colour, and of 16 bits), signal and table are made for the data at hand, one symbol after another. --arch takes any
/// other network.
///
/// Examples: bbans train --data PHOTOS.npy -o photos.safetensors (colour, [n, rows, columns, 3]);
/// bbans train --data ECG.npy --shape 360 -o ecg.safetensors (one long signal of 16 bits, in pieces of 360);
/// bbans train --data TABLE.csv -o table.safetensors; bbans train --data FOLDER -o p.safetensors (PNG files);
/// bbans train --data X.raw --raw 64x64,u16 -o x.safetensors.
///
/// The last sixth of the data is held out: shuffle data that are sorted. A checkpoint lies beside the output
/// (FILE.checkpoint): after an interruption the same command goes on from it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Training data: .npy, IDX, .amat, CSV, PGM, PPM (each also .gz), PNG, or a folder of PNG files
    #[arg(long, value_name = "PATH", required_unless_present = "print_arch")]
    pub(crate) data: Option<PathBuf>,
    /// Network and schedule [default: by the data, told with the reason]
    #[arg(long, value_parser = presets(), conflicts_with = "arch")]
    pub(crate) preset: Option<String>,
    /// Network and schedule of one's own: a description with graphs, as --print-arch shows one
    #[arg(long, value_name = "ARCH.json")]
    pub(crate) arch: Option<PathBuf>,
    /// Start from the tensors of a model, built in or a file; without --arch and --preset, with its network and schedule
    #[arg(long, value_name = "MODEL")]
    pub(crate) from: Option<PathBuf>,
    /// Print a preset as a description for --arch, and do nothing else; pixels, signal and table take --data too
    #[arg(long, value_name = "PRESET", value_parser = presets(), conflicts_with_all = ["preset", "arch", "from", "output"])]
    pub(crate) print_arch: Option<String>,
    /// Model file to write
    #[arg(
        short,
        long,
        value_name = "FILE",
        required_unless_present = "print_arch"
    )]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) raw: RawArg,
    /// Shape of a datum, of a file that is one long row of values: 360, or 360x2
    #[arg(long, value_name = "SHAPE")]
    pub(crate) shape: Option<Shape>,
    /// Pictures in colour: take green, red less green and blue less green for symbols
    #[arg(long, conflicts_with_all = ["binarize", "from"])]
    pub(crate) green_first: bool,
    /// The data are grey, 0 to 255: draw each value v anew as 1 with probability v/255 in every epoch
    #[arg(long)]
    pub(crate) binarize: bool,
    /// Cut the latents into N layers of one size, inferred one after another from the top
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) latent_layers: u32,
    /// Train the importance-weighted bound of N samples, for models that are coded with several particles
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) samples: Option<u32>,
    /// Train on all data: none are held out for validation, the weights of the last epoch are kept
    #[arg(long)]
    pub(crate) all: bool,
    /// Name in the model's description [default: the output's name without its suffix]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Passes over the training data, exactly so many [default: the schedule's, more where data are few]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) epochs: Option<u32>,
    /// Stop after this time with the best model so far; the same command with -f goes on from there
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

fn presets() -> PossibleValuesParser {
    let fixed = bbans_train::PRESETS.iter().map(|preset| preset.name);
    PossibleValuesParser::new(fixed.chain(DataKind::ALL.map(DataKind::name)))
}
