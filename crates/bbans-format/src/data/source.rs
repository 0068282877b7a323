//! What a data file was, so that it can be restored.

use std::io::Read;

use bbans_core::{Error, Result};

use super::names::Names;
use super::prefix;
use crate::bytes::{Recorder, put_varint};

/// Longest prefix that is kept: an .npy header has at most 64 KiB before version 2.
const MAX_PREFIX: u64 = 1 << 17;
/// Most axes of one datum.
pub(crate) const MAX_RANK: u64 = 8;
/// Most values along an axis.
const MAX_SIZE: u64 = 1 << 32;

/// Shape and layout of a data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Shape of one datum: `[28, 28]`, or `[784]` where the file knows no more.
    pub shape: Vec<usize>,
    /// How the data lie in the file.
    pub layout: Layout,
}

/// How data lie in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// IDX: a header, kept as it is, then one byte for each value.
    Idx {
        /// The header's bytes.
        prefix: Vec<u8>,
    },
    /// .npy: likewise.
    Npy {
        /// The header's bytes.
        prefix: Vec<u8>,
    },
    /// .amat: a line for each datum, a digit 0 or 1 for each value.
    Amat {
        /// The byte between two values.
        separator: u8,
        /// Whether it also follows the last value.
        trailing: bool,
        /// Whether lines end in CR LF, not LF.
        crlf: bool,
    },
    /// PNG: one file for each datum.
    Png {
        /// Bits of a pixel: 1 or 8.
        depth: u8,
        /// Whether it was one file, not a folder of them.
        single: bool,
        /// Names of the files, in order.
        names: Names,
    },
}

impl Source {
    /// Values of one datum; `None` if their number overflows.
    pub fn dims(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
    }

    /// The source of datum `index` alone, as a file of its own.
    ///
    /// # Errors
    /// If there is no name for it.
    pub fn of_one(&self, index: usize) -> Result<Self> {
        let layout = match &self.layout {
            Layout::Idx { .. } => Layout::Idx {
                prefix: prefix::idx(1, &self.shape),
            },
            Layout::Npy { .. } => Layout::Npy {
                prefix: prefix::npy(1, &self.shape),
            },
            Layout::Amat { .. } => self.layout.clone(),
            Layout::Png { depth, names, .. } => Layout::Png {
                depth: *depth,
                single: true,
                names: Names::new([names.get(index).unwrap_or_default()])?,
            },
        };
        Ok(Self {
            shape: self.shape.clone(),
            layout,
        })
    }

    /// The layout's name.
    pub fn kind(&self) -> &'static str {
        match self.layout {
            Layout::Idx { .. } => "idx",
            Layout::Npy { .. } => "npy",
            Layout::Amat { .. } => "amat",
            Layout::Png { .. } => "png",
        }
    }

    /// Appends the bytes of a header; of a lean one, which knows the `count` of data, without a prefix that says no more.
    pub(crate) fn write(&self, count: Option<usize>, out: &mut Vec<u8>) -> Result<()> {
        let shape = &self.shape;
        let known = match &self.layout {
            Layout::Idx { prefix } => count.is_some_and(|n| *prefix == prefix::idx(n, shape)),
            Layout::Npy { prefix } => count.is_some_and(|n| *prefix == prefix::npy(n, shape)),
            _ => false,
        };
        out.push(match self.layout {
            Layout::Idx { .. } if known => 5,
            Layout::Npy { .. } if known => 6,
            Layout::Idx { .. } => 1,
            Layout::Amat { .. } => 2,
            Layout::Npy { .. } => 3,
            Layout::Png { .. } => 4,
        });
        put_varint(out, self.shape.len() as u64);
        self.shape.iter().for_each(|&d| put_varint(out, d as u64));
        match &self.layout {
            Layout::Idx { .. } | Layout::Npy { .. } if known => {}
            Layout::Idx { prefix } | Layout::Npy { prefix } => {
                put_varint(out, prefix.len() as u64);
                out.extend(prefix);
            }
            Layout::Amat {
                separator,
                trailing,
                crlf,
            } => {
                out.extend([*separator, u8::from(*trailing) | u8::from(*crlf) << 1]);
            }
            Layout::Png {
                depth,
                single,
                names,
            } => {
                out.extend([*depth, u8::from(*single)]);
                names.write(out)?;
            }
        }
        Ok(())
    }

    /// Reads what [`Source::write`] wrote.
    pub(crate) fn read<R: Read>(r: &mut Recorder<'_, R>, count: Option<usize>) -> Result<Self> {
        let kind = r.byte()?;
        let rank = r.varint(MAX_RANK, "the number of axes")?;
        let axis = |_| {
            r.varint(MAX_SIZE, "the size of an axis")
                .map(|d| d as usize)
        };
        let shape: Vec<usize> = (0..rank).map(axis).collect::<Result<_>>()?;
        let layout = match kind {
            1 | 3 => {
                let len = r.varint(MAX_PREFIX, "the length of the data's header")?;
                let prefix = r.bytes(len)?.to_vec();
                // One form for each header.
                let standard = match kind {
                    1 => prefix::idx,
                    _ => prefix::npy,
                };
                if count.is_some_and(|n| prefix == standard(n, &shape)) {
                    return Err(Error::corruption("a header that need not be kept"));
                }
                if kind == 1 {
                    Layout::Idx { prefix }
                } else {
                    Layout::Npy { prefix }
                }
            }
            5 | 6 => match (kind, count) {
                (5, Some(n)) => Layout::Idx {
                    prefix: prefix::idx(n, &shape),
                },
                (6, Some(n)) => Layout::Npy {
                    prefix: prefix::npy(n, &shape),
                },
                _ => return Err(unknown("a data format")),
            },
            2 => {
                let [separator, flags] = r.array()?;
                let layout = Layout::Amat {
                    separator,
                    trailing: flags & 1 != 0,
                    crlf: flags & 2 != 0,
                };
                if flags > 3 {
                    Err(unknown("a flag"))?
                } else {
                    layout
                }
            }
            4 => {
                let [depth, single] = r.array()?;
                if !matches!(depth, 1 | 8) || single > 1 {
                    return Err(unknown("a kind of PNG"));
                }
                let names = Names::read(r)?;
                Layout::Png {
                    depth,
                    single: single == 1,
                    names,
                }
            }
            _ => return Err(unknown("a data format")),
        };
        Ok(Self { shape, layout })
    }
}

fn unknown(what: &str) -> Error {
    Error::compatibility(format!(
        "the header names {what} that this program does not know; use a newer bbans"
    ))
}
