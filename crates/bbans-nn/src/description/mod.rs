//! What a model file says of itself: everything that the codec reads besides the tensors.
//!
//! The description is JSON in the metadata of the safetensors file, under the key `bbans`.
//! docs/format/model-file.md lists its fields.

mod chains;
mod graphs;
mod json;
mod unchain;
mod values;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use chains::{Chains, LatentLayer, Layer};
pub use graphs::{Graphs, Group, Scaling, Stage, SymbolHead};
pub(crate) use json::check_unique;
pub use values::{Column, GreenFirst, MAX_SYMBOLS, Numbers, Step, Values, Zeros};

use crate::file::Tensor;
use crate::likelihood::Likelihood;
use bbans_core::{Error, Result};

/// Newest version of the description that this crate reads. A writer gives a description the
/// oldest that has all it needs: [`Description::oldest_version`].
pub const DESCRIPTION_VERSION: u32 = 9;

/// Greatest number of observed dimensions, latents or units of a layer.
///
/// It keeps every size computed from a description far from overflow.
pub const MAX_DIM: usize = 1 << 24;

/// Number of values of a shape, if it has axes, all of a positive size, and there are at most [`MAX_DIM`].
pub(crate) fn checked_len(shape: &[usize]) -> Option<usize> {
    let product = shape.iter().try_fold(1usize, |n, &size| {
        n.checked_mul(size).filter(|n| (1..=MAX_DIM).contains(n))
    });
    product.filter(|_| !shape.is_empty())
}

/// The version from which on networks are graphs.
pub(crate) const GRAPHS_SINCE: u32 = 6;

/// The version from which on a model may have no latents.
const WITHOUT_LATENTS_SINCE: u32 = 9;

/// A variational autoencoder with Gaussian latents, or a model without latents.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    /// 1, or 2 to 9 for what the versions before do not have.
    pub version: u32,
    /// The model's name, for people and messages; a file is bound to the fingerprint, not to it.
    pub name: String,
    /// Shape of one datum, for example `[28, 28]`; its product is the number of observed dimensions.
    pub data_shape: Vec<usize>,
    /// What the symbols stand for; since version 8.
    #[serde(default, skip_serializing_if = "Values::are_symbols")]
    pub values: Values,
    /// Distribution of the observed dimensions given the latents.
    pub likelihood: Likelihood,
    /// The latents and their discretization; since version 9 there may be none.
    #[serde(skip_serializing_if = "Latent::is_none")]
    pub latent: Latent,
    /// From data to the posterior, and from latents to the likelihood.
    #[serde(flatten)]
    pub networks: Networks,
    /// How the model was made. The codec does not read it, and the fingerprint leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<serde_json::Value>,
}

/// The networks of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Networks {
    /// Versions 1 to 5.
    Chains(Chains),
    /// From version 6 on.
    Graphs(Graphs),
}

/// The latents: a standard normal prior cut into bins, a diagonal Gaussian posterior.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latent {
    /// Number of latents of one datum.
    pub dim: usize,
    /// The prior is cut into `2^bin_precision` bins.
    pub bin_precision: u32,
    /// Where it is cut.
    #[serde(default, skip_serializing_if = "BinKind::is_equal_mass")]
    pub bins: BinKind,
    /// The log standard deviation of the posterior is clamped to `[min, max]`.
    pub log_sigma: [f32; 2],
}

/// How the prior of a latent is cut into bins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BinKind {
    /// All bins have the same mass under the prior.
    #[default]
    EqualMass,
    /// A tensor has the mass of each bin; since version 7.
    Masses,
}

impl BinKind {
    fn is_equal_mass(&self) -> bool {
        *self == Self::EqualMass
    }

    fn oldest_version(self) -> u32 {
        match self {
            Self::EqualMass => 1,
            Self::Masses => 7,
        }
    }
}

impl Description {
    /// Number of observed dimensions of one datum.
    ///
    /// # Errors
    /// If the shape is empty, has a zero, or its product is above [`MAX_DIM`].
    pub fn dims(&self) -> Result<usize> {
        checked_len(&self.data_shape).ok_or_else(|| {
            Error::model(format!(
                "the model's data shape is {:?}; expected positive sizes with a product of at most {MAX_DIM}",
                self.data_shape
            ))
        })
    }

    /// Parses the JSON of a model file.
    ///
    /// # Errors
    /// If the text is not a description of a version that this crate reads, or a field is out of
    /// its range.
    pub fn from_json(text: &str) -> Result<Self> {
        let fields = Self::fields_of_json(text)?;
        Self::from_canonical_fields(fields)
    }

    /// A description from its fields, of which defaults are left out from version 6 on.
    ///
    /// # Errors
    /// As [`Description::from_json`].
    pub(crate) fn from_canonical_fields(fields: Map<String, Value>) -> Result<Self> {
        let description = Self::from_fields(fields.clone())?;
        if description.version >= GRAPHS_SINCE {
            description.check_canonical(fields)?;
        }
        Ok(description)
    }

    /// The fields of a JSON text, each of which is there once.
    ///
    /// # Errors
    /// If the text is no JSON, or no such fields.
    pub fn fields_of_json(text: &str) -> Result<Map<String, Value>> {
        let json::Strict(value) = serde_json::from_str(text).map_err(bad)?;
        serde_json::from_value(value).map_err(bad)
    }

    /// A description from its fields, of which defaults need not be left out.
    ///
    /// # Errors
    /// If they are no description of a version that this crate reads, or a field is out of its range.
    pub fn from_fields(mut fields: Map<String, Value>) -> Result<Self> {
        let version: u32 = field(&mut fields, "version")?;
        if !(1..=DESCRIPTION_VERSION).contains(&version) {
            return Err(Error::model(format!(
                "the model's description has version {version}, this program reads versions 1 to \
                 {DESCRIPTION_VERSION}; use a newer bbans"
            )));
        }
        let has_bins = fields
            .get("latent")
            .is_some_and(|l| l.get("bins").is_some());
        if has_bins && version < BinKind::Masses.oldest_version() {
            return Err(Error::model(format!(
                "latent has a field bins in a description of version {version}; expected version {}",
                BinKind::Masses.oldest_version()
            )));
        }
        let description = Self {
            version,
            name: field(&mut fields, "name")?,
            data_shape: field(&mut fields, "data_shape")?,
            values: optional(&mut fields, "values")?.unwrap_or_default(),
            likelihood: field(&mut fields, "likelihood")?,
            latent: latent(&mut fields, version)?,
            training: fields.remove("training"),
            networks: if version >= GRAPHS_SINCE {
                Networks::Graphs(all(fields)?)
            } else {
                Networks::Chains(all(fields)?)
            },
        };
        description.validate()?;
        Ok(description)
    }

    /// Checks that defaults are left out, so that one model has one fingerprint.
    fn check_canonical(&self, mut found: Map<String, Value>) -> Result<()> {
        found.retain(|name, _| !UNHASHED.contains(&name.as_str()));
        let (found, canonical) = (Value::Object(found), self.hashed_fields()?);
        let digest = |value| crate::file::digest_of_json(self.version, value);
        if digest(&found) == digest(&canonical) {
            return Ok(());
        }
        let at = json::difference(&found, &canonical).unwrap_or_default();
        Err(Error::model(format!(
            "the model's description is not in its canonical form at {at}: expected defaults to be left out, \
             and numbers that a 32-bit float has"
        )))
    }

    /// What a fingerprint is of, from version 6 on.
    pub(crate) fn hashed_fields(&self) -> Result<Value> {
        let mut value = serde_json::to_value(self).map_err(bad)?;
        if let Value::Object(fields) = &mut value {
            fields.retain(|name, _| !UNHASHED.contains(&name.as_str()));
        }
        Ok(value)
    }

    /// The oldest version of the description that has this likelihood and these networks.
    pub fn oldest_version(&self) -> u32 {
        let of_networks = match &self.networks {
            Networks::Chains(chains) => chains.oldest_version(),
            Networks::Graphs(_) => GRAPHS_SINCE,
        };
        let of_latents = self.latent.oldest_version();
        self.likelihood
            .oldest_version()
            .max(of_networks)
            .max(of_latents)
            .max(self.values.oldest_version())
    }

    /// The networks as lists of layers, if they are.
    pub fn chains(&self) -> Option<&Chains> {
        match &self.networks {
            Networks::Chains(chains) => Some(chains),
            Networks::Graphs(_) => None,
        }
    }

    /// [`Description::chains`] to be changed.
    pub fn chains_mut(&mut self) -> Option<&mut Chains> {
        match &mut self.networks {
            Networks::Chains(chains) => Some(chains),
            Networks::Graphs(_) => None,
        }
    }

    /// The networks as graphs; the tensors tell the sizes of layers.
    ///
    /// # Errors
    /// If the layers and the tensors do not fit together.
    pub fn graphs(&self, tensors: &BTreeMap<String, Tensor>) -> Result<Cow<'_, Graphs>> {
        match &self.networks {
            Networks::Graphs(graphs) => Ok(Cow::Borrowed(graphs)),
            Networks::Chains(chains) => chains
                .graphs(&self.data_shape, self.latent.dim, &self.likelihood, tensors)
                .map(Cow::Owned),
        }
    }

    /// Checks every field that needs no tensor.
    pub(crate) fn validate(&self) -> Result<()> {
        let dims = self.dims()?;
        let graphs = matches!(self.networks, Networks::Graphs(_));
        if self.version < self.oldest_version() || graphs != (self.version >= GRAPHS_SINCE) {
            return Err(Error::model(format!(
                "the model's description has version {}, but a likelihood, a layer, bins or no latents as of version {}",
                self.version,
                self.oldest_version()
            )));
        }
        self.likelihood.kind().check()?;
        self.values.check(dims)?;
        self.likelihood.outputs(&self.data_shape)?;
        self.latent.validate()?;
        match &self.networks {
            Networks::Chains(chains) => chains.validate(dims, &self.latent)?,
            Networks::Graphs(graphs) => {
                graphs.validate(&self.latent)?;
                graphs.check_symbols(self.likelihood, &self.values)?;
            }
        }
        let head = match &self.networks {
            Networks::Chains(chains) => chains.head.len(),
            Networks::Graphs(graphs) => graphs.head.len(),
        };
        if self.likelihood.window().is_some() == (head == 0) {
            return Err(Error::model(CAUSAL));
        }
        if self.name.len() > 100 || !self.name.chars().all(|c| c.is_ascii_graphic()) {
            return Err(Error::model(
                "the model's name must be at most 100 printable ASCII characters without spaces",
            ));
        }
        Ok(())
    }
}

/// Fields that a fingerprint leaves out, or has by itself.
const UNHASHED: [&str; 3] = ["version", "name", "training"];

const CAUSAL: &str = "a causal likelihood, and it alone, has a head";

impl Latent {
    /// No latents at all: what a model of data that are explained by one another has.
    pub const NONE: Self = Self {
        dim: 0,
        bin_precision: 0,
        bins: BinKind::EqualMass,
        log_sigma: [0.0; 2],
    };

    /// Whether there are none.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    fn oldest_version(&self) -> u32 {
        if self.is_none() {
            return WITHOUT_LATENTS_SINCE;
        }
        self.bins.oldest_version()
    }

    fn validate(&self) -> Result<()> {
        if self.is_none() {
            return Ok(());
        }
        let Self {
            dim,
            bin_precision,
            log_sigma: [min, max],
            ..
        } = *self;
        if !(1..=MAX_DIM).contains(&dim) {
            return Err(Error::model(format!(
                "the model has {dim} latents; expected 1 to {MAX_DIM}"
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
        Ok(())
    }
}

fn bad(e: serde_json::Error) -> Error {
    Error::model("the model's description is not valid").because(e)
}

/// A field that must be there.
fn field<T: DeserializeOwned>(fields: &mut Map<String, Value>, name: &str) -> Result<T> {
    let value = fields.remove(name).ok_or_else(|| {
        Error::model(format!(
            "the model's description is not valid: it has no field {name}"
        ))
    })?;
    serde_json::from_value(value).map_err(|e| bad(e).context(format!("field {name}")))
}

/// The latents, which are always there before the version that may have none.
fn latent(fields: &mut Map<String, Value>, version: u32) -> Result<Latent> {
    if version >= WITHOUT_LATENTS_SINCE && !fields.contains_key("latent") {
        return Ok(Latent::NONE);
    }
    let latent: Latent = field(fields, "latent")?;
    if latent.dim == 0 {
        return Err(Error::model(
            "the model's description has a field latent of no latents; expected it to be left out",
        ));
    }
    Ok(latent)
}

/// A field that may be there.
fn optional<T: DeserializeOwned>(fields: &mut Map<String, Value>, name: &str) -> Result<Option<T>> {
    let value = fields.remove(name).map(serde_json::from_value);
    let value = value.transpose();
    value.map_err(|e| bad(e).context(format!("field {name}")))
}

/// All fields that are left.
fn all<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T> {
    serde_json::from_value(Value::Object(fields)).map_err(bad)
}
