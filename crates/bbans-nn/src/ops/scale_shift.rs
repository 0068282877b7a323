//! A factor and a summand for each channel: batch norm in evaluation is one.

use serde::{Deserialize, Serialize};

use crate::exact::simd::Path;
use crate::file::Tensor;
use crate::ops::{Kernel, Operation, Shape, TensorSpec, shapes};
use bbans_core::Result;

/// `y = x scale + shift`, product then sum, with the tensors `scale` and `shift`, `[channels]`; channels are the first
/// axis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScaleShift {}

impl Operation for ScaleShift {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        let input = shapes::one(inputs)?;
        shapes::first(input)?;
        Ok(input.to_vec())
    }

    fn tensors(&self, inputs: &[&[usize]]) -> Vec<TensorSpec> {
        let channels = inputs.first().and_then(|shape| shape.first());
        let channels = vec![channels.copied().unwrap_or(0)];
        vec![("scale", channels.clone()), ("shift", channels)]
    }

    fn kernel(&self, inputs: &[&[usize]], tensors: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        self.output(inputs)?;
        let [scale, shift] = shapes::tensors(tensors)?;
        Ok(Box::new(Affine {
            scale: scale.values.clone(),
            shift: shift.values.clone(),
            each: shapes::len(&shapes::one(inputs)?[1..]),
        }))
    }
}

#[derive(Debug)]
struct Affine {
    scale: Vec<f32>,
    shift: Vec<f32>,
    /// Values of a channel.
    each: usize,
}

impl Kernel for Affine {
    fn run(&self, path: Path, inputs: &[&[f32]], lanes: usize, out: &mut [f32]) {
        let [x] = inputs else { return };
        let channel_len = (self.each * lanes).max(1);
        path.vectorize(
            #[inline(always)]
            || {
                let channels = x
                    .chunks_exact(channel_len)
                    .zip(out.chunks_exact_mut(channel_len));
                for ((x, out), (scale, shift)) in channels.zip(self.scale.iter().zip(&self.shift)) {
                    for (y, x) in out.iter_mut().zip(x) {
                        *y = x * scale + shift;
                    }
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        for shape in [vec![3, 2, 5], vec![4]] {
            let each = shapes::len(&shape[1..]);
            laws::check(&Op::ScaleShift(ScaleShift {}), &[&shape], |x, t| {
                let of = |(i, x): (usize, &f32)| x * t[0][i / each] + t[1][i / each];
                x[0].iter().enumerate().map(of).collect()
            });
        }
    }
}
