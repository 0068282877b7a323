//! Positions one after another, and at each of them symbols one after another, each given the latents and all that
//! come before it: the pixels and colours of pictures, samples of signals, columns of tables.

mod head;
mod logistic_table;
mod mixture;
mod symbol;
mod walk;

use serde::{Deserialize, Serialize};

use bbans_core::{Error, Result};

use super::{Kind, Window};
use crate::description::MAX_SYMBOLS;

pub(crate) use head::Head;
pub use symbol::{Symbol, SymbolKind};
pub use walk::{Positions, PositionsWalk};

/// Most symbols of a position.
pub(crate) const MAX_AT_POSITION: usize = 4096;

/// A likelihood whose head sees the positions before, and at a position the symbols before.
///
/// The data's last axis is that of the symbols of a position, unless there is one; the axes before it are those of the
/// positions: none, one or two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Autoregressive {
    /// What a position sees of those before it.
    pub window: Window,
    /// Symbols of a position.
    pub symbols: usize,
    /// The greatest number of levels of a symbol.
    pub levels: usize,
}

impl Kind for Autoregressive {
    fn levels(&self) -> usize {
        self.levels
    }

    fn parameters(&self) -> usize {
        self.window.channels
    }

    fn dims(&self) -> usize {
        self.symbols
    }

    fn check(&self) -> Result<()> {
        self.window.check()?;
        if !(1..=MAX_SYMBOLS).contains(&self.levels)
            || !(1..=MAX_AT_POSITION).contains(&self.symbols)
        {
            return Err(Error::model(format!(
                "the likelihood has {} symbols at a position, of up to {} levels; expected 1 to {MAX_AT_POSITION} \
                 symbols and 1 to {MAX_SYMBOLS} levels",
                self.symbols, self.levels
            )));
        }
        Ok(())
    }

    fn check_shape(&self, shape: &[usize]) -> Result<()> {
        self.grid(shape).map(drop)
    }
}

impl Autoregressive {
    /// Rows and columns of the positions of data of this shape.
    ///
    /// # Errors
    /// If the data have no such positions.
    pub fn grid(&self, shape: &[usize]) -> Result<[usize; 2]> {
        let (positions, last) = match shape {
            [positions @ .., last] if self.symbols > 1 || shape.len() > 2 => (positions, *last),
            positions => (positions, 1),
        };
        match positions {
            _ if last != self.symbols => {}
            [] => return Ok([1, 1]),
            [columns] => return Ok([1, *columns]),
            [rows, columns] => return Ok([*rows, *columns]),
            _ => {}
        }
        Err(Error::model(format!(
            "a likelihood of {} symbols a position for data of shape {shape:?}; expected that as the last axis, and at \
             most two axes before it",
            self.symbols
        )))
    }
}

#[cfg(test)]
mod tests;
