//! Shared randomness: a generator in which any candidate can be reached in constant time.

use bbans_core::distributions::Categorical;
use bbans_core::{Distribution, Error, Message, Result};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Candidates of one group of latents of one message: ChaCha8 of the run's seed, the stream is the
/// message's number, and each group has a part of the stream.
#[derive(Debug, Clone)]
pub struct Shared {
    rng: ChaCha8Rng,
    group: u64,
}

/// Words of a stream for each group.
const GROUP_WORDS: u128 = 1 << 48;

impl Shared {
    /// For group number `group` of message number `message` of a run.
    pub fn new(seed: u64, message: u64, group: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(message);
        let group = group & 0xffff;
        rng.set_word_pos(u128::from(group) * GROUP_WORDS);
        Self { rng, group }
    }

    /// Goes to candidate number `candidate`, from 0 on, of `words` words each.
    ///
    /// # Errors
    /// If it lies beyond the group's part of the stream.
    pub(crate) fn seek(&mut self, candidate: u64, words: usize) -> Result<()> {
        let at = u128::from(candidate) * words as u128;
        if at + words as u128 > GROUP_WORDS {
            return Err(Error::corruption(format!(
                "part 1 names candidate {candidate}, beyond the end of the shared randomness"
            )));
        }
        self.rng
            .set_word_pos(u128::from(self.group) * GROUP_WORDS + at);
        Ok(())
    }

    /// The latents of candidate number `candidate`, from 0 on, which begins with a word for each.
    ///
    /// # Errors
    /// As [`Shared::seek`].
    pub(crate) fn candidate(
        &mut self,
        candidate: u64,
        words: usize,
        prior: &[Categorical],
    ) -> Result<Vec<u32>> {
        self.seek(candidate, words)?;
        Ok(prior.iter().map(|p| self.symbol(p)).collect())
    }

    /// Randomness of the sender alone, for the same group: a part of the stream beyond all candidates.
    pub(crate) fn private(&self) -> Self {
        let mut private = Self {
            rng: self.rng.clone(),
            group: self.group + (1 << 16),
        };
        private
            .rng
            .set_word_pos(u128::from(private.group) * GROUP_WORDS);
        private
    }

    /// Leaves out words.
    pub(crate) fn skip(&mut self, words: usize) {
        let at = self.rng.get_word_pos();
        self.rng.set_word_pos(at + words as u128);
    }

    /// A symbol of a distribution, from one word.
    pub(crate) fn symbol(&mut self, distribution: &Categorical) -> u32 {
        distribution.locate(self.rng.next_u32() >> 8).0
    }

    /// Uniform in `[0, 1)`, from two words.
    pub(crate) fn uniform(&mut self) -> f64 {
        let high = u64::from(self.rng.next_u32());
        let bits = high << 32 | u64::from(self.rng.next_u32());
        (bits >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Exponential with rate 1, from two words.
    pub(crate) fn exponential(&mut self) -> f64 {
        -(1.0 - self.uniform()).ln()
    }
}

/// The message of a two-part code before anything is on it.
///
/// # Errors
/// None.
pub fn empty_message() -> Result<Message> {
    let mut message = Message::new(vec![0]);
    message.grow(1)?;
    Ok(message)
}

/// Checks that everything was popped: a message that is cut short, damaged, or read with another seed
/// or model almost never ends empty.
///
/// # Errors
/// [`bbans_core::ErrorKind::Corruption`] if the message is not as [`empty_message`] makes it.
pub fn check_empty(message: &Message) -> Result<()> {
    if *message == empty_message()? {
        return Ok(());
    }
    Err(Error::corruption(
        "a two-part message does not end empty: it is damaged, or was written with another seed, \
         another model or another code",
    ))
}

/// Bits that a message has grown since [`empty_message`].
pub fn message_bits(message: &Message) -> f64 {
    message.bits() - 32.0
}
