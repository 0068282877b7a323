//! The head in candle's own operations, for devices and operations that the fused one does not know.

use bbans_nn::{Likelihood, Window};
use candle_core::{DType, Tensor};

use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::objective::bernoulli_nats_of_tensors;

/// A stage of the head: what it sees of the stage before, and its function.
pub(crate) struct Stage {
    pub above: usize,
    pub side: usize,
    pub graph: Graph,
}

/// As [`super::causal_nats`], of levels `x`, `[height, width, lanes]`, given their channels,
/// `[height, width, channels, lanes]`, the stages and, of levels, the embedding.
///
/// A pixel is to a stage what a lane is to other functions.
pub(crate) fn nats_of_tensors(
    likelihood: Likelihood,
    x: &Tensor,
    channels: &Tensor,
    stages: &[Stage],
    embedding: Option<&Tensor>,
) -> Result<Tensor> {
    let (height, width, lanes) = x.dims3()?;
    let window = likelihood.window();
    let window = window.ok_or_else(|| Error::new("the likelihood is not causal"))?;
    let of_pixels =
        |values: &Tensor| -> Result<Tensor> { Ok(values.reshape(((), height * width * lanes))?) };
    // Beyond the edge all levels are 0.
    let padded = padded(&x.unsqueeze(0)?, window)?;
    let padded = match embedding {
        Some(table) => {
            let (_, height, width, lanes) = padded.dims4()?;
            let levels = padded.flatten_all()?.to_dtype(DType::U32)?;
            let rows = table.index_select(&levels, 0)?.t()?;
            rows.reshape(((), height, width, lanes))?
        }
        None => padded,
    };
    let channels = channels.reshape((height, width, window.channels, lanes))?;
    let mut parts = vec![channels.permute((2, 0, 1, 3))?];
    parts.extend(shifted(&padded, window, height, width)?);
    let mut values = Tensor::cat(&parts, 0)?;
    for (s, stage) in stages.iter().enumerate() {
        if s > 0 {
            let window = Window {
                channels: 0,
                above: stage.above,
                side: stage.side,
            };
            let mut parts = shifted(&self::padded(&values, window)?, window, height, width)?;
            parts.push(values);
            values = Tensor::cat(&parts, 0)?;
        }
        let outputs = stage
            .graph
            .run(&[of_pixels(&values)?], height * width * lanes)?;
        let [output] = &outputs[..] else {
            return Err(Error::new("a stage of the head gives other than one value"));
        };
        values = output.reshape(((), height, width, lanes))?;
    }
    let above_zero = x.minimum(1f32)?;
    let flags = values.narrow(0, 0, 1)?.squeeze(0)?;
    let mut nats = bernoulli_nats_of_tensors(&flags, &above_zero)?;
    if let Likelihood::CausalCategorical(_) = likelihood {
        let logits = values.narrow(0, 1, values.dim(0)? - 1)?.contiguous()?;
        let greatest = logits.max_keepdim(0)?.detach();
        let sums = logits.broadcast_sub(&greatest)?.exp()?.sum_keepdim(0)?;
        let own = (x.maximum(1f32)? - 1.0)?.to_dtype(DType::U32)?;
        let own = logits.gather(&own.unsqueeze(0)?, 0)?;
        let of_levels = ((sums.log()? + greatest)? - own)?.squeeze(0)?;
        nats = (nats + (of_levels * above_zero)?)?;
    }
    Ok(nats.sum((0, 1))?)
}

/// `[features, height, width, lanes]` with as many rows of zeros above and columns aside as a window sees.
fn padded(x: &Tensor, window: Window) -> candle_core::Result<Tensor> {
    x.pad_with_zeros(1, window.above, 0)?
        .pad_with_zeros(2, window.side, window.side)
}

/// For each neighbour of the window what it has, by pixel.
fn shifted(
    padded: &Tensor,
    window: Window,
    height: usize,
    width: usize,
) -> candle_core::Result<Vec<Tensor>> {
    let one = |(y, x): (isize, isize)| {
        let row = window.above.saturating_add_signed(y);
        let column = window.side.saturating_add_signed(x);
        padded.narrow(1, row, height)?.narrow(2, column, width)
    };
    window.neighbours().map(one).collect()
}
