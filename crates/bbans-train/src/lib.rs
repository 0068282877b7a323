//! Training of the latent-variable models that `bbans` compresses with, in candle: the graphs of a description, operation
//! by operation.
//!
//! candle trains and evaluates; it never runs inside the codec. What leaves this crate is a
//! [`bbans_nn::ModelFile`], whose arithmetic `bbans-nn` defines.
//!
//! The objective is the evidence lower bound of Kingma & Welling 2014 (arXiv 1312.6114), equation
//! 10, with one sample of `z` for each datum; its negative is the code length that bits-back coding
//! reaches. With several samples it is the importance-weighted bound of Burda, Grosse & Salakhutdinov 2016
//! (arXiv 1509.00519), equation 8.

mod adam;
mod arch;
mod archive;
mod batch;
mod bound;
mod checkpoint;
mod dataset;
mod error;
mod facts;
mod generated;
mod graph;
mod head;
mod lanes;
mod layers;
mod neighbours;
mod network;
mod noise;
mod objective;
pub mod ops;
mod product;
mod quantize;
mod schedule;
mod trainer;

pub use arch::{Arch, PRESETS, Preset};
pub use archive::{Family, archive_arch, weights_for};
pub use dataset::{Dataset, Values};
pub use error::{Error, Result};
pub use facts::{Facts, SymbolFacts};
pub use generated::DataKind;
pub use layers::in_layers;
pub use network::{Elbo, Network};
pub use schedule::Schedule;
pub use trainer::{Outcome, Progress, Trainer};
