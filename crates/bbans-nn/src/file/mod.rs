//! The model file: tensors in safetensors, a description in its metadata, and the fingerprint of both.

pub mod bins;
mod fingerprint;
mod tensors;

pub(crate) use fingerprint::{digest_of_json, fingerprint};
pub(crate) use tensors::tensor;
pub use tensors::{ModelFile, Tensor};

pub(crate) use crate::description::MAX_DIM;
