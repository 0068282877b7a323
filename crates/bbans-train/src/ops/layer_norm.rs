//! Layer norm.

use bbans_nn::ops::LayerNorm;
use candle_core::{Result, Tensor};
use candle_nn::Init;

use super::fused::{Fused, Pass};
use super::norm::{Norm, normed};
use super::{ONES, Trained, ZEROS, len};

impl Trained for LayerNorm {
    fn forward(&self, inputs: &[Tensor], tensors: &[Tensor], lanes: usize) -> Result<Tensor> {
        let (x, last) = (&inputs[0], tensors[0].elem_count());
        let y = normed(&x.reshape(((), last, lanes))?, self.eps)?;
        let [weight, bias] = [&tensors[0], &tensors[1]].map(|t| t.reshape((1, last, 1)));
        let y = y.broadcast_mul(&weight?)?.broadcast_add(&bias?)?;
        y.reshape(x.shape())
    }

    fn init(&self, _: &[&[usize]]) -> Vec<Init> {
        vec![ONES, ZEROS]
    }

    fn fused(&self) -> Option<&dyn Fused> {
        Some(self)
    }
}

impl Fused for LayerNorm {
    fn backward(&self, pass: &Pass<'_>) -> Result<Vec<Vec<f32>>> {
        let shape = pass.shapes[0];
        let norm = Norm {
            part: len(&shape[shape.len().saturating_sub(self.axes)..]),
            each: 1,
            eps: self.eps,
        };
        Ok(norm.backward(pass))
    }
}
