//! The likelihood of ARCH.json, and the decoder's outputs as a model file has them.

use serde::Deserialize;

use crate::description::{GRAPHS_SINCE, Layer};
use crate::import::arch::Data;
use crate::import::layer::ArchLayer;
use crate::import::linear::{Affine, Linear};
use crate::likelihood::{
    BetaBinomial, Categorical, ColourLogistics, DiscretizedGaussian, DiscretizedLogistic,
    Likelihood,
};
use bbans_core::{Error, Result};

/// A likelihood, and how the decoder gives its parameters.
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

    /// Whether versions 1 and 2, which chains become, do not have it.
    pub(super) fn needs_graph(&self) -> bool {
        let likelihood = self.likelihood();
        likelihood.is_ok_and(|likelihood| likelihood.oldest_version() >= GRAPHS_SINCE)
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

fn one_component() -> usize {
    1
}
