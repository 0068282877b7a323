//! The likelihoods of a variational autoencoder as codecs.

use std::ops::Range;

use bbans_core::distributions::{Bernoulli, Tables, Tabulated};
use bbans_core::{Codec, Columns, InOrder, Independent, Message, Result};
use bbans_nn::likelihood::{Channels, Colours, Likelihood, Positions};
use bbans_nn::{Decoded, Observed, Vae};
use ndarray::Array2;

/// The likelihood of any kind as a codec.
pub(super) enum ObservedCodec<'a> {
    Bits(Independent<Bits<'a>>),
    Levels(Tabulated<Levels<'a>>),
    Head(InOrder<Channels<'a>>),
    Colours(InOrder<Colours<'a>>),
    Positions(InOrder<Positions<'a>>),
}

impl Codec for ObservedCodec<'_> {
    type Symbol = Array2<u16>;

    #[inline(always)]
    fn push(&self, message: &mut Message, symbol: &Array2<u16>) -> Result<()> {
        match self {
            Self::Bits(codec) => codec.push(message, symbol),
            Self::Levels(codec) => codec.push(message, symbol),
            Self::Head(codec) => codec.push(message, symbol),
            Self::Colours(codec) => codec.push(message, symbol),
            Self::Positions(codec) => codec.push(message, symbol),
        }
    }

    #[inline(always)]
    fn pop(&self, message: &mut Message) -> Result<Array2<u16>> {
        match self {
            Self::Bits(codec) => codec.pop(message),
            Self::Levels(codec) => codec.pop(message),
            Self::Head(codec) => codec.pop(message),
            Self::Colours(codec) => codec.pop(message),
            Self::Positions(codec) => codec.pop(message),
        }
    }
}

/// Tables of masses that follow from what the decoder network computes while they are coded.
pub(super) struct Levels<'a>(Decoded<'a>);

impl Tables for Levels<'_> {
    fn dim(&self) -> (usize, usize) {
        self.0.dim()
    }

    fn parameters(&self) -> usize {
        self.0.likelihood().parameters()
    }

    fn levels(&self) -> usize {
        self.0.likelihood().levels()
    }

    fn prepare(&self, dims: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        self.0.parameters(dims, out)
    }

    fn starts(&self, parameters: &[f32], starts: &mut [u32]) -> Result<()> {
        self.0.starts(parameters, starts)
    }
}

/// Bernoulli distributions that the decoder network computes while they are coded.
pub(super) struct Bits<'a>(Decoded<'a>);

impl Columns for Bits<'_> {
    type Distribution = Bernoulli;

    fn dim(&self) -> (usize, usize) {
        self.0.dim()
    }

    fn columns<'a>(
        &'a self,
        dims: Range<usize>,
        space: &'a mut Vec<Bernoulli>,
    ) -> Result<&'a [Bernoulli]> {
        self.0.bernoulli_masses(dims, space, Bernoulli::new)?;
        Ok(space)
    }
}

impl<'a> ObservedCodec<'a> {
    /// The likelihood of bin numbers `[lanes, latents]`.
    pub(super) fn new(vae: &'a Vae, z: &Array2<u16>) -> Result<Self> {
        let e = vae.latents_of_bins(z.view())?;
        Ok(match vae.decode(e.view())? {
            Observed::Head(channels) => Self::Head(InOrder(channels)),
            Observed::Colours(colours) => Self::Colours(InOrder(colours)),
            Observed::Positions(positions) => Self::Positions(InOrder(positions)),
            Observed::Independent(decoded) if decoded.likelihood() == Likelihood::Bernoulli => {
                Self::Bits(Independent(Bits(decoded)))
            }
            Observed::Independent(decoded) => Self::Levels(Tabulated(Levels(decoded))),
        })
    }
}
