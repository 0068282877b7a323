//! A block: an independently decodable run of data, coded as one message.
//!
//! The encoder starts from the block's last datum. Its first steps are narrow and widen as the
//! message grows, so that the initial words of a block are those of about one datum and not of one
//! for every lane. The widths depend on the number of data, of lanes and on the growth rate alone.

use ndarray::{Array2, ArrayView2, Axis, Slice};

use crate::bits_back::{BitsBack, LatentModel};
use crate::codec::Codec;
use crate::distribution::PRECISION;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Message, initial_words};
use crate::monte_carlo::{MAX_PARTICLES, MonteCarlo};

/// Most data in a block.
pub const MAX_COUNT: usize = 1 << 16;
/// Most lanes.
pub const MAX_LANES: usize = 1 << 12;
/// Most initial words.
pub const MAX_INITIAL_WORDS: usize = 1 << 24;

/// Growth rate, in 256ths, that the encoder tries first.
const FIRST_GROWTH: u8 = 64;

/// How the data of a block are coded: the same for all blocks of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// Greatest width of a step, 1 to [`MAX_LANES`].
    pub lanes: usize,
    /// Words of the tail, for each lane of a step, that are whitened before it, up to [`MAX_INITIAL_WORDS`]; with 0
    /// heads and words are left as they are.
    pub whitened: usize,
    /// Particles of a datum, 1 to [`MAX_PARTICLES`]; 1 is plain bits-back coding.
    pub particles: usize,
}

/// What a decoder must know of a block besides the model and the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How the data are coded.
    pub way: Way,
    /// Number of data, 1 to [`MAX_COUNT`].
    pub count: usize,
    /// Number of initial words, up to [`MAX_INITIAL_WORDS`].
    pub initial_words: usize,
    /// After `n` data, a step has at most `n * growth / 256` lanes.
    pub growth: u8,
}

/// A block as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// How it was coded.
    pub plan: Plan,
    /// The message.
    pub words: Vec<u32>,
    /// Growth of the message over its initial words, before its heads were flushed.
    pub net_bits: f64,
}

impl Plan {
    /// Widths of the steps in the order of encoding; they sum to `count`.
    ///
    /// After `n` data the width is `n * growth / 256`, rounded down, but at least 1, at most
    /// `lanes`, and no more than the data that are left.
    pub fn widths(&self) -> Vec<usize> {
        let mut widths = Vec::new();
        let mut done = 0;
        while done < self.count {
            let width = done * usize::from(self.growth) / 256;
            widths.push(width.clamp(1, self.way.lanes.max(1)).min(self.count - done));
            done += widths.last().copied().unwrap_or(1);
        }
        widths
    }

    fn validate(&self) -> Result<()> {
        let Self {
            way:
                Way {
                    lanes,
                    whitened,
                    particles,
                },
            count,
            initial_words,
            ..
        } = *self;
        if (1..=MAX_COUNT).contains(&count)
            && (1..=MAX_LANES).contains(&lanes)
            && initial_words.max(whitened) <= MAX_INITIAL_WORDS
            && (1..=MAX_PARTICLES).contains(&particles)
        {
            return Ok(());
        }
        Err(Error::invalid_argument(format!(
            "a block of {count} data, {lanes} lanes, {particles} particles, {initial_words} initial and {whitened} \
             whitened words; the limits are {MAX_COUNT}, {MAX_LANES}, {MAX_PARTICLES}, and {MAX_INITIAL_WORDS} words"
        )))
    }
}

impl Way {
    /// Bits-back coding as it is in the first version of the format.
    pub fn plain(lanes: usize) -> Self {
        Self {
            lanes,
            whitened: 0,
            particles: 1,
        }
    }

    /// With as many particles, and as many words whitened as their latents take of the message.
    pub fn whitened<M: LatentModel>(model: &M, lanes: usize, particles: usize) -> Self {
        let plain = Self {
            particles,
            ..Self::plain(lanes)
        };
        Self {
            whitened: plain.words_of_step(model),
            ..plain
        }
    }

    /// Words for each lane that a step takes from the message, about, and one more.
    pub fn words_of_step<M: LatentModel>(&self, model: &M) -> usize {
        let bits = match self.particles {
            1 => model.posterior_bits(),
            _ => f64::from(PRECISION) * model.latents() as f64,
        };
        (bits / 32.0).ceil() as usize + 1
    }

    /// Whitens the message before the encoder's step of this number and width, or takes it back.
    fn whiten(&self, message: &mut Message, step: usize, lanes: usize) {
        if step > 0 && self.whitened > 0 {
            message.whiten(step as u64, lanes.saturating_mul(self.whitened));
        }
    }

    fn push<M: LatentModel>(
        &self,
        model: &M,
        message: &mut Message,
        x: &Array2<M::X>,
    ) -> Result<()> {
        let (lanes, particles) = (x.nrows(), self.particles);
        match particles {
            1 => BitsBack { model, lanes }.push(message, x),
            _ => MonteCarlo {
                model,
                lanes,
                particles,
            }
            .push(message, x),
        }
    }

    fn pop<M: LatentModel>(
        &self,
        model: &M,
        message: &mut Message,
        lanes: usize,
    ) -> Result<Array2<M::X>> {
        let particles = self.particles;
        match particles {
            1 => BitsBack { model, lanes }.pop(message),
            _ => MonteCarlo {
                model,
                lanes,
                particles,
            }
            .pop(message),
        }
    }
}

/// Codes `data`, `[count, dims]`, as one block, by plain bits-back coding.
///
/// # Errors
/// As [`encode_by`].
pub fn encode<M: LatentModel>(
    model: &M,
    data: ArrayView2<'_, M::X>,
    lanes: usize,
) -> Result<Block> {
    encode_by(model, data, Way::plain(lanes))
}

/// Codes `data`, `[count, dims]`, as one block.
///
/// Data that give few bits can drain the message; then the block is started again with a slower
/// growth or more initial words, until it goes through.
///
/// # Errors
/// If there are no data or too many, or the model cannot code them.
pub fn encode_by<M: LatentModel>(model: &M, data: ArrayView2<'_, M::X>, way: Way) -> Result<Block> {
    let words = way.words_of_step(model) + 1;
    let mut plan = Plan {
        way,
        count: data.nrows(),
        initial_words: words.min(MAX_INITIAL_WORDS),
        growth: FIRST_GROWTH,
    };
    plan.validate()?;
    loop {
        let drained_after = match attempt(model, data, plan)? {
            Attempt::Done(block) => return Ok(block),
            Attempt::Drained { after } => after,
        };
        if drained_after > 0 && plan.growth > 0 {
            plan.growth /= 2;
        } else if plan.initial_words < MAX_INITIAL_WORDS {
            plan.initial_words =
                (plan.initial_words + plan.initial_words / 2 + 4).min(MAX_INITIAL_WORDS);
        } else {
            return Err(Error::model(format!(
                "one datum takes more than {MAX_INITIAL_WORDS} words from the message"
            )));
        }
    }
}

enum Attempt {
    Done(Block),
    /// The tail had too few words after this many data.
    Drained {
        after: usize,
    },
}

fn attempt<M: LatentModel>(model: &M, data: ArrayView2<'_, M::X>, plan: Plan) -> Result<Attempt> {
    let mut message = Message::with_initial_words(plan.initial_words);
    let initial_bits = message.bits();
    let mut end = plan.count;
    for (step, lanes) in plan.widths().into_iter().enumerate() {
        plan.way.whiten(&mut message, step, lanes);
        let x = data
            .slice_axis(Axis(0), Slice::from(end - lanes..end))
            .to_owned();
        let pushed = message
            .grow(lanes)
            .and_then(|()| plan.way.push(model, &mut message, &x));
        match pushed {
            Ok(()) => end -= lanes,
            Err(e) if e.kind() == ErrorKind::InsufficientData => {
                return Ok(Attempt::Drained {
                    after: plan.count - end,
                });
            }
            Err(e) => return Err(e),
        }
    }
    // A new head is 2^32 + word: 33 bits for a word of 32, which the flush pays back.
    let net_bits = message.bits() - initial_bits;
    Ok(Attempt::Done(Block {
        plan,
        words: message.into_words()?,
        net_bits,
    }))
}

/// Decodes a block: data of shape `[count, dims]`.
///
/// # Errors
/// [`ErrorKind::Corruption`] if the words are not a block of this plan and model.
pub fn decode<M: LatentModel>(model: &M, plan: Plan, words: Vec<u32>) -> Result<Array2<M::X>> {
    plan.validate()?;
    decode_steps(model, plan, words).map_err(|e| match e.kind() {
        ErrorKind::InsufficientData | ErrorKind::InvalidArgument => {
            Error::corruption("the block does not decode").because(e)
        }
        _ => e,
    })
}

fn decode_steps<M: LatentModel>(model: &M, plan: Plan, words: Vec<u32>) -> Result<Array2<M::X>> {
    let widths = plan.widths();
    let heads = widths.iter().copied().max().unwrap_or(1);
    let mut message = Message::from_words(words, heads)?;
    // No promise of a damaged file is believed: it must first decode.
    let expected = plan.count.saturating_mul(model.dims());
    let mut data = Vec::with_capacity(expected.min(1 << 22));
    for (i, &lanes) in widths.iter().enumerate().rev() {
        let x = plan.way.pop(model, &mut message, lanes)?;
        match x.as_slice() {
            Some(rows) => data.extend_from_slice(rows),
            None => data.extend(x.iter().cloned()),
        }
        message.shrink(widths[..i].iter().copied().max().unwrap_or(0))?;
        plan.way.whiten(&mut message, i, lanes);
    }
    if message.tail() != initial_words(plan.initial_words) {
        return Err(Error::corruption(
            "the block does not end with its initial words",
        ));
    }
    Array2::from_shape_vec((plan.count, model.dims()), data).map_err(Error::invalid_argument)
}
