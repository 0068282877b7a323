//! Channels to pixels, and back.

use bbans_nn::ops::{PixelShuffle, PixelUnshuffle};
use candle_core::{Result, Tensor};

use super::Trained;
use super::fused::Fused;
use super::moves::MOVES;

impl Trained for PixelShuffle {
    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: usize) -> Result<Tensor> {
        let ((channels, height, width, lanes), f) = (inputs[0].dims4()?, self.factor);
        let channels = channels / f / f;
        let split = inputs[0].reshape(&[channels, f, f, height, width, lanes][..])?;
        let moved = split.permute(&[0, 3, 1, 4, 2, 5][..])?;
        moved.reshape((channels, height * f, width * f, lanes))
    }

    fn fused(&self) -> Option<&dyn Fused> {
        Some(&MOVES)
    }
}

impl Trained for PixelUnshuffle {
    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: usize) -> Result<Tensor> {
        let ((channels, height, width, lanes), f) = (inputs[0].dims4()?, self.factor);
        let (height, width) = (height / f, width / f);
        let split = inputs[0].reshape(&[channels, height, f, width, f, lanes][..])?;
        let moved = split.permute(&[0, 2, 4, 1, 3, 5][..])?;
        moved.reshape((channels * f * f, height, width, lanes))
    }

    fn fused(&self) -> Option<&dyn Fused> {
        Some(&MOVES)
    }
}
