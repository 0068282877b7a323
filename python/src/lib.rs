//! The part of bbans for Python that is written in Rust; `bbans/*.py` is what users see of it.
//!
//! Arrays come in as the header of an .npy file and the bytes of their values, so that a reader of data files says what
//! they are: there is one place that knows which values a model has.

mod blocks;
mod codecs;
mod errors;
mod files;
mod message;
mod model;
mod streams;
mod symbols;

use pyo3::prelude::*;

/// The module `bbans._bbans`.
#[pymodule]
mod _bbans {
    #[pymodule_export]
    use crate::blocks::{decode_block, encode_block};
    #[pymodule_export]
    use crate::codecs::{
        Bins, Codec, bernoulli, bernoulli_logits, categorical, gaussian_bins, likelihood,
        uniform_bins,
    };
    #[pymodule_export]
    use crate::files::{compress, decompress, header, restore};
    #[pymodule_export]
    use crate::message::Message;
    #[pymodule_export]
    use crate::model::{Model, import_arch, models};
}
