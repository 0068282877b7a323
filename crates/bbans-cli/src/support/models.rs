//! Finding models: built in by name, or a file.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use bbans::{FileModel, VaeModel, container::Header};
use bbans_models::{EmbeddedModel, MODELS};

/// The largest model file that is read.
const MAX_BYTES: u64 = 1 << 32;

/// Names of the built-in models, for messages.
fn names() -> String {
    MODELS.iter().map(|m| m.name).collect::<Vec<_>>().join(", ")
}

/// The model of a name or a path.
///
/// # Errors
/// If there is no such model, or the file is none.
pub(crate) fn load(name: &str) -> Result<VaeModel> {
    bytes(name).and_then(|b| VaeModel::from_bytes(&b).with_context(|| format!("model {name}")))
}

/// The bytes of the model of a name or a path.
///
/// # Errors
/// If there is no such model, or it cannot be read.
pub(crate) fn bytes(name: &str) -> Result<std::borrow::Cow<'static, [u8]>> {
    if let Some(model) = MODELS.iter().find(|m| m.name == name) {
        return Ok(model.bytes.into());
    }
    let path = Path::new(name);
    let size = fs::metadata(path).map_err(|e| {
        anyhow!(
            "no model {name}: {e}; expected a file, or one of the built-in models: {}",
            names()
        )
    })?;
    if size.len() > MAX_BYTES || !size.is_file() {
        bail!("model {name}: not a file of at most 4 GiB");
    }
    Ok(fs::read(path)
        .with_context(|| format!("cannot read the model {name}"))?
        .into())
}

/// The model that is used where none is named.
///
/// # Errors
/// None, with the models that are built in.
pub(crate) fn default_name() -> &'static str {
    MODELS.first().map_or("", |m: &EmbeddedModel| m.name)
}

/// The model that a file was written with: `given`, or the built-in one of the file's fingerprint.
///
/// # Errors
/// If the model is not built in and none is given.
pub(crate) fn of_file(header: &Header, given: Option<&str>) -> Result<VaeModel> {
    if let Some(name) = given {
        return load(name);
    }
    // The one of that name first: it nearly always is the one.
    let (same_name, others): (Vec<&EmbeddedModel>, Vec<&EmbeddedModel>) =
        MODELS.iter().partition(|m| m.name == header.model_name);
    for model in same_name.into_iter().chain(others) {
        let model = VaeModel::from_bytes(model.bytes)?;
        if model.fingerprint() == header.fingerprint {
            return Ok(model);
        }
    }
    bail!(
        "the file was written with the model {}, which is not built in; give its file with --model \
         (built in: {})",
        header.model_name,
        names()
    )
}
