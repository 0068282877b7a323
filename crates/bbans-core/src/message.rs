//! The message: an ANS stack with several heads over one tail.
//!
//! A head is a 64-bit ANS state, one for each lane; the tail is a stack of 32-bit words that all
//! heads share. Coding a symbol touches one head and moves a word to or from the tail where the
//! head leaves its range. The arithmetic is constriction's `AnsCoder<u32, u64>`; whole columns of
//! lanes are coded by the same arithmetic in a form that vectorises, to the same bits. See also Duda
//! 2013 (arXiv 1311.2540) and, for many heads, Giesen 2014 (arXiv 1402.3392).

mod stored;

use std::num::NonZeroU32;

use constriction::Stack;
use constriction::backends::{ReadWords, WriteWords};
use constriction::stream::model::{DecoderModel, EncoderModel, EntropyModel};
use constriction::stream::stack::AnsCoder;
use constriction::stream::{Decode, Encode};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::distribution::{Distribution, Interval, PRECISION, TOTAL_MASS};
use crate::error::{Error, Result};
use crate::tape::Tape;

/// Lanes of a column that are coded side by side.
const CHUNK: usize = 64;

/// The smallest value of a head.
const HEAD_MIN: u64 = 1 << 32;

/// Key of the ChaCha8 generator that initial words come from; its nonce is zero.
const INITIAL_KEY: &[u8; 32] = b"bbans initial words, version one";

/// Key of the ChaCha8 generator that whitening words come from; its nonce is the number of the step.
const WHITENING_KEY: &[u8; 32] = b"bbans whitening of a message, v1";

/// Leading bits of a head that whitening leaves: with them its length stays, and about its value.
const KEPT: u32 = 9;

/// The first `count` initial words: the ChaCha8 key stream of a fixed key, as little-endian words.
pub fn initial_words(count: usize) -> Vec<u32> {
    let mut rng = ChaCha8Rng::from_seed(*INITIAL_KEY);
    (0..count).map(|_| rng.next_u32()).collect()
}

/// An ANS stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// One for each lane. Invariant: at least [`HEAD_MIN`], unless the message is poisoned.
    heads: Vec<u64>,
    tail: Vec<u32>,
    /// Set by a pop that failed half-way: what is left means nothing.
    poisoned: bool,
    /// What is coded is measured instead.
    tape: Option<Box<Tape>>,
}

impl Message {
    /// A message without heads over these words, the top one last.
    pub fn new(words: Vec<u32>) -> Self {
        Self {
            heads: Vec::new(),
            tail: words,
            poisoned: false,
            tape: None,
        }
    }

    /// A message that codes nothing: it keeps the intervals of what is pushed and popped, and pops the symbols of the
    /// quantiles that it is given.
    pub(crate) fn measuring(tape: Tape) -> Self {
        Self {
            heads: vec![HEAD_MIN; tape.lanes()],
            tape: Some(Box::new(tape)),
            ..Self::new(Vec::new())
        }
    }

    /// The tape of a message that measures.
    pub(crate) fn into_tape(self) -> Tape {
        self.tape.map(|tape| *tape).unwrap_or_default()
    }

    /// A message without heads over [`initial_words`].
    pub fn with_initial_words(count: usize) -> Self {
        Self::new(initial_words(count))
    }

    /// Number of heads.
    pub fn lanes(&self) -> usize {
        self.heads.len()
    }

    /// The words under the heads, the top one last.
    pub fn tail(&self) -> &[u32] {
        &self.tail
    }

    /// Length in bits, to a fraction: 32 for each word of the tail and `log2` of each head.
    ///
    /// The growth of this figure is what a push costs.
    pub fn bits(&self) -> f64 {
        let heads: f64 = self.heads.iter().map(|&h| (h as f64).log2()).sum();
        heads + 32.0 * self.tail.len() as f64
    }

    /// Adds heads until there are `lanes`; each takes its first word from the tail.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InsufficientData`] if the tail has too few words.
    pub fn grow(&mut self, lanes: usize) -> Result<()> {
        while self.heads.len() < lanes {
            let word = self.tail.pop().ok_or_else(|| self.poison())?;
            self.heads.push(HEAD_MIN | u64::from(word));
        }
        Ok(())
    }

    /// Removes heads until `lanes` are left; each must be as [`Message::grow`] made it, and gives
    /// its word back.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Corruption`] if a head is not.
    pub fn shrink(&mut self, lanes: usize) -> Result<()> {
        while self.heads.len() > lanes {
            match self.heads.pop() {
                Some(head) if head >> 32 == 1 => self.tail.push(head as u32),
                _ => {
                    self.poisoned = true;
                    return Err(Error::corruption(
                        "a head of the message does not end where it started: the data are \
                         damaged, or were written with another model",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whitens what the next pops find: the bits of every head below its nine leading ones, and the
    /// top `words` words of the tail, or as many as there are, are added without carry to a key stream
    /// of this `step`. To do it again takes it back.
    ///
    /// What a datum leaves on the message is uniform only as far as the data are the model's own; what
    /// is popped next would otherwise not be distributed as the posterior.
    pub fn whiten(&mut self, step: u64, words: usize) {
        let mut rng = ChaCha8Rng::from_seed(*WHITENING_KEY);
        rng.set_stream(step);
        for head in &mut self.heads {
            let below = (head.checked_ilog2().unwrap_or(0) + 1).saturating_sub(KEPT);
            *head ^= rng.next_u64() & ((1 << below) - 1);
        }
        let first = self.tail.len().saturating_sub(words);
        for word in self.tail[first..].iter_mut().rev() {
            *word ^= rng.next_u32();
        }
    }

    /// Pushes a symbol's interval on a lane.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if there is no such lane.
    #[inline]
    pub fn push(&mut self, lane: usize, interval: Interval) -> Result<()> {
        let Some(head) = self.heads.get_mut(lane) else {
            return Err(no_lane(lane));
        };
        if let Some(tape) = &mut self.tape {
            tape.take(lane, interval);
            return Ok(());
        }
        let mut coder = AnsCoder::from_raw_parts(Tail(&mut self.tail), *head);
        // The model knows its one symbol and the tail takes every word: this cannot fail.
        let pushed = coder.encode_symbol((), Only(interval));
        *head = coder.into_raw_parts().1;
        pushed.map_err(|_| Error::invalid_argument("a symbol without mass cannot be pushed"))
    }

    /// Pushes a symbol on each of the first lanes, in descending order: the same as
    /// [`Message::push`] one by one, and faster.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if there are fewer lanes, other numbers of distributions
    /// and of symbols, or a symbol without mass.
    #[inline(always)]
    pub fn push_column<D: Distribution>(
        &mut self,
        distributions: &[D],
        symbols: &[D::Symbol],
    ) -> Result<()> {
        let heads = self.heads.get_mut(..symbols.len());
        let heads = heads.ok_or_else(|| no_lane(symbols.len() - 1))?;
        check_lengths(distributions.len(), symbols.len())?;
        let chunks = heads
            .chunks_mut(CHUNK)
            .zip(distributions.chunks(CHUNK))
            .zip(symbols.chunks(CHUNK));
        for (chunk, ((heads, distributions), symbols)) in chunks.enumerate().rev() {
            let mut intervals = [Interval::UNIT; CHUNK];
            let intervals = &mut intervals[..heads.len()];
            let have_mass = D::intervals(distributions, symbols, intervals);
            if !have_mass && !self.tape.as_ref().is_some_and(|tape| tape.is_lenient()) {
                return Err(no_mass());
            }
            if let Some(tape) = &mut self.tape {
                tape.take_all(chunk * CHUNK, intervals);
                continue;
            }
            let mut full = lanes_where(heads, intervals, is_full);
            while full != 0 {
                let lane = full.ilog2();
                let head = &mut heads[lane as usize];
                self.tail.push(*head as u32);
                *head >>= 32;
                full ^= 1 << lane;
            }
            for (head, &interval) in heads.iter_mut().zip(intervals.iter()) {
                *head = pushed(*head, interval);
            }
        }
        Ok(())
    }

    /// Pops a symbol from a lane.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InsufficientData`] if the tail runs out of words; the message is then
    /// poisoned, and every later pop fails. [`crate::ErrorKind::InvalidArgument`] if there is no
    /// such lane.
    #[inline]
    pub fn pop<D: Distribution>(&mut self, lane: usize, distribution: &D) -> Result<D::Symbol> {
        if self.poisoned {
            return Err(self.poison());
        }
        let Some(head) = self.heads.get_mut(lane) else {
            return Err(no_lane(lane));
        };
        if let Some(tape) = &mut self.tape {
            let (symbol, interval) = distribution.locate(tape.quantile()?);
            tape.take(lane, interval);
            return Ok(symbol);
        }
        let mut coder = AnsCoder::from_raw_parts(Tail(&mut self.tail), *head);
        let popped = coder.decode_symbol(Model(distribution));
        *head = coder.into_raw_parts().1;
        popped.map_err(|_| self.poison())
    }

    /// Pops a symbol from each of the first lanes, in ascending order, into `symbols`: the same as
    /// [`Message::pop`] one by one, and faster.
    ///
    /// # Errors
    /// As [`Message::pop`], and if there are other numbers of distributions and of symbols.
    #[inline(always)]
    pub fn pop_column<D: Distribution>(
        &mut self,
        distributions: &[D],
        symbols: &mut [D::Symbol],
    ) -> Result<()> {
        if self.poisoned {
            return Err(self.poison());
        }
        let Some(heads) = self.heads.get_mut(..symbols.len()) else {
            return Err(no_lane(symbols.len() - 1));
        };
        check_lengths(distributions.len(), symbols.len())?;
        let columns = heads
            .chunks_mut(CHUNK)
            .zip(distributions.chunks(CHUNK))
            .zip(symbols.chunks_mut(CHUNK));
        for (chunk, ((heads, distributions), symbols)) in columns.enumerate() {
            let mut quantiles = [0; CHUNK];
            match &mut self.tape {
                None => {
                    for (quantile, &head) in quantiles.iter_mut().zip(heads.iter()) {
                        *quantile = self::quantile(head);
                    }
                }
                Some(tape) => {
                    for quantile in &mut quantiles[..heads.len()] {
                        *quantile = tape.quantile()?;
                    }
                }
            }
            let mut intervals = [Interval::UNIT; CHUNK];
            D::locate_all(distributions, &quantiles, symbols, &mut intervals);
            if let Some(tape) = &mut self.tape {
                tape.take_all(chunk * CHUNK, &intervals[..heads.len()]);
                continue;
            }
            for (head, &interval) in heads.iter_mut().zip(&intervals) {
                *head = popped(*head, interval);
            }
            let mut low = lanes_where(heads, &intervals, |head, _| head < HEAD_MIN);
            while low != 0 {
                let head = &mut heads[low.trailing_zeros() as usize];
                let Some(word) = self.tail.pop() else {
                    self.poisoned = true;
                    return Err(empty());
                };
                *head = *head << 32 | u64::from(word);
                low &= low - 1;
            }
        }
        Ok(())
    }

    #[cold]
    fn poison(&mut self) -> Error {
        self.poisoned = true;
        empty()
    }
}

#[cold]
fn no_lane(lane: usize) -> Error {
    Error::invalid_argument(format!("the message has no lane {lane}"))
}

#[cold]
fn no_mass() -> Error {
    Error::invalid_argument("a symbol has no mass in its distribution")
}

#[inline(always)]
fn check_lengths(distributions: usize, symbols: usize) -> Result<()> {
    if distributions == symbols {
        return Ok(());
    }
    Err(Error::invalid_argument(format!(
        "{distributions} distributions for {symbols} symbols"
    )))
}

#[cold]
fn empty() -> Error {
    Error::insufficient_data("the message has too few words left")
}

/// The quantile that a head shows: its symbol is on top.
#[inline(always)]
fn quantile(head: u64) -> u32 {
    head as u32 & (TOTAL_MASS - 1)
}

/// The lanes, of [`CHUNK`] at most, where `is` holds: lane `i` is bit `i`. Mostly it holds nowhere, and
/// without branches both passes vectorise.
#[inline(always)]
fn lanes_where(heads: &[u64], intervals: &[Interval], is: impl Fn(u64, Interval) -> bool) -> u64 {
    let pairs = || heads.iter().zip(intervals);
    if !pairs().fold(false, |any, (&head, &interval)| any | is(head, interval)) {
        return 0;
    }
    pairs()
        .enumerate()
        .fold(0, |set, (lane, (&head, &interval))| {
            set | u64::from(is(head, interval)) << lane
        })
}

/// Whether a head must give a word to the tail before this interval is pushed.
#[inline(always)]
fn is_full(head: u64, interval: Interval) -> bool {
    head >> (64 - PRECISION) >= u64::from(interval.mass().get())
}

/// The head after a push: `floor(h / mass) * 2^24 + start + h mod mass`, for a head that is not full.
///
/// The quotient is below `2^40`. As a quotient of doubles, rounded to the nearest integer, it is that
/// or one more: both roundings together err by less than `2^-11`. So the result is exact, and free
/// of the 64-bit division, which takes tens of cycles on many machines and has no vector form.
#[inline(always)]
fn pushed(head: u64, interval: Interval) -> u64 {
    let mass = u64::from(interval.mass().get());
    // 2^52: adding it leaves the rounded quotient in the low bits.
    const SHIFT: f64 = 4_503_599_627_370_496.0;
    let nearest = (to_f64(head) / f64::from(interval.mass().get()) + SHIFT).to_bits();
    let nearest = nearest & ((1 << 52) - 1);
    let rest = head.wrapping_sub(nearest.wrapping_mul(mass));
    let above = rest >> 63;
    let quotient = nearest.wrapping_sub(above);
    let rest = rest.wrapping_add(above.wrapping_neg() & mass);
    (quotient << PRECISION)
        .wrapping_add(u64::from(interval.start()))
        .wrapping_add(rest)
}

/// `h as f64`, in a form that has vector instructions everywhere: both halves are exact, and their
/// sum is rounded once.
#[inline(always)]
fn to_f64(h: u64) -> f64 {
    const HIGH: f64 = 19_342_813_113_834_066_795_298_816.0; // 2^84
    const LOW: f64 = 4_503_599_627_370_496.0; // 2^52
    let high = f64::from_bits(HIGH.to_bits() | h >> 32);
    let low = f64::from_bits(LOW.to_bits() | (h & 0xffff_ffff));
    (high - (HIGH + LOW)) + low
}

/// The head after a pop, before it takes a word if it is below [`HEAD_MIN`].
#[inline(always)]
fn popped(head: u64, interval: Interval) -> u64 {
    let mass = u64::from(interval.mass().get());
    // Below 2^24 * 2^40: no overflow. The quantile is in the interval.
    (mass * (head >> PRECISION))
        .wrapping_add(u64::from(quantile(head).wrapping_sub(interval.start())))
}

/// The shared tail as the bulk of one head's coder.
struct Tail<'a>(&'a mut Vec<u32>);

/// The tail has no word left.
#[derive(Debug)]
struct Empty;

impl WriteWords<u32> for Tail<'_> {
    type WriteError = std::convert::Infallible;

    #[inline]
    fn write(&mut self, word: u32) -> std::result::Result<(), Self::WriteError> {
        self.0.push(word);
        Ok(())
    }
}

impl ReadWords<u32, Stack> for Tail<'_> {
    type ReadError = Empty;

    /// Never `Ok(None)`: constriction would go on with a head below `2^32`.
    #[inline]
    fn read(&mut self) -> std::result::Result<Option<u32>, Empty> {
        self.0.pop().map(Some).ok_or(Empty)
    }
}

/// The model of a symbol that is known.
struct Only(Interval);

impl EntropyModel<{ PRECISION as usize }> for Only {
    type Symbol = ();
    type Probability = u32;
}

impl EncoderModel<{ PRECISION as usize }> for Only {
    #[inline]
    fn left_cumulative_and_probability(
        &self,
        _: impl std::borrow::Borrow<()>,
    ) -> Option<(u32, NonZeroU32)> {
        Some((self.0.start(), self.0.mass()))
    }
}

/// A distribution as constriction's decoder sees it.
struct Model<'a, D>(&'a D);

impl<D: Distribution> EntropyModel<{ PRECISION as usize }> for Model<'_, D> {
    type Symbol = D::Symbol;
    type Probability = u32;
}

impl<D: Distribution> DecoderModel<{ PRECISION as usize }> for Model<'_, D> {
    #[inline]
    fn quantile_function(&self, quantile: u32) -> (D::Symbol, u32, NonZeroU32) {
        let (symbol, interval) = self.0.locate(quantile);
        (symbol, interval.start(), interval.mass())
    }
}

#[cfg(test)]
mod tests;
