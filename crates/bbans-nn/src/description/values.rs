//! What the symbols of a model stand for in a data file.

use serde::{Deserialize, Serialize};

use bbans_core::{Error, Result};

/// Most symbols of a dimension.
pub const MAX_SYMBOLS: usize = 1 << 16;
/// Most decimals of a number.
const MAX_DECIMALS: u8 = 15;
/// Bounds of numbers, in units of their last decimal: they are exact as `f64`, and no sum of two overflows.
const MAX_NUMBER: i64 = 1 << 53;

/// What the symbols of a model stand for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// Of every dimension the same numbers.
    Numbers(Step),
    /// The columns of a table: one of each dimension.
    Columns(Vec<Column>),
    /// Pixels of red, green, blue, and perhaps alpha, the last axis, with red and blue as differences.
    GreenFirst(GreenFirst),
}

/// Of a pixel the symbols are green, red less green, blue less green, and alpha, if it is there; the differences are
/// `levels - 1` more, so that they begin at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GreenFirst {
    /// Values of a channel, from 0 on.
    pub levels: usize,
    /// Channels of a pixel: 3, or 4 with alpha.
    pub channels: usize,
}

impl GreenFirst {
    /// Levels of each symbol of a pixel.
    pub fn levels_of_symbols(self) -> Vec<usize> {
        let differences = 2 * self.levels - 1;
        let mut levels = vec![self.levels, differences, differences];
        levels.resize(self.channels, self.levels);
        levels
    }

    /// The symbols of a pixel, of its channels, in place.
    #[inline(always)]
    pub fn symbols(self, pixel: &mut [u16]) {
        if let [red, green, blue, ..] = pixel {
            let top = (self.levels - 1) as u16;
            (*red, *green, *blue) = (*green, *red + top - *green, *blue + top - *green);
        }
    }

    /// The channels of a pixel, of its symbols, in place; false if there are none.
    #[inline(always)]
    pub fn channels(self, pixel: &mut [u16]) -> bool {
        let [green, red, blue, rest @ ..] = pixel else {
            return false;
        };
        let top = self.levels as u32 - 1;
        let of = |difference: u16| {
            let value = (u32::from(difference) + u32::from(*green)).checked_sub(top)?;
            (value <= top).then_some(value as u16)
        };
        let (Some(r), Some(b)) = (of(*red), of(*blue)) else {
            return false;
        };
        let own = u32::from(*green) <= top;
        (*green, *red, *blue) = (r, *green, b);
        own && rest.iter().all(|&v| u32::from(v) <= top)
    }

    /// Symbols of a pixel that may have no channels become those of the nearest one that has, in place: of samples.
    pub fn nearest(self, pixel: &mut [u16]) {
        let top = (self.levels - 1) as u16;
        if let [green, red, blue, rest @ ..] = pixel {
            *green = (*green).min(top);
            for difference in [red, blue] {
                *difference = (*difference).clamp(top - *green, 2 * top - *green);
            }
            rest.iter_mut().for_each(|v| *v = (*v).min(top));
        }
    }

    fn check(self, dims: usize) -> Result<()> {
        let Self { levels, channels } = self;
        if (2..=MAX_SYMBOLS / 2).contains(&levels)
            && (3..=4).contains(&channels)
            && dims.is_multiple_of(channels)
        {
            return Ok(());
        }
        Err(Error::model(format!(
            "pixels of {channels} channels of {levels} levels in {dims} dimensions; expected 3 or 4 channels, 2 to {} \
             levels, and a multiple of the channels",
            MAX_SYMBOLS / 2
        )))
    }
}

/// Symbol `s` stands for the number `lowest + step * s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What the symbol 0 stands for.
    pub lowest: i64,
    /// From one symbol to the next.
    pub step: u32,
}

/// A column of a table. The symbols stand for the texts, in order, and then for the numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The column's name.
    pub name: String,
    /// What is in cells that hold no number, or all that is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<String>,
    /// Numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Numbers>,
}

/// Numbers that are evenly spaced, as they are written in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// The least one, in units of the last decimal: with two decimals 123 is 1.23.
    pub lowest: i64,
    /// From one number to the next, in the same units.
    pub step: u32,
    /// How many there are.
    pub count: usize,
    /// Digits after the point.
    pub decimals: u8,
    /// Which digits after the point are written.
    pub zeros: Zeros,
}

/// Which zeros at the end of a number with decimals are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Zeros {
    /// All: 1.50, 2.00.
    Kept,
    /// None, nor a point without digits after it: 1.5, 2.
    Cut,
    /// One where there would be no other digit after the point: 1.5, 2.0.
    One,
}

impl Default for Values {
    fn default() -> Self {
        Self::Numbers(Step { lowest: 0, step: 1 })
    }
}

impl Values {
    /// Whether the symbols are the numbers themselves.
    pub(super) fn are_symbols(&self) -> bool {
        *self == Self::default()
    }

    /// The oldest version of the description that has them.
    pub(super) fn oldest_version(&self) -> u32 {
        if self.are_symbols() { 1 } else { 8 }
    }

    /// Checks every number.
    pub(super) fn check(&self, dims: usize) -> Result<()> {
        match self {
            Self::Numbers(Step { lowest, step }) => check_steps(*lowest, *step, MAX_SYMBOLS),
            Self::Columns(columns) if columns.len() != dims => Err(Error::model(format!(
                "the description has {} columns for {dims} dimensions",
                columns.len()
            ))),
            Self::Columns(columns) => columns.iter().try_for_each(Column::check),
            Self::GreenFirst(colours) => colours.check(dims),
        }
    }
}

impl Column {
    /// Number of symbols.
    pub fn levels(&self) -> usize {
        let numbers = self.numbers.map_or(0, |numbers| numbers.count);
        self.texts.len().saturating_add(numbers)
    }

    fn check(&self) -> Result<()> {
        let levels = self.levels();
        if !(1..=MAX_SYMBOLS).contains(&levels) {
            return Err(Error::model(format!(
                "the column {:?} has {levels} values; expected 1 to {MAX_SYMBOLS}",
                self.name
            )));
        }
        let mut texts: Vec<&String> = self.texts.iter().collect();
        texts.sort_unstable();
        if let Some(pair) = texts.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::model(format!(
                "the column {:?} has the text {:?} twice",
                self.name, pair[0]
            )));
        }
        let Some(numbers) = self.numbers else {
            return Ok(());
        };
        if numbers.count == 0 || numbers.decimals > MAX_DECIMALS {
            return Err(Error::model(format!(
                "the column {:?} has {} numbers of {} decimals; expected 1 number or more and at most \
                 {MAX_DECIMALS} decimals",
                self.name, numbers.count, numbers.decimals
            )));
        }
        check_steps(numbers.lowest, numbers.step, numbers.count)
    }
}

fn check_steps(lowest: i64, step: u32, count: usize) -> Result<()> {
    let highest = i64::from(step).checked_mul(count as i64);
    let highest = highest.and_then(|span| lowest.checked_add(span));
    let within = |n: i64| (-MAX_NUMBER..=MAX_NUMBER).contains(&n);
    if step > 0 && within(lowest) && highest.is_some_and(within) {
        return Ok(());
    }
    Err(Error::model(format!(
        "numbers from {lowest} on in steps of {step}; expected a step of 1 or more and numbers within 2^53 of 0"
    )))
}
