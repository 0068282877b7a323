//! Files of values of one type: a header, which is kept as it is, then one value after another.

use std::io::{BufRead, Cursor, Read};

use bbans_core::{Error, Result};

use super::element::Element;
use super::numeric::{Numeric, Survey};
use super::prefix;
use super::rows::Rows;

/// What a file of values is, besides their shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Array {
    /// What kind of file.
    pub form: Form,
    /// Its bytes up to the first value.
    pub prefix: Vec<u8>,
    /// The type of a value.
    pub element: Element,
    /// Whether the data's first values are side by side, then their second ones: the order of Fortran.
    pub fortran: bool,
}

/// Kinds of files of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Form {
    Raw,
    Idx,
    Npy,
    Pnm,
}

/// In the order of their numbers in a header.
const FORMS: [(Form, &str); 4] = [
    (Form::Raw, "raw"),
    (Form::Idx, "idx"),
    (Form::Npy, "npy"),
    (Form::Pnm, "pnm"),
];

impl Form {
    /// Its name.
    pub fn name(self) -> &'static str {
        FORMS[usize::from(self.code())].1
    }

    pub(super) fn code(self) -> u8 {
        FORMS.iter().position(|form| form.0 == self).unwrap_or(0) as u8
    }

    pub(super) fn of_code(code: u8) -> Option<Self> {
        FORMS.get(usize::from(code)).map(|form| form.0)
    }
}

impl Array {
    /// The header of `count` data of this shape as most programs write it, if they have one for it.
    pub(super) fn usual_prefix(&self, count: usize, shape: &[usize]) -> Option<Vec<u8>> {
        match self.form {
            Form::Raw => Some(Vec::new()),
            Form::Idx => Some(prefix::idx(self.element.idx()?, count, shape)),
            Form::Npy => Some(prefix::npy(self.element, self.fortran, count, shape)),
            Form::Pnm => None,
        }
    }
}

/// Values under way.
pub(super) struct Values<S> {
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
    pub(super) fn new(
        array: &Array,
        first: Vec<u8>,
        stream: S,
        shape: &[usize],
        count: Option<usize>,
        flat: bool,
    ) -> Self {
        let axes = shape.iter().rev().copied().chain(count).collect();
        Self {
            stream,
            first: Cursor::new(first),
            in_order: None,
            axes: Some(axes).filter(|_| array.fortran),
            size: array.element.size(),
            left: count,
            flat,
        }
    }

    pub(super) fn is_flat(&self) -> bool {
        self.flat
    }

    pub(super) fn count_hint(&self) -> Option<usize> {
        self.left
    }

    pub(super) fn into_stream(self) -> S {
        self.stream
    }

    /// Cuts a row of values into data of `dims` of them.
    pub(super) fn cut(&mut self, dims: usize) -> Result<()> {
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
    pub(super) fn read(&mut self, max: usize, dims: usize, numeric: &Numeric) -> Result<Rows> {
        if self.flat {
            return Err(Error::invalid_argument(
                "the file has one row of values, and nobody says where data begin in it; give their shape",
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
    pub(super) fn survey(&mut self, element: Element, survey: &mut Survey) -> Result<()> {
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

/// The values of an array in row-major order, each of `size` bytes, with its axes in the opposite order.
pub(super) fn reverse_axes(values: &[u8], axes: &[usize], size: usize) -> Vec<u8> {
    let mut reversed = Vec::with_capacity(values.len());
    // From the last axis, which is the first of the result: its size, and bytes from one place to the next.
    let mut stride = size;
    let steps = axes.iter().rev().map(|&axis| {
        let step = (axis, stride);
        stride *= axis;
        step
    });
    let steps: Vec<(usize, usize)> = steps.collect();
    let mut place = vec![0; steps.len()];
    let mut at = 0;
    while let Some(value) = values.get(at..at + size) {
        reversed.extend_from_slice(value);
        let mut axis = steps.len();
        loop {
            let Some(before) = axis.checked_sub(1) else {
                return reversed;
            };
            axis = before;
            let (len, step) = steps[axis];
            place[axis] += 1;
            at += step;
            if place[axis] < len {
                break;
            }
            at -= len * step;
            place[axis] = 0;
        }
    }
    reversed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_reversed_and_back() {
        let values: Vec<u8> = (0..24).collect();
        let reversed = reverse_axes(&values, &[2, 3, 4], 1);
        // [l][k][j] of the result is [j][k][l].
        for (j, k, l) in [(0, 0, 0), (1, 0, 0), (0, 2, 1), (1, 2, 3)] {
            assert_eq!(reversed[(l * 3 + k) * 2 + j], values[(j * 3 + k) * 4 + l]);
        }
        assert_eq!(reverse_axes(&reversed, &[4, 3, 2], 1), values);
        let pairs = reverse_axes(&values, &[3, 4], 2);
        assert_eq!(pairs[..6], [0, 1, 8, 9, 16, 17]);
        assert!(reverse_axes(&[], &[0, 3], 1).is_empty());
    }
}
