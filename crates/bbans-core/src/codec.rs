//! Codecs: what can be pushed on a message and popped from it, and how to combine them.

use std::ops::Range;

use ndarray::Array2;

use crate::distribution::Distribution;
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

/// The distributions of independent symbols, `[dims, lanes]`: what lies together is a dimension of
/// all lanes, as the coder takes it.
pub trait Columns {
    /// Of one symbol.
    type Distribution: Distribution;

    /// Numbers of dimensions and of lanes.
    fn dim(&self) -> (usize, usize);

    /// The distributions of some dimensions, row-major `[dims.len(), lanes]`; made in `space` if
    /// they are not at hand.
    ///
    /// # Errors
    /// If they cannot be computed.
    fn columns<'a>(
        &'a self,
        dims: Range<usize>,
        space: &'a mut Vec<Self::Distribution>,
    ) -> Result<&'a [Self::Distribution]>;
}

impl<D: Distribution> Columns for Array2<D> {
    type Distribution = D;

    fn dim(&self) -> (usize, usize) {
        self.dim()
    }

    #[inline]
    fn columns<'a>(&'a self, dims: Range<usize>, _: &'a mut Vec<D>) -> Result<&'a [D]> {
        let lanes = self.ncols();
        self.as_slice()
            .and_then(|all| all.get(dims.start * lanes..dims.end * lanes))
            .ok_or_else(|| Error::invalid_argument("columns must be row-major [dims, lanes]"))
    }
}

/// Independent symbols, each with a distribution of its own, for batches `[lanes, dims]`.
#[derive(Debug, Clone)]
pub struct Independent<C>(pub C);

impl<D> Independent<Array2<D>> {
    /// The distribution of lane `lane` and dimension `dim` is `distribution(lane, dim)`.
    pub fn new(lanes: usize, dims: usize, mut distribution: impl FnMut(usize, usize) -> D) -> Self {
        Self(Array2::from_shape_fn((dims, lanes), |(d, l)| {
            distribution(l, d)
        }))
    }
}

impl<C: Columns> Codec for Independent<C>
where
    <C::Distribution as Distribution>::Symbol: Copy + Default,
{
    type Symbol = Array2<<C::Distribution as Distribution>::Symbol>;

    #[inline(always)]
    fn push(&self, message: &mut Message, symbols: &Self::Symbol) -> Result<()> {
        let (dims, lanes) = self.0.dim();
        check_shape(symbols.dim(), (lanes, dims))?;
        let symbols = symbols.as_standard_layout();
        let (Some(rows), false) = (symbols.as_slice(), symbols.is_empty()) else {
            return Ok(());
        };
        let mut space = Vec::new();
        let mut block = vec![Default::default(); BLOCK * lanes];
        for first in (0..dims).step_by(BLOCK).rev() {
            let last = dims.min(first + BLOCK);
            for (column, d) in block.chunks_exact_mut(lanes).zip(first..last) {
                for (symbol, row) in column.iter_mut().zip(rows.chunks_exact(dims)) {
                    *symbol = row[d];
                }
            }
            let distributions = self.0.columns(first..last, &mut space)?;
            let columns = distributions
                .chunks_exact(lanes)
                .zip(block.chunks_exact(lanes));
            for (distributions, symbols) in columns.rev() {
                message.push_column(distributions, symbols)?;
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn pop(&self, message: &mut Message) -> Result<Self::Symbol> {
        let (dims, lanes) = self.0.dim();
        let mut symbols = Array2::default((lanes, dims));
        let (Some(rows), 1.., 1..) = (symbols.as_slice_mut(), lanes, dims) else {
            return Ok(symbols);
        };
        let mut space = Vec::new();
        let mut block = vec![Default::default(); BLOCK * lanes];
        for first in (0..dims).step_by(BLOCK) {
            let last = dims.min(first + BLOCK);
            let columns = self.0.columns(first..last, &mut space)?;
            for (symbols, distributions) in block
                .chunks_exact_mut(lanes)
                .zip(columns.chunks_exact(lanes))
            {
                message.pop_column(distributions, symbols)?;
            }
            for (d, column) in (first..last).zip(block.chunks_exact(lanes)) {
                for (&symbol, row) in column.iter().zip(rows.chunks_exact_mut(dims)) {
                    row[d] = symbol;
                }
            }
        }
        Ok(symbols)
    }
}

/// Dimensions that are coded between two turns of symbols from rows to columns: few enough for the
/// first-level cache.
pub(crate) const BLOCK: usize = 32;

/// Errors unless a batch has the codec's shape.
pub(crate) fn check_shape(found: (usize, usize), expected: (usize, usize)) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::invalid_argument(format!(
        "a batch of [lanes, dims] = {found:?} for a codec of {expected:?}"
    )))
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
