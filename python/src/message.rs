//! The message.

use bbans::{Error, Message as Stack, Result};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::errors::OrRaise;

/// Most lanes of a message, and most initial words.
const MAX_LANES: usize = 1 << 20;
const MAX_WORDS: usize = 1 << 28;

/// Checks a number of lanes, before memory is taken for them.
pub(crate) fn check_lanes(lanes: usize) -> Result<()> {
    if (1..=MAX_LANES).contains(&lanes) {
        return Ok(());
    }
    Err(Error::invalid_argument(format!(
        "{lanes} lanes; expected 1 to {MAX_LANES}"
    )))
}

/// An ANS stack: heads, one for each lane, over one tail of 32-bit words.
#[pyclass(module = "bbans._bbans")]
pub(crate) struct Message {
    pub(crate) stack: Stack,
}

/// A message that nobody else is using.
pub(crate) fn borrowed<'py>(message: &Bound<'py, Message>) -> PyResult<PyRefMut<'py, Message>> {
    message.try_borrow_mut().or_else(|_| {
        let text = "the message is in use by another thread; expected one thread at a time";
        Err(Error::invalid_argument(text)).or_raise(message.py())
    })
}

#[pymethods]
impl Message {
    #[new]
    fn new(py: Python<'_>, lanes: usize, initial_words: usize) -> PyResult<Self> {
        check_lanes(lanes).or_raise(py)?;
        if initial_words > MAX_WORDS {
            let what = format!("{initial_words} initial words; expected at most {MAX_WORDS}");
            return Err(Error::invalid_argument(what)).or_raise(py);
        }
        let mut stack = Stack::with_initial_words(initial_words.saturating_add(lanes));
        stack.grow(lanes).or_raise(py)?;
        Ok(Self { stack })
    }

    /// The message of `lanes` heads that [`Message::words`] gave.
    #[staticmethod]
    fn from_words(
        py: Python<'_>,
        words: PyReadonlyArray1<'_, u32>,
        lanes: usize,
    ) -> PyResult<Self> {
        let stack = Stack::from_words(words.as_array().to_vec(), lanes).or_raise(py)?;
        Ok(Self { stack })
    }

    /// The message as words.
    fn words<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<u32>>> {
        Ok(self
            .stack
            .clone()
            .into_words()
            .or_raise(py)?
            .into_pyarray(py))
    }

    fn copy(&self) -> Self {
        Self {
            stack: self.stack.clone(),
        }
    }

    #[getter]
    fn lanes(&self) -> usize {
        self.stack.lanes()
    }

    #[getter]
    fn bits(&self) -> f64 {
        self.stack.bits()
    }

    #[getter]
    fn tail<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u32>> {
        self.stack.tail().to_vec().into_pyarray(py)
    }

    fn grow(&mut self, py: Python<'_>, lanes: usize) -> PyResult<()> {
        self.stack.grow(lanes).or_raise(py)
    }

    fn shrink(&mut self, py: Python<'_>, lanes: usize) -> PyResult<()> {
        check_lanes(lanes).or_raise(py)?;
        self.stack.shrink(lanes).or_raise(py)
    }

    fn whiten(&mut self, step: u64, words: usize) {
        self.stack.whiten(step, words);
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.stack == other.stack
    }
}
