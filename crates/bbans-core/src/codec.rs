//! Codecs: what can be pushed on a message and popped from it, and how to combine them.

use ndarray::Array2;

use crate::distribution::{Distribution, Interval};
use crate::error::{Error, Result};
use crate::message::Message;

/// A pair of push and pop for one batch of symbols.
///
/// # Laws
///
/// - `pop` after `push` gives the symbols back and leaves the message as it was.
/// - `push` after `pop` leaves the message as it was.
/// - The message grows by the information content of the symbols, to a fraction of a bit.
///
/// [`crate::laws::check_codec`] checks the first and the last.
pub trait Codec {
    /// What is coded at a time.
    type Symbol;

    /// Puts the symbol on the message.
    ///
    /// # Errors
    /// If the symbol is not one of the codec's. The message is then unspecified.
    fn push(&self, message: &mut Message, symbol: &Self::Symbol) -> Result<()>;

    /// Takes a symbol from the message.
    ///
    /// # Errors
    /// If the message has too few words, or cannot have come from this codec.
    fn pop(&self, message: &mut Message) -> Result<Self::Symbol>;
}

/// Independent symbols, each with a distribution of its own, for batches `[lanes, dims]`.
#[derive(Debug, Clone)]
pub struct Independent<D> {
    /// `[dims, lanes]`, row-major: a column of the batch lies together, as the coder takes it.
    columns: Array2<D>,
}

impl<D> Independent<D> {
    /// The distribution of lane `lane` and dimension `dim` is `distribution(lane, dim)`.
    pub fn new(lanes: usize, dims: usize, mut distribution: impl FnMut(usize, usize) -> D) -> Self {
        Self {
            columns: Array2::from_shape_fn((dims, lanes), |(d, l)| distribution(l, d)),
        }
    }

    /// The distributions column by column: row-major `[dims, lanes]`.
    ///
    /// # Errors
    /// If the array is not row-major.
    pub fn from_columns(columns: Array2<D>) -> Result<Self> {
        if !columns.is_standard_layout() {
            return Err(Error::invalid_argument(
                "columns must be row-major [dims, lanes]",
            ));
        }
        Ok(Self { columns })
    }

    fn columns(&self) -> impl DoubleEndedIterator<Item = &[D]> + ExactSizeIterator {
        let lanes = self.columns.ncols().max(1);
        self.columns
            .as_slice()
            .unwrap_or_default()
            .chunks_exact(lanes)
    }
}

impl<D: Distribution> Codec for Independent<D>
where
    D::Symbol: Copy + Default,
{
    type Symbol = Array2<D::Symbol>;

    #[inline(always)]
    fn push(&self, message: &mut Message, symbols: &Self::Symbol) -> Result<()> {
        let (dims, lanes) = self.columns.dim();
        check_shape(symbols.dim(), (lanes, dims))?;
        if symbols.is_empty() {
            return Ok(());
        }
        let symbols = symbols.as_standard_layout();
        let rows = symbols.as_slice().unwrap_or_default();
        let mut block = vec![D::Symbol::default(); BLOCK * lanes];
        let mut intervals = vec![Interval::UNIT; lanes];
        for first in (0..dims).step_by(BLOCK).rev() {
            let width = BLOCK.min(dims - first);
            for (lane, row) in rows.chunks_exact(dims).enumerate() {
                for (column, &symbol) in block
                    .chunks_exact_mut(lanes)
                    .zip(&row[first..first + width])
                {
                    column[lane] = symbol;
                }
            }
            let columns = self
                .columns()
                .skip(first)
                .take(width)
                .zip(block.chunks_exact(lanes));
            for (distributions, symbols) in columns.rev() {
                let mut valid = true;
                for ((interval, d), symbol) in intervals.iter_mut().zip(distributions).zip(symbols)
                {
                    let found = d.interval(symbol);
                    valid &= found.is_some();
                    *interval = found.unwrap_or(Interval::UNIT);
                }
                if !valid {
                    return Err(no_mass());
                }
                message.push_column(&intervals)?;
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn pop(&self, message: &mut Message) -> Result<Self::Symbol> {
        let (dims, lanes) = self.columns.dim();
        if self.columns.is_empty() {
            return Ok(Array2::default((lanes, dims)));
        }
        let mut rows = vec![D::Symbol::default(); lanes * dims];
        let mut block = vec![D::Symbol::default(); BLOCK * lanes];
        let mut columns = self.columns();
        for first in (0..dims).step_by(BLOCK) {
            let width = BLOCK.min(dims - first);
            for (symbols, distributions) in block
                .chunks_exact_mut(lanes)
                .zip(columns.by_ref().take(width))
            {
                message.pop_column(distributions, symbols)?;
            }
            for (lane, row) in rows.chunks_exact_mut(dims).enumerate() {
                for (symbol, column) in row[first..first + width]
                    .iter_mut()
                    .zip(block.chunks_exact(lanes))
                {
                    *symbol = column[lane];
                }
            }
        }
        Array2::from_shape_vec((lanes, dims), rows).map_err(Error::invalid_argument)
    }
}

/// Columns that are gathered from rows at a time: few enough for the first-level cache.
const BLOCK: usize = 32;

/// Errors unless a batch has the codec's shape.
pub(crate) fn check_shape(found: (usize, usize), expected: (usize, usize)) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::invalid_argument(format!(
        "a batch of [lanes, dims] = {found:?} for a codec of {expected:?}"
    )))
}

#[cold]
fn no_mass() -> Error {
    Error::invalid_argument("a symbol has no mass in its distribution")
}

/// The same codec several times.
#[derive(Debug, Clone)]
pub struct Repeat<C> {
    /// What is repeated.
    pub codec: C,
    /// How often.
    pub times: usize,
}

impl<C: Codec> Codec for Repeat<C> {
    type Symbol = Vec<C::Symbol>;

    fn push(&self, message: &mut Message, symbols: &Self::Symbol) -> Result<()> {
        if symbols.len() != self.times {
            return Err(Error::invalid_argument(format!(
                "{} symbols for a codec of {}",
                symbols.len(),
                self.times
            )));
        }
        symbols
            .iter()
            .rev()
            .try_for_each(|symbol| self.codec.push(message, symbol))
    }

    fn pop(&self, message: &mut Message) -> Result<Self::Symbol> {
        (0..self.times).map(|_| self.codec.pop(message)).collect()
    }
}

/// One codec after another.
impl<A: Codec, B: Codec> Codec for (A, B) {
    type Symbol = (A::Symbol, B::Symbol);

    fn push(&self, message: &mut Message, (a, b): &Self::Symbol) -> Result<()> {
        self.1.push(message, b)?;
        self.0.push(message, a)
    }

    fn pop(&self, message: &mut Message) -> Result<Self::Symbol> {
        let a = self.0.pop(message)?;
        let b = self.1.pop(message)?;
        Ok((a, b))
    }
}

/// A codec behind a reference.
impl<C: Codec> Codec for &C {
    type Symbol = C::Symbol;

    fn push(&self, message: &mut Message, symbol: &Self::Symbol) -> Result<()> {
        (**self).push(message, symbol)
    }

    fn pop(&self, message: &mut Message) -> Result<Self::Symbol> {
        (**self).pop(message)
    }
}
