//! .amat: text, a line for each datum, a digit for each value.

use std::io::Read;

use bbans_core::{Error, Result};

use super::reader::End;
use super::rows::Rows;
use super::source::Layout;
use super::stream::{Stream, end};
use crate::container::dims_of;

/// Shape of a line, told from the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) dims: usize,
    pub(crate) separator: u8,
    pub(crate) trailing: bool,
    pub(crate) crlf: bool,
}

impl Line {
    /// The shape of a first line, its end included.
    pub(crate) fn detect(line: &[u8]) -> Result<Self> {
        let body = line.strip_suffix(b"\n").unwrap_or(line);
        let crlf = body.ends_with(b"\r") && body.len() < line.len();
        let body = if crlf { &body[..body.len() - 1] } else { body };
        let separator = body.get(1).copied().unwrap_or(b' ');
        let trailing = body.len() > 1 && body.len().is_multiple_of(2);
        let dims = body.len().div_ceil(2);
        let line = Self {
            dims,
            separator,
            trailing,
            crlf,
        };
        let digit = body
            .first()
            .is_some_and(|&first| first == b'0' || first == b'1');
        if !matches!(separator, b' ' | b',' | b'\t' | b';') || !digit {
            let shown = String::from_utf8_lossy(&body[..body.len().min(20)]).into_owned();
            return Err(Error::invalid_argument(format!(
                "no data format that bbans reads: it starts with {shown:?}; expected IDX, .npy, PNG, \
                 PGM, PPM, a table, or .amat (lines of 0 and 1 with single separators)"
            )));
        }
        Ok(line)
    }

    pub(crate) fn layout(self) -> Layout {
        let Self {
            separator,
            trailing,
            crlf,
            ..
        } = self;
        Layout::Amat {
            separator,
            trailing,
            crlf,
        }
    }

    /// Bytes of a line without its end.
    pub(crate) fn body_len(self) -> usize {
        2 * self.dims - usize::from(!self.trailing)
    }

    pub(crate) fn end(self) -> &'static [u8] {
        if self.crlf { b"\r\n" } else { b"\n" }
    }

    /// The values of a line without its end; `None` unless [`Line::render`] gives exactly it.
    pub(crate) fn parse(self, body: &[u8], out: &mut Vec<u16>) -> Option<()> {
        if body.len() != self.body_len() {
            return None;
        }
        let start = out.len();
        let (pairs, last) = body.as_chunks::<2>();
        let value = |digit: &u8| u16::from(digit.wrapping_sub(b'0'));
        out.extend(pairs.iter().map(|[digit, _]| value(digit)));
        out.extend(last.iter().map(value));
        // Without an early end these are passes that vectorise.
        let separators = (pairs.iter()).fold(0, |other, pair| other | (pair[1] ^ self.separator));
        let digits = &out[start..];
        let all = digits.iter().fold(0, |all, v| all | v);
        (separators == 0 && all <= 1 && digits.len() == self.dims).then_some(())
    }

    /// The line without its end.
    pub(crate) fn render(self, values: &[u16], out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + 2 * values.len(), 0);
        let (pairs, _) = out[start..].as_chunks_mut::<2>();
        for (pair, &v) in pairs.iter_mut().zip(values) {
            *pair = [b'0' + (v & 1) as u8, self.separator];
        }
        if !self.trailing {
            out.pop();
        }
    }
}

/// The lines of a file under way.
pub(super) struct Lines {
    stream: Stream,
    line: Line,
    /// Bytes before those of the stream.
    first: Vec<u8>,
    /// Bytes of the last line's end that are not there, once it was seen.
    cut: u8,
}

impl Lines {
    /// Lines like the first one of `first`, which is whole.
    ///
    /// # Errors
    /// If it is none, or too long.
    pub(super) fn new(first: Vec<u8>, stream: Stream) -> Result<Self> {
        let line = Line::detect(first_line(&first))?;
        dims_of(&[line.dims])?;
        Ok(Self {
            stream,
            line,
            first,
            cut: 0,
        })
    }

    /// What every line is like.
    pub(super) fn line(&self) -> Line {
        self.line
    }

    pub(super) fn end(self) -> End {
        end(self.stream, self.cut)
    }

    /// The next data, up to `max`.
    ///
    /// # Errors
    /// If a line is not like the first one.
    pub(super) fn read(&mut self, max: usize) -> Result<Rows> {
        let line = self.line;
        let mut rows = Rows::default();
        let whole = line.body_len() + line.end().len();
        let mut text = Vec::with_capacity(whole);
        while rows.count < max && self.cut == 0 {
            text.clear();
            let from_first = self.first.len().min(whole);
            text.extend(self.first.drain(..from_first));
            (&mut self.stream)
                .take((whole - from_first) as u64)
                .read_to_end(&mut text)?;
            if text.is_empty() {
                break;
            }
            let missing = whole - text.len();
            self.cut = missing.min(line.end().len()) as u8;
            let (body, end) = text.split_at(line.body_len().min(text.len()));
            let ended = line.end().starts_with(end);
            if missing > line.end().len() || !ended || line.parse(body, &mut rows.symbols).is_none()
            {
                return Err(Error::invalid_argument(format!(
                    "line {} of the .amat text is not {} values 0 or 1 laid out like the first line \
                     (counted from the start of this part of the file)",
                    rows.count + 1,
                    line.dims
                )));
            }
            rows.count += 1;
        }
        Ok(rows)
    }
}

/// The first line of a text, its end included.
pub(super) fn first_line(text: &[u8]) -> &[u8] {
    text.split_inclusive(|&b| b == b'\n')
        .next()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_every_shape_come_back() {
        for line in [
            "0 1 1\n",
            "0 1 1",
            "0,1,1\r\n",
            "1\n",
            "0\t",
            "0 1 1 \n",
            "0;1;",
        ] {
            let shape = Line::detect(line.as_bytes()).unwrap();
            let body = line.trim_end_matches(['\r', '\n']).as_bytes();
            let mut values = Vec::new();
            shape.parse(body, &mut values).unwrap();
            let mut rendered = Vec::new();
            shape.render(&values, &mut rendered);
            assert_eq!(rendered, body, "{line:?}");
            assert_eq!(shape.crlf, line.ends_with("\r\n"));
        }
    }

    #[test]
    fn other_lines_are_refused() {
        let shape = Line::detect(b"0 1 1\n").unwrap();
        for body in [
            "0 1", "0 1 2", "0 1 1 ", "0,1 1", "0 1 /", "x 1 1", "", "0 1 1 1",
        ] {
            assert_eq!(
                shape.parse(body.as_bytes(), &mut Vec::new()),
                None,
                "{body:?}"
            );
        }
        assert!(Line::detect(b"hello\n").is_err());
        assert!(Line::detect(b"\n").is_err());
        assert!(Line::detect(b"0.5 1.0\n").is_err());
    }
}
