//! The description of the layers of a model of another framework: ARCH.json.

use serde::Deserialize;
use serde_json::Value;

use crate::description::{MAX_DIM, checked_len};
use crate::import::layer::{ArchLayer, list, need_graph, some_steps, steps};
use crate::import::likelihood::LikelihoodArch;
use bbans_core::{Error, Result};

/// What a model consists of, layer by layer, with the names of its tensors. docs/import.md has the
/// fields.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arch {
    /// The model's name.
    pub name: String,
    pub(super) data: Data,
    #[serde(default)]
    pub(super) latent: LatentArch,
    pub(super) encoder: Normal,
    /// What a top-down path begins with.
    #[serde(default, deserialize_with = "some_steps")]
    pub(super) start: Option<Vec<ArchLayer>>,
    /// Groups of latents, from the top; none: the encoder gives the posterior of all.
    #[serde(default)]
    pub(super) groups: Vec<GroupArch>,
    #[serde(deserialize_with = "decoder")]
    pub(super) decoder: Decoder,
    pub(super) likelihood: LikelihoodArch,
}

/// The data, and how the network sees them: `x / divide + add`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Data {
    pub(super) shape: Vec<usize>,
    #[serde(default = "one")]
    pub(super) divide: f64,
    #[serde(default)]
    pub(super) add: f64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LatentArch {
    /// Not needed where the layers tell it.
    #[serde(default)]
    pub(super) dim: Option<usize>,
    #[serde(default = "bin_precision")]
    pub(super) bin_precision: u32,
    #[serde(default = "log_sigma")]
    pub(super) log_sigma: [f32; 2],
}

impl Default for LatentArch {
    fn default() -> Self {
        Self {
            dim: None,
            bin_precision: bin_precision(),
            log_sigma: log_sigma(),
        }
    }
}

/// A group of latents.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupArch {
    pub(super) name: String,
    /// None: the standard normal distribution.
    #[serde(default)]
    pub(super) prior: Option<Normal>,
    pub(super) posterior: Normal,
    #[serde(default, deserialize_with = "some_steps")]
    pub(super) update: Option<Vec<ArchLayer>>,
}

/// Layers, and the outputs: means and log standard deviations or log variances, in one list of layers
/// or in two.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Normal {
    #[serde(default, deserialize_with = "steps")]
    pub(super) layers: Vec<ArchLayer>,
    #[serde(default, deserialize_with = "some_steps")]
    mean: Option<Vec<ArchLayer>>,
    #[serde(default, deserialize_with = "some_steps")]
    log_sigma: Option<Vec<ArchLayer>>,
    #[serde(default, deserialize_with = "some_steps")]
    log_variance: Option<Vec<ArchLayer>>,
    #[serde(default, deserialize_with = "some_steps")]
    mean_and_log_sigma: Option<Vec<ArchLayer>>,
    #[serde(default, deserialize_with = "some_steps")]
    mean_and_log_variance: Option<Vec<ArchLayer>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Decoder {
    Layers(Vec<ArchLayer>),
    /// Layers, and linear layers side by side: one for each parameter.
    Heads {
        layers: Vec<ArchLayer>,
        heads: Vec<Vec<ArchLayer>>,
    },
}

/// What a head of the encoder gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    Mean,
    Scale,
    Both,
}

/// What stands for the standard deviation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    LogSigma,
    LogVariance,
}

impl Arch {
    /// Parses ARCH.json.
    ///
    /// # Errors
    /// If it is not one; the message says where.
    pub fn from_json(text: &str) -> Result<Self> {
        let arch: Self = serde_json::from_str(text)
            .map_err(|e| Error::model("not a description of a model").because(e))?;
        crate::description::check_unique(text)?;
        let Data { divide, add, .. } = arch.data;
        if divide == 0.0 || !divide.is_finite() || !add.is_finite() {
            return Err(Error::model(format!(
                "data: x / {divide} + {add}; expected finite numbers, and not 0 to divide by"
            )));
        }
        if !(1..=16).contains(&arch.latent.bin_precision) {
            return Err(Error::model(format!(
                "latent: bin_precision is {}; expected 1 to 16",
                arch.latent.bin_precision
            )));
        }
        if let Some(dim) = arch.latent.dim
            && !(1..=MAX_DIM).contains(&dim)
        {
            return Err(Error::model(format!(
                "latent: dim is {dim}; expected 1 to {MAX_DIM}"
            )));
        }
        Ok(arch)
    }

    /// Whether the model is more than chains of linear layers.
    pub(super) fn needs_graph(&self) -> bool {
        let of_decoder = match &self.decoder {
            Decoder::Layers(steps) => need_graph(steps),
            Decoder::Heads { layers, heads } => {
                need_graph(layers) || heads.iter().any(|steps| need_graph(steps))
            }
        };
        let several = self.start.is_some() || !self.groups.is_empty();
        several || of_decoder || self.likelihood.needs_graph() || self.encoder.needs_graph()
    }

    /// Number of observed dimensions.
    pub(super) fn dims(&self) -> Result<usize> {
        checked_len(&self.data.shape).ok_or_else(|| {
            Error::model(format!(
                "data: shape {:?}; expected positive sizes with a product of at most {MAX_DIM}",
                self.data.shape
            ))
        })
    }
}

impl Normal {
    pub(super) fn scale(&self) -> Scale {
        if self.log_variance.is_some() || self.mean_and_log_variance.is_some() {
            Scale::LogVariance
        } else {
            Scale::LogSigma
        }
    }

    /// Whether it has no outputs, but features alone.
    pub(super) fn is_bare(&self) -> bool {
        self.mean.is_none() && self.scales().all(Option::is_none)
    }

    /// All that may give the scales.
    fn scales(&self) -> impl Iterator<Item = &Option<Vec<ArchLayer>>> {
        [
            &self.log_sigma,
            &self.log_variance,
            &self.mean_and_log_sigma,
            &self.mean_and_log_variance,
        ]
        .into_iter()
    }

    /// Whether a graph is needed for it.
    fn needs_graph(&self) -> bool {
        let heads = self.heads().unwrap_or_default();
        need_graph(&self.layers) || heads.iter().any(|(steps, _)| need_graph(steps))
    }

    /// The outputs, means first.
    pub(super) fn heads(&self) -> Result<Vec<(&[ArchLayer], Head)>> {
        let Self { mean, .. } = self;
        let apart = self.log_sigma.as_ref().or(self.log_variance.as_ref());
        let together = (self.mean_and_log_sigma.as_ref()).or(self.mean_and_log_variance.as_ref());
        match (self.scales().flatten().count(), mean, together) {
            (1, None, Some(both)) => Ok(vec![(both, Head::Both)]),
            (1, Some(mean), None) => {
                let scale = apart.map(|s| (s.as_slice(), Head::Scale));
                Ok(std::iter::once((mean.as_slice(), Head::Mean))
                    .chain(scale)
                    .collect())
            }
            _ => Err(Error::model(
                "expected mean with one of log_sigma and log_variance, or one of \
                 mean_and_log_sigma and mean_and_log_variance",
            )),
        }
    }
}

impl Decoder {
    /// Number of heads.
    pub(super) fn heads(&self) -> usize {
        match self {
            Self::Layers(_) => 1,
            Self::Heads { heads, .. } => heads.len().max(1),
        }
    }
}

fn one() -> f64 {
    1.0
}

fn bin_precision() -> u32 {
    10
}

fn log_sigma() -> [f32; 2] {
    [-10.0, 5.0]
}

type De<T, E> = std::result::Result<T, E>;

fn decoder<'de, D: serde::Deserializer<'de>>(deserializer: D) -> De<Decoder, D::Error> {
    use serde::de::Error;
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Heads {
        layers: Vec<Value>,
        heads: Vec<Vec<Value>>,
    }
    let value = Value::deserialize(deserializer)?;
    if let Value::Array(values) = value {
        return list(values).map(Decoder::Layers).map_err(D::Error::custom);
    }
    let Heads { layers, heads } = serde_json::from_value(value).map_err(D::Error::custom)?;
    Ok(Decoder::Heads {
        layers: list(layers).map_err(D::Error::custom)?,
        heads: heads
            .into_iter()
            .map(list)
            .collect::<De<_, _>>()
            .map_err(D::Error::custom)?,
    })
}
