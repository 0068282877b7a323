//! Exactly specified neural-network inference for codecs, and the model file.
//!
//! Whatever an entropy coder depends on must come out the same, to the last bit, on every machine.
//! This crate computes dense layers and activations in `f32` with a fixed order of operations and
//! no fused multiply-add, so that scalar code and every SIMD path give the same bits.
//! docs/format.md writes the arithmetic down.

mod causal;
pub mod description;
mod exact;
mod file;
pub mod graph;
pub mod import;
mod network;
pub mod ops;
mod tables;
mod vae;

pub use bbans_core::{Error, Result};
pub use causal::{Channels, Images, Pixel};
pub use description::{Description, Layer, Likelihood, Window};
pub use exact::dense::Dense;
pub use exact::{math, simd};
pub use file::{ModelFile, Tensor, bins};
pub use network::Network;
pub use vae::{Decoded, Inference, Posterior, Vae};
