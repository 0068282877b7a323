//! The dense layer.

use bbans_nn::ops::Dense;
use candle_core::{Result, Tensor};
use candle_nn::Init;

use super::affine::Affine;
use super::{Trained, ZEROS, glorot, len};

impl Trained for Dense {
    fn forward(&self, inputs: &[Tensor], tensors: &[Tensor], lanes: usize) -> Result<Tensor> {
        affine(&inputs[0].reshape(((), lanes))?, tensors)
    }

    fn init(&self, inputs: &[&[usize]]) -> Vec<Init> {
        vec![glorot(len(inputs[0]), self.outputs), ZEROS]
    }
}

/// Columns from which on the layer is one operation.
const MANY: usize = 1024;

/// The layer on every column of `x`, `[inputs, columns]`. The weight stays as it lies, so that its derivatives do too:
/// candle adds up what is turned around number by number.
pub(super) fn affine(x: &Tensor, tensors: &[Tensor]) -> Result<Tensor> {
    if x.device().is_cpu() && x.dim(1)? >= MANY {
        return x.contiguous()?.apply_op3(&tensors[0], &tensors[1], Affine);
    }
    let rows = x.t()?.matmul(&tensors[0])?;
    rows.broadcast_add(&tensors[1])?.t()?.contiguous()
}
