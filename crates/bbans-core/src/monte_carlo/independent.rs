//! Particles that are drawn one after another.
//!
//! For one batch of data `x` and `N` particles:
//!
//! ```text
//! push(x):  z_1, ..., z_N <- pop with q(z|x);  w_i = p(x|z_i) p(z_i) / q(z_i|x);  j <- pop with w_j / sum w
//!           push all z_i but z_j with q(z|x)
//!           push x with p(x|z_j);  push z_j with p(z);  push j, uniform
//! pop():    the same backwards
//! ```

use std::cmp::Ordering;

use ndarray::Array2;

use crate::bits_back::LatentModel;
use crate::codec::Codec;
use crate::distributions::Categorical;
use crate::error::{Error, Result};
use crate::message::Message;
use crate::tape::Tape;

use super::{number, weights};

/// The codec of a latent-variable model for data `[lanes, dims]`, with independent particles: BB-IS.
///
/// Needs the bits of all particles from the message at once.
#[derive(Debug, Clone, Copy)]
pub struct ImportanceSampling<'a, M> {
    /// The model.
    pub model: &'a M,
    /// Number of data.
    pub lanes: usize,
    /// Number of particles, 1 to [`super::MAX_PARTICLES`].
    pub particles: usize,
}

impl<M: LatentModel> ImportanceSampling<'_, M> {
    fn pop_particles(
        &self,
        message: &mut Message,
        posterior: &impl Codec<Symbol = Array2<M::Z>>,
        count: usize,
    ) -> Result<Vec<Array2<M::Z>>> {
        let one = |_| {
            let z = posterior.pop(message)?;
            self.check(&z)?;
            Ok(z)
        };
        (0..count).map(one).collect()
    }

    /// A codec of the model has a latent in each place.
    fn check(&self, z: &Array2<M::Z>) -> Result<()> {
        let expected = (self.lanes, self.model.latents());
        if z.dim() == expected {
            return Ok(());
        }
        Err(Error::model(format!(
            "latents of [lanes, latents] = {:?}; expected {expected:?}",
            z.dim()
        )))
    }

    fn weights(
        &self,
        x: &Array2<M::X>,
        posterior: &impl Codec<Symbol = Array2<M::Z>>,
        z: &[Array2<M::Z>],
    ) -> Result<Vec<Categorical>> {
        let particle = |i: usize| {
            let mut tape = Message::measuring(Tape::of_lengths(self.lanes));
            posterior.push(&mut tape, &z[i])?;
            Ok((z[i].clone(), tape.into_tape()))
        };
        weights(self.model, x, self.particles, particle)
    }
}

/// Particle `of_lane[i]` of each lane `i`.
fn select<Z: Clone>(z: &[Array2<Z>], of_lane: impl Fn(usize) -> usize) -> Array2<Z> {
    Array2::from_shape_fn(z[0].dim(), |(lane, k)| z[of_lane(lane)][(lane, k)].clone())
}

/// The number of the `n`-th particle that is not `j`.
fn other(n: usize, j: u32) -> usize {
    n + usize::from(n >= j as usize)
}

impl<M: LatentModel> Codec for ImportanceSampling<'_, M> {
    type Symbol = Array2<M::X>;

    fn push(&self, message: &mut Message, x: &Self::Symbol) -> Result<()> {
        let (number, lanes) = (number(self.particles)?, self.lanes);
        let posterior = self.model.posterior(x)?;
        let z = self.pop_particles(message, &posterior, self.particles)?;
        let mut j = vec![0; lanes];
        message.pop_column(&self.weights(x, &posterior, &z)?, &mut j)?;
        for n in (0..self.particles - 1).rev() {
            posterior.push(message, &select(&z, |lane| other(n, j[lane])))?;
        }
        drop(posterior);
        let z = select(&z, |lane| j[lane] as usize);
        self.model.likelihood(&z)?.push(message, x)?;
        self.model.prior(lanes)?.push(message, &z)?;
        message.push_column(&vec![number; lanes], &j)
    }

    fn pop(&self, message: &mut Message) -> Result<Self::Symbol> {
        let (number, lanes) = (number(self.particles)?, self.lanes);
        let mut j = vec![0; lanes];
        message.pop_column(&vec![number; lanes], &mut j)?;
        let coded = self.model.prior(lanes)?.pop(message)?;
        let x = self.model.likelihood(&coded)?.pop(message)?;
        let posterior = self.model.posterior(&x)?;
        let others = self.pop_particles(message, &posterior, self.particles - 1)?;
        self.check(&coded)?;
        let particle = |i: usize| {
            Array2::from_shape_fn(coded.dim(), |(lane, k)| {
                let j = j[lane] as usize;
                let z = match i.cmp(&j) {
                    Ordering::Less => &others[i],
                    Ordering::Equal => &coded,
                    Ordering::Greater => &others[i - 1],
                };
                z[(lane, k)].clone()
            })
        };
        let z: Vec<_> = (0..self.particles).map(particle).collect();
        message.push_column(&self.weights(&x, &posterior, &z)?, &j)?;
        for z in z.iter().rev() {
            posterior.push(message, z)?;
        }
        drop(posterior);
        Ok(x)
    }
}
