//! Data that models are trained on.

use std::path::Path;

use anyhow::{Result, bail};
use bbans::data::Element;
use bbans::nn::description::{Column, GreenFirst};
use bbans::nn::{self, ModelFile};

use super::files::{self, RawSpec};

/// Cuts a row of values into data of a shape.
pub(crate) fn fit(reader: &mut bbans::DataReader, shape: &[usize]) -> Result<()> {
    reader.fit(shape)?;
    let found = &reader.source().shape;
    if found != shape {
        bail!(
            "the data have the shape {found:?}; --shape is for a file that is one long row of values: leave it out, or \
             reshape the file"
        );
    }
    Ok(())
}

/// What the values of a file are taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Numbers, or what the columns of a table have.
    Numbers,
    /// Colours, of which green comes first.
    GreenFirst,
    /// Grey that becomes bits.
    Bits,
}

/// What the symbols of data stand for.
pub(crate) struct StandFor {
    pub(crate) values: nn::description::Values,
    /// Of every column of a table, how many there are.
    pub(crate) levels: Option<Vec<usize>>,
    /// The greatest number of them.
    pub(crate) most: usize,
}

impl StandFor {
    pub(crate) fn of_model(file: &ModelFile) -> Self {
        Self {
            values: file.description.values.clone(),
            levels: None,
            most: file.description.likelihood.levels(),
        }
    }

    /// Of pictures in colour.
    fn green_first(reader: bbans::DataReader) -> Result<Self> {
        let shape = reader.source().shape.clone();
        let [_, _, channels @ (3 | 4)] = shape[..] else {
            bail!(
                "--green-first with data of shape {shape:?}; expected [rows, columns, 3] or 4 channels"
            );
        };
        let (step, count) = reader.survey()?;
        let Ok(lowest) = usize::try_from(step.lowest) else {
            bail!(
                "--green-first with values from {}; expected 0 to 32,767",
                step.lowest
            );
        };
        let span = (step.step as usize).saturating_mul(count.saturating_sub(1));
        let levels = lowest.saturating_add(span).saturating_add(1);
        let colours = GreenFirst {
            levels: levels.max(2),
            channels,
        };
        if levels > bbans::nn::description::MAX_SYMBOLS / 2 {
            bail!(
                "--green-first with values up to {}; expected 0 to 32,767",
                levels - 1
            );
        }
        let of_symbols = colours.levels_of_symbols();
        Ok(Self {
            values: nn::description::Values::GreenFirst(colours),
            most: of_symbols.iter().copied().max().unwrap_or(1),
            levels: Some(of_symbols),
        })
    }

    /// What a file has, which is read once more for that where its header does not say it.
    pub(crate) fn of_file(
        reader: &bbans::DataReader,
        path: &Path,
        raw: Option<&RawSpec>,
        taken: Taken,
    ) -> Result<Self> {
        let plain = Self {
            values: nn::description::Values::default(),
            levels: None,
            most: 1 << 16,
        };
        let again = |what: &str| {
            if !files::can_be_read_again(path) {
                bail!("{what} are read twice; expected a file, not a pipe");
            }
            Ok(files::open_data(path, raw)?.0)
        };
        if reader.is_table() {
            let columns = again("tables")?.columns()?;
            let levels: Vec<usize> = columns.iter().map(Column::levels).collect();
            return Ok(Self {
                most: levels.iter().copied().max().unwrap_or(1),
                levels: Some(levels),
                values: nn::description::Values::Columns(columns),
            });
        }
        if taken == Taken::GreenFirst {
            return Self::green_first(again("pictures with green first")?);
        }
        // Bytes are what they are.
        if reader.element() == Element::U8 || taken == Taken::Bits {
            return Ok(plain);
        }
        let (step, most) = again("numbers that are no bytes")?.survey()?;
        Ok(Self {
            values: nn::description::Values::Numbers(step),
            levels: None,
            most,
        })
    }
}
