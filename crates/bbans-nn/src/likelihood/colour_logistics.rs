//! Mixtures of discretized logistic distributions of colours, whose channels are coupled.

use serde::{Deserialize, Serialize};

use bbans_core::distributions::Table;
use bbans_core::{Causal, Conditional, Distribution, Error, Message, Record, Result, Walk};

use crate::exact::math;
use crate::exact::simd::Path;
use crate::graph::Hidden;
use crate::likelihood::discretized_logistic::{mixture, rate, weights_of_logits};
use crate::likelihood::edges::Edges;
use crate::likelihood::tables::{Lanes, WIDTH, clamp, each, row, runs};
use crate::likelihood::{Kind, MAX_COMPONENTS, categorical, check_components, check_levels};

/// Channels of a pixel.
const CHANNELS: usize = 3;
/// Bounds of a coefficient: means stay finite.
const COEFFICIENT: [f32; 2] = [-1024.0, 1024.0];
/// The least that a component is taken to give a symbol, `2^-60`: one that gives it nothing keeps a weight above 0.
const LEAST: f32 = 1.0 / (1u64 << 60) as f32;

/// Mixtures of logistic distributions of pixels of three channels, the data's last axis, cut at the half-integers
/// (PixelCNN++, Salimans et al. 2017). A component is one of all three channels, and a channel's mean moves linearly
/// with the channels before it. For each pixel: logits of the components; means, log scales and coefficients, each for the
/// first channel's components, the second's and the third's. The coefficients are those of the first channel for the
/// second, of the first for the third and of the second for the third; they are taken of what is above or below the
/// middle symbol, `(levels - 1) / 2`. Means and scales are in units of the symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColourLogistics {
    /// Number of symbols, 2 to 256.
    pub levels: usize,
    /// Number of components, 1 to 64.
    pub components: usize,
}

impl Kind for ColourLogistics {
    fn levels(&self) -> usize {
        self.levels
    }

    fn parameters(&self) -> usize {
        self.components.saturating_mul(1 + 3 * CHANNELS)
    }

    fn dims(&self) -> usize {
        CHANNELS
    }

    fn check(&self) -> Result<()> {
        check_levels(self.levels)?;
        check_components(self.components)
    }

    fn check_shape(&self, shape: &[usize]) -> Result<()> {
        if shape.len() > 1 && shape.last() == Some(&CHANNELS) {
            return Ok(());
        }
        Err(Error::model(format!(
            "a likelihood of colours for data of shape {shape:?}; expected {CHANNELS} channels as the last axis"
        )))
    }
}

impl ColourLogistics {
    /// The middle symbol.
    fn middle(&self) -> f32 {
        (self.levels as f32 - 1.0) / 2.0
    }

    /// Row of a pixel's parameters.
    fn logit(i: usize) -> usize {
        i
    }

    fn mean(&self, channel: usize, i: usize) -> usize {
        self.components * (1 + channel) + i
    }

    fn log_scale(&self, channel: usize, i: usize) -> usize {
        self.components * (1 + CHANNELS + channel) + i
    }

    /// Of channel `from` for channel `to`, which comes after it.
    fn coefficient(&self, from: usize, to: usize, i: usize) -> usize {
        self.components * (2 * CHANNELS + from + to) + i
    }

    /// Means of component `i` of some lanes, given the channels before; `x` is what is above the middle symbol.
    #[inline(always)]
    fn means(
        &self,
        channel: usize,
        i: usize,
        value: impl Fn(usize) -> Lanes,
        x: &[Lanes; CHANNELS],
    ) -> Lanes {
        let mut means = value(self.mean(channel, i));
        for (before, x) in x.iter().enumerate().take(channel) {
            let coefficients = value(self.coefficient(before, channel, i));
            for ((mean, c), x) in means.iter_mut().zip(coefficients).zip(x) {
                *mean += clamp(c, COEFFICIENT) * x;
            }
        }
        means
    }

    /// `-log p` of a pixel, in `f64`, for bounds.
    fn nats(&self, p: &[f64], x: [usize; CHANNELS]) -> f64 {
        let off = x.map(|x| x as f64 - f64::from(self.middle()));
        let logits = &p[..self.components];
        let component = |(i, logit): (usize, &f64)| {
            let channel = |c: usize| {
                let moved = |before: usize| {
                    let c = p[self.coefficient(before, c, i)];
                    c.clamp(f64::from(COEFFICIENT[0]), f64::from(COEFFICIENT[1])) * off[before]
                };
                let mean = p[self.mean(c, i)] + (0..c).map(moved).sum::<f64>();
                Edges::of(self.levels, None, x[c]).log_mass(mean, p[self.log_scale(c, i)])
            };
            logit + (0..CHANNELS).map(channel).sum::<f64>()
        };
        let terms: Vec<f64> = logits.iter().enumerate().map(component).collect();
        categorical::log_sum_exp(logits) - categorical::log_sum_exp(&terms)
    }
}

/// The likelihood of some latents: the parameters of all pixels, made as they are needed.
#[derive(Debug)]
pub struct Colours<'a> {
    hidden: Hidden<'a>,
    likelihood: ColourLogistics,
    path: Path,
    dims: usize,
}

impl<'a> Colours<'a> {
    pub(crate) fn new(
        hidden: Hidden<'a>,
        likelihood: ColourLogistics,
        path: Path,
        dims: usize,
    ) -> Self {
        Self {
            hidden,
            likelihood,
            path,
            dims,
        }
    }

    /// Parameters of a pixel, `[parameters, lanes]`.
    fn pixel(&self, pixel: usize, out: &mut [f32]) -> Result<()> {
        let each = self.likelihood.parameters();
        self.hidden.outputs(pixel * each..(pixel + 1) * each, out)
    }

    /// `-log p(x)` in each lane, in `f64`, for bounds; `x` gives a lane's symbol of a dimension.
    ///
    /// # Errors
    /// If the network's result is infinite or NaN.
    pub fn nats(&self, x: impl Fn(usize, usize) -> u16) -> Result<Vec<f64>> {
        let lanes = self.hidden.lanes();
        let mut parameters = vec![0.0; self.likelihood.parameters() * lanes];
        let mut nats = vec![0.0; lanes];
        for pixel in 0..self.dims / CHANNELS {
            self.pixel(pixel, &mut parameters)?;
            for (lane, nats) in nats.iter_mut().enumerate() {
                let of_lane = parameters.iter().skip(lane).step_by(lanes);
                let of_lane: Vec<f64> = of_lane.map(|&p| f64::from(p)).collect();
                let symbols = std::array::from_fn(|c| usize::from(x(lane, pixel * CHANNELS + c)));
                *nats += self.likelihood.nats(&of_lane, symbols);
            }
        }
        Ok(nats)
    }
}

impl Causal for Colours<'_> {
    type Walk<'a>
        = ColourWalk<'a>
    where
        Self: 'a;

    fn dim(&self) -> (usize, usize) {
        (self.dims, self.hidden.lanes())
    }

    fn walk(&self) -> Result<ColourWalk<'_>> {
        let (lanes, components) = (self.hidden.lanes(), self.likelihood.components);
        Ok(ColourWalk {
            colours: self,
            next: 0,
            parameters: vec![0.0; self.likelihood.parameters() * lanes],
            weights: vec![0.0; components * lanes],
            off: vec![0.0; CHANNELS * lanes],
            starts: vec![0; (self.likelihood.levels + 1) * lanes],
        })
    }
}

/// Channels one after another.
#[derive(Debug)]
pub struct ColourWalk<'a> {
    colours: &'a Colours<'a>,
    /// The next dimension.
    next: usize,
    /// Of the pixel, `[parameters, lanes]`.
    parameters: Vec<f32>,
    /// Of the components given the channels before, `[components, lanes]`.
    weights: Vec<f32>,
    /// What the pixel's channels are above the middle symbol, `[channels, lanes]`.
    off: Vec<f32>,
    starts: Vec<u32>,
}

impl ColourWalk<'_> {
    /// Of some lanes from `first` on.
    #[inline(always)]
    fn lanes(&self, first: usize, width: usize) -> (impl Fn(usize) -> Lanes, [Lanes; CHANNELS]) {
        let lanes = self.colours.hidden.lanes();
        let value = move |p: usize| row(&self.parameters[p * lanes..], first, width);
        let off = std::array::from_fn(|c| row(&self.off[c * lanes..], first, width));
        (value, off)
    }

    /// The weights before the first channel.
    fn begin_pixel(&mut self) {
        let (lanes, path) = (self.colours.hidden.lanes(), self.colours.path);
        let count = self.colours.likelihood.components;
        let mut all = std::mem::take(&mut self.weights);
        path.vectorize(
            #[inline(always)]
            || {
                for (first, width) in runs(lanes) {
                    let (value, _) = self.lanes(first, width);
                    let mut weights = [[0.0; WIDTH]; MAX_COMPONENTS];
                    weights_of_logits(count, |i| value(ColourLogistics::logit(i)), &mut weights);
                    for (i, of) in weights.iter().enumerate().take(count) {
                        all[i * lanes + first..][..width].copy_from_slice(&of[..width]);
                    }
                }
            },
        );
        self.weights = all;
    }

    /// The tables of the next channel.
    fn tables(&mut self) {
        let (lanes, path) = (self.colours.hidden.lanes(), self.colours.path);
        let (likelihood, channel) = (self.colours.likelihood, self.next % CHANNELS);
        let mut starts = std::mem::take(&mut self.starts);
        path.vectorize(
            #[inline(always)]
            || {
                each(
                    likelihood.levels,
                    lanes,
                    &mut starts,
                    #[inline(always)]
                    |first, width, cumulative| {
                        let (value, off) = self.lanes(first, width);
                        let component = |i: usize| {
                            (
                                row(&self.weights[i * lanes..], first, width),
                                likelihood.means(channel, i, &value, &off),
                                rate(value(likelihood.log_scale(channel, i))),
                            )
                        };
                        mixture(
                            likelihood.levels,
                            likelihood.components,
                            component,
                            cumulative,
                        );
                        // Lanes that are not there weigh nothing.
                        for v in &mut cumulative[likelihood.levels][width..] {
                            *v = 1.0;
                        }
                    },
                );
            },
        );
        self.starts = starts;
    }

    /// The weights given a channel's symbols: each times what its component gives the symbol, over the greatest.
    fn weigh(&mut self, channel: usize, symbols: &[u16]) {
        let (lanes, path) = (self.colours.hidden.lanes(), self.colours.path);
        let likelihood = self.colours.likelihood;
        let mut all = std::mem::take(&mut self.weights);
        path.vectorize(
            #[inline(always)]
            || {
                for (first, width) in runs(lanes) {
                    let (value, off) = self.lanes(first, width);
                    let mut x = [0.0; WIDTH];
                    for (x, &symbol) in x.iter_mut().zip(&symbols[first..first + width]) {
                        *x = f32::from(symbol);
                    }
                    let mut greatest = [0.0f32; WIDTH];
                    for i in 0..likelihood.components {
                        let means = likelihood.means(channel, i, &value, &off);
                        let rates = rate(value(likelihood.log_scale(channel, i)));
                        let weights = &mut all[i * lanes + first..][..width];
                        for (lane, w) in weights.iter_mut().enumerate() {
                            let mass = mass(likelihood.levels, means[lane], rates[lane], x[lane]);
                            *w *= mass;
                            greatest[lane] = if *w > greatest[lane] {
                                *w
                            } else {
                                greatest[lane]
                            };
                        }
                    }
                    for i in 0..likelihood.components {
                        let weights = &mut all[i * lanes + first..][..width];
                        for (w, g) in weights.iter_mut().zip(greatest) {
                            *w /= g;
                        }
                    }
                }
            },
        );
        self.weights = all;
    }
}

/// What a component gives a symbol, at least [`LEAST`].
#[inline(always)]
fn mass(levels: usize, mean: f32, rate: f32, x: f32) -> f32 {
    let (low, high) = (((x - 0.5) - mean) * rate, ((x + 0.5) - mean) * rate);
    // The smaller tails, so that little cancels.
    let upper = low > 0.0;
    let (a, b) = if upper { (-low, -high) } else { (high, low) };
    let (a, b) = (math::sigmoid(a), math::sigmoid(b));
    let first = x == 0.0;
    let last = x == levels as f32 - 1.0;
    let of_first = math::sigmoid(high);
    let of_last = math::sigmoid(-low);
    let mass = if first {
        of_first
    } else if last {
        of_last
    } else {
        a - b
    };
    if mass > LEAST { mass } else { LEAST }
}

impl Walk for ColourWalk<'_> {
    type Next<'a>
        = TableColumn<'a>
    where
        Self: 'a;

    fn next(&mut self) -> Result<TableColumn<'_>> {
        if self.next >= self.colours.dims {
            return Err(Error::model("all dimensions are known"));
        }
        if self.next.is_multiple_of(CHANNELS) {
            self.colours
                .pixel(self.next / CHANNELS, &mut self.parameters)?;
            self.begin_pixel();
        }
        self.tables();
        Ok(TableColumn {
            starts: &self.starts,
            lanes: self.colours.hidden.lanes(),
        })
    }

    fn observe(&mut self, symbols: &[u16]) -> Result<()> {
        let (lanes, levels) = (self.colours.hidden.lanes(), self.colours.likelihood.levels);
        let known = symbols.iter().all(|&x| usize::from(x) < levels);
        if self.next >= self.colours.dims || symbols.len() != lanes || !known {
            return Err(Error::model("symbols that the likelihood does not have"));
        }
        let channel = self.next % CHANNELS;
        self.next += 1;
        if channel + 1 == CHANNELS {
            return Ok(());
        }
        self.weigh(channel, symbols);
        let middle = self.colours.likelihood.middle();
        for (off, &x) in self.off[channel * lanes..].iter_mut().zip(symbols) {
            *off = f32::from(x) - middle;
        }
        Ok(())
    }
}

/// Tables of a dimension, `[levels + 1, lanes]`.
#[derive(Debug)]
pub struct TableColumn<'a> {
    starts: &'a [u32],
    lanes: usize,
}

impl TableColumn<'_> {
    fn tables(&self) -> Result<Vec<Table<'_>>> {
        let table = |lane| Table::new(self.starts, lane, self.lanes);
        (0..self.lanes).map(table).collect()
    }
}

impl Conditional for TableColumn<'_> {
    fn record(&self, symbols: &[u16], record: &mut Record) -> Result<()> {
        for ((lane, table), symbol) in self.tables()?.iter().enumerate().zip(symbols) {
            let no_level = || {
                Error::invalid_argument(format!(
                    "the model has no level {symbol}, which the data have"
                ))
            };
            record.interval(lane, table.interval(symbol).ok_or_else(no_level)?);
        }
        Ok(())
    }

    fn pop(&self, message: &mut Message, symbols: &mut [u16]) -> Result<()> {
        message.pop_column(&self.tables()?, symbols)
    }
}
