//! Axes in another order.

use serde::{Deserialize, Serialize};

use crate::file::Tensor;
use crate::ops::moves::Moves;
use crate::ops::{Kernel, Operation, Shape, shapes};
use bbans_core::{Error, Result};

/// Axis `i` of the output is axis `axes[i]` of the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permute {
    /// Each axis of the input once.
    pub axes: Vec<usize>,
}

impl Operation for Permute {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        let input = shapes::one(inputs)?;
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..input.len()) {
            return Err(Error::model(format!(
                "axes {:?} of an input of shape {input:?}; expected each axis once, from 0 on",
                self.axes
            )));
        }
        Ok(self.axes.iter().map(|&axis| input[axis]).collect())
    }

    fn kernel(&self, inputs: &[&[usize]], _: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        let output = self.output(inputs)?;
        let input = shapes::one(inputs)?;
        // Of each axis of the output its size, and how far its steps go in the input.
        let stride = |axis: usize| shapes::len(&input[axis + 1..]);
        let axes: Vec<_> = (output.into_iter().zip(&self.axes))
            .map(|(size, &axis)| (size, stride(axis)))
            .collect();
        Ok(Box::new(Moves {
            from: move |f| {
                let (mut rest, mut at) = (f, 0);
                for &(size, stride) in axes.iter().rev() {
                    at += rest % size * stride;
                    rest /= size;
                }
                (0, at)
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
        let op = Op::Permute(Permute {
            axes: vec![2, 0, 1],
        });
        laws::check(&op, &[&[2, 3, 4]], |x, _| {
            let mut out = Vec::new();
            for k in 0..4 {
                for i in 0..2 {
                    for j in 0..3 {
                        out.push(x[0][(i * 3 + j) * 4 + k]);
                    }
                }
            }
            out
        });
        for axes in [vec![0, 0, 1], vec![0, 1], vec![1, 2, 3]] {
            assert!(Permute { axes }.output(&[&[2, 3, 4]]).is_err());
        }
    }
}
