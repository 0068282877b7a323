//! The message: an ANS stack with several heads over one tail.
//!
//! A head is a 64-bit ANS state, one for each lane; the tail is a stack of 32-bit words that all
//! heads share. Coding a symbol touches one head and moves a word to or from the tail where the
//! head leaves its range. The arithmetic is that of constriction's `AnsCoder<u32, u64>`; see also
//! Duda 2013 (arXiv 1311.2540) and, for many heads, Giesen 2014 (arXiv 1402.3392).

use std::num::NonZeroU32;

use constriction::Stack;
use constriction::backends::{ReadWords, WriteWords};
use constriction::stream::model::{DecoderModel, EncoderModel, EntropyModel};
use constriction::stream::stack::AnsCoder;
use constriction::stream::{Decode, Encode};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::distribution::{Distribution, Interval, PRECISION};
use crate::distributions::Uniform;
use crate::error::{Error, Result};

/// The smallest value of a head.
const HEAD_MIN: u64 = 1 << 32;

/// Key of the ChaCha8 generator that initial words come from; its nonce is zero.
const INITIAL_KEY: &[u8; 32] = b"bbans initial words, version one";

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
}

impl Message {
    /// A message without heads over these words, the top one last.
    pub fn new(words: Vec<u32>) -> Self {
        Self {
            heads: Vec::new(),
            tail: words,
            poisoned: false,
        }
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

    /// Pushes a symbol's interval on a lane.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if there is no such lane.
    #[inline]
    pub fn push(&mut self, lane: usize, interval: Interval) -> Result<()> {
        let Some(head) = self.heads.get_mut(lane) else {
            return Err(no_lane(lane));
        };
        let mut coder = AnsCoder::from_raw_parts(Tail(&mut self.tail), *head);
        // The model knows its one symbol and the tail takes every word: this cannot fail.
        let pushed = coder.encode_symbol((), Only(interval));
        *head = coder.into_raw_parts().1;
        pushed.map_err(|_| Error::invalid_argument("a symbol without mass cannot be pushed"))
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
        let mut coder = AnsCoder::from_raw_parts(Tail(&mut self.tail), *head);
        let popped = coder.decode_symbol(Model(distribution));
        *head = coder.into_raw_parts().1;
        popped.map_err(|_| self.poison())
    }

    #[cold]
    fn poison(&mut self) -> Error {
        self.poisoned = true;
        Error::insufficient_data("the message has too few words left")
    }

    /// Ends the message: words from which [`Message::from_words`] makes it again.
    ///
    /// Head 0 is stored whole, low word first, after the tail. Of every other head, from the last
    /// to the first, the low word goes raw onto the tail; of the high word, whose bit length is
    /// `b`, the `b - 1` bits below the leading one are pushed onto head 0, at most 16 at a time and
    /// the lower ones first, then `b - 1`, uniform of 32. That costs about 5 bits a head.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if there is no head.
    pub fn into_words(mut self) -> Result<Vec<u32>> {
        while self.heads.len() > 1 {
            let head = self.heads.pop().unwrap_or(HEAD_MIN);
            self.tail.push(head as u32);
            let high = (head >> 32) as u32;
            let below = high.checked_ilog2().unwrap_or(0);
            let low_bits = below.min(16);
            self.push_bits(low_bits, high & mask(low_bits))?;
            self.push_bits(below - low_bits, (high & mask(below)) >> low_bits)?;
            self.push_bits(5, below)?;
        }
        let Some(&head) = self.heads.first() else {
            return Err(Error::invalid_argument(
                "a message without heads cannot be stored",
            ));
        };
        self.tail.extend([head as u32, (head >> 32) as u32]);
        Ok(self.tail)
    }

    /// The message of `lanes` heads that [`Message::into_words`] ended.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Corruption`] if these are not such words.
    pub fn from_words(mut words: Vec<u32>, lanes: usize) -> Result<Self> {
        let (Some(high), Some(low)) = (words.pop(), words.pop()) else {
            return Err(Error::corruption("a message of less than two words"));
        };
        if high == 0 {
            return Err(Error::corruption(
                "the first head of a message is below 2^32",
            ));
        }
        let head = u64::from(high) << 32 | u64::from(low);
        let mut message = Self {
            heads: vec![head],
            tail: words,
            poisoned: false,
        };
        let short = |_| Error::corruption("a message is too short for its heads");
        for _ in 1..lanes {
            let below = message.pop_bits(5).map_err(short)?;
            let low_bits = below.min(16);
            let upper = message.pop_bits(below - low_bits).map_err(short)?;
            let lower = message.pop_bits(low_bits).map_err(short)?;
            let high = 1 << below | upper << low_bits | lower;
            let low = message.tail.pop().ok_or_else(|| short(message.poison()))?;
            message.heads.push(u64::from(high) << 32 | u64::from(low));
        }
        Ok(message)
    }

    fn push_bits(&mut self, bits: u32, value: u32) -> Result<()> {
        let interval = Uniform::of_bits(bits).interval(&value);
        self.push(
            0,
            interval.ok_or_else(|| Error::invalid_argument("a value of too many bits"))?,
        )
    }

    fn pop_bits(&mut self, bits: u32) -> Result<u32> {
        self.pop(0, &Uniform::of_bits(bits))
    }
}

fn mask(bits: u32) -> u32 {
    ((1u64 << bits) - 1) as u32
}

#[cold]
fn no_lane(lane: usize) -> Error {
    Error::invalid_argument(format!("the message has no lane {lane}"))
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
