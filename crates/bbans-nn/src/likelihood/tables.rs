//! Likelihoods of more than two levels as tables of integer masses, exactly specified.
//!
//! Each gives a cumulative function `c_0 = 0 <= c_1 <= .. <= c_N` of its symbols `0..N`, not
//! normalised; [`Likelihood::starts`] turns it into masses of at least 1 that sum to `2^24`. All
//! operations are on `f32`, one by one and in a fixed order; docs/format.md writes them down.

use bbans_core::{Error, Result};

use crate::description::Likelihood;
use crate::exact::math;
use crate::exact::simd::Path;

/// Lanes whose tables are made side by side.
const WIDTH: usize = 16;
/// Most symbols.
pub(crate) const MAX_LEVELS: usize = 256;
/// Bounds of the log parameters of a beta-binomial distribution.
const LOG_SHAPE: [f32; 2] = [-20.0, 20.0];
/// Bounds of the log scale of a logistic distribution.
const LOG_SCALE: [f32; 2] = [-10.0, 20.0];
/// `2^60`, where weights are scaled down.
const LARGE: f32 = (1u64 << 60) as f32;
/// `2^-100`, below which a weight is zero.
const SMALL: f32 = 1.0 / (1u128 << 100) as f32;

/// Values of [`WIDTH`] lanes.
type Lanes = [f32; WIDTH];

/// Cumulative functions of [`WIDTH`] lanes.
type Cumulative = [Lanes; MAX_LEVELS + 1];

impl Likelihood {
    /// The tables of one dimension: from its parameters, `[parameters, lanes]`, all finite, to
    /// `starts`, `[levels + 1, lanes]`, of each lane ascending from 0 to `2^24`, every symbol with a
    /// mass of at least 1.
    ///
    /// With the cumulative function `c`: `starts[k] = k + min(2^24 - N, floor(c_k * ((2^24 - N) / c_N)))`
    /// for `k < N`.
    ///
    /// # Errors
    /// If the likelihood is none of tables: Bernoulli, or causal.
    pub fn starts(&self, path: Path, parameters: &[f32], starts: &mut [u32]) -> Result<()> {
        path.vectorize(
            #[inline(always)]
            || tables(*self, parameters, starts),
        )
    }
}

#[inline(always)]
fn tables(likelihood: Likelihood, parameters: &[f32], starts: &mut [u32]) -> Result<()> {
    let levels = likelihood.levels();
    let lanes = starts.len() / (levels + 1);
    let mut cumulative: Cumulative = [[0.0; WIDTH]; MAX_LEVELS + 1];
    for first in (0..lanes).step_by(WIDTH) {
        let width = WIDTH.min(lanes - first);
        let row = |p: usize| {
            let mut row = [0.0; WIDTH];
            row[..width].copy_from_slice(&parameters[p * lanes + first..][..width]);
            row
        };
        match likelihood {
            Likelihood::BetaBinomial { .. } => {
                beta_binomial(levels, row(0), row(1), &mut cumulative)
            }
            Likelihood::Categorical { .. } => categorical(levels, row, &mut cumulative),
            Likelihood::DiscretizedLogistic { components, .. } => {
                logistic(levels, components, row, &mut cumulative);
            }
            Likelihood::Bernoulli
            | Likelihood::CausalBernoulli(_)
            | Likelihood::CausalCategorical { .. } => {
                return Err(Error::model(
                    "a Bernoulli or causal likelihood has no tables of masses",
                ));
            }
        }
        integers(levels, &cumulative, &mut starts[first..], lanes, width);
    }
    Ok(())
}

/// Cumulative functions to starts; `starts` begins with the first of the lanes.
#[inline(always)]
fn integers(
    levels: usize,
    cumulative: &Cumulative,
    starts: &mut [u32],
    lanes: usize,
    width: usize,
) {
    let spare = ((1 << 24) - levels as i32) as f32;
    let scale = cumulative[levels].map(|c| spare / c);
    for (k, c) in cumulative[..levels].iter().enumerate() {
        let mut row = [0; WIDTH];
        for ((start, c), scale) in row.iter_mut().zip(c).zip(scale) {
            let v = c * scale;
            *start = k as u32 + math::floor(if v < spare { v } else { spare });
        }
        starts[k * lanes..][..width].copy_from_slice(&row[..width]);
    }
    starts[levels * lanes..][..width].fill(1 << 24);
}

/// Weights `e^(l_k - max l)`.
#[inline(always)]
fn categorical(levels: usize, logits: impl Fn(usize) -> Lanes, cumulative: &mut Cumulative) {
    let mut greatest = logits(0);
    for k in 1..levels {
        for (m, l) in greatest.iter_mut().zip(logits(k)) {
            *m = if l > *m { l } else { *m };
        }
    }
    let mut c = [0.0; WIDTH];
    cumulative[0] = c;
    for (k, row) in cumulative[1..=levels].iter_mut().enumerate() {
        for ((c, l), m) in c.iter_mut().zip(logits(k)).zip(greatest) {
            *c += math::exp(l - m);
        }
        *row = c;
    }
}

/// Weights `w_0 = 1`, `w_{k+1} = w_k (n-k)(k+alpha) / ((k+1)(n-k-1+beta))` with `n = levels - 1`
/// (the ratio of neighbours of the beta-binomial distribution).
///
/// They may grow beyond all bounds: above `2^60` they and their sum are scaled down by `2^60`. Sums that
/// were stored before the last scaling follow at the end, those before the last but one are zero.
#[inline(always)]
fn beta_binomial(levels: usize, log_alpha: Lanes, log_beta: Lanes, cumulative: &mut Cumulative) {
    let shape = |v: f32| math::exp(clamp(v, LOG_SHAPE));
    let (alpha, beta) = (log_alpha.map(shape), log_beta.map(shape));
    let (mut w, mut c) = ([1.0f32; WIDTH], [0.0f32; WIDTH]);
    // Sums up to the first index have the factor 2^-60 to come, up to the second the factor 0.
    let (mut scaled, mut gone) = ([0i32; WIDTH], [0i32; WIDTH]);
    cumulative[0] = c;
    for k in 0..levels {
        let row = &mut cumulative[k + 1];
        let (up, down) = ((levels - 1 - k) as f32, (k + 1) as f32);
        let (k_f, rest) = (k as f32, (levels as f32 - 2.0) - k as f32);
        for i in 0..WIDTH {
            c[i] += w[i];
            row[i] = c[i];
            let next = w[i] * ((up * (k_f + alpha[i])) / (down * (rest + beta[i])));
            let large = next > LARGE;
            let factor = if large { 1.0 / LARGE } else { 1.0 };
            gone[i] = if large { scaled[i] } else { gone[i] };
            scaled[i] = if large { k as i32 + 1 } else { scaled[i] };
            c[i] *= factor;
            let next = next * factor;
            w[i] = if next > SMALL { next } else { 0.0 };
        }
    }
    // Mostly none.
    let last = scaled.iter().fold(0, |last, &k| k.max(last));
    for k in 1..=last {
        let row = &mut cumulative[k as usize];
        let factors: Lanes = std::array::from_fn(|i| {
            let late = if k <= scaled[i] { 1.0 / LARGE } else { 1.0 };
            if k <= gone[i] { 0.0 } else { late }
        });
        for (c, factor) in row.iter_mut().zip(factors) {
            *c *= factor;
        }
    }
}

/// `sum_i pi_i sigmoid((k - 1/2 - mu_i) / s_i)`, with all that is below symbol 1 and above the last
/// edge given to the first and the last symbol.
#[inline(always)]
fn logistic(
    levels: usize,
    components: usize,
    row: impl Fn(usize) -> Lanes,
    cumulative: &mut Cumulative,
) {
    // Parameters are: logits of the components if there are several, means, log scales.
    let several = if components > 1 { components } else { 0 };
    let mut greatest = [f32::MIN; WIDTH];
    for i in 0..several {
        for (m, l) in greatest.iter_mut().zip(row(i)) {
            *m = if l > *m { l } else { *m };
        }
    }
    let weight = |i: usize| -> Lanes {
        let (mut weight, logits) = ([1.0; WIDTH], row(if several > 0 { i } else { 0 }));
        if several > 0 {
            for ((w, l), m) in weight.iter_mut().zip(logits).zip(greatest) {
                *w = math::exp(l - m);
            }
        }
        weight
    };
    for row in cumulative[..=levels].iter_mut() {
        *row = [0.0; WIDTH];
    }
    for i in 0..components {
        let (pi, mean) = (weight(i), row(several + i));
        let rate = row(several + components + i).map(|v| math::exp(-clamp(v, LOG_SCALE)));
        for (k, c) in cumulative[..=levels].iter_mut().enumerate().skip(1) {
            let edge = k as f32 - 0.5;
            for lane in 0..WIDTH {
                let below = math::sigmoid((edge - mean[lane]) * rate[lane]);
                let below = if k == levels { 1.0 } else { below };
                c[lane] += pi[lane] * below;
            }
        }
    }
    // The sigmoid may fall by a unit in the last place; a cumulative function may not.
    for k in 1..=levels {
        let before = cumulative[k - 1];
        for (c, before) in cumulative[k].iter_mut().zip(before) {
            *c = if *c > before { *c } else { before };
        }
    }
}

#[inline(always)]
fn clamp(v: f32, [min, max]: [f32; 2]) -> f32 {
    let v = if v < max { v } else { max };
    if v > min { v } else { min }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BETA_BINOMIAL: Likelihood = Likelihood::BetaBinomial { levels: 256 };

    fn masses(likelihood: Likelihood, parameters: &[f32]) -> Vec<u32> {
        let mut starts = vec![0; likelihood.levels() + 1];
        likelihood
            .starts(Path::detect(), parameters, &mut starts)
            .unwrap();
        assert_eq!((starts[0], starts[likelihood.levels()]), (0, 1 << 24));
        starts.windows(2).map(|w| w[1] - w[0]).collect()
    }

    /// Parameters from timid to absurd.
    fn extremes() -> impl Iterator<Item = [f32; 2]> {
        let values = [
            -1e30, -25.0, -9.5, -3.0, -0.1, 0.0, 0.7, 2.5, 6.0, 11.0, 19.0, 1e30,
        ];
        values.into_iter().flat_map(move |a| values.map(|b| [a, b]))
    }

    #[test]
    fn masses_of_a_beta_binomial_are_those_of_the_gamma_functions() {
        for [a, b] in extremes() {
            let found = masses(BETA_BINOMIAL, &[a, b]);
            let (alpha, beta) = (
                f64::from(a).clamp(-20.0, 20.0).exp(),
                f64::from(b).clamp(-20.0, 20.0).exp(),
            );
            let log_beta = |x: f64, y: f64| libm::lgamma(x) + libm::lgamma(y) - libm::lgamma(x + y);
            let log_p = |k: f64| {
                libm::lgamma(256.0) - libm::lgamma(k + 1.0) - libm::lgamma(256.0 - k)
                    + log_beta(k + alpha, 255.0 - k + beta)
                    - log_beta(alpha, beta)
            };
            // Neighbours alone where the gamma functions cancel.
            if alpha.max(beta) < 1e6 {
                for (k, &mass) in found.iter().enumerate() {
                    let expected = 16_777_216.0 * log_p(k as f64).exp();
                    let error = (f64::from(mass) - expected).abs();
                    assert!(
                        error < 4.0 + 2e-4 * expected,
                        "{a} {b}: {k}: {mass} {expected}"
                    );
                }
            }
            assert!(found.iter().all(|&m| m >= 1));
        }
    }

    #[test]
    fn masses_of_logistics_and_of_logits_are_those_of_f64() {
        let logistic = Likelihood::DiscretizedLogistic {
            levels: 256,
            components: 2,
        };
        let (logits, means, scales) = ([0.3f32, -1.0], [40.0f32, 254.0], [2.0f32, -0.5]);
        let found = masses(logistic, &[logits, means, scales].concat());
        let e = logits.map(|l| f64::from(l).exp());
        let cumulative = |edge: f64| -> f64 {
            let of = |i: usize| {
                e[i] / (e[0] + e[1])
                    / (1.0 + (-(edge - f64::from(means[i])) / f64::from(scales[i]).exp()).exp())
            };
            of(0) + of(1)
        };
        for (k, &mass) in found.iter().enumerate() {
            let below = if k == 0 {
                0.0
            } else {
                cumulative(k as f64 - 0.5)
            };
            let above = if k == 255 {
                1.0
            } else {
                cumulative(k as f64 + 0.5)
            };
            let expected = 1.0 + 16_776_960.0 * (above - below);
            assert!((f64::from(mass) - expected).abs() < 8.0, "{k}");
        }
        let logits: Vec<f32> = (0..10).map(|k| (k * k % 7) as f32 - 100.0).collect();
        let total: f64 = logits.iter().map(|&l| f64::from(l).exp()).sum();
        let found = masses(Likelihood::Categorical { levels: 10 }, &logits);
        for (&mass, &l) in found.iter().zip(&logits) {
            assert!((f64::from(mass) - 16_777_216.0 * f64::from(l).exp() / total).abs() < 20.0);
        }
    }

    #[test]
    fn every_path_and_number_of_lanes_gives_the_same_tables() {
        let all: Vec<[f32; 2]> = extremes().collect();
        let lanes = all.len();
        let column: Vec<f32> = (0..6)
            .flat_map(|p| all.iter().map(move |v| v[p % 2] * 0.7))
            .collect();
        let kinds = [
            (BETA_BINOMIAL, 2),
            (Likelihood::BetaBinomial { levels: 2 }, 2),
            (Likelihood::Categorical { levels: 6 }, 6),
            (
                Likelihood::DiscretizedLogistic {
                    levels: 256,
                    components: 1,
                },
                2,
            ),
            (
                Likelihood::DiscretizedLogistic {
                    levels: 17,
                    components: 2,
                },
                6,
            ),
        ];
        for (kind, parameters) in kinds {
            assert_eq!(kind.parameters(), parameters);
            let column = &column[..parameters * lanes];
            let mut expected = vec![0; (kind.levels() + 1) * lanes];
            kind.starts(Path::available()[0], column, &mut expected)
                .unwrap();
            for path in Path::available() {
                let mut found = vec![0; expected.len()];
                kind.starts(path, column, &mut found).unwrap();
                assert_eq!(found, expected, "{kind:?} {}", path.name());
            }
            for lane in 0..lanes {
                let one: Vec<f32> = column.chunks(lanes).map(|row| row[lane]).collect();
                let mut found = vec![0; kind.levels() + 1];
                kind.starts(Path::detect(), &one, &mut found).unwrap();
                let expected = expected.chunks(lanes).map(|row| row[lane]);
                assert!(found.iter().copied().eq(expected), "{kind:?} {lane}");
                assert!(found.windows(2).all(|w| w[0] < w[1]), "{kind:?} {lane}");
            }
        }
    }

    /// Files depend on these bits. A change here is a new version of the format.
    #[test]
    fn golden_bits() {
        let mut hasher = blake3::Hasher::new();
        for [a, b] in extremes() {
            for (kind, parameters) in [
                (BETA_BINOMIAL, vec![a, b]),
                (Likelihood::Categorical { levels: 3 }, vec![a, b, 1.0]),
                (
                    Likelihood::DiscretizedLogistic {
                        levels: 256,
                        components: 1,
                    },
                    vec![20.0 * a, b],
                ),
                (
                    Likelihood::DiscretizedLogistic {
                        levels: 256,
                        components: 2,
                    },
                    vec![a, b, 200.0, 20.0 * a, b, 1.5],
                ),
            ] {
                let mut starts = vec![0; kind.levels() + 1];
                kind.starts(Path::detect(), &parameters, &mut starts)
                    .unwrap();
                for start in starts {
                    hasher.update(&start.to_le_bytes());
                }
            }
        }
        assert_eq!(hasher.finalize().to_hex()[..16], *"0d3943cffd031687");
    }
}
