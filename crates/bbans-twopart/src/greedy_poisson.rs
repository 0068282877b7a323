//! Greedy Poisson rejection sampling, for one latent.
//!
//! Candidates `z_i ~ p` arrive at the times `t_i` of a Poisson process of rate 1. The first one with `t_i < s(q/p(z_i))`
//! is sent, where
//!
//! ```text
//! s(h) = int_0^h de / (w_q(e) - e w_p(e)),   w_q(e) = Q(q/p >= e),   w_p(e) = P(q/p >= e)
//! ```
//!
//! is the curve under which the first point has the distribution `q`. The number of candidates is `max q/p` on average, and
//! the index takes at most about `KL + log2(KL + 1) + 6` bits. Source: Flamich 2023 (arXiv 2305.15313).

use bbans_core::distributions::Categorical;
use bbans_core::{Message, Result};

use crate::index::Zipf;
use crate::pair::{Pair, log2_max_ratio};
use crate::shared::Shared;
use crate::{Choice, Code};

/// Greedy Poisson rejection sampling.
#[derive(Debug, Clone)]
pub struct GreedyPoisson {
    zipf: Zipf,
    budget_bits: f64,
}

/// One word for the symbol, two for the waiting time.
const WORDS: usize = 3;

impl GreedyPoisson {
    /// For latents whose `KL(q, p)` is about `mean_kl_bits` on average and whose `max q/p`, the number of candidates, is at
    /// most `2^budget_bits`.
    ///
    /// # Errors
    /// If `mean_kl_bits` is no number.
    pub fn new(mean_kl_bits: f64, budget_bits: u32) -> Result<Self> {
        Ok(Self::with_index(
            Zipf::for_mean_bits(mean_kl_bits)?,
            budget_bits,
        ))
    }

    /// With another code for the index.
    pub fn with_index(zipf: Zipf, budget_bits: u32) -> Self {
        Self {
            zipf,
            budget_bits: f64::from(budget_bits.min(40)),
        }
    }
}

/// Until when each symbol is taken, `s(q/p)`; the symbols of the greatest ratio always.
fn ends(pair: &Pair) -> Vec<f64> {
    let (ratios, p) = (pair.ratios(), pair.prior_probabilities());
    let mut order: Vec<usize> = (0..ratios.len()).collect();
    order.sort_by(|&a, &b| ratios[a].total_cmp(&ratios[b]));
    // Of the symbols from each place on: the mass of p, and, with it, that of q above e p.
    let mut mass = vec![0.0; order.len() + 1];
    let mut above = vec![0.0; order.len() + 1];
    let ratio = |place: usize| order.get(place).map_or(0.0, |&symbol| ratios[symbol]);
    let before = |place: usize| place.checked_sub(1).map_or(0.0, ratio);
    for place in (0..order.len()).rev() {
        mass[place] = mass[place + 1] + p[order[place]];
        // At e of the place before: what is more from one ratio to the next.
        above[place] = above[place + 1] + (ratio(place) - before(place)) * mass[place];
    }
    let (mut ends, mut end) = (vec![0.0; order.len()], 0.0);
    for (place, &symbol) in order.iter().enumerate() {
        if ratio(place) > before(place) {
            // w_q - e w_p falls from above[place] to above[place + 1], linearly.
            end += (above[place] / above[place + 1]).ln() / mass[place];
        }
        ends[symbol] = end;
    }
    ends
}

impl Code for GreedyPoisson {
    type Index = u64;

    /// `None` unless there is one latent, with `log2 max(q/p)` within the budget.
    fn choose(&self, latents: &[Pair], shared: &mut Shared) -> Result<Option<Choice<u64>>> {
        let [pair] = latents else { return Ok(None) };
        if log2_max_ratio(latents) > self.budget_bits {
            return Ok(None);
        }
        let ends = ends(pair);
        shared.seek(0, WORDS)?;
        let (mut time, mut index) = (0.0, 0);
        loop {
            let symbol = shared.symbol(pair.prior());
            time += shared.exponential();
            index += 1;
            if time < ends[symbol as usize] {
                return Ok(Some(Choice {
                    z: vec![symbol],
                    index,
                    candidates: index,
                }));
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::masses;

    /// The curve covers `q`: what arrives first below it has its distribution, by steps of time.
    #[test]
    fn the_curve_gives_q() {
        let q = [0.05, 0.5, 0.25, 0.0, 0.2];
        let p = [0.3, 0.1, 0.25, 0.25, 0.1];
        let pair = Pair::new(&masses(&q).unwrap(), &masses(&p).unwrap()).unwrap();
        let ends = ends(&pair);
        let (mut left, mut covered, step) = (1.0, [0.0; 5], 1e-4);
        let mut time = 0.0;
        while left > 1e-9 {
            let rate: f64 = (0..5).filter(|&i| ends[i] > time).map(|i| p[i]).sum();
            let arrived = left * (1.0 - (-rate * step).exp());
            for i in (0..5).filter(|&i| ends[i] > time) {
                covered[i] += arrived * p[i] / rate;
            }
            left -= arrived;
            time += step;
        }
        for (found, q) in covered.iter().zip(q) {
            assert!((found - q).abs() < 1e-4, "{covered:?}");
        }
    }
}
