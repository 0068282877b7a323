//! A point code: a datum without bits of the message, its latents at points of a coarse grid.
//!
//! Bits-back pops its latents from the message. Where there is no message yet, they are coded instead: each latent has a
//! grid of cells, and is taken at the centre of one of them.
//!
//! ```text
//! push(x):  c <- the cells that cost least;  z = points of c;   push x with p(x|z);   push c with the prior's mass
//! pop():    the same backwards
//! ```
//!
//! A cell is about as wide as a uniform distribution of the posterior's deviation, `sqrt(12)` of it: finer ones cost more
//! than they give. Both sides find the widths from data that they draw from the model. Nothing is popped from the
//! message, so nothing comes back either: the code pays some bits over the bound, and needs none to begin with. It is
//! the two-part code of minimum description length with parameters of limited precision (Wallace & Boulton 1968).

use ndarray::{Array2, Axis};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::bits_back::LatentModel;
use crate::codec::{Codec, Independent};
use crate::distribution::{Distribution, TOTAL_MASS};
use crate::distributions::{Categorical, normal_cdf};
use crate::error::{Error, ErrorKind, Result};
use crate::message::Message;
use crate::tape::{FRACTION, Tape};

/// Key of the ChaCha8 generator that the data come from by which widths are found; its nonce is zero.
const SAMPLES_KEY: &[u8; 32] = b"bbans samples of a point code, 1";

/// Data by which widths are found, at most and at least: fewer of large ones, so that they have about so many values.
const SAMPLES: [usize; 2] = [32, 4];
const SAMPLED_VALUES: usize = 1 << 17;

/// Most words that they may take.
const MAX_WORDS: usize = 1 << 26;

/// Greatest width index: the finest cells.
const MAX_WIDTH: i64 = 22;

/// Half the widest cells, and half the next ones: `sqrt(3)` and `sqrt(3/2)`.
const HALF_WIDTHS: [f32; 2] = [1.732_050_8, 1.224_744_9];

/// Cells begin below this many standard deviations of the prior.
const REACH: f32 = 4.0;

/// Candidates that are measured side by side.
const CANDIDATES: usize = 64;

/// Cells of one width, in standard deviations of a normal prior, from the lowest: cell `c` of `2C + 1` has its centre
/// at `(c - C) * w`, and the outermost ones have no end.
#[derive(Debug, Clone, PartialEq)]
struct Cells {
    masses: Categorical,
    /// The prior's quantile at the centre of each.
    centres: Vec<u32>,
}

impl Cells {
    fn new(width: u8) -> Result<Self> {
        let half = HALF_WIDTHS[usize::from(width % 2)] / f32::from(1u16 << (width / 2).min(15));
        let beyond = (1..).find(|&c| (2 * c + 1) as f32 * half >= REACH);
        let last: i32 = beyond.unwrap_or(1);
        let mut ends: Vec<u32> = (-last..last)
            .map(|c| normal_cdf((2 * c + 1) as f32 * half))
            .collect();
        ends.push(TOTAL_MASS);
        let mut start = 0;
        let masses: Vec<u32> = (ends.iter())
            .map(|&end| end - std::mem::replace(&mut start, end))
            .collect();
        let centre = |c: i32| normal_cdf((2 * c) as f32 * half).min(TOTAL_MASS - 1);
        Ok(Self {
            masses: Categorical::from_masses(&masses)?,
            centres: (-last..=last).map(centre).collect(),
        })
    }
}

/// The grids of a model's latents.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// By width index.
    cells: Vec<Cells>,
    /// Width index of each latent.
    widths: Vec<u8>,
}

impl Grid {
    /// The grid of a model. It evaluates the model at data drawn from it.
    ///
    /// Width index `j` stands for cells of `sqrt(12) 2^(-j/2)` standard deviations of the prior, where `j/2` is the
    /// information in bits that the posterior has on average about that latent: for normal distributions that is
    /// minus the logarithm of its standard deviation, where the data are the model's.
    ///
    /// # Errors
    /// As the model says.
    pub fn new<M: LatentModel>(model: &M) -> Result<Self> {
        let (latents, [most, least]) = (model.latents(), SAMPLES);
        let count = (SAMPLED_VALUES / model.dims().max(1)).clamp(least, most);
        let mut rng = ChaCha8Rng::from_seed(*SAMPLES_KEY);
        let quantiles = Array2::from_shape_fn((count, latents), |_| rng.next_u32() >> 8);
        let x = samples(model, count, rng)?;
        let mut of_posterior =
            Message::measuring(Tape::of_intervals(count).with_quantiles(&quantiles));
        let z = model.posterior(&x)?.pop(&mut of_posterior)?;
        let mut of_prior = Message::measuring(Tape::of_intervals(count));
        model.prior(count)?.push(&mut of_prior, &z)?;
        let of_prior = of_prior.into_tape().into_lengths_of_symbols();
        let of_posterior = of_posterior.into_tape().into_lengths_of_symbols();
        let mut sums = vec![0; latents];
        for (p, q) in of_prior.iter().zip(&of_posterior) {
            // What is pushed comes backwards.
            for ((sum, &p), &q) in sums.iter_mut().zip(p.iter().rev()).zip(q) {
                *sum += p as i64 - q as i64;
            }
        }
        // Half bits of the mean, rounded.
        let unit = (count as i64) << FRACTION;
        let width = |sum: &i64| ((4 * sum + unit).div_euclid(2 * unit)).clamp(0, MAX_WIDTH) as u8;
        let widths: Vec<u8> = sums.iter().map(width).collect();
        let finest = widths.iter().copied().max().unwrap_or(0);
        Ok(Self {
            cells: (0..=finest).map(Cells::new).collect::<Result<_>>()?,
            widths,
        })
    }

    fn of(&self, latent: usize) -> &Cells {
        &self.cells[usize::from(self.widths[latent])]
    }

    /// The prior over cells, for one datum.
    fn prior(&self) -> Independent<Array2<&Categorical>> {
        Independent::new(1, self.widths.len(), |_, k| &self.of(k).masses)
    }
}

/// Data of the model, `[lanes, dims]`, of a message whose words are the generator's, the first on top.
fn samples<M: LatentModel>(model: &M, lanes: usize, mut rng: ChaCha8Rng) -> Result<Array2<M::X>> {
    let mut words: Vec<u32> = Vec::new();
    let mut count = 1 << 12;
    loop {
        words.extend((words.len()..count).map(|_| rng.next_u32()));
        let mut message = Message::new(words.iter().rev().copied().collect());
        message.grow(lanes)?;
        let drawn = (model.prior(lanes)?.pop(&mut message))
            .and_then(|z| model.likelihood(&z)?.pop(&mut message));
        match drawn {
            Err(e) if e.kind() == ErrorKind::InsufficientData && count < MAX_WORDS => count *= 2,
            drawn => return drawn,
        }
    }
}

/// The codec of one datum, `[1, dims]`.
#[derive(Debug, Clone, Copy)]
pub struct PointCode<'a, M> {
    /// The model.
    pub model: &'a M,
    /// Its grids.
    pub grid: &'a Grid,
    /// How many candidates are measured to find better cells than those of the posterior's medians. It does not change
    /// what is decoded.
    pub effort: usize,
}

impl<M: LatentModel> PointCode<'_, M> {
    /// The latents at the centres of cells, `[lanes, latents]`.
    fn points(&self, cells: &Array2<u32>) -> Result<Array2<M::Z>> {
        let centre = |((_, k), &c): ((usize, usize), &u32)| {
            let centres = &self.grid.of(k).centres;
            centres.get(c as usize).copied()
        };
        let quantiles: Option<Vec<u32>> = cells.indexed_iter().map(centre).collect();
        let quantiles = quantiles.ok_or_else(|| Error::invalid_argument("a cell out of range"))?;
        let quantiles =
            Array2::from_shape_vec(cells.dim(), quantiles).map_err(Error::invalid_argument)?;
        let lanes = cells.nrows();
        let mut tape = Message::measuring(Tape::of_lengths(lanes).with_quantiles(&quantiles));
        self.model.prior(lanes)?.pop(&mut tape)
    }

    /// Pops the latents of a datum, `[1, latents]`, which are the first part of its code.
    ///
    /// # Errors
    /// If the message has too few words.
    pub fn pop_latents(&self, message: &mut Message) -> Result<Array2<M::Z>> {
        self.points(&self.grid.prior().pop(message)?)
    }

    /// The cells that the medians of the posterior lie in; those of a group of latents given the points of the groups
    /// before it.
    fn nearest(&self, x: &Array2<M::X>) -> Result<Array2<u32>> {
        let latents = self.model.latents();
        let (posterior, prior) = (self.model.posterior(x)?, self.model.prior(1)?);
        let mut quantiles = Array2::from_elem((1, latents), TOTAL_MASS / 2);
        let mut cells = Array2::zeros((1, latents));
        let mut known = 0;
        for group in self.model.groups() {
            let mut tape = Message::measuring(Tape::of_lengths(1).with_quantiles(&quantiles));
            let medians = posterior.pop(&mut tape)?;
            let of_prior = middles(&prior, &medians)?;
            for (k, &middle) in of_prior.iter().enumerate().take(latents).skip(known) {
                cells[(0, k)] = self.grid.of(k).masses.locate(middle).0;
            }
            known += group;
            if known >= latents {
                break;
            }
            // What the posterior must be asked for to give these points.
            let of_posterior = middles(&posterior, &self.points(&cells)?)?;
            for (q, middle) in quantiles.iter_mut().zip(of_posterior).take(known) {
                *q = middle;
            }
        }
        Ok(cells)
    }

    /// Information content of the datum at each row of cells, in units of `2^-20` bits.
    fn lengths(&self, x: &Array2<M::X>, cells: &Array2<u32>) -> Result<Vec<u64>> {
        let lanes = cells.nrows();
        let x = x.select(Axis(0), &vec![0; lanes]);
        let mut tape = Message::measuring(Tape::of_lengths(lanes));
        (self.model.likelihood(&self.points(cells)?)?).push(&mut tape, &x)?;
        let prior = Independent::new(lanes, self.grid.widths.len(), |_, k| {
            &self.grid.of(k).masses
        });
        prior.push(&mut tape, cells)?;
        Ok(tape.into_tape().lengths().to_vec())
    }

    /// Better cells, by steps of one cell of one latent, as long as they give something.
    fn search(&self, x: &Array2<M::X>, cells: &mut Array2<u32>) -> Result<()> {
        let latents = self.model.latents();
        let mut least = self.lengths(x, cells)?.first().copied().unwrap_or(0);
        let (mut measured, mut k, mut since) = (1, 0, 0);
        while measured + 2 <= self.effort && since < latents {
            let mut rows: Vec<Array2<u32>> = Vec::new();
            let most = CANDIDATES.min(self.effort - measured);
            while rows.len() + 2 <= most && since < latents {
                let (c, count) = (cells[(0, k)], self.grid.of(k).centres.len() as u32);
                let has_mass = |c: &u32| self.grid.of(k).masses.interval(c).is_some();
                let near = [c.wrapping_sub(1), c + 1];
                for near in near.into_iter().filter(|c| *c < count).filter(has_mass) {
                    let mut row = cells.clone();
                    row[(0, k)] = near;
                    rows.push(row);
                }
                k = (k + 1) % latents;
                since += 1;
            }
            let views: Vec<_> = rows.iter().map(|row| row.view()).collect();
            let Ok(all) = ndarray::concatenate(Axis(0), &views) else {
                break;
            };
            let lengths = self.lengths(x, &all)?;
            measured += lengths.len();
            if let Some((best, &length)) = lengths.iter().enumerate().min_by_key(|found| found.1)
                && length < least
            {
                (least, since) = (length, 0);
                cells.clone_from(&rows[best]);
            }
        }
        Ok(())
    }
}

/// The middle quantile of each symbol of a codec of one lane; any of a symbol that has no mass, as a posterior may have
/// none at a point, and at the points of groups that are not known yet.
fn middles<C: Codec>(codec: &C, symbols: &C::Symbol) -> Result<Vec<u32>> {
    let mut tape = Message::measuring(Tape::of_intervals(1).lenient());
    codec.push(&mut tape, symbols)?;
    let intervals = tape.into_tape().into_intervals();
    let of_lane = intervals.into_iter().next().unwrap_or_default();
    // What is pushed comes backwards.
    let middle = |i: &crate::Interval| i.start() + i.mass().get() / 2;
    Ok(of_lane.iter().rev().map(middle).collect())
}

impl<M: LatentModel> Codec for PointCode<'_, M> {
    type Symbol = Array2<M::X>;

    fn push(&self, message: &mut Message, x: &Self::Symbol) -> Result<()> {
        let mut cells = self.nearest(x)?;
        self.search(x, &mut cells)?;
        (self.model.likelihood(&self.points(&cells)?)?).push(message, x)?;
        self.grid.prior().push(message, &cells)
    }

    fn pop(&self, message: &mut Message) -> Result<Self::Symbol> {
        let z = self.pop_latents(message)?;
        self.model.likelihood(&z)?.pop(message)
    }
}
