//! Rejection sampling of blocks, with a clipped acceptance: approximate, and made exact.
//!
//! `n` independent draws at once: a candidate `z^n ~ p^n` is accepted with probability
//! `min(1, q^n / (M p^n))`, `log2 M = n (KL + eps)`. What is accepted is distributed as
//! `min(p^n, q^n / M)`, normalised: for large `n` nearly `q^n`, since `q^n/p^n` is then seldom above
//! `M`. Its index costs about `n (KL + eps)` bits, and its time grows like `2^(n KL)`.
//!
//! Made exact: the sender draws `z^n ~ q^n`; with probability `(1 - M p^n/q^n)+` it sends that itself,
//! coded with `p^n`, and otherwise a candidate as above. What is sent itself is distributed as
//! `(q^n - M p^n)+`, of mass `delta`; the candidates as `min(q^n, M p^n)`, of mass `1 - delta`: together
//! `q^n`. The flag is charged.

use bbans_core::distributions::Categorical;
use bbans_core::{Message, Result};

use crate::direct::{CodeOrDirect, OrDirect};
use crate::index::Geometric;
use crate::pair::Pair;
use crate::shared::Shared;
use crate::{Choice, Code};

/// Rejection sampling of a block with clipped acceptance.
#[derive(Debug, Clone)]
pub struct ClippedBlock {
    log2_m: f64,
    index: Geometric,
}

/// Words of a candidate besides one for each latent.
const EXTRA_WORDS: usize = 2;

impl ClippedBlock {
    /// With `log2 M`, and the `-log2` of the probability that a candidate is accepted; both sides know
    /// both.
    ///
    /// # Errors
    /// If the latter is negative or above 40.
    pub fn new(log2_m: f64, log2_candidates: f64) -> Result<Self> {
        Ok(Self {
            log2_m,
            index: Geometric::new(log2_candidates)?,
        })
    }
}

impl Code for ClippedBlock {
    type Index = u64;

    fn choose(&self, latents: &[Pair], shared: &mut Shared) -> Result<Option<Choice<u64>>> {
        shared.seek(0, latents.len() + EXTRA_WORDS)?;
        let mut z = vec![0; latents.len()];
        for refused in 0..1 << 47 {
            let mut log2_ratio = -self.log2_m;
            for (z, pair) in z.iter_mut().zip(latents) {
                *z = shared.symbol(pair.prior());
                log2_ratio += pair.ratio(*z).log2();
            }
            if shared.uniform() < log2_ratio.exp2() {
                return Ok(Some(Choice {
                    z,
                    index: refused,
                    candidates: refused + 1,
                }));
            }
        }
        Ok(None)
    }

    fn push(&self, message: &mut Message, index: &u64) -> Result<()> {
        self.index.push(message, *index)
    }

    fn pop(&self, message: &mut Message, _: &mut Shared) -> Result<u64> {
        self.index.pop(message)
    }

    fn receive(&self, prior: &[Categorical], index: &u64, shared: &mut Shared) -> Result<Vec<u32>> {
        shared.candidate(*index, prior.len() + EXTRA_WORDS, prior)
    }
}

/// [`ClippedBlock`], made exact.
#[derive(Debug, Clone)]
pub struct ExactBlock(OrDirect<ClippedBlock>);

impl ExactBlock {
    /// From the clipped code and `delta`, the mass of `(q^n - M p^n)+`.
    pub fn new(clipped: ClippedBlock, prior: Vec<Categorical>, delta: f64) -> Self {
        Self(OrDirect::new(clipped, prior, delta))
    }
}

impl Code for ExactBlock {
    type Index = CodeOrDirect<u64>;

    fn choose(&self, latents: &[Pair], shared: &mut Shared) -> Result<Option<Choice<Self::Index>>> {
        let Some(drawn) = self.0.direct.choose(latents, shared)? else {
            return Ok(None);
        };
        let log2_ratio: f64 = (drawn.z.iter().zip(latents))
            .map(|(&z, pair)| pair.ratio(z).log2())
            .sum();
        let keep = (self.0.code.log2_m - log2_ratio).exp2();
        let mut private = shared.private();
        private.skip(2 * latents.len());
        if private.uniform() >= keep {
            return Ok(Some(drawn.map(CodeOrDirect::Direct)));
        }
        let chosen = self.0.code.choose(latents, shared)?;
        Ok(chosen.map(|chosen| chosen.map(CodeOrDirect::Code)))
    }

    fn push(&self, message: &mut Message, index: &Self::Index) -> Result<()> {
        self.0.push(message, index)
    }

    fn pop(&self, message: &mut Message, shared: &mut Shared) -> Result<Self::Index> {
        self.0.pop(message, shared)
    }

    fn receive(
        &self,
        prior: &[Categorical],
        index: &Self::Index,
        shared: &mut Shared,
    ) -> Result<Vec<u32>> {
        self.0.receive(prior, index, shared)
    }
}
