//! Lossless compression with latent-variable models, by bits-back coding.
//!
//! A model that implements [`LatentModel`] is a codec: [`block::encode`] and [`block::decode`] turn
//! data into a message and back, at the length that the model's evidence lower bound promises. A
//! model that also implements [`FileModel`] compresses data files to files: [`compress`],
//! [`decompress`]; or bytes to bytes: [`compress_bytes`], [`decompress_bytes`]. [`VaeModel`] is such a model, read from a file that `bbans train` wrote.
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

mod binned;
mod bins;
mod compress;
mod decompress;
mod elbo;
mod file_model;
mod memory;
mod pipeline;
mod sample;
pub mod synthetic;
mod vae_model;

pub use bbans_core::block;
pub use bbans_core::distributions;
pub use bbans_core::laws;
pub use bbans_core::{
    BitsBack, Causal, Codec, Columns, Conditional, CoupledImportanceSampling, Distribution, Error,
    ErrorKind, Grid, ImportanceSampling, InOrder, Independent, Interval, LatentModel,
    MAX_PARTICLES, Message, Multiset, PointCode, Record, Repeat, Result, Walk, information,
    initial_words, normal_pair,
};
pub use bbans_format::container;
pub use bbans_format::data;
pub use bbans_format::{DataReader, DataWriter, Rows, Source};
pub use bbans_nn as nn;
/// The arrays that symbols and parameters are in.
pub use ndarray;

pub use binned::{Binned, binned, fresh_bits};
pub use bins::{Fitted, Spread, bins_cost, fit_bins, spread, with_equal_width};
pub use compress::{Options, Report, binary_symbols, compress, symbols};
pub use decompress::{Restored, decompress, decompress_range, index_of_name, writer};
pub use elbo::{Elbo, bits_of_dims, elbo, elbo_with};
pub use file_model::{FileModel, FileSymbol, bind, check_fits};
pub use memory::{Memory, compress_bytes, data_file, decompress_bytes};
pub use sample::{sample, samples, samples_file};
pub use vae_model::VaeModel;
