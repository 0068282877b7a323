//! Expectations that are stated before a run.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::report::figures::MODEL_FIGURES;

/// The largest expectation file that is read.
const MAX_BYTES: u64 = 1 << 20;

/// A file of expectations.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expectations {
    expect: Vec<Expectation>,
}

/// What a figure of a model should be: from `min` to `max`, or `within` this part of another figure.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    figure: String,
    /// Of this model; without it of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    within: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<String>,
}

/// How the expectations came out.
pub(super) struct Verdicts(Vec<Verdict>);

struct Verdict {
    text: String,
    found: f64,
    held: bool,
}

impl Expectations {
    /// Reads a file.
    ///
    /// # Errors
    /// If it is not one; the message names the line.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let size = fs::metadata(path).with_context(|| format!("cannot read {name}"))?;
        if size.len() > MAX_BYTES || !size.is_file() {
            bail!("{name}: not an expectation file of at most 1 MiB");
        }
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        let all: Self = toml::from_str(&text).map_err(|e| {
            let line = e
                .span()
                .map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            anyhow::anyhow!("{name}, line {line}: {}", e.message().replace('\n', " "))
        })?;
        for e in &all.expect {
            e.check().with_context(|| name.to_string())?;
        }
        Ok(all)
    }

    pub(super) fn to_json(&self) -> Value {
        json!(self.expect)
    }

    /// Whether all are of models that are measured.
    ///
    /// # Errors
    /// If one is not.
    pub(super) fn check_models(&self, names: &[&str]) -> Result<()> {
        for model in self.expect.iter().filter_map(|e| e.model.as_deref()) {
            if !names.contains(&model) {
                bail!(
                    "an expectation of the model {model}, which is not measured; expected one of {}",
                    names.join(", ")
                );
            }
        }
        Ok(())
    }

    /// Holds the expectations against the figures.
    pub(super) fn check(&self, document: &Value) -> Verdicts {
        let models = document["models"].as_array().map_or(&[][..], Vec::as_slice);
        let its = |e: &Expectation, m: &Value| e.model.as_ref().is_none_or(|n| m["model"] == **n);
        let each = self.expect.iter().flat_map(|e| {
            let models = models.iter().filter(move |m| its(e, m));
            models.map(move |m| e.verdict(m))
        });
        Verdicts(each.collect())
    }
}

impl Expectation {
    fn check(&self) -> Result<()> {
        for figure in std::iter::once(&self.figure).chain(&self.of) {
            if !MODEL_FIGURES.contains(&figure.as_str()) {
                bail!(
                    "unknown figure {figure}; expected one of {}",
                    MODEL_FIGURES.join(", ")
                );
            }
        }
        if self.within.is_some() != self.of.is_some()
            || self.within.is_none() && self.min.is_none() && self.max.is_none()
        {
            bail!(
                "the expectation of {} says nothing; expected min, max, or within and of",
                self.figure
            );
        }
        Ok(())
    }

    fn verdict(&self, model: &Value) -> Verdict {
        let figure = |name: &str| model[name].as_f64().unwrap_or(f64::NAN);
        let found = figure(&self.figure);
        let mut text = format!("{}: {}", model["model"].as_str().unwrap_or(""), self.figure);
        let mut held = true;
        if let Some(min) = self.min {
            text += &format!(" at least {min}");
            held &= found >= min;
        }
        if let Some(max) = self.max {
            text += &format!(" at most {max}");
            held &= found <= max;
        }
        if let (Some(within), Some(of)) = (self.within, &self.of) {
            text += &format!(" within {}% of {of}", 100.0 * within);
            held &= (found / figure(of) - 1.0).abs() <= within;
        }
        Verdict { text, found, held }
    }
}

impl Verdicts {
    /// Number of those that did not hold.
    pub(super) fn broken(&self) -> usize {
        self.0.iter().filter(|v| !v.held).count()
    }

    pub(super) fn to_json(&self) -> Value {
        let one = |v: &Verdict| json!({"expected": v.text, "found": v.found, "held": v.held});
        self.0.iter().map(one).collect()
    }

    pub(super) fn print(&self, out: &mut impl Write) -> Result<()> {
        writeln!(out, "\nexpected")?;
        for v in &self.0 {
            let verdict = if v.held { "held  " } else { "BROKEN" };
            writeln!(out, "  {verdict} {}: found {}", v.text, v.found)?;
        }
        Ok(())
    }
}
