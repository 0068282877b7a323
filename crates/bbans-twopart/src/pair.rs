//! A latent's posterior and prior as masses of the same symbols.

use bbans_core::distributions::{Bins, Categorical, gaussian_bins, normal_cdf};
use bbans_core::{Distribution, Error, Result, TOTAL_MASS};
use ndarray::Array2;

/// The sender's `q` and both sides' `p` over the symbols `0..n`.
#[derive(Debug, Clone)]
pub struct Pair {
    p: Categorical,
    /// `q / p` of each symbol.
    ratios: Vec<f64>,
    /// Probabilities of the symbols.
    q: Vec<f64>,
    /// Their sums, each with its own.
    below: Vec<f64>,
    p_values: Vec<f64>,
    kl_bits: f64,
    greatest: f64,
}

impl Pair {
    /// From two distributions over the same symbols.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::InvalidArgument`] if their numbers of symbols differ, or `q` has a
    /// symbol that `p` has not: no number of candidates would contain it.
    pub fn new(q: &Categorical, p: &Categorical) -> Result<Self> {
        if q.count() != p.count() {
            return Err(Error::invalid_argument(format!(
                "q is over {} symbols and p over {}; expected the same number",
                q.count(),
                p.count()
            )));
        }
        let mass = |d: &Categorical, i: u32| {
            let interval = d.interval(&i);
            interval.map_or(0.0, |v| f64::from(v.mass().get()) / f64::from(TOTAL_MASS))
        };
        let (mut ratios, mut q_values, mut p_values) = (Vec::new(), Vec::new(), Vec::new());
        let (mut kl_bits, mut greatest) = (0.0, 0.0f64);
        for symbol in 0..q.count() as u32 {
            let (q, p) = (mass(q, symbol), mass(p, symbol));
            if q > 0.0 && p == 0.0 {
                return Err(Error::invalid_argument(format!(
                    "symbol {symbol} has mass {q:.3e} in q and none in p: q must have its support \
                     in that of p"
                )));
            }
            let ratio = if p > 0.0 { q / p } else { 0.0 };
            if q > 0.0 {
                kl_bits += q * ratio.log2();
            }
            greatest = greatest.max(ratio);
            ratios.push(ratio);
            q_values.push(q);
            p_values.push(p);
        }
        Ok(Self {
            p: p.clone(),
            ratios,
            below: q_values
                .iter()
                .scan(0.0, |sum, q| {
                    *sum += q;
                    Some(*sum)
                })
                .collect(),
            q: q_values,
            p_values,
            kl_bits,
            greatest,
        })
    }

    /// `q = N(mean, sigma^2)` and `p = N(0, 1)`, over `2^bin_precision` bins of equal mass of `p`.
    ///
    /// # Errors
    /// If `sigma` is not positive, a value is no number, or `bin_precision` is not 1 to 16.
    pub fn gaussian(mean: f64, sigma: f64, bin_precision: u32) -> Result<Self> {
        if !(1..=16).contains(&bin_precision) {
            return Err(Error::invalid_argument(format!(
                "2^{bin_precision} bins; expected 2 to 2^16"
            )));
        }
        let count = 1u32 << bin_precision;
        let mass = TOTAL_MASS >> bin_precision;
        // The value below which the prior has this mass, by bisection.
        let edge = |below: u32| {
            let (mut low, mut high) = (-8.0f32, 8.0f32);
            for _ in 0..40 {
                let middle = 0.5 * (low + high);
                if normal_cdf(middle) < below {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            high
        };
        let inner: Vec<f32> = (1..count).map(|i| edge(i * mass)).collect();
        let bins = Bins::new(&inner)?;
        let one = |value: f64| Array2::from_elem((1, 1), value as f32);
        let gaussian = gaussian_bins(&bins, &one(mean), &one(1.0 / sigma))?;
        let masses: Vec<u32> = (0..count)
            .map(|bin| {
                let interval = gaussian.0[(0, 0)].interval(&(bin as u16));
                interval.map_or(0, |interval| interval.mass().get())
            })
            .collect();
        let p = Categorical::from_masses(&vec![mass; count as usize])?;
        Self::new(&Categorical::from_masses(&masses)?, &p)
    }

    /// The prior.
    pub fn prior(&self) -> &Categorical {
        &self.p
    }

    /// `KL(q, p)` in bits.
    pub fn kl_bits(&self) -> f64 {
        self.kl_bits
    }

    /// `log2 max(q/p)`.
    pub fn log2_max_ratio(&self) -> f64 {
        self.greatest.log2()
    }

    /// The channel simulation divergence of `q` and `p`, in bits: see
    /// [`crate::channel_simulation_divergence`].
    pub fn channel_simulation_divergence(&self) -> f64 {
        let both = self.ratios.iter().zip(&self.p_values);
        crate::channel_simulation_divergence(both.map(|(&ratio, &p)| (ratio, p)))
    }

    /// `q/p` of a symbol.
    pub fn ratio(&self, symbol: u32) -> f64 {
        self.ratios.get(symbol as usize).copied().unwrap_or(0.0)
    }

    /// `q/p` of all symbols.
    pub fn ratios(&self) -> &[f64] {
        &self.ratios
    }

    /// Probabilities of the symbols under `q`.
    pub fn probabilities(&self) -> &[f64] {
        &self.q
    }

    /// The symbol of `q` that a number from 0 to 1 falls to: a draw, if the number is uniform.
    pub fn symbol_of(&self, uniform: f64) -> u32 {
        let symbol = self.below.partition_point(|&below| below <= uniform);
        // The sum of the probabilities was rounded: at most the last symbol that has one.
        let last = self.q.iter().rposition(|&q| q > 0.0).unwrap_or(0);
        symbol.min(last) as u32
    }

    /// Number of symbols that `q` has.
    pub(crate) fn support(&self) -> usize {
        self.q.iter().filter(|&&q| q > 0.0).count()
    }

    /// Probabilities of the symbols under the prior.
    pub fn prior_probabilities(&self) -> &[f64] {
        &self.p_values
    }
}

/// `log2 max(q/p)` of independent latents together.
pub(crate) fn log2_max_ratio(latents: &[Pair]) -> f64 {
    latents.iter().map(Pair::log2_max_ratio).sum()
}

/// Masses nearest to probabilities that sum to 1: a symbol without probability has no mass.
///
/// # Errors
/// If they do not sum to 1, or one is negative or no number.
pub fn masses(probabilities: &[f64]) -> Result<Categorical> {
    let sum: f64 = probabilities.iter().sum();
    if probabilities.iter().any(|p| !(0.0..=1.0).contains(p)) || (sum - 1.0).abs() > 1e-6 {
        return Err(Error::invalid_argument(format!(
            "probabilities that sum to {sum}; expected 1, and none below 0"
        )));
    }
    let total = f64::from(TOTAL_MASS);
    let mut masses: Vec<u32> = probabilities
        .iter()
        .map(|&p| {
            let mass = (p * total).round();
            if p > 0.0 { mass.max(1.0) as u32 } else { 0 }
        })
        .collect();
    // The greatest one takes the rounding of all.
    let rounded: i64 = masses.iter().map(|&m| i64::from(m)).sum();
    if let Some(greatest) = masses.iter_mut().max() {
        let fixed = i64::from(*greatest) + i64::from(TOTAL_MASS) - rounded;
        *greatest = u32::try_from(fixed).unwrap_or(0);
    }
    Categorical::from_masses(&masses)
}
