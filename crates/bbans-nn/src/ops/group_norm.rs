//! Group norm (Wu & He 2018).

use serde::{Deserialize, Serialize};

use crate::file::Tensor;
use crate::ops::norm::Norm;
use crate::ops::{Kernel, Operation, Shape, TensorSpec, shapes};
use bbans_core::Result;

/// Channels, the first axis, in groups of neighbours; mean and variance are those of a group. The tensors `weight` and
/// `bias`, `[channels]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupNorm {
    /// Number of groups.
    pub groups: usize,
    /// What is added to the variance.
    pub eps: f32,
}

impl Operation for GroupNorm {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        let input = shapes::one(inputs)?;
        let channels = shapes::first(input)?;
        shapes::check_groups(channels, channels, self.groups)?;
        shapes::positive(self.eps)?;
        Ok(input.to_vec())
    }

    fn tensors(&self, inputs: &[&[usize]]) -> Vec<TensorSpec> {
        let channels = inputs.first().and_then(|shape| shape.first());
        let channels = vec![channels.copied().unwrap_or(0)];
        vec![("weight", channels.clone()), ("bias", channels)]
    }

    fn kernel(&self, inputs: &[&[usize]], tensors: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        self.output(inputs)?;
        let input = shapes::one(inputs)?;
        let [weight, bias] = shapes::tensors(tensors)?;
        Ok(Box::new(Norm {
            part: shapes::len(input) / self.groups,
            eps: self.eps,
            weights: weight.values.clone(),
            biases: bias.values.clone(),
            each: shapes::len(&input[1..]),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, laws, norm};

    #[test]
    fn obeys_the_laws() {
        for (groups, shape) in [(2, vec![6, 3, 5]), (1, vec![2, 40]), (5, vec![5])] {
            let op = GroupNorm { groups, eps: 1e-5 };
            let (all, pixels) = (shapes::len(&shape), shapes::len(&shape[1..]));
            laws::check(&Op::GroupNorm(op), &[&shape], |x, t| {
                norm::definition(x[0], all / groups, 1e-5, |i| {
                    (t[0][i / pixels], t[1][i / pixels])
                })
            });
        }
        assert!(
            GroupNorm {
                groups: 4,
                eps: 1e-5
            }
            .output(&[&[6, 3, 5]])
            .is_err()
        );
        assert!(
            GroupNorm {
                groups: 2,
                eps: 0.0
            }
            .output(&[&[6, 3, 5]])
            .is_err()
        );
    }
}
