//! The data of all inputs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bbans_train::{Dataset, Values};

use super::Args;
use crate::support::files;
use crate::support::rows::DataSet;
use crate::support::training::{StandFor, Taken, fit};

/// What is packed.
pub(super) struct Input {
    /// What is trained on.
    pub(super) data: Dataset,
    pub(super) stand_for: StandFor,
    /// Of each input its data, before others joined them.
    pub(super) counts: Vec<(PathBuf, usize)>,
}

impl Input {
    /// Reads all inputs.
    ///
    /// # Errors
    /// If one cannot be read, or is of another kind than the first.
    pub(super) fn read(args: &Args) -> Result<Self> {
        let taken = match args.green_first {
            true => Taken::GreenFirst,
            false => Taken::Numbers,
        };
        let mut all: Option<(DataSet, StandFor)> = None;
        let mut counts = Vec::new();
        for path in &args.inputs {
            let mut read = || -> Result<()> {
                if (files::is_dash(path) || path.exists()) && !files::can_be_read_again(path) {
                    bail!("it is read several times; expected a file or a folder, no pipe");
                }
                let data = one(args, path, taken, &mut all)?;
                counts.push((path.clone(), data));
                Ok(())
            };
            read().with_context(|| path.display().to_string())?;
        }
        let (mut data, stand_for) = all.context("no inputs")?;
        if data.count() == 0 {
            bail!("there are no data; nothing can be learned of them");
        }
        let plain = stand_for.values == bbans::nn::description::Values::default();
        let bits = plain && bbans::binary_symbols(&mut data.symbols).is_ok();
        let kind = if bits { Values::Binary } else { Values::Levels };
        Ok(Self {
            data: Dataset::new(data.symbols, data.shape, kind)?,
            stand_for,
            counts,
        })
    }

    /// Checks that the files still are what they were.
    ///
    /// # Errors
    /// If they are not.
    pub(super) fn check_unchanged(&self, args: &Args) -> Result<()> {
        let again = Self::read(args).context("the input cannot be read again")?;
        if again.data.digest() != self.data.digest() {
            bail!(
                "the input has changed since the run began, so that the model is not one of its data; the checkpoint is \
                 kept, but of no use unless the input is as it was"
            );
        }
        Ok(())
    }
}

/// Joins the data of a file to those before; gives their number.
fn one(
    args: &Args,
    path: &Path,
    taken: Taken,
    all: &mut Option<(DataSet, StandFor)>,
) -> Result<usize> {
    let raw = args.raw.raw.as_ref();
    let (mut reader, _) = files::open_data(path, raw)?;
    let stand_for = match all {
        Some((_, stand_for)) => stand_for,
        None => {
            let stand_for = StandFor::of_file(&reader, path, raw, taken)?;
            &mut all.insert((DataSet::default(), stand_for)).1
        }
    };
    reader.bind(&stand_for.values, stand_for.most.max(1))?;
    if let Some(shape) = &args.shape {
        fit(&mut reader, &shape.0)?;
    }
    let data = DataSet::read(reader)?;
    let count = data.count();
    if let Some((joined, _)) = all {
        if joined.symbols.is_empty() {
            joined.shape = data.shape;
        } else if joined.shape != data.shape {
            bail!(
                "data of shape {:?}, those before have {:?}; inputs that share a model must be alike",
                data.shape,
                joined.shape
            );
        }
        joined.symbols.extend(data.symbols);
    }
    Ok(count)
}
