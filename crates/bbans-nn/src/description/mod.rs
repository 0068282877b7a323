//! What a model file says of itself: everything that the codec reads besides the tensors.
//!
//! The description is JSON in the metadata of the safetensors file, under the key `bbans`.
//! docs/format.md lists its fields.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::tables::MAX_LEVELS;
use bbans_core::{Error, Result};

/// Newest version of the description that this crate reads. A writer gives a description the
/// oldest that has all it needs: [`Description::oldest_version`].
pub const DESCRIPTION_VERSION: u32 = 5;

/// Greatest number of observed dimensions, latents or units of a layer.
///
/// It keeps every size computed from a description far from overflow.
pub const MAX_DIM: usize = 1 << 24;

/// Most channels of a pixel.
const MAX_CHANNELS: usize = 1024;
/// Most rows above a pixel, and columns aside.
const MAX_WINDOW: usize = 16;
/// Most layers without weights one after another.
const MAX_IDLE: usize = 8;
/// Most components of a mixture.
const MAX_COMPONENTS: usize = 64;
/// Most numbers that stand for a level.
const MAX_EMBEDDING: usize = 64;

/// A variational autoencoder with Gaussian latents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// 1, or 2 to 5 for what the versions before do not have.
    pub version: u32,
    /// The model's name, for people and messages; a file is bound to the fingerprint, not to it.
    pub name: String,
    /// Shape of one datum, for example `[28, 28]`; its product is the number of observed dimensions.
    pub data_shape: Vec<usize>,
    /// Distribution of the observed dimensions given the latents.
    pub likelihood: Likelihood,
    /// The latents and their discretization.
    pub latent: Latent,
    /// From `[dims]` to `[2 * latent]`, the means, then the log standard deviations; with
    /// [`Description::hierarchy`] to the features that its layers take.
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
    /// How the model was made. The codec does not read it, and the fingerprint leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<serde_json::Value>,
}

/// Distribution of the observed dimensions, independent given the latents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Likelihood {
    /// One logit for each dimension; data are 0 or 1.
    Bernoulli,
    /// Two parameters for each dimension, `log alpha` and `log beta`: the binomial distribution of
    /// `levels - 1` draws whose probability is beta-distributed.
    BetaBinomial {
        /// Number of symbols, 2 to 256.
        levels: usize,
    },
    /// A logit for each symbol of each dimension.
    Categorical {
        /// Number of symbols, 2 to 256.
        levels: usize,
    },
    /// Logistic distributions, cut at the half-integers (Salimans et al. 2017): for each dimension
    /// the logits of the components, unless there is one; their means; their log scales. Means and
    /// scales are in units of the symbols.
    DiscretizedLogistic {
        /// Number of symbols, 2 to 256.
        levels: usize,
        /// Number of logistic distributions that are mixed, 1 to 64.
        components: usize,
    },
    /// One logit for each pixel of an image `[height, width]`, from the network
    /// [`Description::head`] on the pixel's channels, which the decoder gives, and on its causal
    /// neighbours: pixels that come before it, row by row. Pixels are 0 or 1; beyond the edge all
    /// are 0. The idea is PixelCNN's (van den Oord, Kalchbrenner & Kavukcuoglu 2016) over latents
    /// (PixelVAE, Gulrajani et al. 2017), with a window so small that decoding is fast.
    CausalBernoulli(Window),
    /// The same of grey images: one logit for a pixel above 0, then a logit for each of the other
    /// levels, 1 to `levels - 1`, which is coded only if the pixel is above 0 (a hurdle, Cragg 1971).
    /// For each neighbour the head takes `embedding` numbers, the row of its level in the tensor
    /// [`EMBEDDING`].
    CausalCategorical {
        /// What a pixel sees.
        window: Window,
        /// Number of symbols, 3 to 256.
        levels: usize,
        /// Numbers that stand for a level.
        embedding: usize,
    },
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

/// The numbers that stand for the levels of a causal categorical likelihood, `[levels, embedding]`.
pub const EMBEDDING: &str = "head.embedding";

/// What a pixel's distribution sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Numbers that the decoder gives for each pixel.
    pub channels: usize,
    /// Rows above the pixel's.
    pub above: usize,
    /// Columns to either side of the pixel's; in its own row, to the left alone.
    pub side: usize,
}

impl Window {
    /// Rows and columns of the neighbours, relative to the pixel, in order: the rows from the top,
    /// each from the left.
    pub fn neighbours(self) -> impl Iterator<Item = (isize, isize)> + Clone {
        // Bounded by validation.
        let (above, side) = (self.above as isize, self.side as isize);
        let rows = (-above..0).flat_map(move |y| (-side..=side).map(move |x| (y, x)));
        rows.chain((-side..0).map(|x| (0, x)))
    }

    /// Number of neighbours.
    pub fn count(self) -> usize {
        self.above * (2 * self.side + 1) + self.side
    }
}

impl Likelihood {
    /// Number of symbols of an observed dimension: `0..levels`.
    pub fn levels(self) -> usize {
        match self {
            Self::Bernoulli | Self::CausalBernoulli(_) => 2,
            Self::BetaBinomial { levels }
            | Self::Categorical { levels }
            | Self::DiscretizedLogistic { levels, .. }
            | Self::CausalCategorical { levels, .. } => levels,
        }
    }

    /// Number of parameters of an observed dimension: what the decoder network gives for it.
    pub fn parameters(self) -> usize {
        match self {
            Self::Bernoulli => 1,
            Self::BetaBinomial { .. } => 2,
            Self::Categorical { levels } => levels,
            Self::DiscretizedLogistic { components: 1, .. } => 2,
            Self::DiscretizedLogistic { components, .. } => 3 * components,
            Self::CausalBernoulli(window) | Self::CausalCategorical { window, .. } => {
                window.channels
            }
        }
    }

    /// Of a causal likelihood, what a pixel sees.
    pub fn window(self) -> Option<Window> {
        match self {
            Self::CausalBernoulli(window) | Self::CausalCategorical { window, .. } => Some(window),
            _ => None,
        }
    }

    /// Of a causal likelihood, the inputs of its head, the channels and what stands for the
    /// neighbours, and its outputs, the logits.
    pub fn head(self) -> Option<[usize; 2]> {
        let (embedding, outputs) = match self {
            Self::CausalCategorical {
                embedding, levels, ..
            } => (embedding, levels),
            _ => (1, 1),
        };
        let window = self.window()?;
        Some([window.channels + window.count() * embedding, outputs])
    }

    /// Checks its numbers.
    pub(crate) fn validate(self) -> Result<()> {
        let levels = self.levels();
        if !(2..=MAX_LEVELS).contains(&levels) {
            return Err(Error::model(format!(
                "the likelihood has {levels} levels; expected 2 to {MAX_LEVELS}"
            )));
        }
        match self {
            Self::DiscretizedLogistic { components, .. }
                if !(1..=MAX_COMPONENTS).contains(&components) =>
            {
                return Err(Error::model(format!(
                    "the likelihood mixes {components} components; expected 1 to {MAX_COMPONENTS}"
                )));
            }
            Self::CausalCategorical { embedding, .. }
                if !(1..=MAX_EMBEDDING).contains(&embedding) || levels < 3 =>
            {
                return Err(Error::model(format!(
                    "the likelihood has {levels} levels and {embedding} numbers for each; expected 3 to \
                     {MAX_LEVELS}, and 1 to {MAX_EMBEDDING}"
                )));
            }
            _ => {}
        }
        match self.window() {
            Some(Window {
                channels,
                above,
                side,
            }) if !(1..=MAX_CHANNELS).contains(&channels)
                || above > MAX_WINDOW
                || side > MAX_WINDOW =>
            {
                Err(Error::model(format!(
                    "the likelihood sees {channels} channels, {above} rows above and {side} columns \
                     aside; expected 1 to {MAX_CHANNELS}, and at most {MAX_WINDOW}"
                )))
            }
            _ => Ok(()),
        }
    }
}

/// The latents: a standard normal prior cut into equal-mass bins, a diagonal Gaussian posterior.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latent {
    /// Number of latents of one datum.
    pub dim: usize,
    /// The prior is cut into `2^bin_precision` bins of equal mass.
    pub bin_precision: u32,
    /// The log standard deviation of the posterior is clamped to `[min, max]`.
    pub log_sigma: [f32; 2],
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
    /// [`Window::neighbours`], and then for the pixel itself. Beyond the image's edge they are 0.
    Neighbours {
        /// Rows above the pixel's.
        above: usize,
        /// Columns to either side of the pixel's; in its own row, to the left alone.
        side: usize,
    },
}

impl Description {
    /// Number of observed dimensions of one datum.
    ///
    /// # Errors
    /// If the shape is empty, has a zero, or its product is above [`MAX_DIM`].
    pub fn dims(&self) -> Result<usize> {
        let product = self.data_shape.iter().try_fold(1usize, |n, &d| {
            n.checked_mul(d).filter(|&n| (1..=MAX_DIM).contains(&n))
        });
        match product {
            Some(n) if !self.data_shape.is_empty() => Ok(n),
            _ => Err(Error::model(format!(
                "the model's data shape is {:?}; expected positive sizes with a product of at most {MAX_DIM}",
                self.data_shape
            ))),
        }
    }

    /// Parses the JSON of a model file.
    ///
    /// # Errors
    /// If the text is not a description of a version that this crate reads, or a field is out of
    /// its range.
    pub fn from_json(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let bad =
            |e: serde_json::Error| Error::model("the model's description is not valid").because(e);
        let Version { version } = serde_json::from_str(text).map_err(bad)?;
        if !(1..=DESCRIPTION_VERSION).contains(&version) {
            return Err(Error::model(format!(
                "the model's description has version {version}, this program reads versions 1 to \
                 {DESCRIPTION_VERSION}; use a newer bbans"
            )));
        }
        let description: Self = serde_json::from_str(text).map_err(bad)?;
        description.validate()?;
        Ok(description)
    }

    /// The oldest version of the description that has this likelihood and these layers.
    pub fn oldest_version(&self) -> u32 {
        let of_hierarchy = if self.hierarchy.is_empty() { 1 } else { 5 };
        let layers = self.inference().chain(&self.decoder).chain(&self.head);
        let of_layers = layers.map(|layer| match layer {
            Layer::Neighbours { .. } => 4,
            Layer::Cells { .. } | Layer::Tiles { .. } => 3,
            Layer::Elu | Layer::Softplus => 2,
            _ => 1,
        });
        let of_likelihood = match self.likelihood {
            Likelihood::Bernoulli => 1,
            Likelihood::CausalCategorical { .. } => 4,
            Likelihood::CausalBernoulli(_) => 3,
            _ => 2,
        };
        of_layers.fold(of_likelihood.max(of_hierarchy), u32::max)
    }

    /// The layers of the encoder and of the hierarchy's posteriors, in order.
    pub fn inference(&self) -> impl Iterator<Item = &Layer> {
        let posteriors = self.hierarchy.iter().flat_map(|layer| &layer.layers);
        self.encoder.iter().chain(posteriors)
    }

    /// Checks every field that needs no tensor.
    pub(crate) fn validate(&self) -> Result<()> {
        let dims = self.dims()?;
        if self.version < self.oldest_version() {
            return Err(Error::model(format!(
                "the model's description has version {}, but a likelihood or a layer of version {}",
                self.version,
                self.oldest_version()
            )));
        }
        self.likelihood.validate()?;
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
        for layer in self.inference().chain(&self.decoder).chain(&self.head) {
            if let Layer::Dense { name } | Layer::Cells { name, .. } = layer
                && !names.insert(name)
            {
                // Its weights would be in memory as often as a text of a few bytes says.
                return Err(Error::model(format!(
                    "two layers of the model have the name {name}; expected one for each name"
                )));
            }
        }
        let causal = self.likelihood.window().is_some();
        if causal && self.data_shape.len() != 2 || causal == self.head.is_empty() {
            return Err(Error::model(
                "a causal likelihood, and it alone, is of images [height, width] and has a head",
            ));
        }
        if dims * self.likelihood.parameters() > MAX_DIM {
            return Err(Error::model(format!(
                "{dims} dimensions of {} parameters each; the limit is {MAX_DIM} in all",
                self.likelihood.parameters()
            )));
        }
        let Latent {
            dim,
            bin_precision,
            log_sigma: [min, max],
        } = self.latent;
        if !(1..=MAX_DIM).contains(&dim) {
            return Err(Error::model(format!(
                "the model has {dim} latents; expected 1 to {MAX_DIM}"
            )));
        }
        let sizes: Vec<usize> = self.hierarchy.iter().map(|layer| layer.latents).collect();
        let of_all = sizes.iter().try_fold(0usize, |n, &k| n.checked_add(k));
        if !sizes.is_empty() && (of_all != Some(dim) || sizes.contains(&0)) {
            return Err(Error::model(format!(
                "the model's {dim} latents are in layers of {sizes:?}; expected layers that are all of \
                 them"
            )));
        }
        if !(1..=16).contains(&bin_precision) {
            return Err(Error::model(format!(
                "the model's bin_precision is {bin_precision}; expected 1 to 16"
            )));
        }
        // The bounds keep e^-log_sigma finite and normal.
        if !(min >= -20.0 && min <= max && max <= 20.0) {
            return Err(Error::model(format!(
                "the model clamps log sigma to [{min}, {max}]; expected -20 <= min <= max <= 20"
            )));
        }
        if self.name.len() > 100 || !self.name.chars().all(|c| c.is_ascii_graphic()) {
            return Err(Error::model(
                "the model's name must be at most 100 printable ASCII characters without spaces",
            ));
        }
        Ok(())
    }
}
