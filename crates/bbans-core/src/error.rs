//! The error of the libraries.

use std::fmt;

/// What went wrong, and where to look for the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The compressed data are not what an encoder wrote: damaged, cut short or forged.
    Corruption,
    /// The data need another model, or a version of the format that this library does not know.
    Compatibility,
    /// There is not enough to go on: a pop from an empty message, an input that ends early.
    InsufficientData,
    /// A value from the caller is out of its range, or the input is of a kind that cannot be coded.
    InvalidArgument,
    /// The model is unusable, or its network computed something that is no number.
    Model,
    /// The operating system refused to read or write.
    Io,
}

/// An error of this project's libraries.
///
/// The message says what was found, what was expected and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// The result of this project's libraries.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of `kind`.
    pub fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self {
            kind,
            message: message.to_string(),
        }
    }

    /// [`ErrorKind::Corruption`].
    pub fn corruption(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Corruption, message)
    }

    /// [`ErrorKind::Compatibility`].
    pub fn compatibility(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Compatibility, message)
    }

    /// [`ErrorKind::InsufficientData`].
    pub fn insufficient_data(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::InsufficientData, message)
    }

    /// [`ErrorKind::InvalidArgument`].
    pub fn invalid_argument(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::InvalidArgument, message)
    }

    /// [`ErrorKind::Model`].
    pub fn model(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Model, message)
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The same error with a line of context before it: "block 3: ...".
    #[must_use]
    pub fn context(self, context: impl fmt::Display) -> Self {
        Self {
            kind: self.kind,
            message: format!("{context}: {}", self.message),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(e: std::io::Error) -> Self {
        let kind = match e.kind() {
            std::io::ErrorKind::UnexpectedEof => ErrorKind::InsufficientData,
            _ => ErrorKind::Io,
        };
        Self::new(kind, e)
    }
}
