//! `bbans compress`.

pub(crate) mod handler;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::Coding;
use crate::support::files::RawArg;

/// Compress a data file: .npy, IDX, .amat, CSV, PGM, PPM, raw values (each also .gz), PNG, or a folder of PNG files
///
/// Restored bytes equal the input's, without a gzip around it. Of PNG files names, pixels and the chunks that say something
/// of them are restored, not the files' own compression.
///
/// Examples: bbans compress binarized_mnist_test.amat; bbans compress PHOTOS --model photos.safetensors (a folder);
/// bbans compress TABLE.csv --model table.safetensors; bbans compress X.raw --raw 64x64,u16 --model x.safetensors.
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
    #[command(flatten)]
    pub(crate) raw: RawArg,
    /// Model: a built-in name (see `bbans models`) or a file
    #[arg(short, long, value_name = "NAME|FILE")]
    pub(crate) model: Option<String>,
    /// Put the model into the file, packed, so that nothing else is needed to decompress it
    #[arg(long)]
    pub(crate) embed: bool,
    /// Keep the input (the default)
    #[arg(short, long, conflicts_with = "rm")]
    pub(crate) keep: bool,
    /// Remove the input after the output was decoded and compared
    #[arg(long, conflicts_with = "stdout")]
    pub(crate) rm: bool,
    /// Overwrite the output, though never an input
    #[arg(short, long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) coding: Coding,
    /// Do not keep the order of the data: they are restored in ascending order, and the bits of the order, log2 n! for n
    /// data, are saved
    #[arg(long)]
    pub(crate) unordered: bool,
    /// Data in a block, at most: of smaller blocks one datum is decoded sooner (`bbans cat`), in a longer file [default:
    /// 5000, fewer for large data]
    #[arg(long, value_name = "N")]
    pub(crate) block: Option<NonZeroUsize>,
    /// Make every datum decodable alone, in a longer file
    #[arg(long, conflicts_with_all = ["unordered", "particles", "uncoupled"])]
    pub(crate) independent: bool,
    /// Print nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}
