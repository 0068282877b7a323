//! Sum of values, one by one.

use serde::{Deserialize, Serialize};

use crate::file::Tensor;
use crate::ops::pairwise::Pairwise;
use crate::ops::{Kernel, Operation, Shape, shapes};
use bbans_core::Result;

/// `a + b` of two inputs of the same shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Add {}

impl Operation for Add {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        shapes::two_alike(inputs)
    }

    fn kernel(&self, inputs: &[&[usize]], _: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        self.output(inputs)?;
        Ok(Box::new(Pairwise(|a, b| a + b)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        laws::check(&Op::Add(Add {}), &[&[3, 4], &[3, 4]], |x, _| {
            x[0].iter().zip(x[1]).map(|(a, b)| a + b).collect()
        });
        assert!(Add {}.output(&[&[3, 4], &[4, 3]]).is_err());
        assert!(Add {}.output(&[&[3]]).is_err());
    }
}
