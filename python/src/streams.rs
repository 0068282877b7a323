//! What bytes are read from and written to, while the interpreter's lock is released.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use numpy::{PyArray1, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The bytes of an array: read piece by piece, each with the lock held.
pub(crate) struct ArrayBytes {
    array: Py<PyArray1<u8>>,
    at: usize,
}

impl ArrayBytes {
    pub(crate) fn new(array: Py<PyArray1<u8>>) -> Self {
        Self { array, at: 0 }
    }
}

impl Read for ArrayBytes {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        Python::attach(|py| {
            let array = self
                .array
                .bind(py)
                .try_readonly()
                .map_err(io::Error::other)?;
            let bytes = array.as_slice().map_err(io::Error::other)?;
            let count = bytes.get(self.at..).unwrap_or_default().read(to)?;
            self.at += count;
            Ok(count)
        })
    }
}

/// A file object of Python. Its exceptions are raised in the end as they are.
pub(crate) struct FileObject {
    pub(crate) object: Py<PyAny>,
    pub(crate) watch: Watch,
}

impl FileObject {
    fn kept<T>(&self, result: PyResult<T>) -> io::Result<T> {
        result.map_err(|e| {
            self.watch.raise(e);
            io::Error::other("a file object raised an exception")
        })
    }
}

impl Read for FileObject {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        Python::attach(|py| {
            let read = self.kept(self.object.call_method1(py, "read", (to.len(),)))?;
            let Ok(bytes) = read.cast_bound::<PyBytes>(py) else {
                return Err(io::Error::other(
                    "a file object whose read gives no bytes; expected one of mode \"rb\"",
                ));
            };
            let bytes = bytes.as_bytes();
            let Some(to) = to.get_mut(..bytes.len()) else {
                return Err(io::Error::other(
                    "a file object whose read gives more than was asked for",
                ));
            };
            to.copy_from_slice(bytes);
            Ok(bytes.len())
        })
    }
}

impl Write for FileObject {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Python::attach(|py| {
            let given = PyBytes::new(py, bytes);
            let written = self.kept(self.object.call_method1(py, "write", (given,)))?;
            // Raw files may take a part, or nothing; an object that is no file of Python's may say nothing at all.
            if written.is_none(py) {
                let raw = py.import("io").and_then(|io| io.getattr("RawIOBase"));
                let raw = raw.and_then(|raw| self.object.bind(py).is_instance(&raw));
                return match self.kept(raw)? {
                    true => Err(io::Error::other(
                        "a file object takes no bytes at the moment",
                    )),
                    false => Ok(bytes.len()),
                };
            }
            match written.extract::<usize>(py) {
                Ok(count) if count <= bytes.len() => Ok(count),
                _ => Err(io::Error::other(format!(
                    "a file object whose write of {} bytes gives {}; expected how many it took",
                    bytes.len(),
                    written.bind(py)
                ))),
            }
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Watches work that runs without the interpreter's lock: tells of its progress, and stops it where a signal's handler
/// or the callback raises an exception.
#[derive(Clone)]
pub(crate) struct Watch {
    progress: Arc<Option<Py<PyAny>>>,
    raised: Arc<Mutex<Option<PyErr>>>,
}

impl Watch {
    pub(crate) fn new(progress: Option<Py<PyAny>>) -> Self {
        Self {
            progress: Arc::new(progress),
            raised: Arc::default(),
        }
    }

    /// So many data are done.
    pub(crate) fn tell(&self, count: u64) {
        Python::attach(|py| {
            let told = py.check_signals().and_then(|()| match &*self.progress {
                Some(progress) => progress.call1(py, (count,)).map(drop),
                None => Ok(()),
            });
            if let Err(e) = told {
                self.raise(e);
            }
        });
    }

    /// An error, if a signal's handler raised an exception.
    pub(crate) fn check_signals(&self) -> bbans::Result<()> {
        Python::attach(|py| {
            py.check_signals().map_err(|e| {
                self.raise(e);
                bbans::Error::invalid_argument("stopped")
            })
        })
    }

    fn raise(&self, e: PyErr) {
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(e);
    }

    fn check(&self) -> io::Result<()> {
        let raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        match *raised {
            Some(_) => Err(io::Error::other("stopped")),
            None => Ok(()),
        }
    }

    /// The result, or the exception that stopped the work.
    pub(crate) fn result<T>(&self, result: PyResult<T>) -> PyResult<T> {
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        raised.take().map_or(result, Err)
    }

    /// A stream that fails once an exception was raised.
    pub(crate) fn over<S>(&self, stream: S) -> Watched<S> {
        Watched {
            stream,
            watch: self.clone(),
        }
    }
}

/// A stream that is watched.
pub(crate) struct Watched<S> {
    stream: S,
    watch: Watch,
}

impl<S: Read> Read for Watched<S> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.watch.check()?;
        self.stream.read(to)
    }
}

impl<S: Write> Write for Watched<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.watch.check()?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
