//! The error of this crate.

use std::fmt;

/// Why a model could not be trained or evaluated: an error of this project's libraries, or candle's,
/// which they do not know.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An error of this project.
    Bbans(bbans_nn::Error),
    /// An error of candle.
    Candle(candle_core::Error),
}

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Self::Bbans(bbans_nn::Error::model(message))
    }

    /// With what was being done, before what went wrong.
    pub(crate) fn context(self, what: impl fmt::Display) -> Self {
        match self {
            Self::Bbans(e) => Self::Bbans(e.context(what)),
            e @ Self::Candle(_) => Self::because(what, e),
        }
    }

    pub(crate) fn because(
        message: impl fmt::Display,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Bbans(bbans_nn::Error::model(message).because(source))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bbans(e) => fmt::Display::fmt(e, f),
            Self::Candle(e) if f.alternate() => write!(f, "candle: {e}"),
            Self::Candle(_) => f.write_str("candle"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bbans(e) => e.source(),
            Self::Candle(e) => Some(e),
        }
    }
}

impl From<candle_core::Error> for Error {
    fn from(e: candle_core::Error) -> Self {
        Self::Candle(e)
    }
}

impl From<bbans_nn::Error> for Error {
    fn from(e: bbans_nn::Error) -> Self {
        Self::Bbans(e)
    }
}
