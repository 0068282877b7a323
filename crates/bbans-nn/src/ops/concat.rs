//! Values one after another along the first axis.

use serde::{Deserialize, Serialize};

use crate::file::Tensor;
use crate::ops::moves::Moves;
use crate::ops::{Kernel, Operation, Shape, shapes};
use bbans_core::{Error, Result};

/// All inputs, whose shapes differ in the first axis alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Concat {}

impl Operation for Concat {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        let Some((&first, others)) = inputs.split_first() else {
            return Err(Error::model("no inputs; expected at least 1"));
        };
        for other in others {
            if first.is_empty() || first.get(1..) != other.get(1..) {
                return Err(Error::model(format!(
                    "inputs of shapes {first:?} and {other:?}; expected the same but for the first axis"
                )));
            }
        }
        let sizes = inputs.iter().filter_map(|input| input.first());
        let mut shape = first.to_vec();
        shape[0] = sizes.fold(0, |n, &size| n.saturating_add(size));
        shapes::checked(shape)
    }

    fn kernel(&self, inputs: &[&[usize]], _: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        self.output(inputs)?;
        let mut end = 0;
        let ends: Vec<usize> = (inputs.iter())
            .map(|input| {
                end += shapes::len(input);
                end
            })
            .collect();
        Ok(Box::new(Moves {
            from: move |f| {
                let input = ends.partition_point(|&end| end <= f);
                (input, f - if input > 0 { ends[input - 1] } else { 0 })
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
        let op = Op::Concat(Concat {});
        laws::check(&op, &[&[2, 3], &[1, 3], &[4, 3]], |x, _| x.concat());
        laws::check(&op, &[&[5]], |x, _| x[0].to_vec());
        assert!(Concat {}.output(&[&[2, 3], &[2, 4]]).is_err());
        assert!(Concat {}.output(&[]).is_err());
    }
}
