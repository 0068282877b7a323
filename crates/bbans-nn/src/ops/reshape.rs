//! The same values under another shape.

use serde::{Deserialize, Serialize};

use crate::exact::simd::Path;
use crate::file::Tensor;
use crate::ops::{Kernel, Operation, Shape, shapes};
use bbans_core::{Error, Result};

/// The values in their order, with another shape of the same product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reshape {
    /// The output's.
    pub shape: Vec<usize>,
}

impl Operation for Reshape {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        let input = shapes::one(inputs)?;
        let shape = shapes::checked(self.shape.clone())?;
        if shapes::len(&shape) != shapes::len(input) {
            return Err(Error::model(format!(
                "an input of shape {input:?} to be of shape {shape:?}; expected the same product"
            )));
        }
        Ok(shape)
    }

    fn kernel(&self, inputs: &[&[usize]], _: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        self.output(inputs)?;
        Ok(Box::new(Same))
    }
}

#[derive(Debug)]
struct Same;

impl Kernel for Same {
    fn keeps_finite(&self) -> bool {
        true
    }

    fn run(&self, _: Path, inputs: &[&[f32]], _: usize, out: &mut [f32]) {
        out.copy_from_slice(inputs[0]);
    }

    fn run_in_place(&self, _: Path, _: &mut [f32]) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        let op = Reshape { shape: vec![6, 2] };
        laws::check(&Op::Reshape(op.clone()), &[&[3, 2, 2]], |x, _| {
            x[0].to_vec()
        });
        assert!(op.output(&[&[13]]).is_err());
    }
}
