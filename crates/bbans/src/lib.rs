//! Lossless compression with latent-variable models, by bits-back coding.
//!
//! A model that implements [`LatentModel`] is a codec: [`block::encode`] and [`block::decode`] turn
//! data into a message and back, at the length that the model's evidence lower bound promises. A
//! model that also implements [`FileModel`] compresses data files to files: [`compress`],
//! [`decompress`]. [`VaeModel`] is such a model, read from a file that `bbans train` wrote.
//!
//! # Example
//!
//! ```no_run
//! use bbans::{DataReader, Options, VaeModel};
//!
//! let model = VaeModel::from_bytes(&std::fs::read("model.safetensors")?)?;
//! let reader = DataReader::open(std::fs::File::open("digits.idx")?, "digits.idx")?;
//! let mut file = Vec::new();
//! let report = bbans::compress(&model, reader, &mut file, Options::default(), &mut |_| {})?;
//! println!("{} data in {} bytes", report.count, report.file_bytes);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compress;
mod decompress;
mod elbo;
mod file_model;
mod pipeline;
mod sample;
pub mod synthetic;
mod vae_model;

pub use bbans_core::block;
pub use bbans_core::distributions;
pub use bbans_core::laws;
pub use bbans_core::{
    BitsBack, Codec, Columns, Distribution, Error, ErrorKind, Independent, Interval, LatentModel,
    Message, Repeat, Result, initial_words,
};
pub use bbans_format::container;
pub use bbans_format::data;
pub use bbans_format::{DataReader, DataWriter, Source};
pub use bbans_nn as nn;

pub use compress::{Options, Report, binary_symbols, compress, symbols};
pub use decompress::{Restored, decompress};
pub use elbo::{Elbo, elbo, elbo_with};
pub use file_model::{FileModel, check_fits};
pub use sample::sample;
pub use vae_model::VaeModel;
