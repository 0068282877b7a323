//! Axes in another order.

use bbans_nn::ops::Permute;
use candle_core::{Result, Tensor};

use super::Trained;
use super::fused::Fused;
use super::moves::MOVES;

impl Trained for Permute {
    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: usize) -> Result<Tensor> {
        let axes = [&self.axes[..], &[self.axes.len()]].concat();
        inputs[0].permute(axes)?.contiguous()
    }

    fn fused(&self) -> Option<&dyn Fused> {
        Some(&MOVES)
    }
}
