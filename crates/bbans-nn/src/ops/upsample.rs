//! A picture made larger by whole factors.

use serde::{Deserialize, Serialize};

use crate::file::Tensor;
use crate::ops::moves::Moves;
use crate::ops::{Kernel, Operation, Shape, shapes};
use bbans_core::Result;

/// Nearest neighbour: output row `r`, column `c` is input row `r / factor`, column `c / factor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upsample {
    /// Of rows and columns.
    pub factor: [usize; 2],
}

impl Operation for Upsample {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        let [channels, rows, columns] = shapes::picture(inputs)?;
        shapes::small(&self.factor)?;
        let [down, right] = self.factor;
        shapes::checked(vec![channels, rows * down, columns * right])
    }

    fn kernel(&self, inputs: &[&[usize]], _: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        let output = self.output(inputs)?;
        let [down, right] = self.factor;
        let columns = output[2];
        Ok(Box::new(Moves {
            // Rows of all channels lie together.
            from: move |f| {
                (
                    0,
                    f / columns / down * (columns / right) + f % columns / right,
                )
            },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        let op = Op::Upsample(Upsample { factor: [2, 3] });
        laws::check(&op, &[&[2, 3, 4]], |x, _| {
            let mut out = Vec::new();
            for channel in 0..2 {
                for row in 0..6 {
                    for column in 0..12 {
                        out.push(x[0][(channel * 3 + row / 2) * 4 + column / 3]);
                    }
                }
            }
            out
        });
    }
}
