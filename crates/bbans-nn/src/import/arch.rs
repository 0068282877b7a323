//! The description of the layers of a model of another framework: ARCH.json.

use serde::Deserialize;
use serde_json::Value;

use crate::description::{Layer, MAX_DIM};
use crate::import::layer::{ArchLayer, list, need_graph, some_steps, steps};
use crate::import::linear::{Affine, Linear};
use crate::likelihood::{
    BetaBinomial, Categorical, ColourLogistics, DiscretizedGaussian, DiscretizedLogistic,
    Likelihood,
};
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

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum LikelihoodArch {
    Bernoulli {
        outputs: BernoulliOutputs,
    },
    BetaBinomial {
        levels: usize,
        #[serde(default)]
        order: Order,
    },
    Categorical {
        levels: usize,
        #[serde(default)]
        order: Order,
    },
    DiscretizedLogistic {
        levels: usize,
        #[serde(default = "one_component")]
        components: usize,
        #[serde(default)]
        order: Order,
        units: Units,
    },
    DiscretizedGaussian {
        levels: usize,
        #[serde(default)]
        order: Order,
        units: Units,
    },
    ColourLogistics {
        levels: usize,
        components: usize,
        #[serde(default)]
        order: Order,
        units: Units,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BernoulliOutputs {
    Logits,
    /// Through a sigmoid, the decoder's last layer.
    Probabilities,
}

/// How the decoder's outputs lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// `[parameters, dims]`: all first parameters, then all second ones.
    #[default]
    ParametersFirst,
    /// `[dims, parameters]`.
    DimensionsFirst,
}

/// Units of the means and scales of logistic distributions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Units {
    /// 0 to `levels - 1`.
    Symbols,
    /// As the encoder sees the data: `x / divide + add`.
    Inputs,
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
        let of_likelihood = matches!(
            self.likelihood,
            LikelihoodArch::DiscretizedGaussian { .. } | LikelihoodArch::ColourLogistics { .. }
        );
        let several = self.start.is_some() || !self.groups.is_empty();
        several || of_decoder || of_likelihood || self.encoder.needs_graph()
    }

    /// Number of observed dimensions.
    pub(super) fn dims(&self) -> Result<usize> {
        let product = self.data.shape.iter().try_fold(1usize, |n, &d| {
            n.checked_mul(d).filter(|&n| (1..=MAX_DIM).contains(&n))
        });
        product
            .filter(|_| !self.data.shape.is_empty())
            .ok_or_else(|| {
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
        let Self {
            layers: _,
            mean,
            log_sigma,
            log_variance,
            mean_and_log_sigma,
            mean_and_log_variance,
        } = self;
        let outputs = [
            mean,
            log_sigma,
            log_variance,
            mean_and_log_sigma,
            mean_and_log_variance,
        ];
        outputs.iter().all(|steps| steps.is_none())
    }

    /// Whether a graph is needed for it.
    fn needs_graph(&self) -> bool {
        let heads = self.heads().unwrap_or_default();
        need_graph(&self.layers) || heads.iter().any(|(steps, _)| need_graph(steps))
    }

    /// The outputs, means first.
    pub(super) fn heads(&self) -> Result<Vec<(&[ArchLayer], Head)>> {
        let Self {
            mean,
            log_sigma,
            log_variance,
            mean_and_log_sigma,
            mean_and_log_variance,
            ..
        } = self;
        let given = [
            log_sigma,
            log_variance,
            mean_and_log_sigma,
            mean_and_log_variance,
        ];
        let together = mean_and_log_sigma
            .as_ref()
            .or(mean_and_log_variance.as_ref());
        match (given.into_iter().flatten().count(), mean, together) {
            (1, None, Some(both)) => Ok(vec![(both, Head::Both)]),
            (1, Some(mean), None) => {
                let scale = log_sigma.as_ref().or(log_variance.as_ref());
                let scale = scale.map(|s| (s.as_slice(), Head::Scale));
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

impl LikelihoodArch {
    /// As the model file has it.
    pub(super) fn likelihood(&self) -> Result<Likelihood> {
        let likelihood = match *self {
            Self::Bernoulli { .. } => Likelihood::Bernoulli,
            Self::BetaBinomial { levels, .. } => Likelihood::BetaBinomial(BetaBinomial { levels }),
            Self::Categorical { levels, .. } => Likelihood::Categorical(Categorical { levels }),
            Self::DiscretizedLogistic {
                levels, components, ..
            } => Likelihood::DiscretizedLogistic(DiscretizedLogistic { levels, components }),
            Self::DiscretizedGaussian { levels, .. } => {
                Likelihood::DiscretizedGaussian(DiscretizedGaussian { levels })
            }
            Self::ColourLogistics {
                levels, components, ..
            } => Likelihood::ColourLogistics(ColourLogistics { levels, components }),
        };
        likelihood.kind().check().map(|()| likelihood)
    }

    /// Whether the outputs of several heads would have to be interleaved.
    pub(super) fn dimensions_first(&self) -> bool {
        match *self {
            Self::Bernoulli { .. } => false,
            Self::BetaBinomial { order, .. }
            | Self::Categorical { order, .. }
            | Self::DiscretizedLogistic { order, .. }
            | Self::DiscretizedGaussian { order, .. }
            | Self::ColourLogistics { order, .. } => order == Order::DimensionsFirst,
        }
    }

    /// The layers before the last linear one, and that with what follows it. The sigmoid of
    /// probabilities is taken off: what is before it are logits.
    pub(super) fn split_last<'a>(
        &self,
        steps: &'a [ArchLayer],
    ) -> Result<(&'a [ArchLayer], &'a [ArchLayer])> {
        let steps = self.without_sigmoid(steps)?;
        let linear = steps
            .iter()
            .rposition(|s| matches!(s, ArchLayer::Linear(_)));
        Ok(steps.split_at(linear.unwrap_or(0)))
    }

    /// The sigmoid of probabilities taken off: what is before it are logits.
    pub(super) fn without_sigmoid<'a>(&self, steps: &'a [ArchLayer]) -> Result<&'a [ArchLayer]> {
        let probabilities = Self::Bernoulli {
            outputs: BernoulliOutputs::Probabilities,
        };
        if *self != probabilities {
            return Ok(steps);
        }
        match steps.split_last() {
            Some((ArchLayer::Activation(Layer::Sigmoid), before)) => Ok(before),
            _ => Err(Error::model(
                "decoder: probabilities must come from a sigmoid, the last layer; expected \
                 that, or \"outputs\": \"logits\"",
            )),
        }
    }

    /// From parameters in the inputs' units to those in the symbols', for each of the likelihood's parameters; none if
    /// they are in the symbols'.
    pub(super) fn units(&self, data: &Data) -> Result<Option<Affine>> {
        let (first, means) = match *self {
            Self::DiscretizedLogistic {
                components,
                units: Units::Inputs,
                ..
            } => (if components > 1 { components } else { 0 }, components),
            Self::DiscretizedGaussian {
                units: Units::Inputs,
                ..
            } => (0, 1),
            Self::ColourLogistics {
                levels,
                components,
                units: Units::Inputs,
                ..
            } => {
                // Coefficients are of what is above the middle symbol.
                let middle = -data.add * data.divide;
                if (middle - (levels as f64 - 1.0) / 2.0).abs() > 1e-3 {
                    return Err(Error::model(format!(
                        "data: the inputs are 0 at {middle}; expected that at the middle of {levels} levels where \
                         the likelihood's units are those of the inputs"
                    )));
                }
                (components, 3 * components)
            }
            _ => return Ok(None),
        };
        if data.divide <= 0.0 {
            return Err(Error::model(
                "data: divide is negative; expected a positive number where the likelihood's \
                 units are those of the inputs",
            ));
        }
        let mut units = Affine::uniform(self.likelihood()?.parameters(), 1.0, 0.0);
        let (scales, end) = (first + means, first + 2 * means);
        units.scale[first..scales].fill(data.divide);
        units.shift[first..scales].fill(-data.add * data.divide);
        units.shift[scales..end].fill(data.divide.ln());
        Ok(Some(units))
    }

    /// The last layer with its outputs as the model file has them, `[dims, parameters]`, in units of
    /// the symbols.
    pub(super) fn arrange(&self, mut last: Linear, dims: usize, data: &Data) -> Result<Linear> {
        let parameters = self.likelihood()?.parameters();
        if !self.dimensions_first() {
            last.reorder(|i| i % parameters * dims + i / parameters);
        }
        if let Some(units) = self.units(data)? {
            let mut all = Affine::uniform(last.outputs(), 1.0, 0.0);
            for first in (0..dims * parameters).step_by(parameters) {
                all.scale[first..first + parameters].copy_from_slice(&units.scale);
                all.shift[first..first + parameters].copy_from_slice(&units.shift);
            }
            last.fold_outputs(&all);
        }
        Ok(last)
    }
}

fn one() -> f64 {
    1.0
}

fn one_component() -> usize {
    1
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
