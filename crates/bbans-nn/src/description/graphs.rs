//! Networks as functions, each a graph of operations: version 6.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Latent, Values};
use crate::graph::{Function, check_name};
use crate::likelihood::{Autoregressive, Kind, Likelihood, MAX_WINDOW, SymbolKind};
use crate::ops::{self, Shape};
use bbans_core::{Error, Result};

/// Most nodes of all functions.
const MAX_NODES: usize = 4096;
/// Most numbers that stand for a symbol.
const MAX_EMBEDDING: usize = 64;

/// The functions of a latent-variable model.
///
/// Whatever one of them gives is a *value* of the model under the name that it has there, and so are the latents of a
/// group; others take values by their names. They come in this order: what [`Graphs::encode`] gives, which
/// posteriors alone may take; what [`Graphs::start`] gives; and for each group what its prior gives, its latents,
/// and what its update gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Graphs {
    /// From the data, its only input, to features, of which there are none without latents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encode: Option<Function>,
    /// Learned constants that a top-down path begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Function>,
    /// The latents, from the top.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// To the parameters of the likelihood, `[dims, parameters]`.
    pub decode: Function,
    /// Of a causal likelihood: from a pixel's channels and neighbours to its parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub head: Vec<Stage>,
    /// Of a likelihood of one symbol after another, the symbols of a position; since version 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub symbols: Vec<SymbolHead>,
}

/// Latents that are inferred together, given those of the groups above.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Name of their values.
    pub latents: String,
    /// Their shape.
    pub shape: Shape,
    /// Mean and log standard deviation of their prior, and whatever else it gives; none: the standard normal
    /// distribution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<Function>,
    /// Mean and log standard deviation of their posterior.
    pub posterior: Function,
    /// What follows from them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<Function>,
}

/// A function of a head: of one input and one output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Of the neighbours whose outputs of the stage before it takes, rows above the pixel's; of the first stage 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub above: usize,
    /// Columns to either side of the pixel's; of the first stage 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub side: usize,
    /// From the neighbours and the pixel itself.
    pub function: Function,
}

/// A symbol of a position: how it is distributed given what is known, and how it is known to those after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SymbolHead {
    /// Its distribution.
    pub distribution: SymbolKind,
    /// The number that stands for it.
    pub scaling: Scaling,
    /// In the head, so many numbers of a tensor stand for it; with 0 it is the one number.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub embedding: usize,
    /// From the features of the position, and the numbers of the symbols before, to the parameters of the distribution.
    pub function: Function,
}

/// From a symbol to a number of about 1: `(x - middle) / unit`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// What becomes 0.
    pub middle: f32,
    /// What becomes 1 above it.
    pub unit: f32,
}

impl Scaling {
    /// The number of a symbol: the difference and the quotient are each rounded to nearest.
    #[inline(always)]
    pub fn number(self, symbol: u16) -> f32 {
        (f32::from(symbol) - self.middle) / self.unit
    }

    fn check(self) -> Result<()> {
        let Self { middle, unit } = self;
        if middle.abs() <= MAX_MIDDLE && (1.0 / MAX_UNIT..=MAX_UNIT).contains(&unit) {
            return Ok(());
        }
        Err(Error::model(format!(
            "a scaling with middle {middle} and unit {unit}; expected a middle within {MAX_MIDDLE} of 0, and a unit \
             from 1 / {MAX_UNIT} to {MAX_UNIT}"
        )))
    }
}

/// Bounds of a scaling.
const MAX_MIDDLE: f32 = 131_072.0;
const MAX_UNIT: f32 = 131_072.0;

impl SymbolHead {
    /// How many numbers stand for it.
    pub fn width(&self) -> usize {
        self.embedding.max(1)
    }

    /// The name of the tensor of what stands for symbol `i` of a position.
    pub fn embedding_name(i: usize) -> String {
        format!("symbols.{i}.embedding")
    }
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

impl Graphs {
    /// All functions, in the order of their computation.
    pub(crate) fn functions(&self) -> impl Iterator<Item = &Function> {
        let of_groups = self.groups.iter().flat_map(|group| {
            let before = group.prior.iter();
            before.chain([&group.posterior]).chain(&group.update)
        });
        (self.encode.iter())
            .chain(&self.start)
            .chain(of_groups)
            .chain([&self.decode])
            .chain(self.head.iter().map(|stage| &stage.function))
            .chain(self.symbols.iter().map(|symbol| &symbol.function))
    }

    /// Checks the symbols of a position against the likelihood and what they stand for.
    pub(super) fn check_symbols(&self, likelihood: Likelihood, values: &Values) -> Result<()> {
        if let Values::Columns(columns) = values {
            let most = likelihood.levels();
            if let Some(column) = columns.iter().find(|column| column.levels() > most) {
                return Err(Error::model(format!(
                    "the column {:?} has {} values, the likelihood {most} levels; expected at most as many",
                    column.name,
                    column.levels()
                )));
            }
        }
        if let Values::GreenFirst(colours) = values {
            let found: Vec<usize> = (self.symbols.iter())
                .map(|symbol| symbol.distribution.levels())
                .collect();
            let expected = colours.levels_of_symbols();
            if found != expected {
                return Err(Error::model(format!(
                    "symbols of {found:?} levels for pixels with green first; expected an autoregressive likelihood \
                     with symbols of {expected:?} levels"
                )));
            }
        }
        let Likelihood::Autoregressive(Autoregressive {
            symbols, levels, ..
        }) = likelihood
        else {
            return match self.symbols.len() {
                0 => Ok(()),
                found => Err(Error::model(format!(
                    "{found} symbols of a position; expected none with this likelihood"
                ))),
            };
        };
        let greatest = self.symbols.iter().map(|s| s.distribution.levels()).max();
        if self.symbols.len() != symbols || greatest != Some(levels) {
            return Err(Error::model(format!(
                "the likelihood has {symbols} symbols of up to {levels} levels, the description {} of up to {}; \
                 expected the same",
                self.symbols.len(),
                greatest.unwrap_or(0)
            )));
        }
        if let Values::Columns(columns) = values {
            let mut pairs = columns.iter().zip(self.symbols.iter().cycle());
            if let Some((column, symbol)) =
                pairs.find(|(column, symbol)| column.levels() != symbol.distribution.levels())
            {
                return Err(Error::model(format!(
                    "the column {:?} has {} values, its symbol {} levels; expected the same",
                    column.name,
                    column.levels(),
                    symbol.distribution.levels()
                )));
            }
        }
        for symbol in &self.symbols {
            symbol.distribution.check()?;
            symbol.scaling.check()?;
            if symbol.embedding > MAX_EMBEDDING {
                return Err(Error::model(format!(
                    "a symbol that {} numbers stand for; the limit is {MAX_EMBEDDING}",
                    symbol.embedding
                )));
            }
        }
        Ok(())
    }

    /// Checks what needs no tensor.
    pub(super) fn validate(&self, latent: &Latent) -> Result<()> {
        let nodes: usize = self.functions().map(|f| f.nodes.len()).sum();
        if nodes > MAX_NODES {
            return Err(Error::model(format!(
                "functions of {nodes} nodes in all; the limit is {MAX_NODES}"
            )));
        }
        if self.encode.is_none() != latent.is_none() {
            let (has, expected) = match latent.is_none() {
                true => ("no latents, but a", "neither"),
                false => ("latents, but no", "both"),
            };
            return Err(Error::model(format!(
                "the model has {has} function encode; expected {expected}"
            )));
        }
        let mut dim = 0;
        for group in &self.groups {
            let shape = ops::checked(group.shape.clone())
                .map_err(|e| e.context(format!("latents {}", group.latents)))?;
            dim += shape.iter().product::<usize>();
        }
        if dim != latent.dim || self.groups.len() > MAX_NODES {
            return Err(Error::model(format!(
                "the model has {} latents, and groups of {dim} in all; expected as many",
                latent.dim
            )));
        }
        self.functions().try_for_each(Function::check_names)?;
        (self.groups.iter()).try_for_each(|group| check_name(&group.latents))?;
        self.check_values()?;
        let first = self
            .head
            .first()
            .is_none_or(|s| (s.above, s.side) == (0, 0));
        let small = |stage: &Stage| stage.above.max(stage.side) <= MAX_WINDOW;
        if !first || !self.head.iter().all(small) {
            return Err(Error::model(format!(
                "a stage of the head sees neighbours beyond the limit; expected none for the first stage, \
                 and for others at most {MAX_WINDOW} rows above and columns aside"
            )));
        }
        Ok(())
    }

    /// Checks that no two values have the same name, that every function takes what comes before it, and that every
    /// value is taken.
    fn check_values(&self) -> Result<()> {
        let (mut features, mut values) = (Names::default(), Names::default());
        let mut all = BTreeSet::new();
        if let Some(encode) = &self.encode {
            let [data] = encode.inputs.as_slice() else {
                return Err(Error::model(format!(
                    "encode has {} inputs; expected 1, the data",
                    encode.inputs.len()
                )));
            };
            all.insert(data.as_str());
            features.add("encode", &encode.outputs, &mut all)?;
        }
        if let Some(start) = &self.start {
            if !start.inputs.is_empty() {
                return Err(Error::model("start has inputs; expected none"));
            }
            values.add("start", &start.outputs, &mut all)?;
        }
        for group in &self.groups {
            let of = |what: &str| format!("the {what} of {}", group.latents);
            if let Some(prior) = &group.prior {
                values.take(&of("prior"), &prior.inputs)?;
                values.add(&of("prior"), &prior.outputs, &mut all)?;
                // They are taken by the latents themselves.
                values.take("", prior.outputs.get(..2).unwrap_or_default())?;
            }
            let (seen, unseen): (Vec<_>, Vec<_>) = (group.posterior.inputs.iter().cloned())
                .partition(|name| features.0.contains_key(name));
            features.take(&of("posterior"), &seen)?;
            values.take(&of("posterior"), &unseen)?;
            values.add(
                "the latents",
                std::slice::from_ref(&group.latents),
                &mut all,
            )?;
            if let Some(update) = &group.update {
                values.take(&of("update"), &update.inputs)?;
                values.add(&of("update"), &update.outputs, &mut all)?;
            }
        }
        values.take("decode", &self.decode.inputs)?;
        match features.untaken().or(values.untaken()) {
            None => Ok(()),
            Some(name) => Err(Error::model(format!(
                "no function takes {name}; expected every value to be taken"
            ))),
        }
    }
}

/// Names of values, and whether a function takes them.
#[derive(Default)]
struct Names(BTreeMap<String, bool>);

impl Names {
    fn add<'a>(
        &mut self,
        who: &str,
        names: &'a [String],
        all: &mut BTreeSet<&'a str>,
    ) -> Result<()> {
        for name in names {
            if !all.insert(name) {
                return Err(Error::model(format!(
                    "{who}: two values of the model have the name {name}; expected one for each name"
                )));
            }
            self.0.insert(name.clone(), false);
        }
        Ok(())
    }

    fn take(&mut self, who: &str, names: &[String]) -> Result<()> {
        for name in names {
            match self.0.get_mut(name) {
                Some(taken) => *taken = true,
                None => {
                    return Err(Error::model(format!(
                        "{who} takes {name}, which is no value that comes before it and that it may take"
                    )));
                }
            }
        }
        Ok(())
    }

    fn untaken(&self) -> Option<&String> {
        self.0
            .iter()
            .find(|(_, taken)| !**taken)
            .map(|(name, _)| name)
    }
}
