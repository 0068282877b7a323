//! Training of the variational autoencoders that `bbans` compresses with, in candle.
//!
//! candle trains and evaluates; it never runs inside the codec. What leaves this crate is a
//! [`bbans_nn::ModelFile`], whose arithmetic `bbans-nn` defines.
//!
//! The objective is the evidence lower bound of Kingma & Welling 2014 (arXiv 1312.6114), equation
//! 10, with one sample of `z` for each datum; its negative is the code length that bits-back coding
//! reaches.

mod adam;
mod checkpoint;
mod dataset;
mod error;
mod head;
mod loss;
mod network;
mod noise;
mod preset;
mod trainer;

pub use dataset::{Dataset, Values};
pub use error::{Error, Result};
pub use network::{Elbo, Network};
pub use preset::{Activation, Architecture, Config, HeadLayer, Hierarchy, PRESETS, Pixels};
pub use trainer::{Outcome, Progress, Trainer};
