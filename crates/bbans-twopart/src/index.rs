//! Codes for the index of a candidate.

use bbans_core::distributions::{Bernoulli, Categorical, Uniform};
use bbans_core::{Distribution, Error, Message, Result, TOTAL_MASS};

/// Bits of a uniform symbol at a time.
const CHUNK: u32 = 16;

fn push<D: Distribution>(message: &mut Message, d: &D, symbol: &D::Symbol) -> Result<()> {
    let interval = d.interval(symbol);
    message.push(
        0,
        interval.ok_or_else(|| Error::invalid_argument("an index that its code cannot say"))?,
    )
}

/// The low `bits` bits of `value`, uniform; popped from the lowest chunk on.
pub(crate) fn push_bits(message: &mut Message, bits: u32, value: u64) -> Result<()> {
    for at in (0..bits).step_by(CHUNK as usize).rev() {
        let width = CHUNK.min(bits - at);
        let chunk = (value >> at) as u32 & ((1 << width) - 1);
        push(message, &Uniform::new(1 << width)?, &chunk)?;
    }
    Ok(())
}

pub(crate) fn pop_bits(message: &mut Message, bits: u32) -> Result<u64> {
    let mut value = 0;
    for at in (0..bits).step_by(CHUNK as usize) {
        let width = CHUNK.min(bits - at);
        value |= u64::from(message.pop(0, &Uniform::new(1 << width)?)?) << at;
    }
    Ok(value)
}

/// The geometric distribution of the number of failures before a success of probability `2^-m`.
///
/// Whole runs of `2^b` failures are flags, and the place in the run is uniform: with runs of at most
/// a 32nd of the mean that costs below 0.001 bits more than the distribution itself.
#[derive(Debug, Clone, Copy)]
pub struct Geometric {
    run_bits: u32,
    /// Whether the index lies in a later run.
    later: Bernoulli,
}

/// An index has fewer bits than this.
const MAX_BITS: u32 = 48;

impl Geometric {
    /// With a mean of about `2^log2_mean`.
    ///
    /// # Errors
    /// If `log2_mean` is negative, above 40 or no number.
    pub fn new(log2_mean: f64) -> Result<Self> {
        if !(0.0..=40.0).contains(&log2_mean) {
            return Err(Error::invalid_argument(format!(
                "an index of log2 {log2_mean}; expected 0 to 40"
            )));
        }
        let run_bits = (log2_mean - 5.0).floor().max(0.0) as u32;
        // (1 - s)^(2^b), s = 2^-m.
        let none = (-(-log2_mean).exp2()).ln_1p() * f64::from(run_bits).exp2();
        let mass = none.exp() * f64::from(TOTAL_MASS);
        Ok(Self {
            run_bits,
            later: Bernoulli::new(mass as u32),
        })
    }

    /// Pushes an index, from 0 on.
    ///
    /// # Errors
    /// If it is 2^48 or more.
    pub fn push(&self, message: &mut Message, index: u64) -> Result<()> {
        let runs = index >> self.run_bits;
        if index >> MAX_BITS != 0 || runs > 1 << 24 {
            return Err(Error::invalid_argument(format!(
                "an index of {index}, too large for its geometric code"
            )));
        }
        push_bits(message, self.run_bits, index)?;
        push(message, &self.later, &0)?;
        (0..runs).try_for_each(|_| push(message, &self.later, &1))
    }

    /// Pops an index.
    ///
    /// # Errors
    /// If the message is too short or damaged.
    pub fn pop(&self, message: &mut Message) -> Result<u64> {
        let mut runs = 0u64;
        while message.pop(0, &self.later)? == 1 {
            runs += 1;
            if runs > 1 << 24 {
                return Err(Error::corruption(
                    "part 1 names no candidate that was drawn",
                ));
            }
        }
        Ok(runs << self.run_bits | pop_bits(message, self.run_bits)?)
    }
}

/// The Zipf distribution: an index from 1 on has a probability proportional to `index^-exponent`.
///
/// Indices from 32 on are coded by their 5 leading bits, the rest uniform.
#[derive(Debug, Clone)]
pub struct Zipf {
    leading: Categorical,
}

/// Indices that have a symbol of their own.
const SINGLE: u64 = 32;

/// The symbol of an index's leading bits, and the number of the bits below.
fn split(index: u64) -> Result<(u32, u32)> {
    if index == 0 || index >> MAX_BITS != 0 {
        return Err(Error::invalid_argument(format!(
            "an index of {index}; expected 1 to 2^48"
        )));
    }
    if index < SINGLE {
        return Ok((index as u32 - 1, 0));
    }
    let (bits, rest) = (index.ilog2(), index.ilog2() - 4);
    let leading = (index >> rest) as u32 - 16;
    Ok((SINGLE as u32 - 1 + (bits - 5) * 16 + leading, rest))
}

impl Zipf {
    /// With an exponent above 1.
    ///
    /// # Errors
    /// If it is not finite and above 1.
    pub fn new(exponent: f64) -> Result<Self> {
        if !(exponent > 1.0 && exponent.is_finite()) {
            return Err(Error::invalid_argument(format!(
                "a Zipf distribution of exponent {exponent}; expected more than 1"
            )));
        }
        // The sum from a to b - 1 is about the integral from a - 1/2 to b - 1/2.
        let tail = |from: f64| (from - 0.5).powf(1.0 - exponent) / (exponent - 1.0);
        let mut weights: Vec<f64> = (1..SINGLE).map(|k| (k as f64).powf(-exponent)).collect();
        for bits in 5..MAX_BITS {
            for leading in 16..32u64 {
                let start = (leading << (bits - 4)) as f64;
                let end = ((leading + 1) << (bits - 4)) as f64;
                weights.push(tail(start) - tail(end));
            }
        }
        Ok(Self {
            leading: Categorical::from_weights(&weights)?,
        })
    }

    /// The exponent for indices whose `log2` is about `bits` on average (Li & El Gamal 2018, after
    /// theorem 1): `1 + 1 / (bits + log2(e) / e + 1)`.
    ///
    /// # Errors
    /// If `bits` is negative or no number.
    pub fn for_mean_bits(bits: f64) -> Result<Self> {
        let constant = std::f64::consts::LOG2_E / std::f64::consts::E + 1.0;
        Self::new(1.0 + 1.0 / (bits.max(0.0) + constant))
    }

    /// With the exponent, of 48 from 1.02 to 14, under which these indices cost least.
    ///
    /// # Errors
    /// If one is 0, or 2^48 or more.
    pub fn fit(indices: &[u64]) -> Result<Self> {
        let mut best = (f64::INFINITY, Self::new(2.0)?);
        for step in 0..48 {
            let zipf = Self::new(1.0 + 0.02 * 1.15f64.powi(step))?;
            let mut bits = 0.0;
            for &index in indices {
                let (symbol, rest) = split(index)?;
                let interval = zipf.leading.interval(&symbol);
                bits += interval.map_or(f64::INFINITY, |i| i.bits()) + f64::from(rest);
            }
            if bits < best.0 {
                best = (bits, zipf);
            }
        }
        Ok(best.1)
    }

    /// Pushes an index, from 1 on.
    ///
    /// # Errors
    /// If it is 0, or 2^48 or more.
    pub fn push(&self, message: &mut Message, index: u64) -> Result<()> {
        let (symbol, rest) = split(index)?;
        push_bits(message, rest, index & ((1 << rest) - 1))?;
        push(message, &self.leading, &symbol)
    }

    /// Pops an index.
    ///
    /// # Errors
    /// If the message is too short.
    pub fn pop(&self, message: &mut Message) -> Result<u64> {
        let symbol = u64::from(message.pop(0, &self.leading)?);
        if symbol < SINGLE - 1 {
            return Ok(symbol + 1);
        }
        let (bits, leading) = (
            (symbol + 1 - SINGLE) / 16 + 5,
            (symbol + 1 - SINGLE) % 16 + 16,
        );
        let rest = bits as u32 - 4;
        Ok(leading << rest | pop_bits(message, rest)?)
    }
}

/// A code for an index from 1 on.
pub trait IndexCode {
    /// Pushes an index.
    ///
    /// # Errors
    /// If it is not one of the code's.
    fn push(&self, message: &mut Message, index: u64) -> Result<()>;

    /// Pops an index.
    ///
    /// # Errors
    /// If the message is too short or damaged.
    fn pop(&self, message: &mut Message) -> Result<u64>;
}

impl IndexCode for Zipf {
    fn push(&self, message: &mut Message, index: u64) -> Result<()> {
        self.push(message, index)
    }

    fn pop(&self, message: &mut Message) -> Result<u64> {
        self.pop(message)
    }
}

/// The delta code of Elias 1975, which knows no distribution: of an index of `b` bits, `b` itself by the
/// gamma code, then the `b - 1` bits below the leading one.
#[derive(Debug, Clone, Copy, Default)]
pub struct EliasDelta;

impl IndexCode for EliasDelta {
    fn push(&self, message: &mut Message, index: u64) -> Result<()> {
        split(index)?;
        let below = index.ilog2();
        push_bits(message, below, index & ((1 << below) - 1))?;
        // The gamma code of the length: zeros as many as it has bits below the leading one, a one,
        // and these bits.
        let length = u64::from(below) + 1;
        let zeros = length.ilog2();
        push_bits(message, zeros, length & ((1 << zeros) - 1))?;
        push_bits(message, 1, 1)?;
        (0..zeros).try_for_each(|_| push_bits(message, 1, 0))
    }

    fn pop(&self, message: &mut Message) -> Result<u64> {
        let mut zeros = 0;
        while pop_bits(message, 1)? == 0 {
            zeros += 1;
            if zeros > 5 {
                return Err(Error::corruption("part 1 names an index of too many bits"));
            }
        }
        let below = (1 << zeros | pop_bits(message, zeros)?) - 1;
        if below >= u64::from(MAX_BITS) {
            return Err(Error::corruption("part 1 names an index of too many bits"));
        }
        Ok(1 << below | pop_bits(message, below as u32)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{empty_message, message_bits};

    #[test]
    fn indices_come_back() {
        let (geometric, zipf) = (Geometric::new(11.3).unwrap(), Zipf::new(1.2).unwrap());
        let indices = [1, 2, 31, 32, 33, 63, 64, 1000, 123_456];
        let mut message = empty_message().unwrap();
        for &i in &indices {
            geometric.push(&mut message, i).unwrap();
            zipf.push(&mut message, i).unwrap();
        }
        zipf.push(&mut message, (1 << 47) + 12_345).unwrap();
        assert_eq!(zipf.pop(&mut message).unwrap(), (1 << 47) + 12_345);
        for &i in indices.iter().rev() {
            assert_eq!(zipf.pop(&mut message).unwrap(), i);
            assert_eq!(geometric.pop(&mut message).unwrap(), i);
        }
        assert_eq!(message, empty_message().unwrap());
        for index in [1, 2, 3, 4, 16, 17, 1000, (1 << 48) - 1] {
            EliasDelta.push(&mut message, index).unwrap();
            let n = u64::from(index.ilog2()) + 1;
            let bits = (n - 1 + 2 * u64::from(n.ilog2()) + 1) as f64;
            assert!((message_bits(&message) - bits).abs() < 0.01, "{index}");
            assert_eq!(EliasDelta.pop(&mut message).unwrap(), index);
        }
        // Always the first: nearly free.
        let fitted = Zipf::fit(&[1; 1000]).unwrap();
        fitted.push(&mut message, 1).unwrap();
        assert!(message_bits(&message) < 0.01);
        assert_eq!(fitted.pop(&mut message).unwrap(), 1);
        assert!(zipf.push(&mut message, 0).is_err());
        assert!(Geometric::new(-1.0).is_err() && Zipf::new(1.0).is_err());
    }

    /// Each costs what its distribution says.
    #[test]
    fn lengths_are_those_of_the_distributions() {
        for log2_mean in [0.0, 0.7, 5.0, 12.4] {
            let code = Geometric::new(log2_mean).unwrap();
            let s = (-log2_mean).exp2();
            for index in [0, 1, 5, 40, 7000] {
                let ideal = -s.log2() - index as f64 * (1.0 - s).log2();
                if ideal < 40.0 {
                    let mut message = empty_message().unwrap();
                    code.push(&mut message, index).unwrap();
                    let bits = message_bits(&message);
                    assert!(
                        (bits - ideal).abs() < 0.05,
                        "{log2_mean} {index}: {bits} {ideal}"
                    );
                }
            }
        }
        let zipf = Zipf::new(1.3).unwrap();
        let total: f64 =
            (1..1_000_000).map(|k| f64::from(k).powf(-1.3)).sum::<f64>() + 1e6f64.powf(-0.3) / 0.3;
        for index in [1u64, 7, 31, 32, 100, 5000] {
            let mut message = empty_message().unwrap();
            zipf.push(&mut message, index).unwrap();
            let ideal = 1.3 * (index as f64).log2() + total.log2();
            assert!((message_bits(&message) - ideal).abs() < 0.05, "{index}");
        }
    }
}
