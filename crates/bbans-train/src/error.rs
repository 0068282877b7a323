//! The error of this crate.

use std::fmt;

/// Why a model could not be trained or evaluated.
#[derive(Debug)]
pub struct Error(String);

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<candle_core::Error> for Error {
    fn from(e: candle_core::Error) -> Self {
        Self(format!("candle: {e}"))
    }
}

impl From<bbans_nn::Error> for Error {
    fn from(e: bbans_nn::Error) -> Self {
        Self(e.to_string())
    }
}
