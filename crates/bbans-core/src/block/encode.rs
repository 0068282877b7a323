//! From data to a block.

use ndarray::{Array2, ArrayView2, Axis, Slice};

use super::{Block, Coder, MAX_INITIAL_WORDS, Plan};
use crate::bits_back::LatentModel;
use crate::codec::Codec;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Message, initial_words};
use crate::multiset::{Urn, distinct};
use crate::point::PointCode;

/// Growth rate, in 256ths, that the encoder tries first.
const FIRST_GROWTH: u8 = 64;

/// Growth rate of few data: heads of lanes cost more than time does.
const GROWTH_OF_FEW: u8 = 4;

/// So many data are few: there every bit is looked for.
const FEW: usize = 512;

/// By so many data it is decided how a block begins, at most.
const TRIAL: usize = 8;

/// Candidates of a datum's points that are tried, where data are few, and their values.
const EFFORT: usize = 1 << 12;
const EFFORT_VALUES: usize = 1 << 22;

/// Candidates of each datum's points that a block of `count` data of `dims` dimensions tries.
pub fn point_effort(count: usize, dims: usize) -> usize {
    // What one datum may take is shared by some.
    let each = EFFORT / count.clamp(1, TRIAL);
    match count <= FEW {
        true => each.min(EFFORT_VALUES / dims.max(1)),
        false => 1,
    }
}

impl<M: LatentModel> Coder<'_, M> {
    /// Codes `data`, `[count, dims]`, as one block that begins with initial words.
    ///
    /// Data that give few bits can drain the message; then the block is started again with a slower
    /// growth or more initial words, until it goes through.
    ///
    /// # Errors
    /// If there are no data or too many, or the model cannot code them.
    pub fn encode(&self, data: ArrayView2<'_, M::X>) -> Result<Block> {
        let words = self.way.words_of_step(self.model) + 1;
        let mut plan = Plan {
            way: self.way,
            count: data.nrows(),
            points: 0,
            initial_words: words.min(MAX_INITIAL_WORDS),
            growth: FIRST_GROWTH,
        };
        plan.validate()?;
        loop {
            let drained_after = match self.attempt(data, plan, Start::InitialWords)? {
                Attempt::Done(block) => return Ok(block),
                Attempt::Drained { after, .. } => after,
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

    /// Codes `data`, `[count, dims]`, as one block that begins in the shorter way: with initial words, or with points and
    /// the word `payload`, which the decoder gives back. Blocks of many data begin in the way that is the shorter one for
    /// a few of them, or as [`Coder::decide`] found.
    ///
    /// # Errors
    /// As [`Coder::encode`].
    pub fn encode_shorter(&self, data: ArrayView2<'_, M::X>, payload: u32) -> Result<Block> {
        if data.nrows() <= FEW {
            let with_words = self.encode(data)?;
            let with_points = self.encode_with_points(data, payload);
            let shorter = |block: &Block| block.words.len() < with_words.words.len();
            // Points ask more of a model than bits-back does: it may have none for these data.
            let with_points = with_points.ok().flatten().filter(shorter);
            return Ok(with_points.unwrap_or(with_words));
        }
        let decided = self.points.get().copied();
        if decided.unwrap_or_else(|| self.points_are_shorter(data))
            && let Ok(Some(block)) = self.encode_with_points(data, payload)
        {
            return Ok(block);
        }
        self.encode(data)
    }

    /// Decides by the last few of these data, `[count, dims]`, how all blocks of many data begin.
    pub fn decide(&self, data: ArrayView2<'_, M::X>) {
        self.points.get_or_init(|| self.points_are_shorter(data));
    }

    /// Whether as many of the last data as would be points take fewer bits so than with initial words.
    fn points_are_shorter(&self, data: ArrayView2<'_, M::X>) -> bool {
        let last = |count: usize| {
            let first = data.nrows().saturating_sub(count);
            data.slice_axis(Axis(0), Slice::from(first..))
        };
        let Ok(Some(points)) = self.with_points(last(TRIAL), 0, 1) else {
            return false;
        };
        let initial_bits = |block: &Block| 32.0 * block.plan.initial_words as f64;
        match self.encode(last(points.plan.points)) {
            Ok(words) => {
                initial_bits(&points) + points.point_bits < initial_bits(&words) + words.net_bits
            }
            Err(_) => true,
        }
    }

    /// Codes `data`, `[count, dims]`, as one block that begins with points and the word `payload`; `None` if the message
    /// drains whatever their number. Blocks of few data are searched for better points.
    ///
    /// # Errors
    /// As [`Coder::encode`].
    pub fn encode_with_points(
        &self,
        data: ArrayView2<'_, M::X>,
        payload: u32,
    ) -> Result<Option<Block>> {
        let effort = point_effort(data.nrows(), self.model.dims());
        self.with_points(data, payload, effort)
    }

    fn with_points(
        &self,
        data: ArrayView2<'_, M::X>,
        payload: u32,
        effort: usize,
    ) -> Result<Option<Block>> {
        let few = data.nrows() <= FEW;
        let mut plan = Plan {
            way: self.way,
            count: data.nrows(),
            points: 0,
            initial_words: 1,
            growth: if few { GROWTH_OF_FEW } else { FIRST_GROWTH },
        };
        plan.validate()?;
        let mut enough = 32.0 * self.way.words_of_step(self.model) as f64;
        loop {
            let start = Start::Points {
                payload,
                enough,
                effort,
            };
            match self.attempt(data, plan, start)? {
                Attempt::Done(block) => return Ok(Some(block)),
                // What an order takes, the data do not give.
                Attempt::Drained { pointing: true, .. } => return Ok(None),
                Attempt::Drained { after, points, .. } => {
                    if plan.growth > 0 && (after > 2 * points || points >= plan.narrow()) {
                        plan.growth /= 2;
                    } else {
                        enough *= 1.5;
                    }
                }
            }
        }
    }

    fn attempt(&self, data: ArrayView2<'_, M::X>, mut plan: Plan, start: Start) -> Result<Attempt> {
        let (tail, enough, effort) = match start {
            Start::InitialWords => (initial_words(plan.initial_words), 0.0, 0),
            Start::Points {
                payload,
                enough,
                effort,
            } => (vec![payload], enough, effort),
        };
        let mut message = Message::new(tail);
        let initial_bits = message.bits();
        let mut pointing = matches!(start, Start::Points { .. });
        let mut order = Order::new(data, self.way.unordered);
        let (mut done, mut point_bits) = (0, 0.0);
        for (step, lanes) in plan.widths().into_iter().enumerate() {
            self.way.whiten(&mut message, step, lanes);
            pointing &= lanes == 1 && (step == 0 || message.bits() < 33.0 + enough);
            let pushed = message.grow(lanes).and_then(|()| {
                let x = order.next(&mut message, lanes, pointing && step == 0)?;
                if !pointing {
                    return self.way.push(self.model, &mut message, &x);
                }
                let (model, grid) = (self.model, self.grid()?);
                PointCode {
                    model,
                    grid,
                    effort,
                }
                .push(&mut message, &x)
            });
            match pushed {
                Ok(()) => done += lanes,
                Err(e) if e.kind() == ErrorKind::InsufficientData => {
                    return Ok(Attempt::Drained {
                        after: done,
                        points: plan.points,
                        pointing,
                    });
                }
                Err(e) => return Err(e),
            }
            if pointing {
                plan.points += 1;
                point_bits = message.bits() - initial_bits;
            }
        }
        // A new head is 2^32 + word: 33 bits for a word of 32, which the flush pays back.
        let net_bits = message.bits() - initial_bits;
        Ok(Attempt::Done(Block {
            plan,
            words: message.into_words()?,
            net_bits,
            point_bits,
        }))
    }
}

/// What a message begins with.
#[derive(Debug, Clone, Copy)]
enum Start {
    InitialWords,
    /// Points, until the message has `enough` bits for a step.
    Points {
        payload: u32,
        enough: f64,
        effort: usize,
    },
}

enum Attempt {
    Done(Block),
    /// The tail had too few words after this many data, of which some were points, for a point or for a step.
    Drained {
        after: usize,
        points: usize,
        pointing: bool,
    },
}

/// The order in which data are taken.
enum Order<'a, X> {
    /// From the last to the first.
    Last {
        data: ArrayView2<'a, X>,
        left: usize,
    },
    /// As the message says. A distinct datum has its places.
    Popped {
        data: ArrayView2<'a, X>,
        places: Vec<Vec<usize>>,
        urn: Urn,
    },
}

impl<'a, X: Clone + Ord> Order<'a, X> {
    fn new(data: ArrayView2<'a, X>, unordered: bool) -> Self {
        let left = data.nrows();
        if !unordered {
            return Self::Last { data, left };
        }
        let row = |i: usize| data.row(i).into_iter();
        let places = distinct(left, |a, b| row(a).cmp(row(b)));
        let counts: Vec<u32> = places.iter().map(|of_one| of_one.len() as u32).collect();
        Self::Popped {
            data,
            places,
            urn: Urn::new(&counts),
        }
    }

    /// The next data, `[lanes, dims]`. The very `first` of a message that holds nothing yet is not popped.
    fn next(&mut self, message: &mut Message, lanes: usize, first: bool) -> Result<Array2<X>> {
        match self {
            Self::Last { data, left } => {
                let end = *left;
                *left -= lanes;
                Ok(data.slice_axis(Axis(0), Slice::from(*left..end)).to_owned())
            }
            Self::Popped { data, places, urn } => {
                let mut rows = Vec::with_capacity(lanes);
                for lane in 0..lanes {
                    let symbol = match first {
                        true => urn.first(),
                        false => urn.pop(message, lane)?,
                    };
                    rows.extend(places[symbol].pop());
                }
                Ok(data.select(Axis(0), &rows))
            }
        }
    }
}
