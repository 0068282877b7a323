//! Bits-back coding: a latent-variable model as a codec.
//!
//! For one batch of data `x`, with the approximate posterior `q(z|x)`:
//!
//! ```text
//! push(x):  z <- pop with q(z|x);   push x with p(x|z);   push z with p(z)
//! pop():    z <- pop with p(z);     x <- pop with p(x|z); push z with q(z|x)
//! ```
//!
//! The message grows by `-log2 p(x|z) - log2 p(z) + log2 q(z|x)`, on average over `z ~ q` the
//! negative evidence lower bound. Source: Townsend, Bird & Barber 2019 (arXiv 1901.04866),
//! section 2.3; the idea is Hinton & van Camp's (1993).

use ndarray::Array2;

use crate::codec::Codec;
use crate::error::Result;
use crate::message::Message;

/// A model with latents. All codecs are over the lanes of a step: their symbols are batches of
/// shape `[lanes, dims]` or `[lanes, latents]`, one row a datum.
///
/// A row must be coded the same whatever the other rows are and however many there are; otherwise
/// what was written with one number of lanes cannot be read with another.
///
/// The likelihood is a codec and not a table of parameters, so that an autoregressive one fits.
/// Hierarchies nest: the prior may be a [`BitsBack`] itself.
pub trait LatentModel {
    /// Value of one observed dimension. Its order is the one that sets are restored in.
    type X: Clone + Ord;
    /// Value of one latent.
    type Z: Clone;

    /// Number of observed dimensions of one datum.
    fn dims(&self) -> usize;

    /// Number of symbols that the posterior has for one datum.
    fn latents(&self) -> usize;

    /// Numbers of latents that the posterior has one after another, each group given those before it: all at once,
    /// unless the model says otherwise. A hint for the [`crate::PointCode`], which finds shorter codes by it.
    fn groups(&self) -> Vec<usize> {
        vec![self.latents()]
    }

    /// About how many bits the posterior takes from the message for one datum, the same on every machine. A hint for
    /// the number of initial words, where too small a value costs time and too large a value bits, and for how much of
    /// a message is whitened.
    fn posterior_bits(&self) -> f64;

    /// `p(z)` for this many lanes.
    ///
    /// # Errors
    /// As the model says.
    fn prior(&self, lanes: usize) -> Result<impl Codec<Symbol = Array2<Self::Z>>>;

    /// `p(x|z)`.
    ///
    /// # Errors
    /// If the model cannot be evaluated at `z`.
    fn likelihood(&self, z: &Array2<Self::Z>) -> Result<impl Codec<Symbol = Array2<Self::X>>>;

    /// `q(z|x)`.
    ///
    /// # Errors
    /// If the model cannot be evaluated at `x`.
    fn posterior(&self, x: &Array2<Self::X>) -> Result<impl Codec<Symbol = Array2<Self::Z>>>;
}

/// The codec of a latent-variable model for data `[lanes, dims]`.
#[derive(Debug, Clone, Copy)]
pub struct BitsBack<'a, M> {
    /// The model.
    pub model: &'a M,
    /// Number of data.
    pub lanes: usize,
}

impl<M: LatentModel> Codec for BitsBack<'_, M> {
    type Symbol = Array2<M::X>;

    fn push(&self, message: &mut Message, x: &Self::Symbol) -> Result<()> {
        let z = self.model.posterior(x)?.pop(message)?;
        self.model.likelihood(&z)?.push(message, x)?;
        self.model.prior(self.lanes)?.push(message, &z)
    }

    fn pop(&self, message: &mut Message) -> Result<Self::Symbol> {
        let z = self.model.prior(self.lanes)?.pop(message)?;
        let x = self.model.likelihood(&z)?.pop(message)?;
        self.model.posterior(&x)?.push(message, &z)?;
        Ok(x)
    }
}
