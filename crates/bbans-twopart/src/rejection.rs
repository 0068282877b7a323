//! Exact rejection sampling.
//!
//! A candidate `z ~ p` is accepted with probability `q(z) / (M p(z))`, `M >= max q/p`. What is accepted
//! has the distribution `q`: `p(z) q(z) / (M p(z))` is proportional to it. The number of candidates is
//! geometric with mean `M`, so its index costs between `log2 M` and `log2 M + log2 e` bits. Source: von
//! Neumann 1951; as a code: Harsha, Jain, McAllester & Radhakrishnan 2010.

use bbans_core::distributions::{Categorical, Uniform};
use bbans_core::{Distribution, Error, Message, Result};

use crate::index::Geometric;
use crate::pair::{Pair, log2_max_ratio};
use crate::shared::Shared;
use crate::{Choice, Code};

/// Rejection sampling with at most `2^budget_bits` candidates on average.
///
/// `M` depends on the datum, and the receiver does not know it: it is rounded up to a power of two,
/// whose exponent is sent, uniform over `0..=budget_bits`, and charged. Where `M` is known to both,
/// [`Rejection::of_known_ratio`] sends the index alone.
#[derive(Debug, Clone, Copy)]
pub struct Rejection {
    budget_bits: u32,
    known: Option<f64>,
}

impl Rejection {
    /// With `M` up to `2^budget_bits`, which is sent.
    ///
    /// # Errors
    /// If `budget_bits` is above 40.
    pub fn new(budget_bits: u32) -> Result<Self> {
        if budget_bits > 40 {
            return Err(Error::invalid_argument(format!(
                "a budget of 2^{budget_bits} candidates a group; a machine that draws 10^8 a second \
                 takes {:.1e} years for one; expected at most 2^40",
                f64::from(budget_bits).exp2() / 1e8 / 3.15e7
            )));
        }
        Ok(Self {
            budget_bits,
            known: None,
        })
    }

    /// With `log2 M` known to both sides.
    ///
    /// # Errors
    /// If it is negative or above 40.
    pub fn of_known_ratio(log2_max_ratio: f64) -> Result<Self> {
        Geometric::new(log2_max_ratio)?;
        Ok(Self {
            budget_bits: 40,
            known: Some(log2_max_ratio),
        })
    }

    fn exponents(&self) -> Result<Uniform> {
        Uniform::new(self.budget_bits + 1)
    }
}

/// What part 1 of [`Rejection`] says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RejectionIndex {
    /// `log2 M`, as it is sent.
    log2_m: f64,
    /// Candidates that were refused.
    refused: u64,
}

/// Words of a candidate besides one for each latent.
const EXTRA_WORDS: usize = 2;

impl Code for Rejection {
    type Index = RejectionIndex;

    /// `None` if `log2 M` is above the budget.
    fn choose(&self, latents: &[Pair], shared: &mut Shared) -> Result<Option<Choice<Self::Index>>> {
        let needed = log2_max_ratio(latents);
        // Sums of logarithms are rounded: a little above the truth does no harm.
        let log2_m = self.known.unwrap_or((needed - 1e-9).ceil().max(0.0));
        if log2_m < needed - 1e-9 || log2_m > f64::from(self.budget_bits) {
            return Ok(None);
        }
        let scale = (-log2_m).exp2();
        let mut z = vec![0; latents.len()];
        shared.seek(0, latents.len() + EXTRA_WORDS)?;
        let mut refused = 0;
        loop {
            let mut accept = scale;
            for (z, pair) in z.iter_mut().zip(latents) {
                *z = shared.symbol(pair.prior());
                accept *= pair.ratio(*z);
            }
            if shared.uniform() < accept {
                let index = RejectionIndex { log2_m, refused };
                return Ok(Some(Choice {
                    z,
                    index,
                    candidates: refused + 1,
                }));
            }
            refused += 1;
            if refused >> 47 != 0 {
                return Err(Error::model("no candidate was accepted in 2^47"));
            }
        }
    }

    fn push(&self, message: &mut Message, index: &RejectionIndex) -> Result<()> {
        Geometric::new(index.log2_m)?.push(message, index.refused)?;
        if self.known.is_none() {
            let interval = self.exponents()?.interval(&(index.log2_m as u32));
            let interval = interval.ok_or_else(|| Error::invalid_argument("M above the budget"))?;
            message.push(0, interval)?;
        }
        Ok(())
    }

    fn pop(&self, message: &mut Message, _: &mut Shared) -> Result<RejectionIndex> {
        let log2_m = match self.known {
            Some(known) => known,
            None => f64::from(message.pop(0, &self.exponents()?)?),
        };
        let refused = Geometric::new(log2_m)?.pop(message)?;
        Ok(RejectionIndex { log2_m, refused })
    }

    fn receive(
        &self,
        prior: &[Categorical],
        index: &RejectionIndex,
        shared: &mut Shared,
    ) -> Result<Vec<u32>> {
        shared.candidate(index.refused, prior.len() + EXTRA_WORDS, prior)
    }
}
