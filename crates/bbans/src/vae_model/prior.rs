//! The prior of a variational autoencoder over the bins as a codec.

use bbans_core::distributions::{Categorical, UniformBin, uniform_bins};
use bbans_core::{Codec, Independent, Message, Result};
use ndarray::Array2;

use super::VaeModel;

/// The prior of every latent: the same for all, in units of their own priors.
pub(super) enum PriorCodec<'a> {
    EqualMass(Independent<Array2<UniformBin>>),
    Masses(Independent<Array2<&'a Categorical<u16>>>),
}

impl<'a> PriorCodec<'a> {
    pub(super) fn new(model: &'a VaeModel, lanes: usize) -> Result<Self> {
        let latents = model.vae.latents();
        Ok(match &model.masses {
            None => {
                let precision = model.vae.description().latent.bin_precision;
                Self::EqualMass(uniform_bins(lanes, latents, precision)?)
            }
            Some(masses) => Self::Masses(Independent::new(lanes, latents, |_, _| masses)),
        })
    }
}

impl Codec for PriorCodec<'_> {
    type Symbol = Array2<u16>;

    #[inline(always)]
    fn push(&self, message: &mut Message, z: &Array2<u16>) -> Result<()> {
        match self {
            Self::EqualMass(codec) => codec.push(message, z),
            Self::Masses(codec) => codec.push(message, z),
        }
    }

    #[inline(always)]
    fn pop(&self, message: &mut Message) -> Result<Array2<u16>> {
        match self {
            Self::EqualMass(codec) => codec.pop(message),
            Self::Masses(codec) => codec.pop(message),
        }
    }
}
