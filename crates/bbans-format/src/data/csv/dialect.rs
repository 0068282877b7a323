//! How a table is written: what a file has beside its values.

use std::io::Read;

use bbans_core::{Error, Result};
use bbans_nn::description::Column;

use super::quotes::Quotes;
use super::{BYTE_ORDER_MARK, MAX_COLUMNS, MAX_RECORD};
use crate::bytes::{Recorder, put_varint};

/// Delimiters that are known, from the one to be preferred on.
pub(super) const DELIMITERS: [u8; 4] = *b",;\t|";
/// Longest header line, with a byte order mark.
const MAX_HEADER: usize = MAX_RECORD + BYTE_ORDER_MARK.len();

/// How the cells of one column are quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellQuotes {
    /// Cells that hold one of the column's texts.
    pub texts: Quotes,
    /// Cells that hold one of its numbers.
    pub numbers: Quotes,
}

/// How a table is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    pub(super) delimiter: u8,
    pub(super) crlf: bool,
    pub(super) header: Vec<u8>,
    pub(super) quotes: Vec<CellQuotes>,
}

impl Dialect {
    /// How a table of these columns is usually written: commas, LF, a line of the names, quotes where they are needed.
    pub fn usual(columns: &[Column]) -> Self {
        let mut header = Vec::new();
        for (i, column) in columns.iter().enumerate() {
            header.extend((i > 0).then_some(b','));
            Quotes::Needed.write(column.name.as_bytes(), b',', &mut header);
        }
        header.push(b'\n');
        let quotes = CellQuotes {
            texts: Quotes::Needed,
            numbers: Quotes::Needed,
        };
        Self {
            delimiter: b',',
            crlf: false,
            header,
            quotes: vec![quotes; columns.len()],
        }
    }

    /// The byte between two cells.
    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// What every line ends in, but for the last one perhaps.
    pub fn line_end(&self) -> &'static [u8] {
        if self.crlf { b"\r\n" } else { b"\n" }
    }

    /// What stands before the first record, as it is: a byte order mark, the line of the columns' names.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// How the cells of each column are quoted.
    pub fn quotes(&self) -> &[CellQuotes] {
        &self.quotes
    }

    /// Appends the bytes that [`Dialect::read`] reads: delimiter and line ends, the header, and the quotes with the
    /// number of columns in a row that have them.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let delimiter = position(&DELIMITERS, &self.delimiter);
        out.push(delimiter | u8::from(self.crlf) << 2);
        put_varint(out, self.header.len() as u64);
        out.extend(&self.header);
        put_varint(out, self.quotes.len() as u64);
        for run in self.quotes.chunk_by(|a, b| a == b) {
            out.push(code(run[0]));
            put_varint(out, run.len() as u64);
        }
    }

    /// Reads what [`Dialect::write`] wrote.
    pub(crate) fn read<R: Read>(r: &mut Recorder<'_, R>) -> Result<Self> {
        let flags = r.byte()?;
        if flags >= 8 {
            return Err(unknown("a flag"));
        }
        let len = r.varint(MAX_HEADER as u64, "the length of the table's header")?;
        let header = r.bytes(len)?;
        let columns = r.varint(MAX_COLUMNS as u64, "the number of columns")? as usize;
        let mut quotes: Vec<CellQuotes> = vec![];
        while quotes.len() < columns {
            let both = decode(r.byte()?).ok_or_else(|| unknown("a kind of quotes"))?;
            let most = (columns - quotes.len()) as u64;
            let run = r.varint(most, "the number of columns with the same quotes")?;
            // One form for each dialect: the longest runs.
            if run == 0 || quotes.last() == Some(&both) {
                return Err(Error::corruption(
                    "the columns with the same quotes are not counted together; the header is damaged",
                ));
            }
            quotes.extend(std::iter::repeat_n(both, run as usize));
        }
        Ok(Self {
            delimiter: DELIMITERS[usize::from(flags & 3)],
            crlf: flags & 4 != 0,
            header,
            quotes,
        })
    }
}

fn code(quotes: CellQuotes) -> u8 {
    let of = |kind| position(&Quotes::ALL, &kind);
    of(quotes.texts) << 4 | of(quotes.numbers)
}

fn decode(code: u8) -> Option<CellQuotes> {
    let of = |at: u8| Quotes::ALL.get(usize::from(at)).copied();
    Some(CellQuotes {
        texts: of(code >> 4)?,
        numbers: of(code & 15)?,
    })
}

/// Which of a few it is; all that there can be are among them.
fn position<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter()
        .zip(0..)
        .find(|(each, _)| *each == one)
        .map_or(0, |(_, at)| at)
}

fn unknown(what: &str) -> Error {
    Error::compatibility(format!(
        "the header names {what} of a table that this program does not know; use a newer bbans"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bbans_core::ErrorKind;

    fn read(mut bytes: &[u8]) -> Result<Dialect> {
        Dialect::read(&mut Recorder::new(&mut bytes))
    }

    fn dialects() -> impl Iterator<Item = Dialect> {
        let kinds = Quotes::ALL.map(|texts| CellQuotes {
            texts,
            numbers: Quotes::Needed,
        });
        let [first, second, ..] = kinds;
        [
            vec![],
            vec![first; 300],
            vec![first, second, second],
            kinds.to_vec(),
        ]
        .into_iter()
        .zip(DELIMITERS)
        .map(|(quotes, delimiter)| Dialect {
            delimiter,
            crlf: quotes.len() > 3,
            header: b"a,\"b\"\r\n".repeat(quotes.len() % 3),
            quotes,
        })
    }

    #[test]
    fn dialects_come_back_whole_or_not_at_all() {
        for dialect in dialects() {
            let mut bytes = vec![];
            dialect.write(&mut bytes);
            assert_eq!(read(&bytes).unwrap(), dialect);
            for len in 0..bytes.len() {
                assert!(read(&bytes[..len]).is_err(), "{len} bytes");
            }
        }
    }

    #[test]
    fn what_no_dialect_has_is_refused() {
        for bytes in [
            &[0, 0, 2, 0, 0][..],
            &[0, 0, 2, 0, 3],
            &[0, 0, 2, 0, 1, 0, 1],
            &[0, 0, 0x81, 0x20, 0, 1],
            &[0, 0x84, 0x80, 0x40],
        ] {
            assert_eq!(read(bytes).unwrap_err().kind(), ErrorKind::Corruption);
        }
        for bytes in [&[8, 0, 0][..], &[0, 0, 1, 5, 1], &[0, 0, 1, 0x50, 1]] {
            assert_eq!(read(bytes).unwrap_err().kind(), ErrorKind::Compatibility);
        }
    }
}
