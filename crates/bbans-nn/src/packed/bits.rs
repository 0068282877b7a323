//! Bits and integers with probabilities that follow from those before them.
//!
//! Encoder and decoder are one code: it asks a [`Coder`] for every bit, which either takes the bit that it is given or
//! pops the one that was.

use bbans_core::distributions::Bernoulli;
use bbans_core::{Distribution, Error, Interval, Message, Result, TOTAL_MASS};

/// How often a bit was 0 and 1 where it is asked: the estimator of Krichevsky & Trofimov 1981.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bit([u32; 2]);

/// Counts are halved beyond this sum.
const MAX_COUNT: u32 = 1 << 16;

impl Bit {
    fn distribution(self) -> Bernoulli {
        let [zeros, ones] = self.0.map(u64::from);
        let mass = u64::from(TOTAL_MASS) * (2 * ones + 1) / (2 * (zeros + ones) + 2);
        Bernoulli::new(mass as u32)
    }

    fn add(&mut self, bit: bool) {
        let counts = &mut self.0;
        counts[usize::from(bit)] += 1;
        if counts[0] + counts[1] > MAX_COUNT {
            *counts = counts.map(|n| n.div_ceil(2));
        }
    }
}

/// Where bits go, or come from.
pub(super) trait Coder {
    /// A bit and its distribution: to be written, the bit itself; to be read, the one that was written.
    ///
    /// # Errors
    /// If there is none to be read.
    fn code(&mut self, distribution: Bernoulli, bit: bool) -> Result<bool>;

    /// A bit that is known by those before it.
    ///
    /// # Errors
    /// As [`Coder::code`].
    fn bit(&mut self, of: &mut Bit, bit: bool) -> Result<bool> {
        let bit = self.code(of.distribution(), bit)?;
        of.add(bit);
        Ok(bit)
    }

    /// So many low bits of which nothing is known.
    ///
    /// # Errors
    /// As [`Coder::code`].
    fn raw(&mut self, bits: u32, value: u32) -> Result<u32> {
        let half = Bernoulli::new(TOTAL_MASS / 2);
        (0..bits).rev().try_fold(0, |read, i| {
            let bit = self.code(half, value >> i & 1 == 1)?;
            Ok(read << 1 | u32::from(bit))
        })
    }
}

/// Keeps the intervals, which are pushed from the last to the first.
#[derive(Default)]
pub(super) struct Encoder(Vec<Interval>);

impl Coder for Encoder {
    fn code(&mut self, distribution: Bernoulli, bit: bool) -> Result<bool> {
        self.0.extend(distribution.interval(&u16::from(bit)));
        Ok(bit)
    }
}

impl Encoder {
    /// What has been coded so far, in bits.
    pub(super) fn bits(&self) -> f64 {
        self.0.iter().map(|interval| interval.bits()).sum()
    }

    /// The message.
    pub(super) fn into_words(self) -> Result<Vec<u32>> {
        let mut message = Message::new(vec![0]);
        message.grow(1)?;
        for interval in self.0.into_iter().rev() {
            message.push(0, interval)?;
        }
        message.into_words()
    }
}

/// Pops what was pushed.
pub(super) struct Decoder(Message);

impl Coder for Decoder {
    fn code(&mut self, distribution: Bernoulli, _: bool) -> Result<bool> {
        Ok(self.0.pop(0, &distribution)? != 0)
    }
}

impl Decoder {
    pub(super) fn new(words: Vec<u32>) -> Result<Self> {
        Message::from_words(words, 1).map(Self)
    }

    /// Checks that nothing is left.
    pub(super) fn finish(mut self) -> Result<()> {
        self.0.shrink(0)?;
        if self.0.tail() != [0] {
            return Err(Error::corruption("more weights than the model has"));
        }
        Ok(())
    }
}

/// Most bits of an integer's magnitude.
pub(super) const MAX_BITS: usize = 24;

/// Contexts of integers: of the number of bits of a magnitude, in unary, of its bits below the leading one, and of
/// the sign.
#[derive(Debug, Clone)]
pub(super) struct Integers {
    lengths: [Bit; MAX_BITS],
    /// By the length the bit below the leading one, the next one by that too, and the others by their place.
    below: [[Bit; 3]; MAX_BITS + 1],
    places: [[Bit; MAX_BITS]; MAX_BITS + 1],
    sign: Bit,
}

impl Integers {
    pub(super) fn new() -> Self {
        Self {
            lengths: [Bit::default(); MAX_BITS],
            below: [[Bit::default(); 3]; MAX_BITS + 1],
            places: [[Bit::default(); MAX_BITS]; MAX_BITS + 1],
            sign: Bit::default(),
        }
    }

    /// An integer of at most [`MAX_BITS`] bits and a sign.
    pub(super) fn code(&mut self, coder: &mut impl Coder, value: i32) -> Result<i32> {
        let magnitude = value.unsigned_abs();
        let bits = (u32::BITS - magnitude.leading_zeros()) as usize;
        let mut length = 0;
        while length < MAX_BITS && coder.bit(&mut self.lengths[length], length < bits)? {
            length += 1;
        }
        if length == 0 {
            return Ok(0);
        }
        let (mut read, mut first) = (1u32, false);
        for place in (0..length - 1).rev() {
            let of = match length - 2 - place {
                0 => &mut self.below[length][0],
                1 => &mut self.below[length][1 + usize::from(first)],
                _ => &mut self.places[length][place],
            };
            let bit = coder.bit(of, magnitude >> place & 1 == 1)?;
            if place + 2 == length {
                first = bit;
            }
            read = read << 1 | u32::from(bit);
        }
        let negative = coder.bit(&mut self.sign, value < 0)?;
        // Of 24 bits at most.
        let read = read as i32;
        Ok(if negative { -read } else { read })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_come_back() {
        let most = (1 << MAX_BITS) - 1;
        let values: Vec<i32> = (-40..40)
            .chain(
                (0..MAX_BITS).flat_map(|i| [1 << i, -(1 << i), (1 << i) - 1, 3 << (i.max(1) - 1)]),
            )
            .chain([most, -most])
            .collect();
        let (mut encoder, mut contexts) = (Encoder::default(), Integers::new());
        for &value in &values {
            assert_eq!(contexts.code(&mut encoder, value).unwrap(), value);
        }
        encoder.raw(7, 99).unwrap();
        let bits = encoder.bits();
        let words = encoder.into_words().unwrap();
        let stored = 32.0 * words.len() as f64;
        assert!(
            stored - bits < 64.0 + 32.0 && stored > bits,
            "{bits} {stored}"
        );
        let mut decoder = Decoder::new(words.clone()).unwrap();
        let mut contexts = Integers::new();
        for &value in &values {
            assert_eq!(contexts.code(&mut decoder, 0).unwrap(), value);
        }
        assert_eq!(decoder.raw(7, 0).unwrap(), 99);
        decoder.finish().unwrap();
        // What is left over is noticed.
        let mut decoder = Decoder::new(words).unwrap();
        Integers::new().code(&mut decoder, 0).unwrap();
        assert!(decoder.finish().is_err());
    }

    /// A bit that is always the same costs about half the logarithm of how often it was asked.
    #[test]
    fn what_is_always_the_same_costs_little() {
        let (mut encoder, mut of) = (Encoder::default(), Bit::default());
        for _ in 0..100_000 {
            encoder.bit(&mut of, true).unwrap();
        }
        assert!(encoder.bits() < 12.0, "{}", encoder.bits());
    }
}
