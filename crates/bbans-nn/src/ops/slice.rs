//! A part along the first axis.

use serde::{Deserialize, Serialize};

use crate::file::Tensor;
use crate::ops::moves::Moves;
use crate::ops::{Kernel, Operation, Shape, shapes};
use bbans_core::{Error, Result};

/// The first axis from `start` on, up to but not including `end`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// First that is kept.
    pub start: usize,
    /// First that is not.
    pub end: usize,
}

impl Operation for Slice {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        let mut shape = shapes::one(inputs)?.to_vec();
        let Self { start, end } = *self;
        match shape.first_mut() {
            Some(size) if start < end && end <= *size => *size = end - start,
            _ => {
                return Err(Error::model(format!(
                    "from {start} to {end} of an input of shape {shape:?}; expected a part of its first axis"
                )));
            }
        }
        Ok(shape)
    }

    fn kernel(&self, inputs: &[&[usize]], _: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        self.output(inputs)?;
        let start = self.start * shapes::len(&shapes::one(inputs)?[1..]);
        Ok(Box::new(Moves {
            from: move |f| (0, start + f),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        let op = Slice { start: 1, end: 3 };
        laws::check(&Op::Slice(op.clone()), &[&[4, 2, 3]], |x, _| {
            x[0][6..18].to_vec()
        });
        assert!(op.output(&[&[2, 9]]).is_err());
        assert!(Slice { start: 1, end: 1 }.output(&[&[2]]).is_err());
    }
}
