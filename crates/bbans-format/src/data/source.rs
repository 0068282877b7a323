//! What a data file was, so that it can be restored.

use std::io::Read;
use std::ops::Range;

use bbans_core::{Error, Result};
use bbans_nn::description::Column;

use super::array::{Array, Form, Usual};
use super::csv::Dialect;
use super::element::Element;
use super::names::Names;
use super::pictures::Pictures;
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
    /// IDX, .npy and others: a header, kept as it is, then one value after another.
    Array(Array),
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
    Png(Pictures),
    /// CSV: a line for each datum. How it is written is known once the columns are.
    Csv(Option<Dialect>),
}

impl Source {
    /// That of an .npy file of so many data of this shape.
    pub fn npy(shape: &[usize], count: usize, element: Element) -> Self {
        let array = Array {
            form: Form::Npy,
            prefix: Vec::new(),
            element,
            fortran: false,
        };
        let prefix = array.usual_prefix(Usual::Axes, count, shape);
        let prefix = prefix.unwrap_or_default();
        Self {
            shape: shape.to_vec(),
            layout: Layout::Array(Array { prefix, ..array }),
        }
    }

    /// That of a table as it is usually written.
    pub fn table(columns: &[Column]) -> Self {
        Self {
            shape: vec![columns.len()],
            layout: Layout::Csv(Some(Dialect::usual(columns))),
        }
    }

    /// Values of one datum; `None` if their number overflows.
    pub fn dims(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
    }

    /// The source of some of the data, as a file of their own.
    ///
    /// # Errors
    /// If there are no names for them.
    pub fn of_range(&self, range: Range<usize>) -> Result<Self> {
        let layout = match &self.layout {
            Layout::Array(array) => {
                let usual = array.usual_prefix(Usual::Axes, range.len(), &self.shape);
                Layout::Array(Array {
                    prefix: usual.unwrap_or_else(|| array.prefix.clone()),
                    ..array.clone()
                })
            }
            Layout::Amat { .. } | Layout::Csv(_) => self.layout.clone(),
            Layout::Png(pictures) => Layout::Png(pictures.of_range(range)?),
        };
        Ok(Self {
            shape: self.shape.clone(),
            layout,
        })
    }

    /// The type of the file's values: bytes for tables and .amat.
    pub fn element(&self) -> Element {
        match &self.layout {
            Layout::Array(array) => array.element,
            Layout::Png(pictures) => pictures.kind.element(),
            Layout::Amat { .. } | Layout::Csv(_) => Element::U8,
        }
    }

    /// The names of the data, where they have any.
    pub fn names(&self) -> Option<&Names> {
        match &self.layout {
            Layout::Png(pictures) => Some(&pictures.names),
            _ => None,
        }
    }

    /// Which usual header it has, that need not be kept.
    fn usual(&self, count: Option<usize>) -> Option<Usual> {
        let Layout::Array(array) = &self.layout else {
            return None;
        };
        let of = |usual| array.usual_prefix(usual, count?, &self.shape);
        let mut all = Usual::ALL.into_iter();
        all.find(|&usual| of(usual).is_some_and(|prefix| prefix == array.prefix))
    }

    /// The layout's name.
    pub fn kind(&self) -> &'static str {
        match &self.layout {
            Layout::Array(array) => array.form.name(),
            Layout::Amat { .. } => "amat",
            Layout::Png(_) => "png",
            Layout::Csv(_) => "csv",
        }
    }

    /// The oldest version of the container that has such a source.
    pub fn oldest_version(&self) -> u8 {
        match &self.layout {
            Layout::Array(array) if array.old_form().is_none() => 3,
            Layout::Png(pictures) if !pictures.are_old() => 3,
            Layout::Csv(_) => 3,
            _ => 1,
        }
    }

    /// Appends the bytes of a header; of a lean one, which knows the `count` of data, without a prefix that says no more.
    pub(crate) fn write(&self, count: Option<usize>, out: &mut Vec<u8>) -> Result<()> {
        let usual = self.usual(count);
        out.push(match &self.layout {
            Layout::Array(array) => match (array.old_form(), usual) {
                (Some(Form::Idx), Some(_)) => 5,
                (Some(_), Some(_)) => 6,
                (Some(Form::Idx), None) => 1,
                (Some(_), None) => 3,
                (None, _) => ARRAY,
            },
            Layout::Amat { .. } => 2,
            Layout::Png(pictures) if pictures.are_old() => 4,
            Layout::Png(_) => PICTURES,
            Layout::Csv(_) => TABLE,
        });
        put_varint(out, self.shape.len() as u64);
        self.shape.iter().for_each(|&d| put_varint(out, d as u64));
        match &self.layout {
            Layout::Array(array) => {
                if array.old_form().is_none() {
                    let flags = [
                        (array.fortran, FORTRAN),
                        (usual.is_some(), USUAL),
                        (usual == Some(Usual::Row), ROW),
                    ];
                    let flags = flags.iter().filter(|f| f.0).map(|f| f.1).sum();
                    out.extend([array.form.code(), array.element.code(), flags]);
                }
                if usual.is_none() {
                    put_varint(out, array.prefix.len() as u64);
                    out.extend(&array.prefix);
                }
            }
            Layout::Amat {
                separator,
                trailing,
                crlf,
            } => {
                out.extend([*separator, u8::from(*trailing) | u8::from(*crlf) << 1]);
            }
            Layout::Png(pictures) => pictures.write(out)?,
            Layout::Csv(Some(dialect)) => dialect.write(out),
            Layout::Csv(None) => {
                return Err(Error::invalid_argument(
                    "a table without columns; expected a model of tables",
                ));
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
            1 | 3 | 5 | 6 => {
                let form = match kind {
                    1 | 5 => Form::Idx,
                    _ => Form::Npy,
                };
                if kind > 3 && count.is_none() {
                    return Err(unknown("a data format"));
                }
                let usual = (kind > 3).then_some(Usual::Axes);
                read_array(r, form, Element::U8, false, usual, &shape, count)?
            }
            ARRAY => {
                let [form, element, flags] = r.array()?;
                let usual = match flags {
                    0 | FORTRAN => Some(None),
                    USUAL | USUAL_FORTRAN => Some(Some(Usual::Axes)),
                    USUAL_ROW => Some(Some(Usual::Row)),
                    _ => None,
                };
                let (Some(form), Some(element), Some(usual)) =
                    (Form::of_code(form), Element::of_code(element), usual)
                else {
                    return Err(unknown("a file of values"));
                };
                let fortran = flags & FORTRAN != 0;
                let layout = read_array(r, form, element, fortran, usual, &shape, count)?;
                // One form for each source.
                match &layout {
                    Layout::Array(array) if array.old_form().is_none() => layout,
                    _ => return Err(Error::corruption("an older layout in a newer form")),
                }
            }
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
            4 => Layout::Png(Pictures::read_old(r)?),
            PICTURES => Layout::Png(Pictures::read(r)?),
            TABLE => Layout::Csv(Some(Dialect::read(r)?)),
            _ => return Err(unknown("a data format")),
        };
        Ok(Self { shape, layout })
    }
}

/// The layout of a file of values.
const ARRAY: u8 = 7;
/// That of pictures.
const PICTURES: u8 = 8;
/// That of a table.
const TABLE: u8 = 9;

/// Flags of a file of values.
const FORTRAN: u8 = 1;
const USUAL: u8 = 2;
const ROW: u8 = 4;
const USUAL_FORTRAN: u8 = USUAL | FORTRAN;
const USUAL_ROW: u8 = USUAL | ROW;

fn read_array<R: Read>(
    r: &mut Recorder<'_, R>,
    form: Form,
    element: Element,
    fortran: bool,
    usual: Option<Usual>,
    shape: &[usize],
    count: Option<usize>,
) -> Result<Layout> {
    let mut array = Array {
        form,
        prefix: Vec::new(),
        element,
        fortran,
    };
    let prefix_of = |usual| array.usual_prefix(usual, count?, shape);
    array.prefix = match usual {
        Some(usual) => prefix_of(usual)
            .ok_or_else(|| Error::corruption("a header that does not follow from the others"))?,
        None => {
            let len = r.varint(MAX_PREFIX, "the length of the data's header")?;
            let prefix = r.bytes(len)?;
            // What says no more than the other fields is not there: one form for each header.
            if Usual::ALL
                .iter()
                .any(|&usual| prefix_of(usual).as_ref() == Some(&prefix))
            {
                return Err(Error::corruption("a header that need not be kept"));
            }
            prefix
        }
    };
    Ok(Layout::Array(array))
}

fn unknown(what: &str) -> Error {
    Error::compatibility(format!(
        "the header names {what} that this program does not know; use a newer bbans"
    ))
}
