//! Every number several times, side by side.

use bbans_nn::ops::Upsample;
use candle_core::{Result, Tensor};

use super::Trained;
use super::fused::Fused;
use super::moves::MOVES;

impl Trained for Upsample {
    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: usize) -> Result<Tensor> {
        let (channels, height, width, lanes) = inputs[0].dims4()?;
        let [down, right] = self.factor;
        let split = inputs[0].reshape(&[channels, height, 1, width, 1, lanes][..])?;
        let wide = split.broadcast_as(&[channels, height, down, width, right, lanes][..])?;
        wide.reshape((channels, height * down, width * right, lanes))
    }

    fn fused(&self) -> Option<&dyn Fused> {
        Some(&MOVES)
    }
}
