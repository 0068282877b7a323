//! Cells of pixels put together to a picture.

use serde::{Deserialize, Serialize};

use crate::exact::simd::Path;
use crate::file::Tensor;
use crate::ops::{Kernel, Operation, Shape, shapes};
use bbans_core::{Error, Result};

/// The input, of any shape, is indexed by row of cells, column of cells, row in the cell, column in the cell and channel;
/// the output, `[rows * height, columns * width, channels]`, by row of cells, row in the cell, column of cells, column in
/// the cell and channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tiles {
    /// Rows of cells.
    pub rows: usize,
    /// Columns of cells.
    pub columns: usize,
    /// Rows of pixels in a cell.
    pub height: usize,
    /// Columns of pixels in a cell.
    pub width: usize,
}

impl Operation for Tiles {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        let input = shapes::one(inputs)?;
        let &Self {
            rows,
            columns,
            height,
            width,
        } = self;
        let pixels = [rows, columns, height, width]
            .iter()
            .try_fold(1usize, |n, &size| n.checked_mul(size));
        match (pixels, shapes::len(input)) {
            (Some(pixels @ 1..), values) if values.is_multiple_of(pixels) => {
                shapes::checked(vec![rows * height, columns * width, values / pixels])
            }
            (_, values) => Err(Error::model(format!(
                "tiles of {rows} by {columns} cells of {height} by {width} pixels from {values} values; \
                 expected a multiple of as many as there are pixels"
            ))),
        }
    }

    fn kernel(&self, inputs: &[&[usize]], _: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        let output = self.output(inputs)?;
        Ok(Box::new(Lines {
            height: self.height,
            columns: self.columns,
            line: self.width * output.last().copied().unwrap_or(1),
        }))
    }
}

/// Rows of a cell are runs of the picture's rows.
#[derive(Debug)]
struct Lines {
    height: usize,
    columns: usize,
    /// Values of a row of a cell.
    line: usize,
}

impl Kernel for Lines {
    fn keeps_finite(&self) -> bool {
        true
    }

    fn run(&self, _: Path, inputs: &[&[f32]], lanes: usize, out: &mut [f32]) {
        let ([x], 1..) = (inputs, lanes) else { return };
        let run = self.line * lanes;
        for (i, line) in x.chunks_exact(run).enumerate() {
            let (cell, line_of_cell) = (i / self.height, i % self.height);
            let row = cell / self.columns * self.height + line_of_cell;
            let at = row * self.columns + cell % self.columns;
            out[at * run..(at + 1) * run].copy_from_slice(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        let op = Tiles {
            rows: 2,
            columns: 3,
            height: 4,
            width: 5,
        };
        laws::check(&Op::Tiles(op.clone()), &[&[6, 40]], |x, _| {
            let mut y = vec![0.0; 240];
            for (f, x) in x[0].iter().enumerate() {
                let (channel, column) = (f % 2, f / 2 % 5);
                let (row, cell) = (f / 10 % 4, f / 40);
                let (row, column) = (cell / 3 * 4 + row, cell % 3 * 5 + column);
                y[(row * 15 + column) * 2 + channel] = *x;
            }
            y
        });
        assert_eq!(op.output(&[&[240]]).unwrap(), [8, 15, 2]);
        assert!(op.output(&[&[121]]).is_err());
        assert!(Tiles { rows: 0, ..op }.output(&[&[240]]).is_err());
    }
}
