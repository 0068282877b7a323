//! The description of the layers of a model of another framework: ARCH.json.

use serde::Deserialize;
use serde_json::Value;

use crate::description::{Layer, Likelihood, MAX_DIM};
use crate::import::linear::{Affine, Linear};
use bbans_core::{Error, Result};

/// What a model consists of, layer by layer, with the names of its tensors. docs/import.md has the
/// fields.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arch {
    /// The model's name.
    pub name: String,
    pub(super) data: Data,
    pub(super) latent: LatentArch,
    pub(super) encoder: Encoder,
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
    pub(super) dim: usize,
    #[serde(default = "bin_precision")]
    pub(super) bin_precision: u32,
    #[serde(default = "log_sigma")]
    pub(super) log_sigma: [f32; 2],
}

/// Layers, and the outputs: means and log standard deviations or log variances, in one linear layer
/// or in two.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Encoder {
    #[serde(deserialize_with = "steps")]
    pub(super) layers: Vec<Step>,
    #[serde(default, deserialize_with = "some_steps")]
    mean: Option<Vec<Step>>,
    #[serde(default, deserialize_with = "some_steps")]
    log_sigma: Option<Vec<Step>>,
    #[serde(default, deserialize_with = "some_steps")]
    log_variance: Option<Vec<Step>>,
    #[serde(default, deserialize_with = "some_steps")]
    mean_and_log_sigma: Option<Vec<Step>>,
    #[serde(default, deserialize_with = "some_steps")]
    mean_and_log_variance: Option<Vec<Step>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Decoder {
    Layers(Vec<Step>),
    /// Layers, and linear layers side by side: one for each parameter.
    Heads {
        layers: Vec<Step>,
        heads: Vec<Vec<Step>>,
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

/// One entry of a list of layers.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Linear(LinearLayer),
    BatchNorm(BatchNorm),
    Activation(Layer),
    /// Nothing, in evaluation.
    Identity,
}

/// The tensors `{linear}.weight`, `[outputs, inputs]`, and `{linear}.bias`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinearLayer {
    pub(super) linear: String,
    #[serde(default = "yes")]
    pub(super) bias: bool,
    /// The weight is `[inputs, outputs]`.
    #[serde(default)]
    pub(super) transposed: bool,
}

/// The tensors `{batch_norm}.running_mean`, `.running_var`, `.weight` and `.bias`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchNorm {
    pub(super) batch_norm: String,
    #[serde(default = "epsilon")]
    pub(super) eps: f64,
    #[serde(default = "yes")]
    pub(super) affine: bool,
}

impl Arch {
    /// Parses ARCH.json.
    ///
    /// # Errors
    /// If it is not one; the message says where.
    pub fn from_json(text: &str) -> Result<Self> {
        let arch: Self = serde_json::from_str(text)
            .map_err(|e| Error::model("not a description of a model").because(e))?;
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
        if !(1..=MAX_DIM).contains(&arch.latent.dim) {
            return Err(Error::model(format!(
                "latent: dim is {}; expected 1 to {MAX_DIM}",
                arch.latent.dim
            )));
        }
        Ok(arch)
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

impl Encoder {
    pub(super) fn scale(&self) -> Scale {
        if self.log_variance.is_some() || self.mean_and_log_variance.is_some() {
            Scale::LogVariance
        } else {
            Scale::LogSigma
        }
    }

    /// The outputs, means first.
    pub(super) fn heads(&self) -> Result<Vec<(&[Step], Head)>> {
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
                "encoder: expected mean with one of log_sigma and log_variance, or one of \
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
            Self::BetaBinomial { levels, .. } => Likelihood::BetaBinomial { levels },
            Self::Categorical { levels, .. } => Likelihood::Categorical { levels },
            Self::DiscretizedLogistic {
                levels, components, ..
            } => Likelihood::DiscretizedLogistic { levels, components },
        };
        likelihood.validate().map(|()| likelihood)
    }

    /// Whether the outputs of several heads would have to be interleaved.
    pub(super) fn dimensions_first(&self) -> bool {
        match *self {
            Self::Bernoulli { .. } => false,
            Self::BetaBinomial { order, .. }
            | Self::Categorical { order, .. }
            | Self::DiscretizedLogistic { order, .. } => order == Order::DimensionsFirst,
        }
    }

    /// The layers before the last linear one, and that with what follows it. The sigmoid of
    /// probabilities is taken off: what is before it are logits.
    pub(super) fn split_last<'a>(&self, steps: &'a [Step]) -> Result<(&'a [Step], &'a [Step])> {
        let mut steps = steps;
        let probabilities = Self::Bernoulli {
            outputs: BernoulliOutputs::Probabilities,
        };
        if *self == probabilities {
            match steps.split_last() {
                Some((Step::Activation(Layer::Sigmoid), before)) => steps = before,
                _ => {
                    return Err(Error::model(
                        "decoder: probabilities must come from a sigmoid, the last layer; expected \
                         that, or \"outputs\": \"logits\"",
                    ));
                }
            }
        }
        let linear = steps.iter().rposition(|s| matches!(s, Step::Linear(_)));
        Ok(steps.split_at(linear.unwrap_or(0)))
    }

    /// The last layer with its outputs as the model file has them, `[dims, parameters]`, in units of
    /// the symbols.
    pub(super) fn arrange(&self, mut last: Linear, dims: usize, data: &Data) -> Result<Linear> {
        let parameters = self.likelihood()?.parameters();
        if !self.dimensions_first() {
            last.reorder(|i| i % parameters * dims + i / parameters);
        }
        if let Self::DiscretizedLogistic {
            components,
            units: Units::Inputs,
            ..
        } = *self
        {
            if data.divide <= 0.0 {
                return Err(Error::model(
                    "data: divide is negative; expected a positive number where the likelihood's \
                     units are those of the inputs",
                ));
            }
            let mut units = Affine::uniform(last.outputs(), 1.0, 0.0);
            for end in (1..=dims).map(|d| d * parameters) {
                let (means, scales) = (end - 2 * components, end - components);
                units.scale[means..scales].fill(data.divide);
                units.shift[means..scales].fill(-data.add * data.divide);
                units.shift[scales..end].fill(data.divide.ln());
            }
            last.fold_outputs(&units);
        }
        Ok(last)
    }
}

fn one() -> f64 {
    1.0
}

fn yes() -> bool {
    true
}

fn one_component() -> usize {
    1
}

fn epsilon() -> f64 {
    1e-5
}

fn bin_precision() -> u32 {
    10
}

fn log_sigma() -> [f32; 2] {
    [-10.0, 5.0]
}

type De<T, E> = std::result::Result<T, E>;

fn steps<'de, D: serde::Deserializer<'de>>(deserializer: D) -> De<Vec<Step>, D::Error> {
    let values = Vec::<Value>::deserialize(deserializer)?;
    values
        .into_iter()
        .map(|v| step(v).map_err(serde::de::Error::custom))
        .collect()
}

fn some_steps<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> De<Option<Vec<Step>>, D::Error> {
    steps(deserializer).map(Some)
}

fn decoder<'de, D: serde::Deserializer<'de>>(deserializer: D) -> De<Decoder, D::Error> {
    use serde::de::Error;
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Heads {
        layers: Vec<Value>,
        heads: Vec<Vec<Value>>,
    }
    let all =
        |values: Vec<Value>| -> De<Vec<Step>, String> { values.into_iter().map(step).collect() };
    let value = Value::deserialize(deserializer)?;
    if let Value::Array(values) = value {
        return all(values).map(Decoder::Layers).map_err(D::Error::custom);
    }
    let Heads { layers, heads } = serde_json::from_value(value).map_err(D::Error::custom)?;
    Ok(Decoder::Heads {
        layers: all(layers).map_err(D::Error::custom)?,
        heads: heads
            .into_iter()
            .map(all)
            .collect::<De<_, _>>()
            .map_err(D::Error::custom)?,
    })
}

/// A layer: the name of one without weights, or an object with those of its tensors.
fn step(value: Value) -> De<Step, String> {
    const KNOWN: &str = "{\"linear\": NAME}, {\"batch_norm\": NAME}, \"relu\", \"silu\", \"tanh\", \
                         \"sigmoid\", \"exp\", \"elu\", \"softplus\", \"flatten\" or \"dropout\"";
    let known = match &value {
        Value::Object(fields) if fields.contains_key("linear") => {
            return serde_json::from_value(value)
                .map(Step::Linear)
                .map_err(|e| format!("a linear layer: {e}"));
        }
        Value::Object(fields) if fields.contains_key("batch_norm") => {
            return serde_json::from_value(value)
                .map(Step::BatchNorm)
                .map_err(|e| format!("batch norm: {e}"));
        }
        Value::String(name) => match name.as_str() {
            "relu" => Some(Step::Activation(Layer::Relu)),
            "silu" => Some(Step::Activation(Layer::Silu)),
            "tanh" => Some(Step::Activation(Layer::Tanh)),
            "sigmoid" => Some(Step::Activation(Layer::Sigmoid)),
            "exp" => Some(Step::Activation(Layer::Exp)),
            "elu" => Some(Step::Activation(Layer::Elu)),
            "softplus" => Some(Step::Activation(Layer::Softplus)),
            "flatten" | "dropout" => Some(Step::Identity),
            _ => None,
        },
        _ => None,
    };
    known.ok_or_else(|| format!("unknown layer {value}; expected {KNOWN}"))
}
