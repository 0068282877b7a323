//! Exactly specified neural-network inference for codecs, and the model file.
//!
//! Whatever an entropy coder depends on must come out the same, to the last bit, on every machine.
//! This crate computes dense layers and activations in `f32` with a fixed order of operations and
//! no fused multiply-add, so that scalar code and every SIMD path give the same bits.
//! docs/format writes the arithmetic down.

pub mod description;
mod exact;
mod file;
pub mod graph;
pub mod import;
pub mod likelihood;
pub mod ops;
pub mod packed;
mod vae;

pub use bbans_core::{Error, Result};
pub use description::{Description, Layer};
pub use exact::dense::Dense;
pub use exact::{math, simd};
pub use file::{ModelFile, Tensor, bins};
pub use likelihood::{Likelihood, Window};
pub use vae::{Decoded, Inference, Observed, Posterior, TopDown, Vae};
