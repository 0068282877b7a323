//! Descriptions that are made for data: of pictures, signals and tables, one symbol after another.

mod maker;

use bbans_nn::description::Values;

use crate::arch::Arch;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::facts::{Facts, SymbolFacts};

use maker::{Maker, Sizes};

/// Kinds of data, each with the presets' name for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataKind {
    /// Pictures, `[rows, columns]` or `[rows, columns, channels]`.
    Pixels,
    /// Signals, `[samples]` or `[samples, channels]`.
    Signal,
    /// Tables, `[columns]`.
    Table,
}

/// Most channels of a picture or a signal.
const MAX_CHANNELS: usize = 8;

impl DataKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pixels, Self::Signal, Self::Table];
    /// Longest rows of values that are taken for those of a table.
    pub const MAX_COLUMNS: usize = 64;

    /// The name of the preset.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pixels => "pixels",
            Self::Signal => "signal",
            Self::Table => "table",
        }
    }

    /// What data of this shape most likely are; and why.
    pub fn of_shape(shape: &[usize]) -> Option<(Self, &'static str)> {
        match *shape {
            [columns] if columns <= Self::MAX_COLUMNS => {
                Some((Self::Table, "short rows of values are those of a table"))
            }
            [_] => Some((Self::Signal, "long rows of values are a signal")),
            [samples, channels] if channels <= MAX_CHANNELS && samples >= 8 * channels => Some((
                Self::Signal,
                "two axes, the second one short, are samples and channels",
            )),
            [_, _] => Some((Self::Pixels, "two axes are those of a picture")),
            [_, _, channels] if channels <= MAX_CHANNELS => Some((
                Self::Pixels,
                "three axes, the last one short, are those of a picture in colour",
            )),
            _ => None,
        }
    }

    /// Symbols of a position of data of this shape.
    fn symbols(self, shape: &[usize]) -> Result<usize> {
        match (self, shape) {
            (Self::Pixels, [_, _]) | (Self::Signal, [_]) => Ok(1),
            (Self::Pixels, [_, _, channels]) | (Self::Signal, [_, channels])
                if *channels <= MAX_CHANNELS =>
            {
                Ok(*channels)
            }
            (Self::Table, [columns]) => Ok(*columns),
            _ => Err(Error::new(format!(
                "the preset {} for data of shape {shape:?}; expected {}",
                self.name(),
                match self {
                    Self::Pixels => "[rows, columns] or [rows, columns, channels]",
                    Self::Signal => "[samples] or [samples, channels]",
                    Self::Table => "[columns]",
                }
            ))),
        }
    }

    /// A description for data; `levels` has the numbers of levels of the symbols of a position, where they are known, and
    /// `values` what the symbols stand for.
    ///
    /// # Errors
    /// If the data are of another kind.
    pub fn arch(self, data: &Dataset, levels: Option<&[usize]>, values: &Values) -> Result<Arch> {
        if matches!(values, Values::Columns(_)) && self != Self::Table {
            return Err(Error::new(format!(
                "the preset {} for a table; expected table or small",
                self.name()
            )));
        }
        self.of_sizes(data, levels, values, self.sizes(), true, false)
    }

    /// The same for an archive, whose layers have about `width` units, with latents or without.
    ///
    /// # Errors
    /// If the data are of another kind.
    pub(crate) fn archive(
        self,
        data: &Dataset,
        levels: Option<&[usize]>,
        values: &Values,
        width: usize,
        latents: bool,
    ) -> Result<Arch> {
        self.of_sizes(
            data,
            levels,
            values,
            self.archive_sizes(width),
            latents,
            true,
        )
    }

    fn of_sizes(
        self,
        data: &Dataset,
        levels: Option<&[usize]>,
        values: &Values,
        sizes: Sizes,
        latents: bool,
        archive: bool,
    ) -> Result<Arch> {
        let count = self.symbols(data.shape())?;
        let facts = SymbolFacts::of(data, count, levels);
        let maker = Maker {
            kind: self,
            sizes,
            latents,
            archive,
        };
        let description = maker.description(data.shape(), &facts);
        let most = facts.iter().map(|f| f.levels).max().unwrap_or(1);
        let facts = Facts {
            shape: data.shape().to_vec(),
            levels: most,
            values: values.clone(),
        };
        Arch::from_json(&description.to_string(), &facts)
    }

    fn sizes(self) -> Sizes {
        match self {
            Self::Pixels => Sizes {
                above: 2,
                side: 2,
                channels: 8,
                latents: 16,
                of_latents: 64,
                hidden: 64,
                of_symbol: 32,
                embedding: 8,
                components: 4,
            },
            Self::Signal => Sizes {
                above: 0,
                side: 16,
                // What is known of samples of a signal by their place is little, and is learned by heart.
                channels: 1,
                latents: 2,
                of_latents: 8,
                hidden: 64,
                of_symbol: 32,
                embedding: 8,
                components: 3,
            },
            Self::Table => Sizes {
                above: 0,
                side: 0,
                channels: 16,
                latents: 4,
                of_latents: 64,
                hidden: 64,
                of_symbol: 128,
                embedding: 8,
                components: 8,
            },
        }
    }

    /// Of an archive: the same kinds of layers with about `width` units.
    fn archive_sizes(self, width: usize) -> Sizes {
        let usual = self.sizes();
        let part = |of: usize| (of * width / usual.hidden).max(2);
        Sizes {
            channels: 1 + usize::from(self == Self::Pixels),
            latents: part(usual.latents),
            of_latents: part(usual.of_latents),
            hidden: width,
            of_symbol: part(usual.of_symbol).min(width),
            embedding: part(usual.embedding).min(usual.embedding),
            components: part(usual.components).clamp(2, usual.components),
            ..usual
        }
    }
}
