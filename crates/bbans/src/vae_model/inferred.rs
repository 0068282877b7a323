//! The posterior of a variational autoencoder as a codec.

use bbans_core::{Codec, Error, Message, Result};
use bbans_nn::Inference;
use ndarray::{Array2, Axis, Slice};

use super::VaeModel;

/// The posterior, `q(z|x) = prod_l q(z_l | x, z_<l)`: what is popped first is pushed last.
pub(super) struct Inferred<'a> {
    pub(super) model: &'a VaeModel,
    pub(super) inference: Inference<'a>,
    pub(super) lanes: usize,
}

impl Codec for Inferred<'_> {
    type Symbol = Array2<u16>;

    #[inline(always)]
    fn push(&self, message: &mut Message, z: &Array2<u16>) -> Result<()> {
        let Self {
            model,
            inference,
            lanes,
        } = self;
        let expected = (*lanes, model.vae.latents());
        if z.dim() != expected {
            return Err(Error::invalid_argument(format!(
                "latents of [lanes, latents] = {:?} for a codec of {expected:?}",
                z.dim()
            )));
        }
        let mut latents = inference.top_down()?;
        let mut groups = model.vae.latent_groups().into_iter().peekable();
        let mut all = Vec::new();
        while let Some(group) = groups.next() {
            let of_group = z.slice_axis(Axis(1), Slice::from(group));
            all.push((
                model.posterior_distributions(&latents)?,
                of_group.to_owned(),
            ));
            if groups.peek().is_some() {
                let values = model.vae.latents_of_bins(of_group)?;
                latents.set(values.view())?;
            }
        }
        // A loop, so that it is compiled with the path's instructions.
        for (codec, z) in all.iter().rev() {
            codec.push(message, z)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn pop(&self, message: &mut Message) -> Result<Array2<u16>> {
        let Self {
            model, inference, ..
        } = self;
        let mut latents = inference.top_down()?;
        let mut z = Array2::zeros((self.lanes, model.vae.latents()));
        for group in model.vae.latent_groups() {
            let codec = model.posterior_distributions(&latents)?;
            let popped = codec.pop(message)?;
            if group.end < model.vae.latents() {
                let values = model.vae.latents_of_bins(popped.view())?;
                latents.set(values.view())?;
            }
            z.slice_axis_mut(Axis(1), Slice::from(group))
                .assign(&popped);
        }
        Ok(z)
    }
}
