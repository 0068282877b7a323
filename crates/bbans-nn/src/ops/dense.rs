//! The dense layer: `y_j = b_j + sum over k of x_k w_kj`, `k` ascending.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::exact::dense;
use crate::exact::simd::Path;
use crate::file::Tensor;
use crate::ops::{Kernel, Operation, Shape, TensorSpec, shapes};
use bbans_core::Result;

/// The tensors `weight`, `[inputs, outputs]`, and `bias`, `[outputs]`; the input is of any shape, the output
/// `[outputs]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    /// Number of outputs.
    pub outputs: usize,
}

impl Operation for Dense {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        shapes::one(inputs)?;
        shapes::checked(vec![self.outputs])
    }

    fn tensors(&self, inputs: &[&[usize]]) -> Vec<TensorSpec> {
        let rows = inputs.first().map_or(0, |input| shapes::len(input));
        vec![
            ("weight", vec![rows, self.outputs]),
            ("bias", vec![self.outputs]),
        ]
    }

    fn multiply_adds(&self, inputs: &[&[usize]]) -> u64 {
        let rows = inputs.first().map_or(0, |input| shapes::len(input));
        rows as u64 * self.outputs as u64
    }

    fn kernel(&self, inputs: &[&[usize]], tensors: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        let rows = shapes::len(shapes::one(inputs)?);
        let [weight, bias] = shapes::tensors(tensors)?;
        let layer = dense::Dense::new(rows, self.outputs, &weight.values, &bias.values)?;
        Ok(Box::new(layer))
    }
}

impl Kernel for dense::Dense {
    fn run(&self, path: Path, inputs: &[&[f32]], lanes: usize, out: &mut [f32]) {
        self.product(path, inputs, lanes, 0, out);
    }

    fn run_bytes(&self, path: Path, data: &[u8], lanes: usize, out: &mut [f32]) -> bool {
        self.product_of_bytes(path, data, lanes, out);
        true
    }

    fn run_parts(&self, path: Path, parts: &[&[f32]], lanes: usize, out: &mut [f32]) -> bool {
        self.product(path, parts, lanes, 0, out);
        true
    }

    fn has_ranges(&self) -> bool {
        true
    }

    fn run_range(
        &self,
        path: Path,
        inputs: &[&[f32]],
        lanes: usize,
        range: Range<usize>,
        out: &mut [f32],
    ) {
        self.product(path, inputs, lanes, range.start, out);
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        for (shape, outputs) in [(vec![1], 1), (vec![70], 33), (vec![3, 4, 5], 100)] {
            let op = Op::Dense(super::Dense { outputs });
            laws::check(&op, &[&shape], |x, tensors| {
                let of_output = |j: usize| {
                    let terms = x[0].iter().enumerate();
                    terms.fold(tensors[1][j], |sum, (k, x)| {
                        sum + x * tensors[0][k * outputs + j]
                    })
                };
                (0..outputs).map(of_output).collect()
            });
        }
    }
}
