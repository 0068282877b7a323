//! Codecs: what can be pushed on a message and popped from it, and how to combine them.

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

/// Independent symbols, each with a distribution of its own, row-major `[lanes, dims]`.
#[derive(Debug, Clone)]
pub struct Independent<D> {
    distributions: Array2<D>,
}

impl<D> Independent<D> {
    /// The distribution of lane `lane` and dimension `dim` is `distribution(lane, dim)`.
    pub fn new(lanes: usize, dims: usize, mut distribution: impl FnMut(usize, usize) -> D) -> Self {
        Self {
            distributions: Array2::from_shape_fn((lanes, dims), |(l, d)| distribution(l, d)),
        }
    }
}

impl<D> From<Array2<D>> for Independent<D> {
    fn from(distributions: Array2<D>) -> Self {
        Self { distributions }
    }
}

impl<D: Distribution> Codec for Independent<D>
where
    D::Symbol: Clone,
{
    type Symbol = Array2<D::Symbol>;

    fn push(&self, message: &mut Message, symbols: &Self::Symbol) -> Result<()> {
        check_shape(symbols.dim(), self.distributions.dim())?;
        for dim in (0..symbols.ncols()).rev() {
            for lane in (0..symbols.nrows()).rev() {
                let interval = self.distributions[(lane, dim)].interval(&symbols[(lane, dim)]);
                message.push(lane, interval.ok_or_else(|| no_mass(lane, dim))?)?;
            }
        }
        Ok(())
    }

    fn pop(&self, message: &mut Message) -> Result<Self::Symbol> {
        pop_columns(self.distributions.dim(), |lane, dim| {
            message.pop(lane, &self.distributions[(lane, dim)])
        })
    }
}

/// Pops `[lanes, dims]` symbols in the order of this crate: column by column, lanes ascending.
pub(crate) fn pop_columns<S>(
    (lanes, dims): (usize, usize),
    mut pop: impl FnMut(usize, usize) -> Result<S>,
) -> Result<Array2<S>> {
    let mut columns = Vec::with_capacity(lanes.saturating_mul(dims));
    for dim in 0..dims {
        for lane in 0..lanes {
            columns.push(pop(lane, dim)?);
        }
    }
    let shape = Array2::from_shape_vec((dims, lanes), columns);
    Ok(shape.map_err(Error::invalid_argument)?.reversed_axes())
}

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
pub(crate) fn no_mass(lane: usize, dim: usize) -> Error {
    Error::invalid_argument(format!(
        "the symbol of lane {lane}, dimension {dim} has no mass in its distribution"
    ))
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
