//! The head in candle's own operations, for devices that the fused one does not run on.

use bbans_nn::likelihood::CausalCategorical;
use bbans_nn::{Description, Layer, Likelihood, Window};
use candle_core::{D, DType, Result, Tensor, Var};

use crate::loss::bernoulli_nats_of_tensors;

/// As [`super::causal_nats`], of images `x`, `[n, pixels]`, given their pixels' channels,
/// `[n, pixels * channels]`, and the head's parameters: weight and bias of each layer, then, of levels,
/// the embedding.
pub(crate) fn causal_nats_of_tensors(
    description: &Description,
    x: &Tensor,
    channels: &Tensor,
    vars: &[Var],
) -> Result<Tensor> {
    let (&[height, width], Some(window)) = (
        description.data_shape.as_slice(),
        description.likelihood.window(),
    ) else {
        candle_core::bail!("a causal head of a model without one");
    };
    let n = x.dim(0)?;
    let x = x.reshape((n, height, width))?;
    let (dense, embedding) = vars.split_at(vars.len() / 2 * 2);
    // Beyond the edge all levels are 0.
    let padded = padded(&x.unsqueeze(3)?, window)?;
    let padded = match embedding {
        [table] => {
            let (n, height, width, _) = padded.dims4()?;
            let levels = padded.flatten_all()?.to_dtype(DType::U32)?;
            (table.index_select(&levels, 0)?).reshape((n, height, width, ()))?
        }
        _ => padded,
    };
    let mut parts = vec![channels.reshape((n, height, width, window.channels))?];
    parts.extend(shifted(&padded, window, height, width)?);
    let mut values = Tensor::cat(&parts, 3)?;
    let mut dense = dense.chunks_exact(2);
    let Some(chains) = description.chains() else {
        candle_core::bail!("a causal head that is no list of layers");
    };
    for layer in &chains.head {
        values = match layer {
            Layer::Dense { name } => match dense.next() {
                Some([weight, bias]) => {
                    let rows = values.reshape((n * height * width, ()))?;
                    let outputs = rows.matmul(weight)?.broadcast_add(bias)?;
                    outputs.reshape((n, height, width, ()))?
                }
                _ => candle_core::bail!("layer {name} has no parameters"),
            },
            Layer::Silu => values.silu()?,
            &Layer::Neighbours { above, side } => {
                let window = Window {
                    channels: 0,
                    above,
                    side,
                };
                let mut parts = shifted(&self::padded(&values, window)?, window, height, width)?;
                parts.push(values);
                Tensor::cat(&parts, 3)?
            }
            other => candle_core::bail!("a head with {other:?}, which is not trained here"),
        };
    }
    let above_zero = x.minimum(1f32)?;
    let flags = values.narrow(D::Minus1, 0, 1)?.squeeze(D::Minus1)?;
    let nats = bernoulli_nats_of_tensors(&flags, &above_zero)?;
    if let Likelihood::CausalCategorical(CausalCategorical { levels, .. }) = description.likelihood
    {
        let logits = values.narrow(D::Minus1, 1, levels - 1)?.contiguous()?;
        let greatest = logits.max_keepdim(D::Minus1)?.detach();
        let sums = logits
            .broadcast_sub(&greatest)?
            .exp()?
            .sum_keepdim(D::Minus1)?;
        let own = (x.maximum(1f32)? - 1.0)?
            .to_dtype(DType::U32)?
            .unsqueeze(3)?;
        let own = logits.gather(&own, D::Minus1)?;
        let of_levels = ((sums.log()? + greatest)? - own)?.squeeze(D::Minus1)?;
        return nats + (of_levels * above_zero)?.sum_all()?;
    }
    Ok(nats)
}

/// `[n, height, width, features]` with as many rows of zeros above and columns aside as a window sees.
fn padded(x: &Tensor, window: Window) -> Result<Tensor> {
    x.pad_with_zeros(1, window.above, 0)?
        .pad_with_zeros(2, window.side, window.side)
}

/// For each neighbour of the window what it has, by pixel.
fn shifted(padded: &Tensor, window: Window, height: usize, width: usize) -> Result<Vec<Tensor>> {
    let one = |(y, x): (isize, isize)| {
        let row = window.above.saturating_add_signed(y);
        let column = window.side.saturating_add_signed(x);
        padded.narrow(1, row, height)?.narrow(2, column, width)
    };
    window.neighbours().map(one).collect()
}
