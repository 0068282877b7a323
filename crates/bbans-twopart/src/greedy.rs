//! Greedy rejection sampling, for one latent.
//!
//! Candidate number `i` is accepted so that as much as possible of `q` is covered at once: with `a` the
//! part of `q` that earlier candidates cover and `r` the probability that none of them was accepted,
//! symbol `z` takes `min(q(z) - a(z), r p(z))` more. Everything is covered in the end, so what is
//! accepted has the distribution `q`; the index costs at most about `KL + log2(KL + 1) + 4` bits on
//! average. Source: Harsha, Jain, McAllester & Radhakrishnan 2010, section 3; Flamich, Markou &
//! Hernandez-Lobato 2023.

use bbans_core::distributions::Categorical;
use bbans_core::{Error, Message, Result};

use crate::index::Zipf;
use crate::pair::{Pair, log2_max_ratio};
use crate::shared::Shared;
use crate::{Choice, Code};

/// Greedy rejection sampling; each candidate takes a pass over all symbols.
#[derive(Debug, Clone)]
pub struct Greedy {
    zipf: Zipf,
    budget_bits: f64,
}

/// One word for the symbol, two for whether it is accepted.
const WORDS: usize = 3;
/// By then all but a rounding error of any `q` is covered.
const MAX_STEPS: u64 = 1 << 26;
const MAX_BUDGET: u32 = 20;

impl Greedy {
    /// For latents whose `KL(q, p)` is about `mean_kl_bits` on average and whose `max q/p`, the number of candidates, is at
    /// most `2^budget_bits`.
    ///
    /// # Errors
    /// If `mean_kl_bits` is no number.
    pub fn new(mean_kl_bits: f64, budget_bits: u32) -> Result<Self> {
        let zipf = Zipf::for_mean_bits(mean_kl_bits)?;
        Ok(Self::with_index(zipf, budget_bits))
    }

    /// With another code for the index.
    pub fn with_index(zipf: Zipf, budget_bits: u32) -> Self {
        Self {
            zipf,
            budget_bits: f64::from(budget_bits.min(MAX_BUDGET)),
        }
    }
}

impl Code for Greedy {
    type Index = u64;

    /// `None` unless there is one latent, with `log2 max(q/p)` within the budget.
    fn choose(&self, latents: &[Pair], shared: &mut Shared) -> Result<Option<Choice<u64>>> {
        let [pair] = latents else { return Ok(None) };
        if log2_max_ratio(latents) > self.budget_bits {
            return Ok(None);
        }
        let p = pair.prior_probabilities();
        let mut left = pair.probabilities().to_vec();
        let mut rest = 1.0;
        shared.seek(0, WORDS)?;
        for step in 0..MAX_STEPS {
            let symbol = shared.symbol(pair.prior());
            let at = symbol as usize;
            let available = rest * p[at];
            // The last remainder, below the rounding of the sums, is taken whole.
            if shared.uniform() * available < left[at] || rest < 1e-12 {
                return Ok(Some(Choice {
                    z: vec![symbol],
                    index: step + 1,
                    candidates: step + 1,
                }));
            }
            let mut covered = 0.0;
            for (left, p) in left.iter_mut().zip(p) {
                let more = left.min(rest * p);
                *left -= more;
                covered += more;
            }
            rest = (rest - covered).max(0.0);
        }
        Err(Error::model(format!(
            "greedy rejection sampling has not ended after {MAX_STEPS} candidates"
        )))
    }

    fn push(&self, message: &mut Message, index: &u64) -> Result<()> {
        self.zipf.push(message, *index)
    }

    fn pop(&self, message: &mut Message, _: &mut Shared) -> Result<u64> {
        self.zipf.pop(message)
    }

    fn receive(&self, prior: &[Categorical], index: &u64, shared: &mut Shared) -> Result<Vec<u32>> {
        shared.candidate(index.saturating_sub(1), WORDS, prior)
    }
}
