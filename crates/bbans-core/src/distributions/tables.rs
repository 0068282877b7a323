//! Distributions of a few symbols given by all their masses, made while they are coded.

use ndarray::Array2;

use crate::codec::{BLOCK, Codec, check_shape};
use crate::distribution::{Distribution, Interval};
use crate::distributions::uniform::unreachable_interval;
use crate::error::{Error, Result};
use crate::message::Message;

/// Independent bytes whose distributions follow from a few parameters each.
///
/// The table of a distribution is large beside its parameters, so [`Tabulated`] makes the tables of
/// one dimension of all lanes at a time, in one place.
pub trait Tables {
    /// Numbers of dimensions and of lanes.
    fn dim(&self) -> (usize, usize);

    /// Number of parameters of a distribution.
    fn parameters(&self) -> usize;

    /// Number of symbols, `0..levels`; at most 256.
    fn levels(&self) -> usize;

    /// The parameters of some dimensions into `out`, `[dims.len(), parameters, lanes]`.
    ///
    /// # Errors
    /// If they cannot be computed.
    fn prepare(&self, dims: std::ops::Range<usize>, out: &mut Vec<f32>) -> Result<()>;

    /// The tables of one dimension, from its parameters `[parameters, lanes]`, into
    /// `starts`, `[levels + 1, lanes]`: of each lane, ascending from 0 to [`crate::TOTAL_MASS`].
    ///
    /// # Errors
    /// If they cannot be computed.
    fn starts(&self, parameters: &[f32], starts: &mut [u32]) -> Result<()>;
}

/// The codec of [`Tables`], for batches `[lanes, dims]`.
#[derive(Debug, Clone)]
pub struct Tabulated<T>(pub T);

/// A lane's table, where those of all lanes lie side by side.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    /// From this lane's first start on.
    starts: &'a [u32],
    lanes: usize,
}

impl<'a> Table<'a> {
    /// The table of a lane among `starts`, `[levels + 1, lanes]`: of each lane, ascending from 0 to
    /// [`crate::TOTAL_MASS`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if there is no such lane, or no symbol.
    pub fn new(starts: &'a [u32], lane: usize, lanes: usize) -> Result<Self> {
        if lane >= lanes || starts.len() < 2 * lanes {
            return Err(Error::invalid_argument(format!(
                "lane {lane} of {lanes} among {} starts",
                starts.len()
            )));
        }
        Ok(Self {
            starts: &starts[lane..],
            lanes,
        })
    }
}

impl Distribution for Table<'_> {
    type Symbol = u16;

    #[inline(always)]
    fn interval(&self, &symbol: &u16) -> Option<Interval> {
        let at = usize::from(symbol) * self.lanes;
        Interval::between(*self.starts.get(at)?, *self.starts.get(at + self.lanes)?)
    }

    #[inline(always)]
    fn locate(&self, quantile: u32) -> (u16, Interval) {
        // The last start that is not above the quantile.
        let (mut low, mut high) = (0, self.starts.len().div_ceil(self.lanes) - 1);
        while high - low > 1 {
            let middle = (low + high) / 2;
            let below = self.starts[middle * self.lanes] <= quantile;
            (low, high) = if below { (middle, high) } else { (low, middle) };
        }
        let symbol = low as u16;
        let interval = self.interval(&symbol);
        (
            symbol,
            interval.unwrap_or_else(|| unreachable_interval(quantile)),
        )
    }
}

impl<T: Tables> Tabulated<T> {
    /// Calls `code` with the tables of every dimension, in ascending or descending order.
    #[inline(always)]
    fn each(
        &self,
        backwards: bool,
        mut code: impl FnMut(usize, &[Table<'_>]) -> Result<()>,
    ) -> Result<()> {
        let (dims, lanes) = self.0.dim();
        let width = self.0.parameters() * lanes;
        if !(1..=256).contains(&self.0.levels()) {
            return Err(Error::invalid_argument(format!(
                "tables of {} symbols; expected 1 to 256",
                self.0.levels()
            )));
        }
        if dims == 0 || lanes == 0 {
            return Ok(());
        }
        let mut parameters = Vec::new();
        let mut starts = vec![0; (self.0.levels() + 1) * lanes];
        let mut one = |d: usize, parameters: &[f32]| {
            self.0.starts(parameters, &mut starts)?;
            let tables = (0..lanes).map(|lane| Table {
                starts: &starts[lane..],
                lanes,
            });
            code(d, &tables.collect::<Vec<_>>())
        };
        let mut block = |first: usize| {
            let last = dims.min(first + BLOCK);
            self.0.prepare(first..last, &mut parameters)?;
            let each = (first..last).zip(parameters.chunks_exact(width));
            if backwards {
                each.rev().try_for_each(|(d, p)| one(d, p))
            } else {
                each.into_iter().try_for_each(|(d, p)| one(d, p))
            }
        };
        let mut blocks = (0..dims).step_by(BLOCK);
        if backwards {
            blocks.rev().try_for_each(block)
        } else {
            blocks.try_for_each(&mut block)
        }
    }
}

impl<T: Tables> Codec for Tabulated<T> {
    type Symbol = Array2<u16>;

    #[inline(always)]
    fn push(&self, message: &mut Message, symbols: &Array2<u16>) -> Result<()> {
        let (dims, lanes) = self.0.dim();
        check_shape(symbols.dim(), (lanes, dims))?;
        let mut column = vec![0; lanes];
        self.each(true, |d, tables| {
            for (symbol, &x) in column.iter_mut().zip(symbols.column(d)) {
                *symbol = x;
            }
            message.push_column(tables, &column)
        })
    }

    #[inline(always)]
    fn pop(&self, message: &mut Message) -> Result<Array2<u16>> {
        let (dims, lanes) = self.0.dim();
        let mut symbols = Array2::zeros((lanes, dims));
        let mut column = vec![0; lanes];
        self.each(false, |d, tables| {
            message.pop_column(tables, &mut column)?;
            for (x, &symbol) in symbols.column_mut(d).iter_mut().zip(&column) {
                *x = symbol;
            }
            Ok(())
        })?;
        Ok(symbols)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::TOTAL_MASS;
    use crate::laws::{check_codec, check_distribution};

    /// Symbol `s` of `levels` has the mass `s + 1`, and the last one the rest.
    struct Ramp {
        dims: usize,
        lanes: usize,
        levels: usize,
    }

    impl Tables for Ramp {
        fn dim(&self) -> (usize, usize) {
            (self.dims, self.lanes)
        }

        fn parameters(&self) -> usize {
            1
        }

        fn levels(&self) -> usize {
            self.levels
        }

        fn prepare(&self, dims: std::ops::Range<usize>, out: &mut Vec<f32>) -> Result<()> {
            out.clear();
            out.extend(
                dims.flat_map(|d| (0..self.lanes).map(move |lane| (d * 1000 + lane) as f32)),
            );
            Ok(())
        }

        fn starts(&self, parameters: &[f32], starts: &mut [u32]) -> Result<()> {
            for (lane, &p) in parameters.iter().enumerate() {
                let step = 1 + p as u32 % 77;
                for (k, row) in starts.chunks_exact_mut(self.lanes).enumerate() {
                    let k = k as u32;
                    row[lane] = step * k * (k + 1) / 2;
                    if k as usize == self.levels {
                        row[lane] = TOTAL_MASS;
                    }
                }
            }
            Ok(())
        }
    }

    #[test]
    fn obeys_the_laws_of_a_codec() {
        for (dims, lanes, levels) in [(1, 1, 1), (3, 2, 5), (70, 67, 256)] {
            let codec = Tabulated(Ramp {
                dims,
                lanes,
                levels,
            });
            let symbols =
                Array2::from_shape_fn((lanes, dims), |(l, d)| ((7 * l + 13 * d) % levels) as u16);
            check_codec(&codec, &symbols, lanes).unwrap();
        }
    }

    #[test]
    fn a_symbol_beyond_the_table_is_refused() {
        let codec = Tabulated(Ramp {
            dims: 2,
            lanes: 2,
            levels: 5,
        });
        let mut message = Message::with_initial_words(20);
        message.grow(2).unwrap();
        let error = codec.push(&mut message, &Array2::from_elem((2, 2), 5));
        assert!(error.is_err());
    }

    #[test]
    fn a_table_obeys_the_laws_of_a_distribution() {
        let starts = [0, 9, 1, 9, 1, 9, 700, 9, TOTAL_MASS, 9];
        let table = Table {
            starts: &starts,
            lanes: 2,
        };
        check_distribution(&table, 0..4).unwrap();
        assert_eq!(table.interval(&4), None);
    }
}
