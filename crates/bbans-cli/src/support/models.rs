//! Finding models: built in by name, or a file.

use std::fs;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result, anyhow, bail};
use bbans::{VaeModel, container::Header};
use bbans_models::{EmbeddedModel, MODELS, names};

/// The largest model file that is read.
const MAX_BYTES: u64 = 1 << 32;

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
    if let Some(model) = bbans_models::named(name) {
        return Ok(model.bytes.into());
    }
    let path = Path::new(name);
    let size = fs::metadata(path).map_err(|e| {
        anyhow!(
            "no model {name}: {e}; expected a file, or one of the built-in models: {}",
            names()
        )
    })?;
    if !size.is_file() {
        bail!("model {name}: not a file; expected a regular one");
    }
    if size.len() > MAX_BYTES {
        bail!("model {name}: {} bytes; expected at most 4 GiB", size.len());
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

/// The models that files were written with, each of which is loaded once.
pub(crate) struct Models {
    /// What --model names.
    given: Option<String>,
    loaded: Vec<(Option<[u8; 32]>, Rc<VaeModel>)>,
}

impl Models {
    /// Models for files whose model is `given`, or built in.
    pub(crate) fn new(given: Option<&str>) -> Self {
        Self {
            given: given.map(str::to_owned),
            loaded: Vec::new(),
        }
    }

    /// The model of a file: the given one, or the built-in one of the file's fingerprint.
    ///
    /// # Errors
    /// If the model is not built in and none is given.
    pub(crate) fn of_file(&mut self, header: &Header) -> Result<Rc<VaeModel>> {
        // One that is given is for every file; whether it is theirs is told when they are decoded.
        let key = self.given.is_none().then_some(header.fingerprint);
        if let Some((_, model)) = self.loaded.iter().find(|(k, _)| *k == key) {
            return Ok(model.clone());
        }
        let model = match (&self.given, built_in(header)) {
            (Some(name), _) => load(name)?,
            (None, Some(model)) => load(model.name)?,
            (None, None) => bail!(
                "the file was written with a model {} that is none of the built-in ones ({}); give its file with --model, \
                 or the file is damaged",
                header.model_name,
                names()
            ),
        };
        let model = Rc::new(model);
        self.loaded.push((key, model.clone()));
        Ok(model)
    }
}

/// The built-in model of a file.
pub(crate) fn built_in(header: &Header) -> Option<&'static EmbeddedModel> {
    MODELS.iter().find(|m| header.is_of(&m.fingerprint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bbans::block::Way;
    use bbans::container::Framing;
    use bbans::data::{Array, Element, Form, Layout};
    use bbans::{FileModel, Source};

    #[test]
    fn a_model_is_loaded_once_and_found_by_its_fingerprint() {
        let header = |fingerprint, name: &str| Header {
            version: 1,
            framing: Framing::Blocks,
            fingerprint,
            model_name: name.to_owned(),
            way: Way::plain(1),
            block_len: 1,
            source: Source {
                shape: vec![784],
                layout: Layout::Array(Array {
                    form: Form::Idx,
                    prefix: vec![],
                    element: Element::U8,
                    fortran: false,
                }),
            },
            stored: bbans::container::Stored::default(),
        };
        let small = &MODELS[0];
        let mut models = Models::new(None);
        let first = models
            .of_file(&header(small.fingerprint, small.name))
            .unwrap();
        assert_eq!(first.fingerprint(), small.fingerprint);
        for name in [small.name, MODELS[1].name, "nobody's"] {
            let again = models.of_file(&header(small.fingerprint, name)).unwrap();
            assert!(Rc::ptr_eq(&first, &again), "{name}");
        }
        let unknown = models.of_file(&header([7; 32], small.name));
        assert!(
            unknown
                .unwrap_err()
                .to_string()
                .contains("none of the built-in ones")
        );
        // One that is given is for every file.
        let mut models = Models::new(Some(small.name));
        let given = models.of_file(&header([7; 32], "x")).unwrap();
        let again = models.of_file(&header([8; 32], "y")).unwrap();
        assert!(Rc::ptr_eq(&given, &again));
    }
}
