//! A learned constant.

use bbans_nn::ops::Constant;
use candle_core::{Result, Tensor};
use candle_nn::Init;

use super::{Trained, ZEROS};

impl Trained for Constant {
    fn forward(&self, _: &[Tensor], tensors: &[Tensor], lanes: usize) -> Result<Tensor> {
        let shape = [tensors[0].dims(), &[lanes]].concat();
        let column = tensors[0].unsqueeze(tensors[0].rank())?;
        column.broadcast_as(shape)?.contiguous()
    }

    fn init(&self, _: &[&[usize]]) -> Vec<Init> {
        vec![ZEROS]
    }
}
