//! Dimensions that are coded one after another, each given those before it.
//!
//! An encoder meets the dimensions in the decoder's order, from the first on, and has to push them in the
//! opposite one: it keeps a [`Record`] until then.

use ndarray::Array2;

use crate::codec::Codec;
use crate::distribution::Interval;
use crate::distributions::Bernoulli;
use crate::error::{Error, Result};
use crate::message::Message;

/// A distribution of data `[lanes, dims]` that is the product of each dimension's given those before it.
pub trait Causal {
    /// The dimensions one after another.
    type Walk<'a>: Walk
    where
        Self: 'a;

    /// Numbers of dimensions and of lanes.
    fn dim(&self) -> (usize, usize);

    /// A walk from the first dimension on.
    ///
    /// # Errors
    /// If it cannot be computed.
    fn walk(&self) -> Result<Self::Walk<'_>>;
}

/// Where a walk over the dimensions is.
pub trait Walk {
    /// The distribution of a dimension.
    type Next<'a>: Conditional
    where
        Self: 'a;

    /// The distribution of the next dimension in all lanes, given those that were observed.
    ///
    /// # Errors
    /// If all were, or it cannot be computed.
    fn next(&mut self) -> Result<Self::Next<'_>>;

    /// Makes the next dimension known: its symbol in each lane.
    ///
    /// # Errors
    /// If all are known, or a symbol is none of the distribution's.
    fn observe(&mut self, symbols: &[u16]) -> Result<()>;
}

/// The distribution of a dimension in all lanes, given those before it.
pub trait Conditional {
    /// Notes what has to be pushed for these symbols, one a lane, in the order of popping.
    ///
    /// # Errors
    /// If a symbol is none of the distribution's.
    fn record(&self, symbols: &[u16], record: &mut Record) -> Result<()>;

    /// Pops a symbol for each lane.
    ///
    /// # Errors
    /// If the message has too few words, or it cannot be computed.
    fn pop(&self, message: &mut Message, symbols: &mut [u16]) -> Result<()>;
}

/// What is to be pushed, in the order of popping.
#[derive(Debug, Default)]
pub struct Record {
    bits: Vec<u16>,
    of_bits: Vec<Bernoulli>,
    lanes: Vec<usize>,
    intervals: Vec<Interval>,
    /// How many of the one or of the other follow.
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy)]
enum Part {
    /// In the lanes from 0 on.
    Bits(usize),
    Intervals(usize),
}

impl Record {
    /// A bit in each lane.
    pub fn bits(&mut self, bits: impl Iterator<Item = u16>, distributions: &[Bernoulli]) {
        self.bits.extend(bits.take(distributions.len()));
        self.of_bits.extend_from_slice(distributions);
        self.parts.push(Part::Bits(distributions.len()));
    }

    /// A symbol in a lane.
    pub fn interval(&mut self, lane: usize, interval: Interval) {
        self.lanes.push(lane);
        self.intervals.push(interval);
        match self.parts.last_mut() {
            Some(Part::Intervals(count)) => *count += 1,
            _ => self.parts.push(Part::Intervals(1)),
        }
    }

    /// Pushes all of it, last first.
    #[inline(always)]
    fn push(&mut self, message: &mut Message) -> Result<()> {
        while let Some(part) = self.parts.pop() {
            match part {
                Part::Bits(count) => {
                    let first = self.bits.len().saturating_sub(count);
                    message.push_column(&self.of_bits[first..], &self.bits[first..])?;
                    self.bits.truncate(first);
                    self.of_bits.truncate(first);
                }
                Part::Intervals(count) => {
                    let first = self.intervals.len().saturating_sub(count);
                    let lanes = self.lanes.drain(first..).rev();
                    for (lane, interval) in lanes.zip(self.intervals.drain(first..).rev()) {
                        message.push(lane, interval)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The codec of a [`Causal`] distribution, for batches `[lanes, dims]`.
#[derive(Debug, Clone)]
pub struct InOrder<C>(pub C);

impl<C: Causal> Codec for InOrder<C> {
    type Symbol = Array2<u16>;

    #[inline(always)]
    fn push(&self, message: &mut Message, symbols: &Array2<u16>) -> Result<()> {
        let (dims, lanes) = self.0.dim();
        if symbols.dim() != (lanes, dims) {
            return Err(Error::invalid_argument(format!(
                "symbols of [lanes, dims] = {:?} for a codec of {:?}",
                symbols.dim(),
                (lanes, dims)
            )));
        }
        let (mut record, mut walk) = (Record::default(), self.0.walk()?);
        let mut column = vec![0; lanes];
        for of_dim in symbols.columns() {
            for (to, &symbol) in column.iter_mut().zip(of_dim) {
                *to = symbol;
            }
            walk.next()?.record(&column, &mut record)?;
            walk.observe(&column)?;
        }
        record.push(message)
    }

    #[inline(always)]
    fn pop(&self, message: &mut Message) -> Result<Array2<u16>> {
        let (dims, lanes) = self.0.dim();
        let mut symbols = Array2::zeros((lanes, dims));
        let (mut walk, mut column) = (self.0.walk()?, vec![0; lanes]);
        for mut of_dim in symbols.columns_mut() {
            walk.next()?.pop(message, &mut column)?;
            walk.observe(&column)?;
            for (to, &symbol) in of_dim.iter_mut().zip(&column) {
                *to = symbol;
            }
        }
        Ok(symbols)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::{Distribution, TOTAL_MASS};
    use crate::distributions::Categorical;
    use crate::laws::check_codec;

    /// Bits and dice in turn: a die's first faces are the heavier the greater the sum so far.
    struct Turns {
        dims: usize,
        lanes: usize,
    }

    struct Sums {
        next: usize,
        of_lanes: Vec<u32>,
    }

    impl Causal for Turns {
        type Walk<'a> = Sums;

        fn dim(&self) -> (usize, usize) {
            (self.dims, self.lanes)
        }

        fn walk(&self) -> Result<Sums> {
            let of_lanes = vec![0; self.lanes];
            Ok(Sums { next: 0, of_lanes })
        }
    }

    impl Walk for Sums {
        type Next<'a> = &'a Self;

        fn next(&mut self) -> Result<&Self> {
            Ok(self)
        }

        fn observe(&mut self, symbols: &[u16]) -> Result<()> {
            self.next += 1;
            for (sum, &symbol) in self.of_lanes.iter_mut().zip(symbols) {
                *sum += u32::from(symbol);
            }
            Ok(())
        }
    }

    impl Sums {
        fn bits(&self) -> Vec<Bernoulli> {
            let of_lanes = self.of_lanes.iter();
            let mass = |sum: &u32| TOTAL_MASS / (2 + sum);
            of_lanes.map(|sum| Bernoulli::new(mass(sum))).collect()
        }

        fn die(&self, lane: usize) -> Categorical {
            let first = f64::from(1 + self.of_lanes[lane]);
            Categorical::from_weights(&[first, 1.0, 1.0]).unwrap()
        }
    }

    impl Conditional for &Sums {
        fn record(&self, symbols: &[u16], record: &mut Record) -> Result<()> {
            if self.next.is_multiple_of(2) {
                record.bits(symbols.iter().copied(), &self.bits());
                return Ok(());
            }
            for (lane, &symbol) in symbols.iter().enumerate() {
                let interval = self.die(lane).interval(&u32::from(symbol));
                let no_face = || Error::invalid_argument("a face that the die does not have");
                record.interval(lane, interval.ok_or_else(no_face)?);
            }
            Ok(())
        }

        fn pop(&self, message: &mut Message, symbols: &mut [u16]) -> Result<()> {
            if self.next.is_multiple_of(2) {
                return message.pop_column(&self.bits(), symbols);
            }
            for (lane, symbol) in symbols.iter_mut().enumerate() {
                let face = message.pop(lane, &self.die(lane))?;
                *symbol = face as u16;
            }
            Ok(())
        }
    }

    #[test]
    fn obeys_the_laws() {
        for (dims, lanes) in [(0, 3), (1, 1), (2, 3), (7, 70)] {
            let codec = InOrder(Turns { dims, lanes });
            let symbols = Array2::from_shape_fn((lanes, dims), |(lane, d)| {
                ((lane * 31 + d * 17) % if d % 2 == 0 { 2 } else { 3 }) as u16
            });
            check_codec(&codec, &symbols, lanes.max(1)).unwrap();
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let codec = InOrder(Turns { dims: 2, lanes: 2 });
        let mut message = Message::with_initial_words(9);
        message.grow(2).unwrap();
        for symbols in [Array2::zeros((2, 3)), Array2::from_elem((2, 2), 3)] {
            assert!(codec.push(&mut message, &symbols).is_err());
        }
    }
}
