//! Errors of the libraries as exceptions of Python.

use bbans::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyModule;

/// `bbans._errors`, where the exceptions are: a class of two bases can only be made in Python.
static ERRORS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// The exception of an error, with the same text.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let name = match error.kind() {
        ErrorKind::Corruption => "Corruption",
        ErrorKind::Compatibility => "Compatibility",
        ErrorKind::InsufficientData => "InsufficientData",
        ErrorKind::InvalidArgument => "InvalidArgument",
        ErrorKind::Model => "ModelError",
        ErrorKind::Io => "IoError",
        _ => "Error",
    };
    let class = ERRORS
        .get_or_try_init(py, || {
            PyModule::import(py, "bbans._errors").map(Bound::unbind)
        })
        .and_then(|module| module.bind(py).getattr(name));
    match class.and_then(|class| class.call1((format!("{error:#}"),))) {
        Ok(exception) => PyErr::from_value(exception),
        Err(e) => e,
    }
}

/// Results whose errors become exceptions.
pub(crate) trait OrRaise<T> {
    /// The value, or the exception.
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for bbans::Result<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| exception(py, &error))
    }
}
