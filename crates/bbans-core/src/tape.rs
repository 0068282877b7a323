//! Measuring what a codec would do, instead of doing it.

use ndarray::Array2;

use crate::codec::Codec;
use crate::distribution::{Interval, PRECISION};
use crate::error::{Error, Result};
use crate::message::Message;

/// Fractional bits of a length in fixed point.
pub(crate) const FRACTION: u32 = 20;

/// Intervals of what was pushed and popped, lane by lane, and their lengths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tape {
    /// Information content of each lane, in units of `2^-20` bits.
    lengths: Vec<u64>,
    /// Of each lane in the order of pushes and pops, if they are kept.
    intervals: Option<Vec<Vec<Interval>>>,
    /// What is popped, the next one last.
    quantiles: Vec<u32>,
    /// Symbols without mass are no error: their intervals mean nothing.
    lenient: bool,
}

impl Tape {
    /// Measures lengths.
    pub(crate) fn of_lengths(lanes: usize) -> Self {
        Self {
            lengths: vec![0; lanes],
            ..Self::default()
        }
    }

    /// Keeps the intervals too.
    pub(crate) fn of_intervals(lanes: usize) -> Self {
        Self {
            intervals: Some(vec![Vec::new(); lanes]),
            ..Self::of_lengths(lanes)
        }
    }

    /// Pops the symbols of these quantiles, `[lanes, latents]`, as codecs do: a latent of all lanes together.
    pub(crate) fn with_quantiles(self, quantiles: &Array2<u32>) -> Self {
        let mut quantiles: Vec<u32> = quantiles.t().iter().copied().collect();
        quantiles.reverse();
        Self { quantiles, ..self }
    }

    /// Takes symbols without mass, in columns.
    pub(crate) fn lenient(self) -> Self {
        Self {
            lenient: true,
            ..self
        }
    }

    pub(crate) fn is_lenient(&self) -> bool {
        self.lenient
    }

    pub(crate) fn lanes(&self) -> usize {
        self.lengths.len()
    }

    pub(crate) fn lengths(&self) -> &[u64] {
        &self.lengths
    }

    /// The intervals of each lane, if they were kept.
    pub(crate) fn into_intervals(self) -> Vec<Vec<Interval>> {
        self.intervals.unwrap_or_default()
    }

    /// The lengths of the symbols of each lane, if their intervals were kept.
    pub(crate) fn into_lengths_of_symbols(self) -> Vec<Vec<u64>> {
        let lengths = |of_lane: Vec<Interval>| of_lane.into_iter().map(length).collect();
        self.into_intervals().into_iter().map(lengths).collect()
    }

    pub(crate) fn quantile(&mut self) -> Result<u32> {
        let none = || Error::model("a codec pops more symbols than it has latents");
        self.quantiles.pop().ok_or_else(none)
    }

    pub(crate) fn take(&mut self, lane: usize, interval: Interval) {
        self.lengths[lane] += length(interval);
        if let Some(intervals) = &mut self.intervals {
            intervals[lane].push(interval);
        }
    }

    /// Intervals of neighbouring lanes.
    pub(crate) fn take_all(&mut self, first: usize, intervals: &[Interval]) {
        for (i, &interval) in intervals.iter().enumerate() {
            self.take(first + i, interval);
        }
    }
}

/// What a push of these symbols would add to each of `lanes` lanes of a message, in bits, to some millionths.
///
/// # Errors
/// As a push of the codec.
pub fn information<C: Codec>(codec: &C, symbols: &C::Symbol, lanes: usize) -> Result<Vec<f64>> {
    let mut tape = Message::measuring(Tape::of_lengths(lanes));
    codec.push(&mut tape, symbols)?;
    let bits = |&length: &u64| length as f64 / f64::from(1 << FRACTION);
    Ok(tape.into_tape().lengths().iter().map(bits).collect())
}

/// Information content of a symbol: `24 - log2(mass)`, in units of `2^-20` bits.
fn length(interval: Interval) -> u64 {
    let mass = interval.mass().get();
    let exponent = mass.ilog2();
    // The bits below the leading one: ten that number an entry, and those between it and the next.
    let below = u64::from(mass << (31 - exponent) & 0x7fff_ffff);
    let (i, f) = ((below >> 21) as usize, below & 0x1f_ffff);
    let (low, high) = (u64::from(LOG2[i]), u64::from(LOG2[i + 1]));
    let log2 = (u64::from(exponent) << FRACTION) + low + (((high - low) * f) >> 21);
    (u64::from(PRECISION) << FRACTION) - log2
}

/// `2^20 log2(1 + i / 1024)`, rounded to the nearest integer.
static LOG2: [u32; 1025] = log2_table();

const fn log2_table() -> [u32; 1025] {
    let mut table = [0; 1025];
    let mut i = 0;
    while i <= 1024 {
        table[i] = log2(1024 + i as u128);
        i += 1;
    }
    table
}

/// `2^20 log2(n / 1024)`, rounded, by squaring: each square that reaches 2 gives a bit.
const fn log2(n: u128) -> u32 {
    let (mut x, mut bits, mut i) = (n << 52, 0u32, 0);
    if x >= 2 << 62 {
        return 1 << FRACTION;
    }
    // A bit more, to round by.
    while i <= FRACTION {
        x = (x * x) >> 62;
        bits <<= 1;
        if x >= 2 << 62 {
            x >>= 1;
            bits |= 1;
        }
        i += 1;
    }
    bits.div_ceil(2)
}

/// Masses in proportion to `2^-length`, of lengths in units of `2^-20` bits: at least 1 each, and they sum to `2^24`.
///
/// All in integers, so that they are the same everywhere.
pub(crate) fn masses(lengths: &[i64]) -> Vec<u32> {
    let least = lengths.iter().copied().min().unwrap_or(0);
    let weights: Vec<u64> = lengths
        .iter()
        .map(|&length| exp2(length.abs_diff(least)))
        .collect();
    let total: u64 = weights.iter().sum();
    let spare = (1u64 << PRECISION) - weights.len() as u64;
    let mut masses: Vec<u32> = (weights.iter())
        .map(|&w| 1 + (u128::from(w) * u128::from(spare) / u128::from(total)) as u32)
        .collect();
    let given: u64 = masses.iter().map(|&m| u64::from(m)).sum();
    if let Some(first) = weights.iter().position(|&w| w == ONE) {
        masses[first] += ((1 << PRECISION) - given) as u32;
    }
    masses
}

/// The greatest weight.
const ONE: u64 = 1 << 40;

/// `2^40 2^(-length)` of a length in units of `2^-20` bits; 0 below half.
fn exp2(length: u64) -> u64 {
    let whole = length >> FRACTION;
    if whole > 40 {
        return 0;
    }
    let part = length & ((1 << FRACTION) - 1);
    let (i, f) = ((part >> 10) as usize, part & 1023);
    let (high, low) = (EXP2[i], EXP2[i + 1]);
    (high - (((high - low) * f) >> 10)) >> whole
}

/// `2^40 2^(-i / 1024)`, rounded down from a product of 62 bits.
static EXP2: [u64; 1025] = exp2_table();

const fn exp2_table() -> [u64; 1025] {
    // 2^62 2^(-1/1024), by ten square roots of a half.
    let mut root = 1u128 << 61;
    let mut i = 0;
    while i < 10 {
        root = square_root(root << 62);
        i += 1;
    }
    let mut table = [0; 1025];
    let (mut power, mut i) = (1u128 << 62, 0);
    while i <= 1024 {
        table[i] = ((power + (1 << 21)) >> 22) as u64;
        power = (power * root + (1 << 61)) >> 62;
        i += 1;
    }
    table
}

/// The integer square root, by Newton's method from above.
const fn square_root(n: u128) -> u128 {
    let mut x = 1u128 << 63;
    loop {
        let next = (x + n / x) / 2;
        if next >= x {
            return x;
        }
        x = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::TOTAL_MASS;
    use proptest::prelude::*;

    #[test]
    fn tables_are_the_functions() {
        for (i, &v) in LOG2.iter().enumerate() {
            let exact = f64::from(1 << FRACTION) * (1.0 + i as f64 / 1024.0).log2();
            assert!((f64::from(v) - exact).abs() < 0.5001, "{i}: {v} {exact}");
        }
        for (i, &v) in EXP2.iter().enumerate() {
            let exact = ONE as f64 * (-(i as f64) / 1024.0).exp2();
            assert!((v as f64 - exact).abs() < 0.501, "{i}: {v} {exact}");
        }
    }

    proptest! {
        #[test]
        fn lengths_are_logarithms(mass in 1u32..=TOTAL_MASS) {
            let interval = Interval::new(0, mass).unwrap();
            let found = length(interval) as f64 / f64::from(1 << FRACTION);
            prop_assert!((found - interval.bits()).abs() < 2e-6, "{found} {}", interval.bits());
        }

        #[test]
        fn masses_are_in_proportion(lengths in prop::collection::vec(-200_000_000i64..200_000_000, 1..70)) {
            let found = masses(&lengths);
            prop_assert_eq!(found.iter().map(|&m| u64::from(m)).sum::<u64>(), u64::from(TOTAL_MASS));
            let weight = |l: i64| (-(l as f64) / f64::from(1 << FRACTION)).exp2();
            let least = *lengths.iter().min().unwrap();
            let total: f64 = lengths.iter().map(|&l| weight(l - least)).sum();
            for (&l, &m) in lengths.iter().zip(&found) {
                let expected = weight(l - least) / total * f64::from(TOTAL_MASS);
                prop_assert!(m >= 1 && (f64::from(m) - expected).abs() < 75.0, "{m} {expected}");
            }
        }
    }
}
