//! The weights of convolutions, group by group of channels.

use crate::exact::dense::Dense;
use crate::exact::simd::Path;
use crate::exact::windows::{Few, Place, Windows};
use crate::ops::TensorSpec;
use bbans_core::Result;

/// The tensors of a convolution: `weight`, `[kernel rows, kernel columns, inputs / groups, channels]`, and `bias`,
/// `[channels]`.
pub(super) fn tensors(
    inputs: &[&[usize]],
    [rows, columns]: [usize; 2],
    channels: usize,
    groups: usize,
) -> Vec<TensorSpec> {
    let inputs = inputs.first().and_then(|shape| shape.first());
    let inputs = inputs.map_or(0, |inputs| inputs / groups);
    vec![
        ("weight", vec![rows, columns, inputs, channels]),
        ("bias", vec![channels]),
    ]
}

/// Fewest outputs of a group that a dense layer is faster for.
const DENSE_FROM: usize = 4;

/// The weights of all groups of channels, each a layer whose inputs are the taps, of each the channels.
#[derive(Debug)]
pub(super) enum Groups {
    Dense(Vec<Dense>),
    Few(Vec<Few>),
}

impl Groups {
    /// `groups` of them from weights `[terms, all outputs]`.
    pub(super) fn new(weight: &[f32], bias: &[f32], terms: usize, groups: usize) -> Result<Self> {
        let (all, each) = (bias.len(), bias.len() / groups);
        let rows = |group: usize| {
            let rows = weight.chunks_exact(all);
            rows.map(move |row| &row[group * each..][..each])
        };
        let biases = bias.chunks_exact(each).enumerate();
        if each >= DENSE_FROM {
            let layers = biases.map(|(group, bias)| {
                let weight: Vec<f32> = rows(group).flatten().copied().collect();
                Dense::new(terms, each, &weight, bias)
            });
            return layers.collect::<Result<_>>().map(Self::Dense);
        }
        let layers = biases.map(|(group, bias)| Few {
            weights: (0..each)
                .flat_map(|c| rows(group).map(move |row| row[c]))
                .collect(),
            bias: bias.to_vec(),
        });
        Ok(Self::Few(layers.collect()))
    }

    /// The outputs on `x`, `[channels, rows, columns, lanes]`.
    pub(super) fn run(
        &self,
        path: Path,
        windows: &Windows,
        x: &[f32],
        lanes: usize,
        place: &mut impl Place,
    ) {
        match self {
            Self::Dense(layers) => windows.product(path, layers, x, lanes, place),
            Self::Few(layers) => windows.product(path, layers, x, lanes, place),
        }
    }
}
