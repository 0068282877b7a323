//! Networks as chains of layers, as versions 1 to 5 have them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Latent;
use crate::likelihood::MAX_WINDOW;
use bbans_core::{Error, Result};

/// Most layers without weights one after another.
const MAX_IDLE: usize = 8;

/// The networks of a variational autoencoder, each a list of layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chains {
    /// From `[dims]` to `[2 * latent]`, the means, then the log standard deviations; with
    /// [`Chains::hierarchy`] to the features that its layers take.
    pub encoder: Vec<Layer>,
    /// Layers of latents, inferred one after another from the top (ladder VAE, Sønderby et al. 2016).
    /// Empty: there is one, and the encoder gives its posterior.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hierarchy: Vec<LatentLayer>,
    /// From `[latent]` to the parameters of the likelihood.
    pub decoder: Vec<Layer>,
    /// For a causal likelihood: from a pixel's channels and neighbours to its parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub head: Vec<Layer>,
}

/// Checks that the work on a datum of `dims` dimensions is bounded by that of every weight for each of
/// its dimensions: a text of a few bytes must not say otherwise.
fn check_work(layers: &[Layer], dims: usize) -> Result<()> {
    let mut idle = 0;
    for layer in layers {
        idle = match layer {
            Layer::Dense { .. } | Layer::Cells { .. } => 0,
            _ => idle + 1,
        };
        match layer {
            Layer::Cells { name, count } if *count > dims => {
                return Err(Error::model(format!(
                    "layer {name} has {count} cells for data of {dims} dimensions; expected no more \
                     cells than dimensions"
                )));
            }
            _ if idle > MAX_IDLE => {
                return Err(Error::model(format!(
                    "over {MAX_IDLE} layers without weights one after another; expected no more"
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A layer of latents of a hierarchy, `q(z_l | x, z_<l)`; those before it are above it.
///
/// Their prior is the standard normal distribution whatever the layers above are: a latent is in
/// units of its conditional prior, `(z - mean) / sigma`, and that mean and sigma are the decoder's to
/// know. Bins of equal mass are then those of the conditional prior.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatentLayer {
    /// Number of latents.
    pub latents: usize,
    /// From the encoder's features and the latents of the layers above, from the top, to
    /// `[2 * latents]`: the means, then the log standard deviations.
    pub layers: Vec<Layer>,
}

/// One step of a network, in the order in which it is applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Layer {
    /// `y = b + x W` with the tensors `{name}.weight`, `[in, out]`, and `{name}.bias`, `[out]`.
    Dense {
        /// Prefix of the two tensors' names.
        name: String,
    },
    /// `x > 0 ? x : +0`.
    Relu,
    /// `x * sigmoid(x)`.
    Silu,
    /// Hyperbolic tangent.
    Tanh,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// `e^x`.
    Exp,
    /// `x > 0 ? x : e^x - 1`.
    Elu,
    /// `ln(1 + e^x)`.
    Softplus,
    /// The inputs are `count` parts, one after another; the same dense layer on each of them.
    Cells {
        /// Prefix of the two tensors' names.
        name: String,
        /// Number of parts.
        count: usize,
    },
    /// Puts an image together of `rows` by `columns` cells, row by row, each of `height` by `width`
    /// pixels, row by row, of as many channels as there are: the pixels' channels, row by row of the
    /// whole image.
    Tiles {
        /// Rows of cells.
        rows: usize,
        /// Columns of cells.
        columns: usize,
        /// Rows of pixels in a cell.
        height: usize,
        /// Columns of pixels in a cell.
        width: usize,
    },
    /// In a head: the outputs of the layer before it for the neighbours in this window, in the order of
    /// [`Window::neighbours`](crate::Window::neighbours), and then for the pixel itself. Beyond the image's edge they are 0.
    Neighbours {
        /// Rows above the pixel's.
        above: usize,
        /// Columns to either side of the pixel's; in its own row, to the left alone.
        side: usize,
    },
}

impl Chains {
    /// The layers of the encoder and of the hierarchy's posteriors, in order.
    pub fn inference(&self) -> impl Iterator<Item = &Layer> {
        let posteriors = self.hierarchy.iter().flat_map(|layer| &layer.layers);
        self.encoder.iter().chain(posteriors)
    }

    /// All layers, in order.
    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.inference().chain(&self.decoder).chain(&self.head)
    }

    /// The oldest version of the description that has these layers.
    pub(super) fn oldest_version(&self) -> u32 {
        let of_hierarchy = if self.hierarchy.is_empty() { 1 } else { 5 };
        let of_layers = self.layers().map(|layer| match layer {
            Layer::Neighbours { .. } => 4,
            Layer::Cells { .. } | Layer::Tiles { .. } => 3,
            Layer::Elu | Layer::Softplus => 2,
            _ => 1,
        });
        of_layers.fold(of_hierarchy, u32::max)
    }

    /// Checks what needs no tensor.
    pub(super) fn validate(&self, dims: usize, latent: &Latent) -> Result<()> {
        for layer in &self.head {
            if let &Layer::Neighbours { above, side } = layer
                && above.max(side) > MAX_WINDOW
            {
                return Err(Error::model(format!(
                    "a layer of the head sees {above} rows above and {side} columns aside; the limit \
                     is {MAX_WINDOW}"
                )));
            }
        }
        let posteriors = self.hierarchy.iter().map(|layer| &layer.layers);
        for layers in [&self.encoder, &self.decoder, &self.head]
            .into_iter()
            .chain(posteriors)
        {
            check_work(layers, dims)?;
        }
        let mut names = BTreeSet::new();
        for layer in self.layers() {
            if let Layer::Dense { name } | Layer::Cells { name, .. } = layer
                && !names.insert(name)
            {
                // Its weights would be in memory as often as a text of a few bytes says.
                return Err(Error::model(format!(
                    "two layers of the model have the name {name}; expected one for each name"
                )));
            }
        }
        let sizes: Vec<usize> = self.hierarchy.iter().map(|layer| layer.latents).collect();
        let of_all = sizes.iter().try_fold(0usize, |n, &k| n.checked_add(k));
        if !sizes.is_empty() && (of_all != Some(latent.dim) || sizes.contains(&0)) {
            return Err(Error::model(format!(
                "the model's {} latents are in layers of {sizes:?}; expected layers that are all of \
                 them",
                latent.dim
            )));
        }
        Ok(())
    }
}
