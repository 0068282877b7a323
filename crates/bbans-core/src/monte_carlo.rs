//! Monte Carlo bits-back coding with coupled importance sampling: several particles, of which one is coded.
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
//! The message grows by `-log2 (sum_i w_i / N)`, on average the negative importance-weighted bound of `N` samples (Burda,
//! Grosse & Salakhutdinov 2016), since each `u + s_i` is uniform. All particles take the bits of one. Source: Ruan, Ullrich,
//! Severo, Townsend, Khisti, Doucet, Makhzani & Maddison 2021 (arXiv 2102.11086), BB-CIS.

use ndarray::Array2;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::bits_back::LatentModel;
use crate::codec::{Codec, Independent};
use crate::distribution::{Interval, TOTAL_MASS};
use crate::distributions::{Categorical, Uniform};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::tape::{Tape, masses};

/// Key of the ChaCha8 generator that shifts come from; its nonce is the number of the particle.
const SHIFTS_KEY: &[u8; 32] = b"bbans shifts of particles, vers1";

/// Most particles.
pub const MAX_PARTICLES: usize = 1 << 10;

/// The codec of a latent-variable model for data `[lanes, dims]`, with several particles.
#[derive(Debug, Clone, Copy)]
pub struct MonteCarlo<'a, M> {
    /// The model.
    pub model: &'a M,
    /// Number of data.
    pub lanes: usize,
    /// Number of particles, 1 to [`MAX_PARTICLES`].
    pub particles: usize,
}

/// All particles of a batch.
struct Particles<M: LatentModel> {
    /// Of each particle.
    z: Vec<Array2<M::Z>>,
    /// Of each particle: the intervals of its latents under the posterior, lane by lane.
    intervals: Vec<Tape>,
    /// Of each lane, over the particles.
    weights: Vec<Categorical>,
}

impl<M: LatentModel<Z: Clone>> MonteCarlo<'_, M> {
    /// The shifts of each particle's latents.
    fn shifts(&self) -> Vec<Vec<u32>> {
        let of_particle = |particle| {
            let mut rng = ChaCha8Rng::from_seed(*SHIFTS_KEY);
            rng.set_stream(particle as u64);
            let latents = 0..self.model.latents();
            latents.map(|_| rng.next_u32() >> 8).collect()
        };
        (0..self.particles).map(of_particle).collect()
    }

    /// The particles of quantiles `u`, `[lanes, latents]`.
    fn particles(
        &self,
        x: &Array2<M::X>,
        u: &Array2<u32>,
        shifts: &[Vec<u32>],
    ) -> Result<Particles<M>> {
        let Self { model, lanes, .. } = *self;
        let posterior = model.posterior(x)?;
        let prior = model.prior(lanes)?;
        let (mut all_z, mut intervals, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for shifts in shifts {
            // As codecs take them: a latent of all lanes together.
            let quantiles = u.columns().into_iter().zip(shifts);
            let quantiles =
                quantiles.flat_map(|(u, s)| u.into_iter().map(move |u| (u + s) % TOTAL_MASS));
            let mut tape = Message::measuring(Tape::of_intervals(lanes, quantiles.collect()));
            let z = posterior.pop(&mut tape)?;
            let of_posterior = tape.into_tape();
            let mut tape = Message::measuring(Tape::of_lengths(lanes));
            model.likelihood(&z)?.push(&mut tape, x)?;
            prior.push(&mut tape, &z)?;
            let of_joint = tape.into_tape();
            let pairs = of_joint.lengths().iter().zip(of_posterior.lengths());
            lengths.push(
                pairs
                    .map(|(&joint, &q)| joint as i64 - q as i64)
                    .collect::<Vec<i64>>(),
            );
            all_z.push(z);
            intervals.push(of_posterior);
        }
        let weights = (0..lanes).map(|lane| {
            let of_lane: Vec<i64> = lengths.iter().map(|lengths| lengths[lane]).collect();
            Categorical::from_masses(&masses(&of_lane))
        });
        Ok(Particles {
            z: all_z,
            intervals,
            weights: weights.collect::<Result<_>>()?,
        })
    }

    fn check(&self) -> Result<Uniform> {
        if !(1..=MAX_PARTICLES).contains(&self.particles) {
            return Err(Error::invalid_argument(format!(
                "{} particles; expected 1 to {MAX_PARTICLES}",
                self.particles
            )));
        }
        Uniform::new(self.particles as u32)
    }

    /// All quantiles, each as likely.
    fn quantiles(&self) -> Result<Independent<Array2<Uniform>>> {
        let uniform = Uniform::new(TOTAL_MASS)?;
        let latents = self.model.latents();
        Ok(Independent::new(self.lanes, latents, |_, _| uniform))
    }
}

/// The position in each interval of a lane's latents, uniform.
fn positions(intervals: &[Vec<Interval>]) -> Result<Independent<Array2<Uniform>>> {
    let latents = intervals.first().map_or(0, Vec::len);
    let mut all = Array2::from_elem((latents, intervals.len()), Uniform::new(1)?);
    for (lane, intervals) in intervals.iter().enumerate() {
        for (k, interval) in intervals.iter().enumerate() {
            if let Some(uniform) = all.get_mut((k, lane)) {
                *uniform = Uniform::new(interval.mass().get())?;
            }
        }
    }
    Ok(Independent(all))
}

/// Rows of some particles, a row of each lane's own.
fn chosen<Z: Clone>(z: &[Array2<Z>], particles: &[u32]) -> Result<Array2<Z>> {
    let rows = particles.iter().enumerate();
    let rows = rows.flat_map(|(lane, &j)| z[j as usize].row(lane).to_vec());
    let latents = z.first().map_or(0, Array2::ncols);
    Array2::from_shape_vec((particles.len(), latents), rows.collect()).map_err(Error::model)
}

impl<M: LatentModel<Z: Clone>> Codec for MonteCarlo<'_, M> {
    type Symbol = Array2<M::X>;

    fn push(&self, message: &mut Message, x: &Self::Symbol) -> Result<()> {
        let number = self.check()?;
        let shifts = self.shifts();
        let u = self.quantiles()?.pop(message)?;
        let all = self.particles(x, &u, &shifts)?;
        let mut j = vec![0; self.lanes];
        message.pop_column(&all.weights, &mut j)?;
        let z = chosen(&all.z, &j)?;
        let intervals: Vec<Vec<Interval>> = (j.iter().enumerate())
            .map(|(lane, &j)| all.intervals[j as usize].intervals(lane).to_vec())
            .collect();
        let position = Array2::from_shape_fn(u.dim(), |(lane, k)| {
            let shift = shifts[j[lane] as usize][k];
            (u[(lane, k)] + shift) % TOTAL_MASS - intervals[lane][k].start()
        });
        positions(&intervals)?.push(message, &position)?;
        self.model.likelihood(&z)?.push(message, x)?;
        self.model.prior(self.lanes)?.push(message, &z)?;
        message.push_column(&vec![number; self.lanes], &j)
    }

    fn pop(&self, message: &mut Message) -> Result<Self::Symbol> {
        let number = self.check()?;
        let shifts = self.shifts();
        let mut j = vec![0; self.lanes];
        message.pop_column(&vec![number; self.lanes], &mut j)?;
        let z = self.model.prior(self.lanes)?.pop(message)?;
        let x = self.model.likelihood(&z)?.pop(message)?;
        // The intervals of z under the posterior: what is pushed comes backwards.
        let mut tape = Message::measuring(Tape::of_intervals(self.lanes, Vec::new()));
        self.model.posterior(&x)?.push(&mut tape, &z)?;
        let tape = tape.into_tape();
        let backwards = |lane| tape.intervals(lane).iter().rev().copied().collect();
        let intervals: Vec<Vec<Interval>> = (0..self.lanes).map(backwards).collect();
        let position = positions(&intervals)?.pop(message)?;
        let u = Array2::from_shape_fn(position.dim(), |(lane, k)| {
            let shift = shifts[j[lane] as usize][k];
            (intervals[lane][k].start() + position[(lane, k)] + TOTAL_MASS - shift) % TOTAL_MASS
        });
        let all = self.particles(&x, &u, &shifts)?;
        message.push_column(&all.weights, &j)?;
        self.quantiles()?.push(message, &u)?;
        Ok(x)
    }
}
