//! Descriptions to be trained: ARCH.json, and the presets, which are such files.

use bbans_nn::description::{DESCRIPTION_VERSION, Networks, Values as StandFor};
use bbans_nn::{Description, Likelihood, ModelFile};
use candle_core::Device;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::facts::Facts;
use crate::network::{Network, Source};
use crate::noise::{Purpose, generator};
use crate::schedule::Schedule;

/// A network and a schedule that have a name.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// The data that it is for.
    pub data: &'static str,
    /// Their least and greatest number of levels.
    pub levels: [usize; 2],
    /// Its description, with placeholders for what the data tell.
    pub json: &'static str,
}

/// The presets.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "small",
        data: "data of any shape, of at most 256 levels",
        levels: [2, 256],
        json: include_str!("../presets/small.json"),
    },
    of_bits("balanced", include_str!("../presets/balanced.json")),
    of_bits("best", include_str!("../presets/best.json")),
    Preset {
        name: "gray",
        data: "pictures [rows, columns] of 3 to 256 levels whose sides are multiples of 4",
        levels: [3, 256],
        json: include_str!("../presets/gray.json"),
    },
    of_bits("conv", include_str!("../presets/conv.json")),
    of_bits("ladder", include_str!("../presets/ladder.json")),
];

const fn of_bits(name: &'static str, json: &'static str) -> Preset {
    Preset {
        name,
        data: "pictures [rows, columns] of bits whose sides are multiples of 4",
        levels: [2, 2],
        json,
    }
}

impl Preset {
    /// The preset of a name.
    pub fn named(name: &str) -> Option<Self> {
        PRESETS.iter().find(|preset| preset.name == name).copied()
    }

    /// What is trained on some data.
    ///
    /// # Errors
    /// If it is not for such data.
    pub fn arch(&self, facts: &Facts) -> Result<Arch> {
        Arch::from_json(self.json, facts).map_err(|e| {
            let Facts { shape, levels, .. } = facts;
            e.context(format!(
                "the preset {} is for {}; found shape {shape:?} and {levels} levels",
                self.name, self.data
            ))
        })
    }
}

/// What is trained, and how.
#[derive(Debug, Clone)]
pub struct Arch {
    /// The description, of graphs.
    pub description: Description,
    /// The schedule.
    pub schedule: Schedule,
}

/// Bounds of log standard deviations, where a description has none.
const LOG_SIGMA: [f32; 2] = [-10.0, 5.0];
const BIN_PRECISION: u32 = 10;

impl Arch {
    /// The network of a model, as graphs, and the schedule it was trained with, or the default if it says of none.
    ///
    /// # Errors
    /// If the model is of other data, or its parts do not fit together.
    pub fn of_model(file: &ModelFile, facts: &Facts) -> Result<Self> {
        let training = file.description.training.as_ref();
        let field = |name: &str| training.and_then(|training| training.get(name));
        let schedule = match (field("schedule"), field("config")) {
            (Some(schedule), _) => serde_json::from_value(schedule.clone())
                .map_err(|e| Error::because("the schedule that the model was trained with", e))?,
            (None, Some(config)) => Schedule::of_config(config),
            (None, None) => Schedule::default(),
        };
        let mut description = file.description.clone();
        description.networks = Networks::Graphs(description.graphs(&file.tensors)?.into_owned());
        description.version = description.oldest_version();
        let arch = Self {
            description,
            schedule,
        };
        arch.check(facts)?;
        Ok(arch)
    }

    /// The text that [`Arch::from_json`] takes.
    ///
    /// # Errors
    /// If the description cannot be written as JSON.
    pub fn to_json(&self) -> Result<String> {
        let bad = |e| Error::because("the description cannot be written", e);
        let mut value = serde_json::to_value(&self.description).map_err(bad)?;
        if let Value::Object(fields) = &mut value {
            fields.remove("name");
            let schedule = serde_json::to_value(&self.schedule).map_err(bad)?;
            fields.insert("training".to_owned(), schedule);
        }
        let text = serde_json::to_string_pretty(&value).map_err(bad)?;
        Ok(text + "\n")
    }

    /// A description from its text, for some data. In it `"$levels"`, `"$dims"`, `"$rows"`, `"$columns"` and
    /// `"$parameters"`, what the likelihood takes, stand for numbers, also as in `"$rows*$columns/16"`; `"$shape"` for
    /// the data's shape and `"$likelihood"` for one of independent values. `version`, `name`, `data_shape`, `latent` and
    /// what is in it may be left out; without `encode` and `groups` the model has no latents.
    ///
    /// # Errors
    /// If it is no description, or none of such data.
    pub fn from_json(text: &str, facts: &Facts) -> Result<Self> {
        let mut fields = Description::fields_of_json(text)?;
        let mut default = |name: &str, value: Value| {
            fields.entry(name).or_insert(value);
        };
        default("version", json!(DESCRIPTION_VERSION));
        default("name", json!("model"));
        default("data_shape", json!("$shape"));
        default("likelihood", json!("$likelihood"));
        if facts.values != StandFor::default() {
            let values = serde_json::to_value(&facts.values);
            default("values", values.map_err(|e| Error::because("values", e))?);
        }
        let schedule = match fields.remove("training") {
            None => Schedule::default(),
            Some(value) => serde_json::from_value(value)
                .map_err(|e| Error::because("the field training", e))?,
        };
        let mut values = Values {
            facts,
            parameters: None,
        };
        for name in ["data_shape", "likelihood"] {
            if let Some(value) = fields.get_mut(name) {
                values.resolve(value)?;
            }
        }
        values.parameters = Some(parameters(&fields));
        // A text of the data may begin with a dollar too.
        for (_, value) in fields.iter_mut().filter(|(name, _)| *name != "values") {
            values.resolve(value)?;
        }
        if let Some(name) = ["encoder", "decoder"]
            .iter()
            .find(|name| fields.contains_key(**name))
        {
            return Err(Error::new(format!(
                "a description with `{name}`, as `bbans import` takes it or versions 1 to 5 have it; expected one with \
                 `encode`, `groups` and `decode`, as --print-arch shows it"
            )));
        }
        let of_latents = ["latent", "encode", "groups"];
        if of_latents.iter().any(|name| fields.contains_key(*name)) {
            if !fields.get("groups").is_some_and(Value::is_array) {
                return Err(Error::new(
                    "the description has no list `groups`; expected the groups of latents, from the top, or none of \
                     `encode`, `groups` and `latent`",
                ));
            }
            complete_latent(&mut fields);
        }
        let description = Description::from_fields(fields)?;
        let arch = Self {
            description,
            schedule,
        };
        arch.check(facts)?;
        Ok(arch)
    }

    /// Number of weights.
    ///
    /// # Errors
    /// If the description's parts do not fit together.
    pub fn weights(&self) -> Result<usize> {
        let rng = generator(self.schedule.seed, Purpose::Initialization, 0);
        let source = Source::random(None, rng, &self.schedule.init);
        Ok(Network::new(&self.description, source, Device::Cpu)?.weights())
    }

    /// Checks that it is one of such data.
    fn check(&self, facts: &Facts) -> Result<()> {
        let Description {
            data_shape,
            likelihood,
            ..
        } = &self.description;
        if *data_shape != facts.shape {
            return Err(Error::new(format!(
                "the data have shape {:?}, the network is for {data_shape:?}; expected the same (a description may \
                 leave data_shape out)",
                facts.shape
            )));
        }
        if self.description.values != facts.values {
            return Err(Error::new(
                "the symbols of the network stand for other values than those of the data; expected the same (a \
                 description may leave values out)",
            ));
        }
        let levels = likelihood.levels();
        if facts.levels > levels {
            return Err(Error::new(format!(
                "the data have values up to {}, the likelihood {levels} levels, 0 to {}; expected as many levels as \
                 the data have, \"$levels\"",
                facts.levels - 1,
                levels - 1
            )));
        }
        self.schedule.check()
    }
}

/// Number of parameters of a likelihood for data of a shape.
fn parameters(fields: &Map<String, Value>) -> Result<usize> {
    fn field<T: DeserializeOwned>(fields: &Map<String, Value>, name: &str) -> Result<T> {
        let value = fields.get(name).cloned().unwrap_or_default();
        let bad = |e| Error::because(format!("the field {name}"), e);
        serde_json::from_value(value).map_err(bad)
    }
    let likelihood: Likelihood = field(fields, "likelihood")?;
    let shape: Vec<usize> = field(fields, "data_shape")?;
    likelihood.kind().check()?;
    Ok(likelihood.outputs(&shape)?)
}

/// The number of latents is that of all groups.
fn complete_latent(fields: &mut Map<String, Value>) {
    let sizes = fields
        .get("groups")
        .and_then(Value::as_array)
        .map(|groups| {
            let product = |group: &Value| {
                let mut sizes = group.get("shape")?.as_array()?.iter().map(Value::as_u64);
                sizes.try_fold(1u64, |n, size| n.checked_mul(size?))
            };
            groups
                .iter()
                .try_fold(0u64, |n, group| n.checked_add(product(group)?))
        });
    let latent = fields.entry("latent").or_insert_with(|| json!({}));
    if let Value::Object(latent) = latent {
        if let Some(Some(dim)) = sizes {
            latent.entry("dim").or_insert(json!(dim));
        }
        latent
            .entry("bin_precision")
            .or_insert(json!(BIN_PRECISION));
        latent.entry("log_sigma").or_insert(json!(LOG_SIGMA));
    }
}

/// What placeholders stand for.
struct Values<'a> {
    facts: &'a Facts,
    /// Of the likelihood, once it is known.
    parameters: Option<Result<usize>>,
}

impl Values<'_> {
    /// Puts values in the place of all placeholders.
    fn resolve(&self, value: &mut Value) -> Result<()> {
        match value {
            Value::Array(values) => values.iter_mut().try_for_each(|value| self.resolve(value)),
            Value::Object(fields) => fields
                .values_mut()
                .try_for_each(|value| self.resolve(value)),
            Value::String(text) if text.starts_with('$') => {
                *value = match text.as_str() {
                    "$shape" => json!(self.facts.shape),
                    "$likelihood" => self.likelihood(),
                    text => json!(self.number(text)?),
                };
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// One of independent values: a logit for each of few levels, mixtures of logistic distributions for many.
    fn likelihood(&self) -> Value {
        match self.facts.levels {
            ..=2 => json!("bernoulli"),
            levels @ ..=16 => json!({"categorical": {"levels": levels}}),
            levels => json!({"discretized_logistic": {"levels": levels, "components": 5}}),
        }
    }

    /// A product and quotient of placeholders and numbers, from the left.
    fn number(&self, text: &str) -> Result<usize> {
        let mut result: usize = 1;
        let mut rest = text;
        let mut divide = false;
        loop {
            let end = rest.find(['*', '/']).unwrap_or(rest.len());
            let factor = self.factor(text, &rest[..end])?;
            result = match divide {
                false => result.checked_mul(factor).ok_or_else(|| {
                    Error::new(format!(
                        "{text} is too large for data of shape {:?}",
                        self.facts.shape
                    ))
                })?,
                true if factor > 0 && result.is_multiple_of(factor) => result / factor,
                true => {
                    return Err(Error::new(format!(
                        "{text} is no whole number for data of shape {:?}: {result} is no multiple of {factor}",
                        self.facts.shape
                    )));
                }
            };
            match rest.as_bytes().get(end) {
                None => return Ok(result),
                Some(sign) => divide = *sign == b'/',
            }
            rest = &rest[end + 1..];
        }
    }

    fn factor(&self, text: &str, factor: &str) -> Result<usize> {
        let Facts { shape, levels, .. } = self.facts;
        let of_picture = |axis: usize| match shape[..] {
            [height, width] | [height, width, 3] => Ok([height, width][axis]),
            _ => Err(Error::new(format!(
                "{factor} of data of shape {shape:?}; expected pictures [rows, columns] or [rows, columns, 3]"
            ))),
        };
        match factor {
            "$levels" => Ok(*levels),
            "$dims" => Ok(shape.iter().product()),
            "$rows" => of_picture(0),
            "$columns" => of_picture(1),
            "$parameters" => match &self.parameters {
                Some(Ok(parameters)) => Ok(*parameters),
                Some(Err(e)) => Err(Error::new(format!("{e:#}"))),
                None => Err(Error::new(
                    "$parameters in the likelihood or the shape, from which they follow; expected a number",
                )),
            },
            _ => factor.parse().map_err(|_| {
                Error::new(format!(
                    "the placeholder {text}; expected $shape, $likelihood, or products and quotients of \
                     $levels, $dims, $rows, $columns, $parameters and numbers"
                ))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(shape: &[usize], levels: usize) -> Facts {
        Facts::new(shape, levels)
    }

    #[test]
    fn every_preset_is_a_description_of_its_data() {
        for preset in PRESETS {
            let levels = if preset.name == "gray" { 17 } else { 2 };
            let arch = Arch::from_json(preset.json, &facts(&[28, 28], levels)).unwrap();
            assert_eq!(
                arch.description.likelihood.levels(),
                levels,
                "{}",
                preset.name
            );
        }
        let small = Preset::named("small").unwrap().json;
        for (shape, levels) in [(&[5][..], 2), (&[3, 4, 5], 9), (&[2, 2], 256)] {
            let arch = Arch::from_json(small, &facts(shape, levels)).unwrap();
            assert_eq!(arch.description.data_shape, shape);
            assert_eq!(arch.description.likelihood.levels(), levels);
        }
    }

    #[test]
    fn placeholders_are_numbers() {
        let facts = facts(&[28, 20], 7);
        let values = Values {
            facts: &facts,
            parameters: Some(Ok(3)),
        };
        for (text, expected) in [
            ("$rows", 28),
            ("$columns/4", 5),
            ("$rows*$columns/16*64", 2240),
            ("$dims", 560),
            ("$levels*2", 14),
            ("$parameters", 3),
        ] {
            assert_eq!(values.number(text).unwrap(), expected, "{text}");
        }
        for (text, expected) in [
            ("$rows/3", "28 is no multiple of 3"),
            ("$rows/0", "multiple of 0"),
            ("$row", "expected $shape"),
            ("$rows*", "expected $shape"),
            ("$rows*99999999999999999999", "expected $shape"),
        ] {
            let e = values.number(text).unwrap_err();
            assert!(e.to_string().contains(expected), "{text}: {e}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let small = Preset::named("small").unwrap().json;
        let gray = Preset::named("gray").unwrap().json;
        let balanced = Preset::named("balanced").unwrap().json;
        let with = |field: &str, value: &str| {
            let mut fields: Value = serde_json::from_str(small).unwrap();
            fields[field] = serde_json::from_str(value).unwrap();
            fields.to_string()
        };
        for (text, shape, levels, expected) in [
            (gray.to_owned(), &[30, 30][..], 256, "no multiple of 4"),
            (gray.to_owned(), &[30], 256, "expected pictures"),
            (balanced.to_owned(), &[28, 28], 3, "values up to 2"),
            (with("training", r#"{"epoch": 3}"#), &[3], 2, "epochs"),
            (
                with("training", r#"{"epochs": 0}"#),
                &[3],
                2,
                "1 to 1000000",
            ),
            (with("data_shape", "[4]"), &[3], 2, "the network is for [4]"),
            (with("version", "1"), &[3], 2, "not valid"),
            (with("encoder", "{}"), &[3], 2, "`bbans import`"),
            ("[]".to_owned(), &[3], 2, "not valid"),
        ] {
            let e = Arch::from_json(&text, &facts(shape, levels)).unwrap_err();
            let told = format!("{e:#}");
            assert!(told.contains(expected), "{told}");
        }
    }
}
