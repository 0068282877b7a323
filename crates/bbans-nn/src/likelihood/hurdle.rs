//! A symbol as whether it is above 0 and, where it is, its value less 1 (a hurdle, Cragg 1971).

use bbans_core::distributions::{Bernoulli, Table};
use bbans_core::{Conditional, Distribution, Error, Message, Record, Result};

use crate::exact::dense::check_finite;
use crate::exact::math;
use crate::exact::simd::Path;
use crate::graph::Hidden;
use crate::likelihood::{Categorical, bernoulli, categorical, tables};

/// The distribution of a pixel in all lanes, of `levels` levels: a logit of a level above 0, and of more than two
/// levels a logit for each above 0.
#[derive(Debug)]
pub struct Hurdle<'a> {
    /// The logits, `[levels, lanes]`, those of levels made only where some lane has one.
    hidden: Hidden<'a>,
    path: Path,
    levels: usize,
}

impl<'a> Hurdle<'a> {
    pub(crate) fn new(hidden: Hidden<'a>, path: Path, levels: usize) -> Self {
        Self {
            hidden,
            path,
            levels,
        }
    }

    /// Some of the logits, `[logits.len(), lanes]`.
    fn logits(&self, logits: std::ops::Range<usize>) -> Result<Vec<f32>> {
        let mut out = vec![0.0; logits.len() * self.hidden.lanes()];
        self.hidden.outputs(logits, &mut out)?;
        Ok(out)
    }

    /// Whether the level is above 0, in all lanes.
    fn above_zero(&self) -> Result<Vec<Bernoulli>> {
        let logits = self.logits(0..1)?;
        let mut bits = vec![Bernoulli::new(1); logits.len()];
        self.path.vectorize(
            #[inline(always)]
            || {
                for (bit, &l) in bits.iter_mut().zip(&logits) {
                    *bit = Bernoulli::new(math::bernoulli_mass(l));
                }
            },
        );
        Ok(bits)
    }

    /// The lanes whose symbol is above 0, if there is more to say of it.
    fn lanes_above(&self, symbols: &[u16]) -> Vec<usize> {
        if self.levels == 2 {
            return Vec::new();
        }
        (0..symbols.len())
            .filter(|&lane| symbols[lane] > 0)
            .collect()
    }

    /// The tables of the level less 1 in some lanes, `[levels, lanes.len()]`.
    fn starts(&self, lanes: &[usize]) -> Result<Vec<u32>> {
        let mut all = vec![0.0; (self.levels - 1) * self.hidden.lanes()];
        self.hidden.unchecked_outputs(1..self.levels, &mut all)?;
        let rows = all.chunks_exact(self.hidden.lanes().max(1));
        let logits: Vec<f32> = rows.flat_map(|row| lanes.iter().map(|&l| row[l])).collect();
        // A lane depends on nothing but itself: the others' logits are not asked.
        check_finite(self.path, &logits)?;
        let mut starts = vec![0; self.levels * lanes.len()];
        let levels = self.levels - 1;
        self.path.vectorize(
            #[inline(always)]
            || tables::starts(&Categorical { levels }, &logits, &mut starts),
        );
        Ok(starts)
    }

    /// Adds `-log p` of a symbol in each lane, in `f64`, for bounds.
    ///
    /// # Errors
    /// If the network's result is infinite or NaN.
    pub fn add_nats(&self, symbols: &[u16], nats: &mut [f64]) -> Result<()> {
        let flags = self.logits(0..1)?;
        for ((nats, &l), &x) in nats.iter_mut().zip(&flags).zip(symbols) {
            *nats += bernoulli::nats(f64::from(l), usize::from(x > 0));
        }
        let above = self.lanes_above(symbols);
        if above.is_empty() {
            return Ok(());
        }
        let (all, lanes) = (self.logits(1..self.levels)?, symbols.len());
        for lane in above {
            let logits = all.iter().skip(lane).step_by(lanes);
            let logits: Vec<f64> = logits.map(|&l| f64::from(l)).collect();
            let own = logits.get(usize::from(symbols[lane]) - 1);
            let own = own.ok_or_else(|| no_level(symbols[lane]))?;
            nats[lane] += categorical::log_sum_exp(&logits) - own;
        }
        Ok(())
    }
}

impl Conditional for Hurdle<'_> {
    #[inline(always)]
    fn record(&self, symbols: &[u16], record: &mut Record) -> Result<()> {
        if let Some(&level) = symbols.iter().find(|&&x| usize::from(x) >= self.levels) {
            return Err(no_level(level));
        }
        let bits = symbols.iter().map(|&x| u16::from(x > 0));
        record.bits(bits, &self.above_zero()?);
        let above = self.lanes_above(symbols);
        if above.is_empty() {
            return Ok(());
        }
        let starts = self.starts(&above)?;
        for (i, &lane) in above.iter().enumerate() {
            let level = symbols[lane];
            let interval = Table::new(&starts, i, above.len())?.interval(&(level - 1));
            record.interval(lane, interval.ok_or_else(|| no_level(level))?);
        }
        Ok(())
    }

    #[inline(always)]
    fn pop(&self, message: &mut Message, symbols: &mut [u16]) -> Result<()> {
        message.pop_column(&self.above_zero()?, symbols)?;
        let above = self.lanes_above(symbols);
        if above.is_empty() {
            return Ok(());
        }
        let starts = self.starts(&above)?;
        for (i, &lane) in above.iter().enumerate() {
            symbols[lane] = 1 + message.pop(lane, &Table::new(&starts, i, above.len())?)?;
        }
        Ok(())
    }
}

fn no_level(level: u16) -> Error {
    Error::invalid_argument(format!(
        "the model has no level {level}, which the data have"
    ))
}
