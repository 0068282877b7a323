//! The data set that is measured on.

use std::io::{Cursor, Read};
use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bbans::{DataReader, FileModel, LatentModel, VaeModel};
use flate2::read::MultiGzDecoder;

use super::Args;
use crate::support::rows::DataSet;
use crate::support::{data, files, memory, models};

/// A data set to measure on.
pub(super) struct Subject {
    pub(super) name: String,
    /// The data file's bytes.
    pub(super) content: Arc<Vec<u8>>,
    /// The same data, as bytes.
    pub(super) data: DataSet,
    /// Number of data in the whole set.
    pub(super) of: usize,
}

impl Subject {
    /// The data of the arguments, for models of which `first` is one.
    ///
    /// # Errors
    /// If they cannot be read, or there are none.
    pub(super) fn read(args: &Args, first: &VaeModel) -> Result<Self> {
        let path = args.data.clone().or_else(data::real_test_set);
        let (name, mut content) = match path {
            Some(path) if path.is_dir() => (
                path.display().to_string(),
                DataSet::read(files::open_data(&path, None)?.0)?.to_idx()?,
            ),
            Some(path) => {
                let mut content = Vec::new();
                let opened = files::open(&path)
                    .and_then(|(mut file, _)| Ok(file.read_to_end(&mut content)?));
                opened.with_context(|| path.display().to_string())?;
                (path.display().to_string(), content)
            }
            None => (
                format!("samples of {} (built in, no real data)", data::DEMO_MODEL),
                demo(first)?,
            ),
        };
        if content.starts_with(&[0x1f, 0x8b]) {
            let mut inner = Vec::new();
            MultiGzDecoder::new(content.as_slice())
                .read_to_end(&mut inner)
                .with_context(|| name.clone())?;
            content = inner;
        }
        let open = |content: &Vec<u8>| DataReader::open(Cursor::new(content.clone()), "bench.png");
        let whole = DataSet::read(open(&content).with_context(|| name.clone())?)?;
        let of = whole.count();
        let mut data = whole;
        if let Some(limit) = args.limit {
            data = data.spread(limit as usize);
            content = data.to_idx()?;
        }
        if data.count() == 0 {
            bail!("{name}: no data; there is nothing to measure");
        }
        // One image of a PNG file is measured as the data in it.
        if content.starts_with(b"\x89PNG") {
            content = data.to_idx()?;
        }
        Ok(Self {
            name,
            content: Arc::new(content),
            data,
            of,
        })
    }

    /// The data as symbols of a model.
    ///
    /// # Errors
    /// If they are not the model's.
    pub(super) fn symbols(&self, model: &VaeModel) -> Result<DataSet> {
        let mut reader = DataReader::open(Cursor::new(self.content.to_vec()), "bench.png")?;
        bbans::bind(model, &mut reader)?;
        let mut data = self.data.clone();
        bbans::symbols(model, &mut data.symbols).with_context(|| self.name.clone())?;
        Ok(data)
    }

    /// Gives data that came flat, as .amat text does, the shape that a model knows them by.
    pub(super) fn shape_as(&mut self, model: &VaeModel) {
        if self.data.shape.len() == 1 && self.data.dims() == model.dims() {
            self.data.shape = model.shape().to_vec();
        }
    }

    /// The data for rivals, and their number of levels: 2 if there are two values, 0 and another,
    /// else those of one byte or of two.
    pub(super) fn for_rivals(&self) -> (DataSet, usize) {
        let mut data = self.data.clone();
        let levels = match bbans::binary_symbols(&mut data.symbols) {
            Ok(_) => 2,
            Err(_) if data.symbols.iter().all(|&v| v < 256) => 256,
            Err(_) => 1 << 16,
        };
        (data, levels)
    }
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
