//! A block: an independently decodable run of data, coded as one message.
//!
//! The encoder starts from the block's last datum. Its first steps are narrow and widen as the
//! message grows, so that what a block begins with is of about one datum and not of one for every
//! lane: initial words, or data in a point code, which needs none. The widths depend on the number
//! of data, of lanes and on the growth rate alone.

mod decode;
mod encode;

pub use encode::point_effort;

use std::sync::OnceLock;

use ndarray::{Array2, ArrayView2};

use crate::bits_back::{BitsBack, LatentModel};
use crate::codec::Codec;
use crate::distribution::PRECISION;
use crate::error::{Error, Result};
use crate::message::{Message, initial_words};
use crate::monte_carlo::{CoupledImportanceSampling, ImportanceSampling, MAX_PARTICLES};
use crate::point::Grid;

/// Most data in a block.
pub const MAX_COUNT: usize = 1 << 16;
/// Most lanes.
pub const MAX_LANES: usize = 1 << 12;
/// Most initial words.
pub const MAX_INITIAL_WORDS: usize = 1 << 24;

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
    /// Whether several particles are coupled. If not, a step takes the bits and the memory of every particle, and has at
    /// most [`MAX_LANES`] particles over all lanes.
    pub coupled: bool,
    /// The data are a multiset: they are decoded in ascending order, and their order is not paid for.
    pub unordered: bool,
}

/// What a decoder must know of a block besides the model and the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How the data are coded.
    pub way: Way,
    /// Number of data, 1 to [`MAX_COUNT`].
    pub count: usize,
    /// Of these the data that the encoder begins with, in a [`crate::PointCode`]. All their steps have the width 1.
    pub points: usize,
    /// Number of initial words, up to [`MAX_INITIAL_WORDS`]; 1, a word of the caller's, where there are points.
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
    /// Of these bits those of points.
    pub point_bits: f64,
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

    /// Number of first steps of width 1.
    fn narrow(&self) -> usize {
        let widths = self.widths();
        widths.iter().take_while(|&&width| width == 1).count()
    }

    fn validate(&self) -> Result<()> {
        let Self {
            way,
            count,
            points,
            initial_words,
            ..
        } = *self;
        way.check()?;
        if !(1..=MAX_COUNT).contains(&count) || initial_words > MAX_INITIAL_WORDS {
            return Err(Error::invalid_argument(format!(
                "a block of {count} data and {initial_words} initial words; the limits are {MAX_COUNT} data and \
                 {MAX_INITIAL_WORDS} words"
            )));
        }
        let narrow = self.narrow();
        if points > narrow || points > 0 && initial_words != 1 {
            return Err(Error::invalid_argument(format!(
                "a block that begins with {points} points and {initial_words} initial words; expected 1 word, and no \
                 more points than its {narrow} first steps of width 1"
            )));
        }
        Ok(())
    }

    /// The words that the message begins with.
    fn first_words(&self, payload: u32) -> Vec<u32> {
        match self.points {
            0 => initial_words(self.initial_words),
            _ => vec![payload],
        }
    }
}

impl Way {
    /// Bits-back coding as it is in the first version of the format.
    pub fn plain(lanes: usize) -> Self {
        Self {
            lanes,
            whitened: 0,
            particles: 1,
            coupled: true,
            unordered: false,
        }
    }

    /// Checks the limits, which every writer and reader keeps to.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] with what is beyond them.
    pub fn check(&self) -> Result<()> {
        let Self {
            lanes,
            whitened,
            particles,
            coupled,
            ..
        } = *self;
        if !(1..=MAX_LANES).contains(&lanes)
            || !(1..=MAX_PARTICLES).contains(&particles)
            || whitened > MAX_INITIAL_WORDS
        {
            return Err(Error::invalid_argument(format!(
                "{lanes} lanes, {particles} particles and {whitened} whitened words; expected 1 to {MAX_LANES} lanes, 1 to \
                 {MAX_PARTICLES} particles, and at most {MAX_INITIAL_WORDS} words"
            )));
        }
        if !coupled && !(2..=MAX_LANES / lanes).contains(&particles) {
            return Err(Error::invalid_argument(format!(
                "{particles} uncoupled particles for each of {lanes} lanes; expected 2 or more, and at most {MAX_LANES} over \
                 all lanes: fewer lanes leave room for more particles"
            )));
        }
        Ok(())
    }

    /// With as many words whitened as a step of this way takes of the message.
    pub fn whitened<M: LatentModel>(self, model: &M) -> Self {
        Self {
            whitened: self.words_of_step(model),
            ..self
        }
    }

    /// Words for each lane that a step takes from the message, about, and one more.
    pub fn words_of_step<M: LatentModel>(&self, model: &M) -> usize {
        let bits = match self.particles {
            2.. if self.coupled => f64::from(PRECISION) * model.latents() as f64,
            particles => particles as f64 * model.posterior_bits(),
        };
        (bits / 32.0).ceil() as usize + 1
    }

    /// Whitens the message before the encoder's step of this number and width, or takes it back.
    fn whiten(&self, message: &mut Message, step: usize, lanes: usize) {
        if step > 0 && self.whitened > 0 {
            message.whiten(step as u64, lanes.saturating_mul(self.whitened));
        }
    }

    /// Pushes data, `[lanes, dims]`, as a step does.
    ///
    /// # Errors
    /// As [`BitsBack`], [`CoupledImportanceSampling`] and [`ImportanceSampling`].
    pub fn push<M: LatentModel>(
        &self,
        model: &M,
        message: &mut Message,
        x: &Array2<M::X>,
    ) -> Result<()> {
        let (lanes, particles) = (x.nrows(), self.particles);
        match particles {
            1 => BitsBack { model, lanes }.push(message, x),
            _ if self.coupled => CoupledImportanceSampling {
                model,
                lanes,
                particles,
            }
            .push(message, x),
            _ => ImportanceSampling {
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
            _ if self.coupled => CoupledImportanceSampling {
                model,
                lanes,
                particles,
            }
            .pop(message),
            _ => ImportanceSampling {
                model,
                lanes,
                particles,
            }
            .pop(message),
        }
    }
}

/// Codes blocks of one model in one way.
#[derive(Debug)]
pub struct Coder<'a, M> {
    model: &'a M,
    way: Way,
    /// Found when the first block begins with points.
    grid: OnceLock<Grid>,
    /// Whether blocks of many data begin with points, once some data have decided it.
    points: OnceLock<bool>,
}

impl<'a, M: LatentModel> Coder<'a, M> {
    /// A coder of this model and way.
    pub fn new(model: &'a M, way: Way) -> Self {
        Self {
            model,
            way,
            grid: OnceLock::new(),
            points: OnceLock::new(),
        }
    }

    fn grid(&self) -> Result<&Grid> {
        if let Some(grid) = self.grid.get() {
            return Ok(grid);
        }
        let grid = Grid::new(self.model)?;
        Ok(self.grid.get_or_init(|| grid))
    }
}

/// Codes `data`, `[count, dims]`, as one block, by plain bits-back coding.
///
/// # Errors
/// As [`Coder::encode`].
pub fn encode<M: LatentModel>(
    model: &M,
    data: ArrayView2<'_, M::X>,
    lanes: usize,
) -> Result<Block> {
    encode_by(model, data, Way::plain(lanes))
}

/// Codes `data`, `[count, dims]`, as one block that begins with initial words.
///
/// # Errors
/// As [`Coder::encode`].
pub fn encode_by<M: LatentModel>(model: &M, data: ArrayView2<'_, M::X>, way: Way) -> Result<Block> {
    Coder::new(model, way).encode(data)
}

/// Decodes a block: data of shape `[count, dims]`.
///
/// # Errors
/// As [`Coder::decode`].
pub fn decode<M: LatentModel>(model: &M, plan: Plan, words: Vec<u32>) -> Result<Array2<M::X>> {
    let decoded = Coder::new(model, plan.way).decode(plan, words)?;
    Ok(decoded.data)
}

/// What a block decodes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded<X> {
    /// `[count, dims]`.
    pub data: Array2<X>,
    /// The word that the encoder was given to begin with, where the block begins with points.
    pub payload: Option<u32>,
}
