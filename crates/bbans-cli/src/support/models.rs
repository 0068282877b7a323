//! Finding models: built in by name, or a file.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, anyhow, bail};
use bbans::nn::{ModelFile, packed};
use bbans::{FileModel, VaeModel, container, container::Header};
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

/// The model of a name or a path for files that carry it.
///
/// # Errors
/// As [`load`].
pub(crate) fn embedded(name: &str) -> Result<VaeModel> {
    let read = || -> Result<_> { Ok(VaeModel::embedded(&ModelFile::from_bytes(&bytes(name)?)?)?) };
    read().with_context(|| format!("model {name}"))
}

/// The bytes of the model of a name or a path, or of the one in a compressed file.
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
    let cannot = || format!("cannot read the model {name}");
    let mut file = BufReader::new(File::open(path).with_context(cannot)?);
    let start = file.fill_buf().with_context(cannot)?;
    if start.starts_with(&container::MAGIC) {
        return of_archive(&mut file).map(Into::into).with_context(cannot);
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .with_context(cannot)?;
    Ok(bytes.into())
}

/// The model that a compressed file carries, as a file of its own.
fn of_archive(file: &mut impl Read) -> Result<Vec<u8>> {
    let header = Header::read(file)?.context("the file is empty")?;
    match header.model {
        Some(packed) => Ok([&packed::MAGIC[..], &packed].concat()),
        None => bail!(
            "a compressed file without its model, {}; expected a model, or a file that carries one",
            header.model_name
        ),
    }
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
    /// What --model names, and the model once it is needed.
    given: Option<(String, Option<Rc<VaeModel>>)>,
    loaded: Vec<Rc<VaeModel>>,
}

/// What follows the name of a model that several files share, in the folder where they are.
pub(crate) const SHARED_SUFFIX: &str = ".bbmodel";

/// The shared model beside a file, if its name can be that of a file.
pub(crate) fn shared_path(file: &Path, model: &str) -> Option<PathBuf> {
    let plain = !model.is_empty() && !model.starts_with('.') && !model.contains(['/', '\\', ':']);
    let folder = file.parent().filter(|_| plain)?;
    Some(folder.join(format!("{model}{SHARED_SUFFIX}")))
}

impl Models {
    /// Models for files whose model is `given`, or built in.
    pub(crate) fn new(given: Option<&str>) -> Self {
        Self {
            given: given.map(|name| (name.to_owned(), None)),
            loaded: Vec::new(),
        }
    }

    /// The model of a file at `path`: the given one, or the one of the file's fingerprint, which is in the file, built
    /// in, or beside it.
    ///
    /// # Errors
    /// If there is none, or the one in the file is damaged.
    pub(crate) fn of_file(&mut self, header: &Header, path: &Path) -> Result<Rc<VaeModel>> {
        // One that is given is for every file; whether it is theirs is told when they are decoded.
        if let Some((name, given)) = &mut self.given {
            if let Some(model) = given {
                return Ok(model.clone());
            }
            let model = Rc::new(load(name)?);
            *given = Some(model.clone());
            return Ok(model);
        }
        let known = self.loaded.iter().find(|m| header.is_of(&m.fingerprint()));
        if let Some(model) = known {
            return Ok(model.clone());
        }
        let beside = shared_path(path, &header.model_name);
        let model = match (VaeModel::of_header(header)?, built_in(header), &beside) {
            (Some(model), ..) => model,
            (None, Some(model), _) => load(model.name)?,
            (None, None, Some(beside)) if beside.is_file() => {
                load(beside.to_str().context("a name that is not UTF-8")?)?
            }
            (None, None, _) => bail!(
                "the file was written with a model {} that is none of the built-in ones ({}), and neither in the file nor \
                 beside it as {}{SHARED_SUFFIX}; give its file with --model, or the file is damaged",
                header.model_name,
                names(),
                header.model_name
            ),
        };
        let model = Rc::new(model);
        self.loaded.push(model.clone());
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
    use bbans::Source;
    use bbans::block::Way;
    use bbans::container::Framing;
    use bbans::data::{Array, Element, Form, Layout};

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
            model: None,
        };
        let small = &MODELS[0];
        let here = Path::new("x.bbans");
        let mut models = Models::new(None);
        let first = models
            .of_file(&header(small.fingerprint, small.name), here)
            .unwrap();
        assert_eq!(first.fingerprint(), small.fingerprint);
        for name in [small.name, MODELS[1].name, "nobody's"] {
            let again = models
                .of_file(&header(small.fingerprint, name), here)
                .unwrap();
            assert!(Rc::ptr_eq(&first, &again), "{name}");
        }
        let unknown = models.of_file(&header([7; 32], small.name), here);
        assert!(
            unknown
                .unwrap_err()
                .to_string()
                .contains("none of the built-in ones")
        );
        // One that is given is for every file.
        let mut models = Models::new(Some(small.name));
        let given = models.of_file(&header([7; 32], "x"), here).unwrap();
        let again = models.of_file(&header([8; 32], "y"), here).unwrap();
        assert!(Rc::ptr_eq(&given, &again));
    }
}
