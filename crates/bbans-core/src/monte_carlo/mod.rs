//! Monte Carlo bits-back coding: importance sampling with several particles, of which one is coded.
//!
//! The message grows by `-log2 (sum_i w_i / N)`, with `w_i = p(x|z_i) p(z_i) / q(z_i|x)`: on average the negative
//! importance-weighted bound of `N` samples (Burda, Grosse & Salakhutdinov 2016). With [`ImportanceSampling`] all particles
//! take their bits from the message before they give them back; with [`CoupledImportanceSampling`] they share those of one. Source: Ruan, Ullrich, Severo,
//! Townsend, Khisti, Doucet, Makhzani & Maddison 2021 (arXiv 2102.11086), BB-IS and BB-CIS.

mod coupled;
mod independent;

pub use coupled::CoupledImportanceSampling;
pub use independent::ImportanceSampling;

use ndarray::Array2;

use crate::bits_back::LatentModel;
use crate::codec::Codec;
use crate::distributions::{Categorical, Uniform};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::tape::{Tape, masses};

/// Most particles.
pub const MAX_PARTICLES: usize = 1 << 10;

/// The number of a particle, each as likely.
fn number(particles: usize) -> Result<Uniform> {
    if !(1..=MAX_PARTICLES).contains(&particles) {
        return Err(Error::invalid_argument(format!(
            "{particles} particles; expected 1 to {MAX_PARTICLES}"
        )));
    }
    Uniform::new(particles as u32)
}

/// Of each lane, its particles with masses in proportion to their weights. `particle(i)` is particle `i` of every lane, and
/// what the posterior takes for it.
fn weights<M: LatentModel>(
    model: &M,
    x: &Array2<M::X>,
    particles: usize,
    particle: impl Fn(usize) -> Result<(Array2<M::Z>, Tape)>,
) -> Result<Vec<Categorical>> {
    let lanes = x.nrows();
    let prior = model.prior(lanes)?;
    let mut lengths = vec![Vec::with_capacity(particles); lanes];
    for i in 0..particles {
        let (z, of_posterior) = particle(i)?;
        let mut of_joint = Message::measuring(Tape::of_lengths(lanes));
        model.likelihood(&z)?.push(&mut of_joint, x)?;
        prior.push(&mut of_joint, &z)?;
        let of_joint = of_joint.into_tape();
        let pairs = of_joint.lengths().iter().zip(of_posterior.lengths());
        for (lengths, (&joint, &posterior)) in lengths.iter_mut().zip(pairs) {
            lengths.push(joint as i64 - posterior as i64);
        }
    }
    let of_lane = |lengths: &Vec<i64>| Categorical::from_masses(&masses(lengths));
    lengths.iter().map(of_lane).collect()
}
