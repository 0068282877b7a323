//! Cells of pixels put together to a picture.

use bbans_nn::ops::Tiles;
use candle_core::{Result, Tensor};

use super::Trained;
use super::fused::Fused;
use super::moves::MOVES;

impl Trained for Tiles {
    fn forward(&self, inputs: &[Tensor], _: &[Tensor], lanes: usize) -> Result<Tensor> {
        let (rows, columns) = (self.rows, self.columns);
        let (height, width) = (self.height, self.width);
        let pixels = rows * columns * height * width;
        let channels = inputs[0].elem_count() / (pixels * lanes);
        let split = inputs[0].reshape(&[rows, columns, height, width, channels, lanes][..])?;
        let moved = split.permute(&[0, 2, 1, 3, 4, 5][..])?;
        moved.reshape((rows * height, columns * width, channels, lanes))
    }

    fn fused(&self) -> Option<&dyn Fused> {
        Some(&MOVES)
    }
}
