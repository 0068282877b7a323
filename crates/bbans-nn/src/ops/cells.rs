//! One dense layer on every part of its input.

use serde::{Deserialize, Serialize};

use crate::exact::dense;
use crate::exact::simd::Path;
use crate::file::Tensor;
use crate::ops::{Kernel, Operation, Shape, TensorSpec, shapes};
use bbans_core::{Error, Result};

/// The input is `count` parts, one after another, whatever its shape; the output, `[count, outputs]`, is what a dense
/// layer with the tensors `weight`, `[inputs / count, outputs]`, and `bias`, `[outputs]`, makes of each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cells {
    /// Number of parts.
    pub count: usize,
    /// Number of outputs of each.
    pub outputs: usize,
}

impl Cells {
    /// Number of values of a part.
    fn each(&self, inputs: &[&[usize]]) -> Result<usize> {
        let input = shapes::one(inputs)?;
        match shapes::len(input) {
            len if self.count > 0 && len.is_multiple_of(self.count) => Ok(len / self.count),
            _ => Err(Error::model(format!(
                "an input of shape {input:?} for {} parts; expected a number that divides its values",
                self.count
            ))),
        }
    }
}

impl Operation for Cells {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        self.each(inputs)?;
        shapes::checked(vec![self.count, self.outputs])
    }

    fn tensors(&self, inputs: &[&[usize]]) -> Vec<TensorSpec> {
        let rows = self.each(inputs).unwrap_or(0);
        vec![
            ("weight", vec![rows, self.outputs]),
            ("bias", vec![self.outputs]),
        ]
    }

    fn multiply_adds(&self, inputs: &[&[usize]]) -> u64 {
        shapes::product(&[self.each(inputs).unwrap_or(0), self.count, self.outputs])
    }

    fn kernel(&self, inputs: &[&[usize]], tensors: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        let inputs = self.each(inputs)?;
        let [weight, bias] = shapes::tensors(tensors)?;
        Ok(Box::new(Parts {
            layer: dense::Dense::new(inputs, self.outputs, &weight.values, &bias.values)?,
            inputs,
            outputs: self.outputs,
        }))
    }
}

#[derive(Debug)]
struct Parts {
    layer: dense::Dense,
    inputs: usize,
    outputs: usize,
}

impl Kernel for Parts {
    fn run(&self, path: Path, inputs: &[&[f32]], lanes: usize, out: &mut [f32]) {
        let ([x], 1..) = (inputs, lanes) else { return };
        let parts = x.chunks_exact(self.inputs * lanes);
        for (x, out) in parts.zip(out.chunks_exact_mut(self.outputs * lanes)) {
            self.layer.product(path, &[x], lanes, 0, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        let op = Cells {
            count: 3,
            outputs: 5,
        };
        laws::check(&Op::Cells(op.clone()), &[&[6, 2]], |x, tensors| {
            let of = |(cell, j): (usize, usize)| {
                let terms = x[0][4 * cell..][..4].iter().enumerate();
                terms.fold(tensors[1][j], |y, (k, x)| y + x * tensors[0][k * 5 + j])
            };
            (0..3)
                .flat_map(|cell| (0..5).map(move |j| (cell, j)))
                .map(of)
                .collect()
        });
        assert!(op.output(&[&[7]]).is_err());
        assert!(Cells { count: 0, ..op }.output(&[&[6]]).is_err());
    }
}
