//! Networks as functions, each a graph of operations: version 6.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Latent;
use crate::graph::{Function, check_name};
use crate::likelihood::MAX_WINDOW;
use crate::ops::{self, Shape};
use bbans_core::{Error, Result};

/// Most nodes of all functions.
const MAX_NODES: usize = 4096;

/// The functions of a latent-variable model.
///
/// Whatever one of them gives is a *value* of the model under the name that it has there, and so are the latents of a
/// group; others take values by their names. They come in this order: what [`Graphs::encode`] gives, which
/// posteriors alone may take; what [`Graphs::start`] gives; and for each group what its prior gives, its latents,
/// and what its update gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Graphs {
    /// From the data, its only input, to features.
    pub encode: Function,
    /// Learned constants that a top-down path begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Function>,
    /// The latents, from the top.
    pub groups: Vec<Group>,
    /// To the parameters of the likelihood, `[dims, parameters]`.
    pub decode: Function,
    /// Of a causal likelihood: from a pixel's channels and neighbours to its parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub head: Vec<Stage>,
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

fn is_zero(n: &usize) -> bool {
    *n == 0
}

impl Graphs {
    /// All functions, in the order of their computation.
    fn functions(&self) -> impl Iterator<Item = &Function> {
        let of_groups = self.groups.iter().flat_map(|group| {
            let before = group.prior.iter();
            before.chain([&group.posterior]).chain(&group.update)
        });
        std::iter::once(&self.encode)
            .chain(&self.start)
            .chain(of_groups)
            .chain([&self.decode])
            .chain(self.head.iter().map(|stage| &stage.function))
    }

    /// Checks what needs no tensor.
    pub(super) fn validate(&self, latent: &Latent) -> Result<()> {
        let nodes: usize = self.functions().map(|f| f.nodes.len()).sum();
        if nodes > MAX_NODES {
            return Err(Error::model(format!(
                "functions of {nodes} nodes in all; the limit is {MAX_NODES}"
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
        let [data] = self.encode.inputs.as_slice() else {
            return Err(Error::model(format!(
                "encode has {} inputs; expected 1, the data",
                self.encode.inputs.len()
            )));
        };
        let mut all = BTreeSet::from([data.as_str()]);
        features.add("encode", &self.encode.outputs, &mut all)?;
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
