//! Layer norm (Ba, Kiros & Hinton 2016).

use serde::{Deserialize, Serialize};

use crate::file::Tensor;
use crate::ops::norm::Norm;
use crate::ops::{Kernel, Operation, Shape, TensorSpec, shapes};
use bbans_core::{Error, Result};

/// Mean and variance over the last axes. The tensors `weight` and `bias` have their shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerNorm {
    /// Number of axes.
    #[serde(default = "shapes::unit", skip_serializing_if = "shapes::is_unit")]
    pub axes: usize,
    /// What is added to the variance.
    pub eps: f32,
}

impl LayerNorm {
    /// The shape of the last axes.
    fn last<'a>(&self, input: &'a [usize]) -> &'a [usize] {
        &input[input.len().saturating_sub(self.axes)..]
    }
}

impl Operation for LayerNorm {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        let input = shapes::one(inputs)?;
        shapes::positive(self.eps)?;
        if !(1..=input.len()).contains(&self.axes) {
            return Err(Error::model(format!(
                "the last {} axes of an input of shape {input:?}; expected 1 to all",
                self.axes
            )));
        }
        Ok(input.to_vec())
    }

    fn tensors(&self, inputs: &[&[usize]]) -> Vec<TensorSpec> {
        let last = inputs.first().map_or(&[][..], |input| self.last(input));
        vec![("weight", last.to_vec()), ("bias", last.to_vec())]
    }

    fn kernel(&self, inputs: &[&[usize]], tensors: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        self.output(inputs)?;
        let [weight, bias] = shapes::tensors(tensors)?;
        Ok(Box::new(Norm {
            part: shapes::len(self.last(shapes::one(inputs)?)),
            eps: self.eps,
            weights: weight.values.clone(),
            biases: bias.values.clone(),
            each: 1,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, laws, norm};

    #[test]
    fn obeys_the_laws() {
        for (axes, part) in [(1, 5), (2, 15), (3, 90)] {
            let op = Op::LayerNorm(LayerNorm { axes, eps: 1e-6 });
            laws::check(&op, &[&[6, 3, 5]], |x, t| {
                norm::definition(x[0], part, 1e-6, |i| (t[0][i % part], t[1][i % part]))
            });
        }
        assert!(LayerNorm { axes: 0, eps: 1e-6 }.output(&[&[6, 3]]).is_err());
        assert!(LayerNorm { axes: 3, eps: 1e-6 }.output(&[&[6, 3]]).is_err());
    }
}
