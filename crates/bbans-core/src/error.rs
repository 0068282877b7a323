//! The error of the libraries.

use std::fmt;
use std::sync::Arc;

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
/// The message says what was found, what was expected and what to do. What caused it is its
/// [source](std::error::Error::source); `{:#}` writes the causes after it.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// The result of this project's libraries.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of `kind`.
    pub fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self {
            kind,
            message: message.to_string(),
            source: None,
        }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn because(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self {
            source: Some(Arc::new(source)),
            ..self
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

    /// An error of the same kind that says where it happened, "block 3", with this one as its cause.
    #[must_use]
    pub fn context(self, context: impl fmt::Display) -> Self {
        Self::new(self.kind, context).because(self)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut next = std::error::Error::source(self).filter(|_| f.alternate());
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|e| &**e as _)
    }
}

impl From<std::io::Error> for Error {
    fn from(e: std::io::Error) -> Self {
        let (kind, message) = match e.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                (ErrorKind::InsufficientData, "the input ends too early")
            }
            _ => (ErrorKind::Io, "reading or writing failed"),
        };
        Self::new(kind, message).because(e)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;
    use std::io;

    #[test]
    fn causes_are_kept_and_told_on_request() {
        let e = Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).context("x.idx");
        assert_eq!(e.kind(), ErrorKind::Io);
        assert_eq!(e.to_string(), "x.idx");
        assert_eq!(
            format!("{e:#}"),
            "x.idx: reading or writing failed: broken pipe"
        );
        let root = e.source().and_then(|e| e.source()).unwrap();
        let root: &io::Error = root.downcast_ref().unwrap();
        assert_eq!(root.kind(), io::ErrorKind::BrokenPipe);
    }
}
