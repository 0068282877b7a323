//! A latent's posterior and prior as masses of the same symbols.

use bbans_core::distributions::Categorical;
use bbans_core::{Distribution, Error, Result};

/// The sender's `q` and both sides' `p` over the symbols `0..n`.
#[derive(Debug, Clone)]
pub struct Pair {
    p: Categorical,
    /// `q / p` of each symbol.
    ratios: Vec<f64>,
    /// Probabilities of the symbols.
    q: Vec<f64>,
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
            interval.map_or(0.0, |v| {
                f64::from(v.mass().get()) / f64::from(bbans_core::TOTAL_MASS)
            })
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
            q: q_values,
            p_values,
            kl_bits,
            greatest,
        })
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

    /// `q/p` of a symbol.
    pub(crate) fn ratio(&self, symbol: u32) -> f64 {
        self.ratios.get(symbol as usize).copied().unwrap_or(0.0)
    }

    pub(crate) fn ratios(&self) -> &[f64] {
        &self.ratios
    }

    /// Probabilities of the symbols under `q`.
    pub fn probabilities(&self) -> &[f64] {
        &self.q
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
