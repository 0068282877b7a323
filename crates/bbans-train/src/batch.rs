//! Data on their way through a network, side by side.

use std::sync::Arc;

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};
use crate::lanes::transposed;
use crate::network::Network;

/// Some data and the noise of their latents. With several samples of a datum's latents each has a lane, those of one
/// datum side by side.
pub(crate) struct Batch {
    /// Number of data.
    pub count: usize,
    /// Samples of each.
    pub samples: usize,
    pub lanes: usize,
    /// What the encoder takes, `[shape.., count]`.
    pub data: Tensor,
    /// The symbols of each lane, `[lanes, dims]`.
    pub rows: Vec<u16>,
    /// The same, `[dims, lanes]`.
    pub columns: Arc<[u16]>,
    /// `[latents, lanes]`.
    pub noise: Tensor,
}

impl Batch {
    /// Data, `[count, dims]`, with standard normal draws, `[count * samples, latents]`.
    pub(crate) fn new(network: &Network, x: &[u16], noise: &[f32], samples: usize) -> Result<Self> {
        let (shape, latents) = (&network.description().data_shape, network.latents());
        let dims = network.description().dims()?;
        let count = x.len() / dims;
        let lanes = count * samples;
        if count == 0 || x.len() != count * dims || noise.len() != lanes * latents {
            return Err(Error::new(format!(
                "{} symbols and {} draws; expected {dims} and {} of each datum",
                x.len(),
                noise.len(),
                samples * latents
            )));
        }
        let levels = network.description().likelihood.levels();
        if let Some(&v) = x.iter().find(|&&v| usize::from(v) >= levels) {
            return Err(Error::new(format!(
                "found the value {v}; expected 0 to {}, the likelihood's levels",
                levels - 1
            )));
        }
        let scale = network.scale();
        let columns = transposed(x, count, dims);
        let scaled = match network.positions() {
            None => columns.iter().map(|&v| f32::from(v) * scale).collect(),
            Some(positions) => positions.scaled(&columns, count)?,
        };
        let shape = [&shape[..], &[count]].concat();
        let rows: Vec<u16> = match samples {
            1 => x.to_vec(),
            _ => x
                .chunks_exact(dims)
                .flat_map(|row| row.repeat(samples))
                .collect(),
        };
        let noise = transposed(noise, lanes, latents);
        let on_device = |values: Vec<f32>, shape: &[usize]| {
            Tensor::from_vec(values, shape, &Device::Cpu)?.to_device(network.device())
        };
        Ok(Self {
            count,
            samples,
            lanes,
            data: on_device(scaled, &shape)?,
            columns: transposed(&rows, lanes, dims).into(),
            rows,
            noise: on_device(noise, &[latents, lanes])?,
        })
    }

    /// A value of each datum, `[.., count]`, for each of its samples, `[.., lanes]`.
    pub(crate) fn repeated(&self, value: &Tensor) -> Result<Tensor> {
        if self.samples == 1 {
            return Ok(value.clone());
        }
        let shape = &value.dims()[..value.rank() - 1];
        let one = value.unsqueeze(value.rank())?;
        let many = one.broadcast_as([value.dims(), &[self.samples]].concat())?;
        Ok(many.reshape([shape, &[self.lanes]].concat())?)
    }
}
