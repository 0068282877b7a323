//! Exact figures of [`crate::ClippedBlock`] for independent draws, by summing over types.
//!
//! Blocks with the same counts of symbols, a type (Csiszar & Korner 1981), have the same probability:
//! there are few types where there are very many blocks. With `L = log2 q^n/p^n` of a block and
//! `A = E_q[min(1, M / 2^L)]`, a candidate is accepted with probability `A / M`, what is accepted is
//! `q^n min(1, M / 2^L) / A`, and `delta = 1 - A`.

use bbans_core::{Error, Result};

use crate::pair::Pair;
use crate::shared::Shared;

/// Most types that are summed over.
pub const MAX_TYPES: f64 = 1e8;

/// Most draws of a Monte Carlo.
const MAX_DRAWS: f64 = 1e9;

/// Figures of blocks of `n` draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockFigures {
    /// Draws in a block.
    pub n: usize,
    /// `log2 M = n (KL + eps)`.
    pub log2_m: f64,
    /// `-log2` of the probability that a candidate is accepted.
    pub log2_candidates: f64,
    /// Total variation distance of what is sent from `q^n`.
    pub total_variation: f64,
    /// Mass of `(q^n - M p^n)+`.
    pub delta: f64,
    /// Standard error of `delta` where the figures are by Monte Carlo, else 0.
    pub standard_error: f64,
}

impl BlockFigures {
    /// Bits of an index a draw, about: `(-log2 P(accept) + log2 e) / n`.
    pub fn bits_per_draw(&self) -> f64 {
        (self.log2_candidates + std::f64::consts::LOG2_E) / self.n as f64
    }
}

/// Standard deviation of `log2 q/p` of one draw.
pub fn deviation(pair: &Pair) -> f64 {
    let terms = pair.probabilities().iter().zip(pair.ratios());
    let square: f64 = terms
        .filter(|(q, _)| **q > 0.0)
        .map(|(q, r)| q * (r.log2() - pair.kl_bits()).powi(2))
        .sum();
    square.sqrt()
}

/// The figures for `log2 M = n (KL + eps)`: summed over types, exact, where there are at most
/// [`MAX_TYPES`] of them, else by `samples` draws of a block.
///
/// # Errors
/// [`bbans_core::ErrorKind::InvalidArgument`] if `n` is 0, or so large that a sum is out of reach.
pub fn block_figures(
    pair: &Pair,
    n: usize,
    eps: f64,
    samples: u32,
    seed: u64,
) -> Result<BlockFigures> {
    let log2_m = n as f64 * (pair.kl_bits() + eps);
    if n == 0 || n > 1_000_000 {
        return Err(Error::invalid_argument(format!(
            "blocks of {n} draws; expected 1 to 1,000,000"
        )));
    }
    let draws = n as f64 * f64::from(samples);
    if count_types(n, pair.support()) > MAX_TYPES && draws > MAX_DRAWS {
        return Err(Error::invalid_argument(format!(
            "blocks of {n} draws have more than {MAX_TYPES:.0e} types, and {samples} of them take \
             {draws:.1e} draws, about {:.0} minutes; expected at most {MAX_DRAWS:.0e}",
            draws / 2e7 / 60.0
        )));
    }
    let symbols: Vec<(f64, f64)> = pair
        .probabilities()
        .iter()
        .zip(pair.ratios())
        .filter(|(q, _)| **q > 0.0)
        .map(|(q, r)| (q.ln(), r.log2()))
        .collect();
    let kept = |log2_ratio: f64| (log2_m - log2_ratio).exp2().min(1.0);
    let exact = count_types(n, symbols.len()) <= MAX_TYPES;
    let mut sums = Sums::default();
    let mut scatter = 0.0;
    if exact {
        let factorials = ln_factorials(n);
        visit(
            &symbols,
            n,
            (factorials[n], 0.0),
            &factorials,
            &mut |ln, l| {
                sums.add(ln.exp(), kept(l));
            },
        );
        // In a second pass, since it takes A.
        let accepted = sums.kept;
        visit(
            &symbols,
            n,
            (factorials[n], 0.0),
            &factorials,
            &mut |ln, l| {
                scatter += ln.exp() * (kept(l) / accepted - 1.0).abs();
            },
        );
    } else {
        let ratios = pair.ratios();
        let draws: Vec<f64> = (0..samples.max(2))
            .map(|i| {
                let mut private = Shared::new(seed, u64::from(i), 0);
                let one = |_| ratios[pair.symbol_of(private.uniform()) as usize].log2();
                kept((0..n).map(one).sum())
            })
            .collect();
        let weight = 1.0 / draws.len() as f64;
        draws.iter().for_each(|&kept| sums.add(weight, kept));
        scatter = draws
            .iter()
            .map(|k| weight * (k / sums.kept - 1.0).abs())
            .sum();
    }
    let variance = (sums.squares - sums.kept * sums.kept).max(0.0);
    Ok(BlockFigures {
        n,
        log2_m,
        log2_candidates: log2_m - sums.kept.log2(),
        total_variation: 0.5 * scatter,
        delta: (1.0 - sums.kept).max(0.0),
        standard_error: if exact {
            0.0
        } else {
            (variance / f64::from(samples.max(2))).sqrt()
        },
    })
}

#[derive(Default)]
struct Sums {
    kept: f64,
    squares: f64,
}

impl Sums {
    fn add(&mut self, weight: f64, kept: f64) {
        self.kept += weight * kept;
        self.squares += weight * kept * kept;
    }
}

/// Number of ways to write `n` as `symbols` counts.
fn count_types(n: usize, symbols: usize) -> f64 {
    (1..symbols).map(|i| (n + i) as f64 / i as f64).product()
}

fn ln_factorials(n: usize) -> Vec<f64> {
    let mut sum = 0.0;
    let next = |i: usize| {
        sum += (i.max(1) as f64).ln();
        sum
    };
    (0..=n).map(next).collect()
}

/// Calls `see` with `ln P(type)` under `q` and `log2 q/p` of every type of `left` draws.
fn visit(
    symbols: &[(f64, f64)],
    left: usize,
    (ln, log2_ratio): (f64, f64),
    factorials: &[f64],
    see: &mut dyn FnMut(f64, f64),
) {
    let with = |count: usize, (ln_q, ratio): (f64, f64)| {
        let times = count as f64;
        (
            ln + times * ln_q - factorials[count],
            log2_ratio + times * ratio,
        )
    };
    match symbols {
        [] => {}
        [last] => {
            let (ln, log2_ratio) = with(left, *last);
            see(ln, log2_ratio);
        }
        [first, rest @ ..] => {
            for count in 0..=left {
                visit(rest, left - count, with(count, *first), factorials, see);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bbans_core::distributions::Categorical;

    fn pair(q: &[f64], p: &[f64]) -> Pair {
        let categorical = |w| Categorical::from_weights(w).unwrap();
        Pair::new(&categorical(q), &categorical(p)).unwrap()
    }

    /// Computed elsewhere: q = Bernoulli(0.5), p = Bernoulli(0.2), eps two standard deviations.
    #[test]
    fn bernoulli_blocks_agree_with_independent_values() {
        let pair = pair(&[0.5, 0.5], &[0.8, 0.2]);
        assert!((pair.kl_bits() - 0.3219).abs() < 1e-4);
        for (n, bits, variation) in [
            (10, 1.0998, 0.0076),
            (100, 0.5366, 0.0155),
            (1000, 0.3866, 0.0206),
            (10_000, 0.3421, 0.0219),
        ] {
            let eps = 2.0 * deviation(&pair) / f64::from(n).sqrt();
            let figures = block_figures(&pair, n as usize, eps, 0, 0).unwrap();
            assert!((figures.bits_per_draw() - bits).abs() < 6e-5, "{figures:?}");
            assert!(
                (figures.total_variation - variation).abs() < 6e-5,
                "{figures:?}"
            );
        }
    }

    /// A block of one and of two, by hand; and Monte Carlo against the sum.
    #[test]
    fn sums_over_types_are_sums_over_blocks() {
        let (q, p) = ([0.6, 0.3, 0.1], [0.2, 0.3, 0.5]);
        let pair = pair(&q, &p);
        let figures = block_figures(&pair, 2, 0.1, 0, 0).unwrap();
        let m = figures.log2_m.exp2();
        let mut accepted = 0.0;
        for i in 0..3 {
            for j in 0..3 {
                accepted += (q[i] * q[j]).min(m * p[i] * p[j]);
            }
        }
        assert!((figures.delta - (1.0 - accepted)).abs() < 1e-6);
        assert!((figures.log2_candidates - (m / accepted).log2()).abs() < 1e-5);
        assert!(block_figures(&pair, 0, 0.1, 0, 0).is_err());

        let many = pair_of_many();
        let sampled = block_figures(&many, 60, 0.05, 20_000, 1).unwrap();
        assert!(sampled.standard_error > 0.0 && sampled.standard_error < 0.01);
        assert!((0.05..0.6).contains(&sampled.delta), "{sampled:?}");
    }

    fn pair_of_many() -> Pair {
        let q: Vec<f64> = (1..40).map(f64::from).collect();
        pair(&q, &[1.0; 39])
    }
}
