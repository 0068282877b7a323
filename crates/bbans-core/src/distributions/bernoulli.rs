//! The Bernoulli distribution.

use crate::distribution::{Distribution, Interval, TOTAL_MASS};

/// A bit; 1 has the quantiles below its mass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Bernoulli {
    /// Invariant: 1 to `TOTAL_MASS - 1`.
    mass_of_one: u32,
}

impl Bernoulli {
    /// The bit that is 1 with probability `mass_of_one / 2^24`; both symbols keep a mass of at
    /// least 1.
    #[inline(always)]
    pub fn new(mass_of_one: u32) -> Self {
        Self {
            mass_of_one: mass_of_one.clamp(1, TOTAL_MASS - 1),
        }
    }
}

impl Distribution for Bernoulli {
    type Symbol = u16;

    #[inline(always)]
    fn interval(&self, &bit: &u16) -> Option<Interval> {
        (bit <= 1).then(|| self.of(bit == 1))
    }

    #[inline(always)]
    fn locate(&self, quantile: u32) -> (u16, Interval) {
        let bit = quantile < self.mass_of_one;
        (u16::from(bit), self.of(bit))
    }

    #[inline(always)]
    fn intervals(column: &[Self], bits: &[u16], intervals: &mut [Interval]) -> bool {
        let mut greatest = 0;
        for ((interval, bernoulli), &bit) in intervals.iter_mut().zip(column).zip(bits) {
            greatest = bit.max(greatest);
            *interval = bernoulli.of(bit != 0);
        }
        greatest <= 1
    }
}

impl Bernoulli {
    #[inline(always)]
    fn of(self, bit: bool) -> Interval {
        let (start, mass) = if bit {
            (0, self.mass_of_one)
        } else {
            (self.mass_of_one, TOTAL_MASS - self.mass_of_one)
        };
        Interval::of_mass_or_unit(start, mass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::laws::check_distribution;

    #[test]
    fn obeys_the_laws() {
        for mass in [
            0,
            1,
            2,
            12_345,
            TOTAL_MASS / 2,
            TOTAL_MASS - 1,
            TOTAL_MASS,
            u32::MAX,
        ] {
            check_distribution(&Bernoulli::new(mass), 0..=1).unwrap();
        }
        assert_eq!(Bernoulli::new(5).interval(&2), None);
    }
}
