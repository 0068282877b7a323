//! The distribution of one symbol given what a head computes.

use serde::{Deserialize, Serialize};

use bbans_core::distributions::{Bernoulli, Table};
use bbans_core::{Conditional, Distribution, Error, Message, Record, Result, TOTAL_MASS};

use super::mixture::Mixtures;
use crate::description::MAX_SYMBOLS;
use crate::exact::math;
use crate::exact::simd::Path;
use crate::likelihood::categorical::log_sum_exp;
use crate::likelihood::edges::{Edges, mixture_nats};
use crate::likelihood::{Kind, bernoulli, check_components};

/// Most symbols that have a logit each.
const MAX_LOGITS: usize = 4096;

/// What a symbol's distribution is. Parameters are in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SymbolKind {
    /// A logit for each level.
    Categorical {
        /// Number of symbols, 1 to 4,096.
        levels: usize,
    },
    /// A mixture of logistic distributions, cut at the half-integers: logits of the components, unless there is one;
    /// means; log scales. Means and scales are in units of the symbols.
    Logistics {
        /// Number of symbols, 2 to 65,536.
        levels: usize,
        /// Number of distributions that are mixed, 1 to 64.
        components: usize,
    },
    /// Whether it is a symbol that is frequent, and where it is not, the mixture of the others (a hurdle, Cragg 1971):
    /// the logit of the one, then as in the other.
    Hurdle {
        /// Number of symbols, 2 to 65,536.
        levels: usize,
        /// Number of distributions that are mixed, 1 to 64.
        components: usize,
        /// The frequent symbol.
        frequent: usize,
    },
}

impl Kind for SymbolKind {
    fn levels(&self) -> usize {
        let (Self::Categorical { levels }
        | Self::Logistics { levels, .. }
        | Self::Hurdle { levels, .. }) = *self;
        levels
    }

    fn parameters(&self) -> usize {
        match *self {
            Self::Categorical { levels } => levels,
            Self::Logistics { components, .. } => of_mixture(components),
            Self::Hurdle { components, .. } => 1 + of_mixture(components),
        }
    }

    fn check(&self) -> Result<()> {
        let levels = self.levels();
        let (least, most) = match self {
            Self::Categorical { .. } => (1, MAX_LOGITS),
            _ => (2, MAX_SYMBOLS),
        };
        if !(least..=most).contains(&levels) {
            return Err(Error::model(format!(
                "a symbol of {levels} levels; expected {least} to {most}"
            )));
        }
        match *self {
            Self::Categorical { .. } => Ok(()),
            Self::Logistics { components, .. } => check_components(components),
            Self::Hurdle {
                components,
                frequent,
                ..
            } => {
                if frequent >= levels {
                    return Err(Error::model(format!(
                        "a frequent symbol {frequent} of {levels}; expected one of them"
                    )));
                }
                check_components(components)
            }
        }
    }
}

impl SymbolKind {
    /// `-log p(x)`, in `f64` and without integer masses, for bounds.
    pub fn nats(&self, parameters: &[f64], x: usize) -> f64 {
        match *self {
            Self::Categorical { .. } => log_sum_exp(parameters) - parameters[x],
            Self::Logistics { levels, components } => {
                mixture_nats(parameters, components, Edges::of(levels, None, x))
            }
            Self::Hurdle {
                levels,
                components,
                frequent,
            } => {
                let is = x == frequent;
                let nats = bernoulli::nats(parameters[0], usize::from(is));
                if is {
                    return nats;
                }
                let edges = Edges::of(levels, Some(frequent), x);
                nats + mixture_nats(&parameters[1..], components, edges)
            }
        }
    }
}

fn of_mixture(components: usize) -> usize {
    if components > 1 { 3 * components } else { 2 }
}

/// The distribution of a symbol in all lanes.
#[derive(Debug)]
pub struct Symbol {
    kind: SymbolKind,
    path: Path,
    lanes: usize,
    /// `[parameters, lanes]`, all finite.
    parameters: Vec<f32>,
}

impl Symbol {
    pub(super) fn new(kind: SymbolKind, path: Path, lanes: usize, parameters: Vec<f32>) -> Self {
        Self {
            kind,
            path,
            lanes,
            parameters,
        }
    }

    /// Adds `-log p` of a symbol in each lane, for bounds.
    pub(super) fn add_nats(&self, symbols: &[u16], nats: &mut [f64]) -> Result<()> {
        for (lane, (nats, &x)) in nats.iter_mut().zip(symbols).enumerate() {
            let x = usize::from(x);
            if x >= self.kind.levels() {
                return Err(no_level(x as u16));
            }
            let parameters = self.parameters.iter().skip(lane).step_by(self.lanes);
            let parameters: Vec<f64> = parameters.map(|&p| f64::from(p)).collect();
            *nats += self.kind.nats(&parameters, x);
        }
        Ok(())
    }

    /// The tables of a logit for each level, `[levels + 1, lanes]`.
    fn table(&self) -> Vec<u32> {
        let (levels, lanes) = (self.kind.levels(), self.lanes);
        let mut starts = vec![0; (levels + 1) * lanes];
        self.path.vectorize(
            #[inline(always)]
            || categorical_starts(&self.parameters, levels, lanes, &mut starts),
        );
        starts
    }

    /// The mixtures of all lanes.
    fn mixtures(&self) -> Option<Mixtures> {
        let (parameters, levels, components, without) = match self.kind {
            SymbolKind::Categorical { .. } => return None,
            SymbolKind::Logistics { levels, components } => {
                (&self.parameters[..], levels, components, None)
            }
            SymbolKind::Hurdle {
                levels,
                components,
                frequent,
            } => (
                &self.parameters[self.lanes..],
                levels,
                components,
                Some(frequent),
            ),
        };
        Some(self.path.vectorize(
            #[inline(always)]
            || Mixtures::new(parameters, components, self.lanes, levels, without),
        ))
    }

    /// Of a hurdle, whether it is the frequent symbol.
    fn flags(&self) -> Vec<Bernoulli> {
        let logits = self.parameters[..self.lanes].iter();
        logits
            .map(|&l| Bernoulli::new(math::bernoulli_mass(l)))
            .collect()
    }
}

/// The starts of [`super::super::tables`], of any number of levels.
#[inline(always)]
fn categorical_starts(logits: &[f32], levels: usize, lanes: usize, starts: &mut [u32]) {
    let mut greatest = logits[..lanes].to_vec();
    for row in logits.chunks_exact(lanes).skip(1) {
        for (m, &l) in greatest.iter_mut().zip(row) {
            *m = if l > *m { l } else { *m };
        }
    }
    let mut cumulative = vec![0.0f32; (levels + 1) * lanes];
    for s in 0..levels {
        let (below, above) = cumulative[s * lanes..(s + 2) * lanes].split_at_mut(lanes);
        let row = &logits[s * lanes..(s + 1) * lanes];
        for (((c, b), l), m) in above.iter_mut().zip(below).zip(row).zip(&greatest) {
            *c = *b + math::exp(l - m);
        }
    }
    let spare = (TOTAL_MASS - levels as u32) as f32;
    let scales: Vec<f32> = (cumulative[levels * lanes..].iter())
        .map(|c| spare / c)
        .collect();
    for s in 0..levels {
        let row = &cumulative[s * lanes..(s + 1) * lanes];
        for ((start, c), q) in starts[s * lanes..].iter_mut().zip(row).zip(&scales) {
            let v = c * q;
            *start = s as u32 + math::floor(if v < spare { v } else { spare });
        }
    }
    starts[levels * lanes..].fill(TOTAL_MASS);
}

impl Conditional for Symbol {
    #[inline(always)]
    fn record(&self, symbols: &[u16], record: &mut Record) -> Result<()> {
        let levels = self.kind.levels();
        if let Some(&symbol) = symbols.iter().find(|&&s| usize::from(s) >= levels) {
            return Err(no_level(symbol));
        }
        let Some(mixtures) = self.mixtures() else {
            let starts = self.table();
            for (lane, symbol) in symbols.iter().enumerate() {
                let interval = Table::new(&starts, lane, self.lanes)?.interval(symbol);
                record.interval(lane, interval.ok_or_else(|| no_level(*symbol))?);
            }
            return Ok(());
        };
        let frequent = match self.kind {
            SymbolKind::Hurdle { frequent, .. } => Some(frequent as u16),
            _ => None,
        };
        if let Some(frequent) = frequent {
            let bits = symbols.iter().map(|&s| u16::from(s == frequent));
            record.bits(bits, &self.flags());
        }
        for (lane, &symbol) in symbols.iter().enumerate() {
            let number = match frequent {
                Some(frequent) if symbol == frequent => continue,
                Some(frequent) => symbol - u16::from(symbol > frequent),
                None => symbol,
            };
            let interval = mixtures.lane(lane).interval(&number);
            record.interval(lane, interval.ok_or_else(|| no_level(symbol))?);
        }
        Ok(())
    }

    #[inline(always)]
    fn pop(&self, message: &mut Message, symbols: &mut [u16]) -> Result<()> {
        let Some(mixtures) = self.mixtures() else {
            let starts = self.table();
            for (lane, symbol) in symbols.iter_mut().enumerate() {
                *symbol = message.pop(lane, &Table::new(&starts, lane, self.lanes)?)?;
            }
            return Ok(());
        };
        let SymbolKind::Hurdle { frequent, .. } = self.kind else {
            for (lane, symbol) in symbols.iter_mut().enumerate() {
                *symbol = message.pop(lane, &mixtures.lane(lane))?;
            }
            return Ok(());
        };
        message.pop_column(&self.flags(), symbols)?;
        let frequent = frequent as u16;
        for (lane, symbol) in symbols.iter_mut().enumerate() {
            if *symbol == 1 {
                *symbol = frequent;
                continue;
            }
            let number = message.pop(lane, &mixtures.lane(lane))?;
            *symbol = number + u16::from(number >= frequent);
        }
        Ok(())
    }
}

pub(super) fn no_level(level: u16) -> Error {
    Error::invalid_argument(format!(
        "the model has no level {level}, which the data have"
    ))
}
