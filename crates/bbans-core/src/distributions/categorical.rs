//! The categorical distribution: any masses over `0..n`.

use std::marker::PhantomData;

use crate::distribution::{Distribution, Interval, TOTAL_MASS};
use crate::distributions::uniform::unreachable_interval;
use crate::error::{Error, Result};

/// Symbols `0..n` in order, each with its mass. They are `u32`, or with [`Categorical::over`] of another type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Categorical<S = u32> {
    /// `n + 1` starts. Invariant: ascending, from 0 to [`TOTAL_MASS`].
    starts: Vec<u32>,
    /// Invariant: all `n` symbols are of this type.
    symbols: PhantomData<S>,
}

impl Categorical {
    /// From integer masses, which may be zero and must sum to [`TOTAL_MASS`].
    ///
    /// # Errors
    /// If they do not.
    pub fn from_masses(masses: &[u32]) -> Result<Self> {
        let mut starts = Vec::with_capacity(masses.len() + 1);
        let mut total = 0u64;
        starts.push(0);
        for &mass in masses {
            total += u64::from(mass);
            starts.push(total.min(u64::from(u32::MAX)) as u32);
        }
        if total != u64::from(TOTAL_MASS) {
            return Err(Error::invalid_argument(format!(
                "the masses sum to {total}; expected 2^24 = {TOTAL_MASS}"
            )));
        }
        Ok(Self {
            starts,
            symbols: PhantomData,
        })
    }

    /// From weights, finite and not negative, of any positive sum. Every symbol has a mass of at
    /// least 1; the rounding is left to the first symbol of the greatest weight.
    ///
    /// Only additions, multiplications and divisions of `f64` are used, in the order of the
    /// weights, so the masses are the same everywhere.
    ///
    /// # Errors
    /// If there is no weight, or more than `2^20`, or one is negative or not finite, or all are
    /// zero.
    pub fn from_weights(weights: &[f64]) -> Result<Self> {
        let total: f64 = weights.iter().sum();
        let valid = weights.iter().all(|&w| w >= 0.0) && total > 0.0 && total.is_finite();
        if !valid || weights.len() > 1 << 20 {
            return Err(Error::invalid_argument(format!(
                "{} weights that sum to {total}; expected 1 to 2^20 of them, not negative, with a \
                 positive finite sum",
                weights.len()
            )));
        }
        let spare = f64::from(TOTAL_MASS - weights.len() as u32);
        // Rounded down twice: the masses sum to TOTAL_MASS at most.
        let mut masses: Vec<u32> = weights
            .iter()
            .map(|&w| 1 + (w / total * spare * (1.0 - 1e-12)) as u32)
            .collect();
        let rest = TOTAL_MASS - masses.iter().sum::<u32>();
        let greatest =
            (0..weights.len()).fold(0, |a, b| if weights[b] > weights[a] { b } else { a });
        masses[greatest] += rest;
        Self::from_masses(&masses)
    }

    /// The same over symbols of another type, such as `u8`.
    ///
    /// # Errors
    /// If there are more symbols than the type has values.
    pub fn over<S: TryFrom<u32>>(self) -> Result<Categorical<S>> {
        if S::try_from(self.count().saturating_sub(1) as u32).is_err() {
            return Err(Error::invalid_argument(format!(
                "{} symbols for a type that has fewer values",
                self.count()
            )));
        }
        Ok(Categorical {
            starts: self.starts,
            symbols: PhantomData,
        })
    }
}

impl<S> Categorical<S> {
    /// Number of symbols.
    pub fn count(&self) -> usize {
        self.starts.len() - 1
    }
}

impl<S: Copy + Default + Into<u32> + TryFrom<u32>> Distribution for Categorical<S> {
    type Symbol = S;

    #[inline]
    fn interval(&self, &symbol: &S) -> Option<Interval> {
        let symbol: u32 = symbol.into();
        let start = *self.starts.get(symbol as usize)?;
        Interval::between(start, *self.starts.get(symbol as usize + 1)?)
    }

    #[inline]
    fn locate(&self, quantile: u32) -> (S, Interval) {
        let symbol = self
            .starts
            .partition_point(|&start| start <= quantile)
            .saturating_sub(1);
        // By the invariant.
        let symbol = S::try_from(symbol as u32).unwrap_or_default();
        let interval = self.interval(&symbol);
        (
            symbol,
            interval.unwrap_or_else(|| unreachable_interval(quantile)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::laws::check_distribution;
    use proptest::prelude::*;

    #[test]
    fn symbols_without_mass_are_never_found() {
        let masses = [0, 1, 0, 0, TOTAL_MASS - 3, 2, 0];
        let c = Categorical::from_masses(&masses).unwrap();
        check_distribution(&c, 0..7).unwrap();
        assert_eq!(c.interval(&0), None);
        assert_eq!(c.interval(&7), None);
        assert_eq!(c.locate(0).0, 1);
    }

    #[test]
    fn symbols_may_be_bytes() {
        let c = Categorical::from_weights(&[1.0; 256]).unwrap();
        let bytes = c.clone().over::<u8>().unwrap();
        check_distribution(&bytes, 0..=255u8).unwrap();
        assert_eq!(bytes.interval(&200), c.interval(&200));
        let c = Categorical::from_weights(&[1.0; 257]).unwrap();
        assert!(c.over::<u8>().is_err());
    }

    #[test]
    fn refuses_what_is_no_distribution() {
        assert!(Categorical::from_masses(&[1, 2]).is_err());
        assert!(Categorical::from_masses(&[u32::MAX, u32::MAX]).is_err());
        assert!(Categorical::from_weights(&[]).is_err());
        assert!(Categorical::from_weights(&[0.0, 0.0]).is_err());
        assert!(Categorical::from_weights(&[1.0, f64::NAN]).is_err());
        assert!(Categorical::from_weights(&[1.0, -1.0]).is_err());
        assert!(Categorical::from_weights(&[1.0, f64::INFINITY]).is_err());
    }

    proptest! {
        #[test]
        fn weights_become_masses(weights in prop::collection::vec(0.0f64..1e9, 1..300)) {
            prop_assume!(weights.iter().sum::<f64>() > 0.0);
            let c = Categorical::from_weights(&weights).unwrap();
            check_distribution(&c, 0..weights.len() as u32).unwrap();
            let total: f64 = weights.iter().sum();
            for (i, w) in weights.iter().enumerate() {
                let mass = c.interval(&(i as u32)).map_or(0.0, |i| f64::from(i.mass().get()));
                let expected = w / total * f64::from(TOTAL_MASS);
                prop_assert!(mass >= 1.0 && (mass - expected).abs() <= 2.0 * weights.len() as f64);
            }
        }
    }
}
