//! Reading the values of a file.

use std::io::{BufRead, Cursor, Read};

use bbans_core::{Error, Result};

use super::{Header, reverse_axes};
use crate::data::element::Element;
use crate::data::numeric::Numeric;
use crate::data::rows::Rows;
use crate::data::survey::Survey;

/// Values under way.
pub(in crate::data) struct Values<S> {
    stream: S,
    /// Bytes before those of the stream.
    first: Cursor<Vec<u8>>,
    /// All of them in the order of data, once they were read, of a file in another order.
    in_order: Option<Cursor<Vec<u8>>>,
    /// The axes in the order of the file, where that is not the order of data.
    axes: Option<Vec<usize>>,
    size: usize,
    /// Data that are left; unknown where no header says it.
    left: Option<usize>,
    /// Whether it is one row of values that somebody has to cut.
    flat: bool,
}

impl<S: BufRead> Values<S> {
    /// The values after a header, the first bytes of which it may have.
    pub(in crate::data) fn new(header: &mut Header, stream: S) -> Self {
        let axes = header.shape.iter().rev().copied().chain(header.count);
        Self {
            stream,
            axes: header.array.fortran.then(|| axes.collect()),
            first: Cursor::new(std::mem::take(&mut header.first)),
            in_order: None,
            size: header.array.element.size(),
            left: header.count,
            flat: header.is_flat(),
        }
    }

    pub(in crate::data) fn is_flat(&self) -> bool {
        self.flat
    }

    pub(in crate::data) fn count_hint(&self) -> Option<usize> {
        self.left
    }

    pub(in crate::data) fn into_stream(self) -> S {
        self.stream
    }

    /// Cuts a row of values into data of `dims` of them.
    pub(in crate::data) fn cut(&mut self, dims: usize) -> Result<()> {
        let values = self.left.unwrap_or(0);
        if dims == 0 || !values.is_multiple_of(dims) {
            return Err(Error::invalid_argument(format!(
                "the file has one row of {values} values, which cannot be cut into data of {dims} values each; expected \
                 a multiple of {dims}"
            )));
        }
        self.left = Some(values / dims);
        self.flat = false;
        Ok(())
    }

    /// The next data, up to `max`, of `dims` values each.
    pub(in crate::data) fn read(
        &mut self,
        max: usize,
        dims: usize,
        numeric: &Numeric,
    ) -> Result<Rows> {
        if self.flat {
            return Err(Error::invalid_argument(
                "the file has one row of values, and nobody says where data begin in it; give their shape with --shape \
                 where a command has it, or axes to the file: the number of data, then those of a datum",
            ));
        }
        let count = self.left.map_or(max, |left| max.min(left));
        let each = dims.checked_mul(self.size);
        let wanted = each.and_then(|each| each.checked_mul(count));
        let (Some(each), Some(wanted)) = (each, wanted) else {
            return Err(Error::invalid_argument("data too large to be read"));
        };
        let bytes = match self.axes.is_some() {
            true => self.read_in_order(wanted)?,
            false => self.read_bytes(wanted)?,
        };
        let count = match &mut self.left {
            Some(left) => {
                if bytes.len() < wanted {
                    let missing =
                        (wanted - bytes.len()) as u128 + (*left - count) as u128 * each as u128;
                    return Err(Error::invalid_argument(format!(
                        "the data end {missing} bytes before the count that their header gives"
                    )));
                }
                *left -= count;
                count
            }
            None if !bytes.len().is_multiple_of(each) => {
                return Err(Error::invalid_argument(format!(
                    "the file ends {} bytes after the start of a datum of {each} bytes; expected a multiple of {each} \
                     bytes",
                    bytes.len() % each
                )));
            }
            None => bytes.len() / each,
        };
        if self.left == Some(0) && !self.is_at_end()? {
            return Err(Error::invalid_argument(
                "the file goes on after the data that its header counts; expected it to end there",
            ));
        }
        let mut rows = Rows {
            count,
            ..Rows::default()
        };
        numeric.symbols(&bytes, &mut rows);
        Ok(rows)
    }

    fn is_at_end(&mut self) -> Result<bool> {
        Ok(self.first.fill_buf()?.is_empty() && self.stream.fill_buf()?.is_empty())
    }

    /// Looks at all values.
    pub(in crate::data) fn survey(&mut self, element: Element, survey: &mut Survey) -> Result<()> {
        loop {
            let bytes = self.read_bytes(self.size << 16)?;
            for value in bytes.chunks_exact(self.size) {
                let low: Vec<u8> = match element.big_endian {
                    true => value.iter().rev().copied().collect(),
                    false => Vec::new(),
                };
                let shown = if element.big_endian { &low } else { value };
                survey.see(element.number(value), shown);
            }
            if bytes.is_empty() {
                return Ok(());
            }
        }
    }

    fn read_bytes(&mut self, wanted: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&mut self.first)
            .chain(&mut self.stream)
            .take(wanted as u64)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Of a file in the order of Fortran, which is read as a whole.
    fn read_in_order(&mut self, wanted: usize) -> Result<Vec<u8>> {
        if let Some(axes) = self.axes.as_deref().filter(|_| self.in_order.is_none()) {
            let all = (axes.iter()).try_fold(self.size, |n, &axis| n.checked_mul(axis));
            let all = all.ok_or_else(|| Error::invalid_argument("data too large to be read"))?;
            let mut bytes = Vec::new();
            (&mut self.first)
                .chain(&mut self.stream)
                .take(all as u64)
                .read_to_end(&mut bytes)?;
            if bytes.len() < all {
                return Err(Error::invalid_argument(format!(
                    "the data end {} bytes before the count that their header gives",
                    all - bytes.len()
                )));
            }
            self.in_order = Some(Cursor::new(reverse_axes(&bytes, axes, self.size)));
        }
        let mut bytes = Vec::new();
        if let Some(in_order) = &mut self.in_order {
            in_order.take(wanted as u64).read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }
}
