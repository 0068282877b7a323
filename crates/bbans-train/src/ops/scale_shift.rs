//! A factor and a summand for each channel.

use bbans_nn::ops::ScaleShift;
use candle_core::{Result, Tensor};
use candle_nn::Init;

use super::fused::{Fused, Pass};
use super::norm::by_channel;
use super::{ONES, Trained, ZEROS};
use crate::product::{dot, sum};

impl Trained for ScaleShift {
    fn forward(&self, inputs: &[Tensor], tensors: &[Tensor], _: usize) -> Result<Tensor> {
        by_channel(&inputs[0], &tensors[0], &tensors[1])
    }

    fn init(&self, _: &[&[usize]]) -> Vec<Init> {
        vec![ONES, ZEROS]
    }

    fn fused(&self) -> Option<&dyn Fused> {
        Some(self)
    }
}

impl Fused for ScaleShift {
    fn backward(&self, pass: &Pass<'_>) -> Result<Vec<Vec<f32>>> {
        let [x, scale] = [pass.values[0], pass.values[1]];
        let each = x.len() / scale.len();
        let mut by_x = pass.gradient.to_vec();
        let (mut by_scale, mut by_shift) = (Vec::new(), Vec::new());
        pass.path.vectorize(
            #[inline(always)]
            || {
                let channels = by_x.chunks_exact_mut(each).zip(x.chunks_exact(each));
                for ((d, x), &scale) in channels.zip(scale) {
                    by_scale.push(dot(d, x));
                    by_shift.push(sum(d));
                    d.iter_mut().for_each(|d| *d *= scale);
                }
            },
        );
        Ok(vec![by_x, by_scale, by_shift])
    }
}
