//! Exactly specified neural-network inference for codecs, and the model file.
//!
//! Whatever an entropy coder depends on must come out the same, to the last bit, on every machine.
//! This crate computes dense layers and activations in `f32` with a fixed order of operations and
//! no fused multiply-add, so that scalar code and every SIMD path give the same bits.
//! docs/format.md writes the arithmetic down.

pub mod bins;
mod causal;
mod dense;
pub mod description;
mod fingerprint;
pub mod import;
pub mod math;
mod model_file;
mod network;
pub mod simd;
mod sparse;
mod tables;
mod vae;

pub use bbans_core::{Error, Result};
pub use causal::{Channels, Images, Pixel};
pub use dense::Dense;
pub use description::{Description, Layer, Likelihood, Window};
pub use model_file::{ModelFile, Tensor};
pub use network::Network;
pub use vae::{Decoded, Inference, Posterior, Vae};
