//! The data set that is measured on.

use std::io::{Cursor, Read};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bbans::data::{Kind, Layout};
use bbans::nn::description::{Step, Values};
use bbans::{DataReader, FileModel, LatentModel, Source, VaeModel};
use flate2::read::MultiGzDecoder;

use super::Args;
use crate::support::files::RawSpec;
use crate::support::rows::DataSet;
use crate::support::{data, files, memory, models};

/// A data set to measure on.
pub(crate) struct Subject {
    pub(super) name: String,
    /// The data file's bytes, and how they are read.
    pub(super) content: Content,
    /// The data as numbers of 16 bits, from the least that the file's type has; of a table as symbols of the first model.
    pub(super) data: DataSet,
    /// Number of data in the whole set.
    pub(super) of: usize,
}

/// A data file in memory.
#[derive(Clone)]
pub(super) struct Content {
    pub(super) bytes: Arc<Vec<u8>>,
    raw: Option<RawSpec>,
    /// For what tells kinds of data by names.
    name: String,
}

impl Content {
    /// Reads it from its beginning.
    pub(super) fn open(&self) -> Result<DataReader> {
        let cursor = Cursor::new(Shared(self.bytes.clone()));
        Ok(match &self.raw {
            Some(raw) => DataReader::raw(cursor, raw.shape.0.clone(), raw.element)?,
            None => DataReader::open(cursor, &self.name)?,
        })
    }

    /// Whether it is the text of a table.
    fn is_table(&self) -> Result<bool> {
        Ok(self.open()?.is_table())
    }
}

/// Shared bytes as a slice, for a cursor.
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Subject {
    /// The data of the arguments, for models of which `first` is one.
    ///
    /// # Errors
    /// If they cannot be read, or there are none.
    pub(super) fn read(args: &Args, first: &VaeModel) -> Result<Self> {
        let path = args.data.clone().or_else(data::real_test_set);
        let raw = args.raw.raw.clone();
        let name = match &path {
            Some(path) => path.display().to_string(),
            None => format!("samples of {} (built in, no real data)", data::DEMO_MODEL),
        };
        let content = match &path {
            Some(path) => Self::content(path, raw),
            None => Ok(Content {
                bytes: Arc::new(demo(first)?),
                raw: None,
                name: "demo.idx".to_owned(),
            }),
        };
        let content = content.with_context(|| name.clone())?;
        let limit = args.limit.map(|limit| limit as usize);
        Self::of_content(limit, first, content, &name).with_context(|| name.clone())
    }

    /// The data of a file or a folder, of a kind that a model tells.
    ///
    /// # Errors
    /// If they cannot be read, or there are none.
    pub(crate) fn of_path(path: &Path, raw: Option<RawSpec>, model: &VaeModel) -> Result<Self> {
        let name = path.display().to_string();
        let read = || Self::of_content(None, model, Self::content(path, raw)?, &name);
        read().with_context(|| name.clone())
    }

    fn content(path: &Path, raw: Option<RawSpec>) -> Result<Content> {
        match path.is_dir() {
            true => Self::of_pictures(files::open_data(path, None)?.0),
            false => Self::of_file(path, raw),
        }
    }

    fn of_content(
        limit: Option<usize>,
        first: &VaeModel,
        mut content: Content,
        name: &str,
    ) -> Result<Self> {
        let mut reader = content.open()?;
        bbans::bind(first, &mut reader)?;
        let source = reader.source().clone();
        let mut data = DataSet::read(reader)?;
        let of = data.count();
        if let Some(limit) = limit.filter(|&limit| limit < of) {
            data = data.spread(limit);
            let bytes = match source.layout {
                Layout::Png(_) => None,
                _ => Some(bbans::data_file(
                    first,
                    source.of_range(0..data.count())?,
                    &data.rows(),
                )?),
            };
            if let Some(bytes) = bytes {
                content.bytes = Arc::new(bytes);
            }
        }
        if data.count() == 0 {
            bail!("no data; there is nothing to measure");
        }
        let data = match content.is_table()? {
            true => data,
            false => numbers(&content, first)?,
        };
        Ok(Self {
            name: name.to_owned(),
            content,
            data,
            of,
        })
    }

    fn of_file(path: &Path, raw: Option<RawSpec>) -> Result<Content> {
        let mut bytes = Vec::new();
        files::open(path)?.0.read_to_end(&mut bytes)?;
        if bytes.starts_with(&[0x1f, 0x8b]) {
            let mut inner = Vec::new();
            MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut inner)?;
            bytes = inner;
        }
        let name = path.file_name().and_then(|name| name.to_str());
        let content = Content {
            bytes: Arc::new(bytes),
            raw,
            name: name.unwrap_or("data.png").to_owned(),
        };
        // One image of a PNG file is measured as the data in it.
        match content.bytes.starts_with(b"\x89PNG") {
            true => Self::of_pictures(content.open()?),
            false => Ok(content),
        }
    }

    /// Pictures as the values in them.
    fn of_pictures(reader: DataReader) -> Result<Content> {
        let element = reader.element();
        let data = DataSet::read(reader)?;
        let source = Source::npy(&data.shape, data.count(), element);
        let Layout::Array(array) = &source.layout else {
            bail!("pictures that are no values");
        };
        let mut bytes = array.prefix.clone();
        let put = |&symbol: &u16| element.put(i64::from(symbol), &mut bytes);
        if !data.symbols.iter().all(put) {
            bail!("pictures of values beyond their type");
        }
        Ok(Content {
            bytes: Arc::new(bytes),
            raw: None,
            name: "pictures.npy".to_owned(),
        })
    }

    /// The data as symbols of a model.
    ///
    /// # Errors
    /// If they are not the model's.
    pub(super) fn symbols(&self, model: &VaeModel) -> Result<DataSet> {
        let read = || -> Result<DataSet> {
            let mut reader = self.content.open()?;
            bbans::bind(model, &mut reader)?;
            let mut data = DataSet::read(reader)?;
            bbans::symbols(model, &mut data.symbols)?;
            Ok(data)
        };
        read().with_context(|| self.name.clone())
    }

    /// Gives data that came flat, as .amat text does, the shape that a model knows them by.
    pub(super) fn shape_as(&mut self, model: &VaeModel) {
        if self.data.shape.len() == 1 && self.data.dims() == model.dims() {
            self.data.shape = model.shape().to_vec();
        }
    }

    /// The data for rivals, and their number of levels: 2 if there are two values, 0 and another,
    /// else those of one byte or of two.
    pub(crate) fn for_rivals(&self) -> (DataSet, usize) {
        let mut data = self.data.clone();
        let levels = match bbans::binary_symbols(&mut data.symbols) {
            Ok(_) => 2,
            Err(_) if data.symbols.iter().all(|&v| v < 256) => 256,
            Err(_) => 1 << 16,
        };
        (data, levels)
    }

    /// The file for rivals, where it is a table, or its values do not say all.
    pub(crate) fn text(&self) -> Result<Option<&[u8]>> {
        let file = self.content.is_table()? || !self.data.exceptions.is_empty();
        Ok(file.then_some(&self.content.bytes[..]))
    }
}

/// The numbers of a file that is no table, of the shape of a model's data.
fn numbers(content: &Content, model: &VaeModel) -> Result<DataSet> {
    let mut reader = content.open()?;
    let lowest = match reader.element().kind {
        Kind::Bool | Kind::U8 | Kind::U16 => 0,
        Kind::I8 => i64::from(i8::MIN),
        Kind::I16 => i64::from(i16::MIN),
        // What does not fit beside the model's numbers is an exception.
        _ => match (content.open()?.survey(), model.values()) {
            (Ok((step, _)), _) => step.lowest,
            (Err(_), Values::Numbers(step)) => step.lowest,
            (Err(_), _) => 0,
        },
    };
    reader.bind(&Values::Numbers(Step { lowest, step: 1 }), 1 << 16)?;
    reader.fit(model.shape())?;
    DataSet::read(reader)
}

/// The demonstration data, as an IDX file.
fn demo(model: &VaeModel) -> Result<Vec<u8>> {
    let its_model = models::load(data::DEMO_MODEL)?;
    if model.shape() != its_model.shape() || model.levels() != its_model.levels() {
        bail!(
            "the demonstration data have shape {:?} and 2 levels; give data for this model with \
             --data",
            its_model.shape()
        );
    }
    memory::restore(&its_model, data::DEMO, NonZeroUsize::MIN)
}
