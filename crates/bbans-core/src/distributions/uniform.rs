//! Uniform distributions, and the prior over equal-mass bins.

use ndarray::Array2;

use crate::codec::Independent;
use crate::distribution::{Distribution, Interval, PRECISION, TOTAL_MASS};
use crate::error::{Error, Result};

/// Uniform over `0..count`: symbol `i` has the quantiles from `floor(i * 2^24 / count)` on.
///
/// For a `count` that is a power of two the masses are equal, else they differ by one at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uniform {
    /// Invariant: 1 to [`TOTAL_MASS`].
    count: u32,
}

impl Uniform {
    /// Uniform over `0..count`.
    ///
    /// # Errors
    /// If `count` is zero or above [`TOTAL_MASS`].
    pub fn new(count: u32) -> Result<Self> {
        if !(1..=TOTAL_MASS).contains(&count) {
            return Err(Error::invalid_argument(format!(
                "a uniform distribution over {count} symbols; expected 1 to 2^{PRECISION}"
            )));
        }
        Ok(Self { count })
    }

    /// Uniform over `bits` bits, 24 at most.
    pub(crate) fn of_bits(bits: u32) -> Self {
        Self {
            count: 1 << bits.min(PRECISION),
        }
    }

    #[inline]
    fn start(self, symbol: u32) -> u32 {
        ((u64::from(symbol) << PRECISION) / u64::from(self.count)) as u32
    }
}

impl Distribution for Uniform {
    type Symbol = u32;

    #[inline]
    fn interval(&self, &symbol: &u32) -> Option<Interval> {
        if symbol >= self.count {
            return None;
        }
        Interval::between(self.start(symbol), self.start(symbol + 1))
    }

    #[inline]
    fn locate(&self, quantile: u32) -> (u32, Interval) {
        // The last symbol that starts at or before the quantile.
        let after = (u64::from(quantile) + 1) * u64::from(self.count) - 1;
        let symbol = (after >> PRECISION) as u32;
        let (start, end) = (self.start(symbol), self.start(symbol + 1));
        let interval = Interval::between(start, end);
        (
            symbol,
            interval.unwrap_or_else(|| unreachable_interval(start)),
        )
    }
}

/// Never taken: a symbol that a quantile was found in has mass. It keeps the hot path free of
/// panics without a branch that could continue wrongly: the mass of 1 fails every later check.
#[cold]
pub(crate) fn unreachable_interval(start: u32) -> Interval {
    debug_assert!(false, "an empty interval at {start}");
    Interval::UNIT
}

/// One of `2^bin_precision` bins of equal mass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UniformBin {
    /// The quantiles of a bin are `2^shift`. Invariant: 8 to 24.
    shift: u32,
}

impl Distribution for UniformBin {
    type Symbol = u16;

    #[inline(always)]
    fn interval(&self, &bin: &u16) -> Option<Interval> {
        Interval::new(u32::from(bin) << self.shift, 1 << self.shift)
    }

    #[inline(always)]
    fn locate(&self, quantile: u32) -> (u16, Interval) {
        let bin = quantile >> self.shift;
        (
            bin as u16,
            Interval::of_mass_or_unit(bin << self.shift, 1 << self.shift),
        )
    }
}

/// The prior of a batch `[lanes, latents]` over `2^bin_precision` bins of equal mass.
///
/// # Errors
/// If `bin_precision` is above 16.
pub fn uniform_bins(
    lanes: usize,
    latents: usize,
    bin_precision: u32,
) -> Result<Independent<Array2<UniformBin>>> {
    if bin_precision > 16 {
        return Err(Error::invalid_argument(format!(
            "bin_precision is {bin_precision}; expected at most 16"
        )));
    }
    let bin = UniformBin {
        shift: PRECISION - bin_precision,
    };
    Ok(Independent::new(lanes, latents, |_, _| bin))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::laws::{check_codec, check_distribution};

    #[test]
    fn obeys_the_laws() {
        for count in [1, 2, 3, 7, 255, 1000] {
            check_distribution(&Uniform::new(count).unwrap(), 0..count).unwrap();
        }
        for bits in 0..=16 {
            let bin = UniformBin {
                shift: PRECISION - bits,
            };
            check_distribution(&bin, 0..1u32 << bits).unwrap();
        }
        let last = TOTAL_MASS - 1;
        let whole = Uniform::new(TOTAL_MASS).unwrap();
        assert_eq!(whole.locate(last).0, last);
        assert!(Uniform::new(0).is_err() && Uniform::new(TOTAL_MASS + 1).is_err());
    }

    #[test]
    fn a_push_of_bins_costs_exactly_their_bits() {
        let bins = uniform_bins(3, 5, 10).unwrap();
        let z = Array2::from_shape_fn((3, 5), |(l, d)| (l * 311 + d * 97) as u16);
        let bits = check_codec(&bins, &z, 3).unwrap();
        assert!((bits - 150.0).abs() < 1e-4, "{bits}");
    }
}
