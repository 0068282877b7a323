//! Channels to pixels (Shi et al. 2016), and back.

use serde::{Deserialize, Serialize};

use crate::file::Tensor;
use crate::ops::moves::Moves;
use crate::ops::{Kernel, Operation, Shape, shapes};
use bbans_core::{Error, Result};

/// From `[channels factor^2, rows, columns]` to `[channels, rows factor, columns factor]`: channel `c`, row
/// `r`, column `k` is input channel `(c factor + r mod factor) factor + k mod factor`, row `r / factor`,
/// column `k / factor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PixelShuffle {
    /// Of rows and columns.
    pub factor: usize,
}

/// From `[channels, rows factor, columns factor]` to `[channels factor^2, rows, columns]`: what
/// [`PixelShuffle`] puts together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PixelUnshuffle {
    /// Of rows and columns.
    pub factor: usize,
}

/// A feature of the larger picture, of so many rows and columns, as one of the smaller.
fn unshuffled(f: usize, [rows, columns]: [usize; 2], factor: usize) -> usize {
    let (row, column) = (f / columns % rows, f % columns);
    let channel = (f / columns / rows * factor + row % factor) * factor + column % factor;
    (channel * (rows / factor) + row / factor) * (columns / factor) + column / factor
}

/// A feature of the smaller picture as one of the larger, of so many rows and columns.
fn shuffled(f: usize, [rows, columns]: [usize; 2], factor: usize) -> usize {
    let (small_rows, small_columns) = (rows / factor, columns / factor);
    let (row, column) = (f / small_columns % small_rows, f % small_columns);
    let channel = f / small_columns / small_rows;
    let (down, right) = (channel / factor % factor, channel % factor);
    let channel = channel / factor / factor;
    (channel * rows + row * factor + down) * columns + column * factor + right
}

impl Operation for PixelShuffle {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        let [channels, rows, columns] = shapes::picture(inputs)?;
        let factor = self.factor;
        shapes::small(&[factor])?;
        if !channels.is_multiple_of(factor * factor) {
            return Err(Error::model(format!(
                "{channels} channels; expected a multiple of {}",
                factor * factor
            )));
        }
        shapes::checked(vec![
            channels / factor / factor,
            rows * factor,
            columns * factor,
        ])
    }

    fn kernel(&self, inputs: &[&[usize]], _: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        let output = self.output(inputs)?;
        let (large, factor) = ([output[1], output[2]], self.factor);
        Ok(Box::new(Moves {
            from: move |f| (0, unshuffled(f, large, factor)),
        }))
    }
}

impl Operation for PixelUnshuffle {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        let [channels, rows, columns] = shapes::picture(inputs)?;
        let factor = self.factor;
        shapes::small(&[factor])?;
        if !rows.is_multiple_of(factor) || !columns.is_multiple_of(factor) {
            return Err(Error::model(format!(
                "{rows} rows and {columns} columns; expected multiples of {factor}"
            )));
        }
        shapes::checked(vec![
            channels * factor * factor,
            rows / factor,
            columns / factor,
        ])
    }

    fn kernel(&self, inputs: &[&[usize]], _: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        let [_, rows, columns] = shapes::picture(inputs)?;
        self.output(inputs)?;
        let factor = self.factor;
        Ok(Box::new(Moves {
            from: move |f| (0, shuffled(f, [rows, columns], factor)),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, laws};

    /// `[1, 2, 3]` small, `[.., 4, 6]` large, factor 2.
    #[test]
    fn both_obey_the_laws() {
        let mut pairs = Vec::new();
        for channel in 0..2 {
            for (row, column) in (0..4).flat_map(|r| (0..6).map(move |c| (r, c))) {
                let small = (channel * 2 + row % 2) * 2 + column % 2;
                let small = (small * 2 + row / 2) * 3 + column / 2;
                pairs.push(((channel * 4 + row) * 6 + column, small));
            }
        }
        let op = Op::PixelShuffle(PixelShuffle { factor: 2 });
        laws::check(&op, &[&[8, 2, 3]], |x, _| {
            pairs.iter().map(|&(_, small)| x[0][small]).collect()
        });
        let op = Op::PixelUnshuffle(PixelUnshuffle { factor: 2 });
        laws::check(&op, &[&[2, 4, 6]], |x, _| {
            let mut out = vec![0.0; 48];
            pairs
                .iter()
                .for_each(|&(large, small)| out[small] = x[0][large]);
            out
        });
        assert!(PixelShuffle { factor: 2 }.output(&[&[6, 2, 2]]).is_err());
        assert!(PixelUnshuffle { factor: 2 }.output(&[&[6, 2, 3]]).is_err());
    }
}
