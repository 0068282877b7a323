//! Models of other frameworks: a safetensors file of weights and a description of its layers,
//! [`Arch`], become a [`ModelFile`]. docs/import.md shows how.
//!
//! What is stored is the model: a file is bound to it, and nothing of the original is needed again.

mod arch;
mod chains;
mod description;
mod graph;
mod layer;
mod likelihood;
mod linear;
mod weights;

pub use arch::Arch;
pub use description::import_description;

use crate::file::ModelFile;
use crate::import::weights::Weights;
use crate::vae::Vae;
use bbans_core::Result;

/// A model that was imported.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The model.
    pub file: ModelFile,
    /// Names of the tensors that the description of the layers does not name, in order.
    pub unused: Vec<String>,
}

/// The model whose weights are in the safetensors file `weights`, with the layers of `arch`.
///
/// # Errors
/// If the file is not safetensors, a tensor is missing, has another shape, or is not finite, or the
/// layers do not fit together.
pub fn import(weights: &[u8], arch: &Arch) -> Result<Imported> {
    let mut weights = Weights::new(weights)?;
    let file = if arch.needs_graph() {
        graph::model(&mut weights, arch)?
    } else {
        chains::model(&mut weights, arch)?
    };
    file.description.validate()?;
    Vae::new(&file)?;
    Ok(Imported {
        file,
        unused: weights.unused(),
    })
}
