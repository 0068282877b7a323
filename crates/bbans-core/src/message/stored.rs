//! A message as words: its heads stored with few bits each.

use super::{HEAD_MIN, Message};
use crate::distribution::Distribution;
use crate::distributions::Uniform;
use crate::error::{Error, Result};

impl Message {
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
            tape: None,
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
