//! The mean of each channel.

use bbans_nn::ops::GlobalMean;
use candle_core::{Result, Tensor};

use super::Trained;

impl Trained for GlobalMean {
    fn forward(&self, inputs: &[Tensor], _: &[Tensor], lanes: usize) -> Result<Tensor> {
        let channels = inputs[0].dim(0)?;
        inputs[0].reshape((channels, (), lanes))?.mean(1)
    }
}
