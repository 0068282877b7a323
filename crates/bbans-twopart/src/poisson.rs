//! The Poisson functional representation.
//!
//! Candidates `z_i ~ p` arrive at the times `t_i` of a Poisson process of rate 1; the one with the
//! least `t_i p(z_i) / q(z_i)` is sent. The points `(z_i, t_i p/q)` are a Poisson process over `q`, so
//! the first of them has the distribution `q`. `log2` of the index is at most `KL + log2(e) / e` on
//! average, and its Zipf code below `KL + log2(KL + 1) + 4`. Source: Li & El Gamal 2018, theorem 1.

use bbans_core::distributions::Categorical;
use bbans_core::{Message, Result};

use crate::index::{IndexCode, Zipf};
use crate::pair::{Pair, log2_max_ratio};
use crate::shared::Shared;
use crate::{Choice, Code};

/// The Poisson functional representation for a group of latents.
#[derive(Debug, Clone)]
pub struct PoissonFunctional<I = Zipf> {
    index: I,
    budget_bits: f64,
}

/// Words of a candidate besides one for each latent: its waiting time.
const EXTRA_WORDS: usize = 2;

impl PoissonFunctional {
    /// For groups whose `KL(q, p)` is about `mean_kl_bits` on average and whose `max q/p`, about the
    /// number of candidates, is at most `2^budget_bits`.
    ///
    /// # Errors
    /// If `mean_kl_bits` is no number.
    pub fn new(mean_kl_bits: f64, budget_bits: u32) -> Result<Self> {
        Ok(Self {
            index: Zipf::for_mean_bits(mean_kl_bits)?,
            budget_bits: f64::from(budget_bits.min(40)),
        })
    }
}

impl<I: IndexCode> PoissonFunctional<I> {
    /// With another code for the index.
    pub fn with_index(index: I, budget_bits: u32) -> Self {
        Self {
            index,
            budget_bits: f64::from(budget_bits.min(40)),
        }
    }
}

impl<I: IndexCode> Code for PoissonFunctional<I> {
    type Index = u64;

    /// `None` if `log2 max(q/p)` is above the budget.
    fn choose(&self, latents: &[Pair], shared: &mut Shared) -> Result<Option<Choice<u64>>> {
        let log2_m = log2_max_ratio(latents);
        if log2_m > self.budget_bits {
            return Ok(None);
        }
        let least_inverse = (-log2_m).exp2();
        shared.seek(0, latents.len() + EXTRA_WORDS)?;
        let (mut best, mut index, mut z) = (f64::INFINITY, 0, Vec::new());
        let (mut time, mut drawn) = (0.0, 0u64);
        let mut candidate = vec![0; latents.len()];
        loop {
            let mut ratio = 1.0;
            for (z, pair) in candidate.iter_mut().zip(latents) {
                *z = shared.symbol(pair.prior());
                ratio *= pair.ratio(*z);
            }
            time += shared.exponential();
            drawn += 1;
            // No later candidate can come before the best.
            if time * least_inverse > best {
                return Ok(Some(Choice {
                    z,
                    index,
                    candidates: drawn,
                }));
            }
            if ratio > 0.0 && time / ratio < best {
                (best, index) = (time / ratio, drawn);
                z.clone_from(&candidate);
            }
        }
    }

    fn push(&self, message: &mut Message, index: &u64) -> Result<()> {
        self.index.push(message, *index)
    }

    fn pop(&self, message: &mut Message, _: &mut Shared) -> Result<u64> {
        self.index.pop(message)
    }

    fn receive(&self, prior: &[Categorical], index: &u64, shared: &mut Shared) -> Result<Vec<u32>> {
        shared.candidate(index.saturating_sub(1), prior.len() + EXTRA_WORDS, prior)
    }
}
