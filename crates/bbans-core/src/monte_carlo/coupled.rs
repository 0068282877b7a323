//! Particles that are coupled: the posterior's symbols at shifts of the same quantiles.
//!
//! For one batch of data `x`, `N` particles and shifts `s_i` that both sides know:
//!
//! ```text
//! push(x):  u <- pop, uniform;           z_i = symbols of q(z|x) at the quantiles u + s_i;
//!           w_i = p(x|z_i) p(z_i) / q(z_i|x);   j <- pop with w_j / sum w
//!           push where in z_j's interval u + s_j lies;
//!           push x with p(x|z_j);  push z_j with p(z);  push j, uniform
//! pop():    the same backwards
//! ```
//!
//! Each `u + s_i` is uniform.

use ndarray::Array2;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::bits_back::LatentModel;
use crate::codec::{Codec, Independent};
use crate::distribution::{Interval, TOTAL_MASS};
use crate::distributions::{Categorical, Uniform};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::tape::Tape;

use super::{number, weights};

/// Key of the ChaCha8 generator that shifts come from; its nonce is the number of the particle.
const SHIFTS_KEY: &[u8; 32] = b"bbans shifts of particles, vers1";

/// The codec of a latent-variable model for data `[lanes, dims]`, with coupled particles: BB-CIS.
#[derive(Debug, Clone, Copy)]
pub struct CoupledImportanceSampling<'a, M> {
    /// The model.
    pub model: &'a M,
    /// Number of data.
    pub lanes: usize,
    /// Number of particles, 1 to [`super::MAX_PARTICLES`].
    pub particles: usize,
}

impl<M: LatentModel> CoupledImportanceSampling<'_, M> {
    /// All quantiles, each as likely.
    fn quantiles(&self) -> Result<Independent<Array2<Uniform>>> {
        let uniform = Uniform::new(TOTAL_MASS)?;
        let latents = self.model.latents();
        Ok(Independent::new(self.lanes, latents, |_, _| uniform))
    }

    /// The shifts of a particle of each lane, `[lanes, latents]`.
    fn shifts(&self, particles: &[u32]) -> Array2<u32> {
        let mut shifts = Array2::zeros((particles.len(), self.model.latents()));
        for (&particle, mut shifts) in particles.iter().zip(shifts.rows_mut()) {
            let mut rng = ChaCha8Rng::from_seed(*SHIFTS_KEY);
            rng.set_stream(u64::from(particle));
            shifts
                .iter_mut()
                .for_each(|shift| *shift = rng.next_u32() >> 8);
        }
        shifts
    }

    /// Of each lane, the weights of the particles of quantiles `u`, `[lanes, latents]`.
    fn weights(
        &self,
        x: &Array2<M::X>,
        posterior: &impl Codec<Symbol = Array2<M::Z>>,
        u: &Array2<u32>,
    ) -> Result<Vec<Categorical>> {
        let lanes = self.lanes;
        let particle = |i: usize| {
            let quantiles = shifted(u, &self.shifts(&vec![i as u32; lanes]));
            let mut tape = Message::measuring(Tape::of_lengths(lanes).with_quantiles(&quantiles));
            let z = posterior.pop(&mut tape)?;
            Ok((z, tape.into_tape()))
        };
        weights(self.model, x, self.particles, particle)
    }

    /// A lane's intervals under the posterior, one for each latent.
    fn check_intervals(&self, intervals: &[Vec<Interval>]) -> Result<()> {
        let latents = self.model.latents();
        match intervals.iter().find(|of_lane| of_lane.len() != latents) {
            None => Ok(()),
            Some(of_lane) => Err(Error::model(format!(
                "the posterior has {} symbols for a datum; expected the model's {latents} latents",
                of_lane.len()
            ))),
        }
    }
}

fn shifted(u: &Array2<u32>, shifts: &Array2<u32>) -> Array2<u32> {
    (u + shifts) % TOTAL_MASS
}

/// The position in each interval, `[lanes][latents]`, uniform.
fn positions(intervals: &[Vec<Interval>]) -> Result<Independent<Array2<Uniform>>> {
    let latents = intervals.first().map_or(0, Vec::len);
    let uniform = |k: usize, lane: usize| Uniform::new(intervals[lane][k].mass().get());
    let all = (0..latents).flat_map(|k| (0..intervals.len()).map(move |lane| (k, lane)));
    let all = all
        .map(|(k, lane)| uniform(k, lane))
        .collect::<Result<Vec<_>>>()?;
    let all = Array2::from_shape_vec((latents, intervals.len()), all);
    all.map(Independent).map_err(Error::model)
}

impl<M: LatentModel> Codec for CoupledImportanceSampling<'_, M> {
    type Symbol = Array2<M::X>;

    fn push(&self, message: &mut Message, x: &Self::Symbol) -> Result<()> {
        let (number, lanes) = (number(self.particles)?, self.lanes);
        let u = self.quantiles()?.pop(message)?;
        let posterior = self.model.posterior(x)?;
        let mut j = vec![0; lanes];
        message.pop_column(&self.weights(x, &posterior, &u)?, &mut j)?;
        let quantiles = shifted(&u, &self.shifts(&j));
        let mut tape = Message::measuring(Tape::of_intervals(lanes).with_quantiles(&quantiles));
        let z = posterior.pop(&mut tape)?;
        let intervals = tape.into_tape().into_intervals();
        self.check_intervals(&intervals)?;
        let position = Array2::from_shape_fn(u.dim(), |(lane, k)| {
            quantiles[(lane, k)].wrapping_sub(intervals[lane][k].start())
        });
        positions(&intervals)?.push(message, &position)?;
        self.model.likelihood(&z)?.push(message, x)?;
        self.model.prior(lanes)?.push(message, &z)?;
        message.push_column(&vec![number; lanes], &j)
    }

    fn pop(&self, message: &mut Message) -> Result<Self::Symbol> {
        let (number, lanes) = (number(self.particles)?, self.lanes);
        let mut j = vec![0; lanes];
        message.pop_column(&vec![number; lanes], &mut j)?;
        let z = self.model.prior(lanes)?.pop(message)?;
        let x = self.model.likelihood(&z)?.pop(message)?;
        let posterior = self.model.posterior(&x)?;
        let mut tape = Message::measuring(Tape::of_intervals(lanes));
        posterior.push(&mut tape, &z)?;
        let mut intervals = tape.into_tape().into_intervals();
        // What is pushed comes backwards.
        intervals.iter_mut().for_each(|of_lane| of_lane.reverse());
        self.check_intervals(&intervals)?;
        let position = positions(&intervals)?.pop(message)?;
        let shifts = self.shifts(&j);
        let u = Array2::from_shape_fn(position.dim(), |(lane, k)| {
            let quantile = intervals[lane][k].start() + position[(lane, k)];
            (quantile + TOTAL_MASS - shifts[(lane, k)]) % TOTAL_MASS
        });
        let weights = self.weights(&x, &posterior, &u)?;
        drop(posterior);
        message.push_column(&weights, &j)?;
        self.quantiles()?.push(message, &u)?;
        Ok(x)
    }
}
