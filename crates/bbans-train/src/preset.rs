//! Named configurations.

use bbans_nn::Window;
use serde::{Deserialize, Serialize};

/// Sizes of the networks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Architecture {
    /// Units of the encoder's hidden layers, from the data on.
    pub encoder_hidden: Vec<usize>,
    /// Layers of latents, inferred one after another from the top; without it there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hierarchy: Option<Hierarchy>,
    /// Number of latents.
    pub latent: usize,
    /// Units of the decoder's hidden layers, from the latents on.
    pub decoder_hidden: Vec<usize>,
    /// The prior of a latent is cut into `2^bin_precision` bins of equal mass.
    pub bin_precision: u32,
    /// What is between the layers of the encoder and the decoder.
    #[serde(default)]
    pub activation: Activation,
    /// A decoder that is autoregressive in a small neighbourhood; without it pixels are independent
    /// given the latents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixels: Option<Pixels>,
}

impl Architecture {
    /// Number of symbols of a value of the data.
    pub fn levels(&self) -> usize {
        match &self.pixels {
            Some(Pixels {
                embedding: Some(_), ..
            }) => 256,
            _ => 2,
        }
    }
}

/// Layers of as many latents each, inferred from the encoder's last hidden layer and from the layers
/// above.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hierarchy {
    /// Number of layers, which divides the number of latents.
    pub layers: usize,
    /// Units of the hidden layers between these and the posterior.
    pub hidden: Vec<usize>,
}

/// An activation function.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `max(x, 0)`.
    #[default]
    Relu,
    /// `x sigmoid(x)`.
    Silu,
}

/// From the decoder's last hidden layer to the pixels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pixels {
    /// Rows and columns of pixels in a cell; the image is cut into such.
    pub cell: [usize; 2],
    /// Features of a cell, from which layers that all cells share make its pixels' channels.
    pub cell_features: usize,
    /// Units of the hidden layers of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cell_hidden: Vec<usize>,
    /// What a pixel's distribution sees.
    pub window: Window,
    /// The hidden layers of the head.
    pub head_hidden: Vec<HeadLayer>,
    /// For grey images, how many numbers stand for a neighbour's level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<usize>,
}

/// A hidden layer of the head, on a pixel's features and those of its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadLayer {
    /// Number of units.
    pub units: usize,
    /// Rows above and columns to the side whose features it takes besides the pixel's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neighbours: Option<[usize; 2]>,
}

/// Everything that decides what a run computes, besides the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Name of the preset it came from.
    pub preset: String,
    /// Sizes of the networks.
    pub architecture: Architecture,
    /// Passes over the training data.
    pub epochs: usize,
    /// Data in a step.
    pub batch: usize,
    /// Peak learning rate: reached linearly over the first epoch, left along a cosine to 0.
    pub learning_rate: f64,
    /// The weight of the KL term rises linearly from 0 to 1 over this many epochs.
    pub kl_warmup_epochs: usize,
    /// Decay of the average of the weights, by step.
    pub average_decay: f64,
    /// One part in this many of the data, the last ones, is held out for validation; 0 holds out
    /// none.
    pub held_out_part: usize,
    /// Seed of every random number of the run.
    pub seed: u64,
}

/// Names of the presets, for [`Config::preset`].
pub const PRESETS: &[&str] = &["small", "balanced", "best", "gray"];

impl Config {
    /// The configuration of that name, if there is one.
    pub fn preset(name: &str) -> Option<Self> {
        let dense = |units| HeadLayer {
            units,
            neighbours: None,
        };
        let causal = |units, above, side| HeadLayer {
            units,
            neighbours: Some([above, side]),
        };
        let small = Self {
            preset: name.to_owned(),
            architecture: Architecture {
                encoder_hidden: vec![200, 200],
                hierarchy: None,
                latent: 40,
                decoder_hidden: vec![200, 200],
                bin_precision: 10,
                activation: Activation::Relu,
                pixels: None,
            },
            epochs: 400,
            batch: 200,
            learning_rate: 2e-3,
            kl_warmup_epochs: 20,
            average_decay: 0.999,
            held_out_part: 6,
            seed: 1,
        };
        // Of images whose decoder sees a window of pixels.
        let (hidden, cell_hidden) = (vec![512, 512], vec![128]);
        let pixels = |reach, cell_hidden, head_hidden, embedding| Pixels {
            cell: [4, 4],
            cell_features: 64,
            cell_hidden,
            window: Window {
                channels: 24,
                above: reach,
                side: reach,
            },
            head_hidden,
            embedding,
        };
        let (architecture, epochs, kl_warmup_epochs) = match name {
            "small" => return Some(small),
            "balanced" => {
                let head_hidden = vec![dense(48), dense(32)];
                let architecture = Architecture {
                    encoder_hidden: hidden,
                    hierarchy: None,
                    latent: 32,
                    decoder_hidden: vec![512],
                    bin_precision: 10,
                    activation: Activation::Relu,
                    pixels: Some(pixels(4, vec![], head_hidden, None)),
                };
                (architecture, 26, 8)
            }
            "best" => {
                let features = [causal(40, 2, 2), causal(32, 1, 1)];
                let head_hidden = [vec![dense(48), dense(32)], features.to_vec()].concat();
                let architecture = Architecture {
                    encoder_hidden: vec![1024, 512],
                    hierarchy: None,
                    latent: 32,
                    decoder_hidden: hidden,
                    bin_precision: 10,
                    activation: Activation::Silu,
                    pixels: Some(pixels(4, cell_hidden, head_hidden, None)),
                };
                (architecture, 28, 8)
            }
            "gray" => {
                let head_hidden = vec![dense(64), dense(32), causal(48, 2, 2), dense(48)];
                let architecture = Architecture {
                    encoder_hidden: hidden.clone(),
                    hierarchy: None,
                    latent: 32,
                    decoder_hidden: hidden,
                    bin_precision: 10,
                    activation: Activation::Silu,
                    pixels: Some(pixels(3, cell_hidden, head_hidden, Some(4))),
                };
                (architecture, 16, 5)
            }
            _ => return None,
        };
        Some(Self {
            architecture,
            epochs,
            batch: 128,
            kl_warmup_epochs,
            ..small
        })
    }
}
