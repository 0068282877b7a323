//! Numbers that depend on no data: the learned start of a top-down path.

use serde::{Deserialize, Serialize};

use crate::exact::simd::Path;
use crate::file::Tensor;
use crate::ops::{Kernel, Operation, Shape, TensorSpec, shapes};
use bbans_core::{Error, Result};

/// Of no inputs, the tensor `value` of this shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    /// The output's, and the tensor's.
    pub shape: Vec<usize>,
}

impl Operation for Constant {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        if !inputs.is_empty() {
            return Err(Error::model(format!(
                "{} inputs; expected none",
                inputs.len()
            )));
        }
        shapes::checked(self.shape.clone())
    }

    fn tensors(&self, _: &[&[usize]]) -> Vec<TensorSpec> {
        vec![("value", self.shape.clone())]
    }

    fn kernel(&self, inputs: &[&[usize]], tensors: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        self.output(inputs)?;
        let [value] = shapes::tensors(tensors)?;
        Ok(Box::new(Values(value.values.clone())))
    }
}

#[derive(Debug)]
struct Values(Vec<f32>);

impl Kernel for Values {
    fn run(&self, _: Path, _: &[&[f32]], lanes: usize, out: &mut [f32]) {
        for (out, value) in out.chunks_exact_mut(lanes.max(1)).zip(&self.0) {
            out.fill(*value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        let op = Constant { shape: vec![2, 3] };
        laws::check(&Op::Constant(op.clone()), &[], |_, t| t[0].to_vec());
        assert!(op.output(&[&[3]]).is_err());
    }
}
