//! `bbans import`.

pub(crate) mod handler;

use std::path::PathBuf;

/// Turn the weights of a PyTorch model into a model file, without a line of Rust
///
/// ARCH.json lists the layers with the names of their tensors: linear ones, convolutions, norms,
/// residual sums, attention, latents at several scales. docs/import.md shows how to write it. What
/// is stored is the model; nothing of the original is needed again.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Weights: a safetensors file, as safetensors.torch.save_file(model.state_dict(), ..) writes; or a model file,
    /// whose bins are chosen anew by --data
    #[arg(value_name = "WEIGHTS")]
    pub(crate) weights: PathBuf,
    /// The layers and the names of their tensors; a model file has them
    #[arg(long, value_name = "ARCH.json")]
    pub(crate) arch: Option<PathBuf>,
    /// Data like those to be compressed, by which the bins of the latents are chosen: IDX, .amat, .npy (each also
    /// .gz), PNG or a folder of PNG files
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    /// Model file to write
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Overwrite the model file if it exists
    #[arg(short, long)]
    pub(crate) force: bool,
}
