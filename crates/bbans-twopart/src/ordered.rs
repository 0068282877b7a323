//! Ordered random coding: a fixed number of candidates.
//!
//! As the Poisson functional representation, but among `N` candidates alone, with waiting times that
//! are those of `N` sorted exponentials: `t_i = t_(i-1) + N / (N - i + 1) e_i`. Early candidates are
//! likelier, so the index is cheap; the result is only about `q`, the better the more `log2 N` exceeds
//! the information. Source: Theis & Yosri 2022, section 3.

use bbans_core::distributions::Categorical;
use bbans_core::{Error, Message, Result};

use crate::index::Zipf;
use crate::pair::Pair;
use crate::shared::Shared;
use crate::{Choice, Code};

/// Ordered random coding for a group of latents. Approximate.
#[derive(Debug, Clone)]
pub struct Ordered {
    zipf: Zipf,
    count: u64,
}

/// Words of a candidate besides one for each latent: its waiting time.
const EXTRA_WORDS: usize = 2;

impl Ordered {
    /// For groups whose `KL(q, p)` is about `mean_kl_bits` on average, with `2^count_bits` candidates.
    ///
    /// # Errors
    /// If `mean_kl_bits` is no number, or `count_bits` above 40.
    pub fn new(mean_kl_bits: f64, count_bits: u32) -> Result<Self> {
        if count_bits > 40 {
            return Err(Error::invalid_argument(format!(
                "2^{count_bits} candidates; expected at most 2^40"
            )));
        }
        Ok(Self {
            zipf: Zipf::for_mean_bits(mean_kl_bits)?,
            count: 1 << count_bits,
        })
    }
}

impl Code for Ordered {
    type Index = u64;

    /// `None` if no candidate has mass in `q`.
    fn choose(&self, latents: &[Pair], shared: &mut Shared) -> Result<Option<Choice<u64>>> {
        shared.seek(0, latents.len() + EXTRA_WORDS)?;
        let (mut best, mut index, mut z) = (f64::INFINITY, 0, Vec::new());
        let mut candidate = vec![0; latents.len()];
        let (mut time, count) = (0.0, self.count as f64);
        for drawn in 0..self.count {
            let mut ratio = 1.0;
            for (z, pair) in candidate.iter_mut().zip(latents) {
                *z = shared.symbol(pair.prior());
                ratio *= pair.ratio(*z);
            }
            time += shared.exponential() * count / (count - drawn as f64);
            if ratio > 0.0 && time / ratio < best {
                (best, index) = (time / ratio, drawn + 1);
                z.clone_from(&candidate);
            }
        }
        Ok((index > 0).then_some(Choice {
            z,
            index,
            candidates: self.count,
        }))
    }

    fn push(&self, message: &mut Message, index: &u64) -> Result<()> {
        self.zipf.push(message, *index)
    }

    fn pop(&self, message: &mut Message, _: &mut Shared) -> Result<u64> {
        self.zipf.pop(message)
    }

    fn receive(&self, prior: &[Categorical], index: &u64, shared: &mut Shared) -> Result<Vec<u32>> {
        shared.candidate(index.saturating_sub(1), prior.len() + EXTRA_WORDS, prior)
    }
}
