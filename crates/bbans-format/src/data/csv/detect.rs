//! Finding the dialect of a table from its beginning.

use std::io::{BufRead, Chain, Cursor, Read};

use bbans_core::Result;
use bbans_nn::description::Column;

use super::dialect::{CellQuotes, DELIMITERS, Dialect};
use super::quotes::content;
use super::record::{Record, Splitter, other_fields};
use super::votes::Poll;
use super::{BYTE_ORDER_MARK, MAX_RECORD};

/// Most bytes that are looked at: a header line, and records after it.
const MAX_HEAD: usize = 2 * MAX_RECORD;
/// Most records that are looked at.
const MAX_HEAD_RECORDS: usize = 1000;

/// A stream whose beginning was read before.
pub(super) type Stream<B> = Chain<Cursor<Vec<u8>>, B>;

/// The beginning of a table.
pub(super) struct Head {
    bytes: Vec<u8>,
    /// Bytes of the byte order mark.
    mark: usize,
    /// Whether there is no more of it.
    whole: bool,
}

impl Head {
    pub(super) fn read(stream: &mut impl BufRead) -> Result<Self> {
        let mut bytes = vec![];
        stream.take(MAX_HEAD as u64).read_to_end(&mut bytes)?;
        let mark = if bytes.starts_with(BYTE_ORDER_MARK) {
            BYTE_ORDER_MARK.len()
        } else {
            0
        };
        Ok(Self {
            whole: bytes.len() < MAX_HEAD,
            bytes,
            mark,
        })
    }

    /// The table again, from `start` on.
    pub(super) fn before<B: BufRead>(self, rest: B, start: usize) -> Stream<B> {
        let mut bytes = Cursor::new(self.bytes);
        bytes.set_position(start as u64);
        bytes.chain(rest)
    }

    /// Bytes of the byte order mark.
    pub(super) fn mark(&self) -> usize {
        self.mark
    }

    /// Shows each record that is here as a whole, until `see` returns `false`.
    fn each(&self, delimiter: u8, mut see: impl FnMut(&mut Record) -> bool) -> Result<()> {
        let text = self.bytes.get(self.mark..).unwrap_or_default();
        let mut splitter = Splitter::new(text, delimiter, 0);
        let mut record = Record::default();
        for _ in 0..MAX_HEAD_RECORDS {
            let more = splitter.next(&mut record)? && (self.whole || record.is_ended());
            if !more || !see(&mut record) {
                break;
            }
        }
        Ok(())
    }

    /// The delimiter with which the records have the same number of fields and more than one.
    pub(super) fn delimiter(&self) -> u8 {
        self.best_delimiter(|first, fields| match first {
            0 | 1 => 0,
            _ => usize::from(fields == first),
        })
    }

    fn best_delimiter(&self, score: impl Fn(usize, usize) -> usize) -> u8 {
        let (mut best, mut most) = (DELIMITERS[0], (0, 0));
        for delimiter in DELIMITERS {
            let (mut first, mut total) = (0, 0);
            // What is wrong is told once the delimiter is known: with another, quotes may open that nothing closes.
            let _ = self.each(delimiter, |record| {
                first = if first == 0 { record.len() } else { first };
                total += score(first, record.len());
                true
            });
            if (total, first) > most {
                (best, most) = (delimiter, (total, first));
            }
        }
        best
    }

    /// How the table with these columns is written.
    pub(super) fn dialect(&self, columns: &[Column]) -> Result<Dialect> {
        let expected = columns.len();
        let delimiter = self.best_delimiter(|_, fields| usize::from(fields == expected));
        let (header, crlf) = self.header_and_ends(delimiter, columns)?;
        let skip = header.len() > self.mark;
        Ok(Dialect {
            delimiter,
            crlf,
            quotes: self.quotes(delimiter, columns, skip, crlf)?,
            header,
        })
    }

    /// What stands before the first record, and whether lines end in CR LF.
    fn header_and_ends(&self, delimiter: u8, columns: &[Column]) -> Result<(Vec<u8>, bool)> {
        let mut len = self.mark;
        let mut of_header = false;
        let (mut ended, mut crlf) = (0, 0);
        let mut wrong = None;
        let mut is_first = true;
        self.each(delimiter, |record| {
            let returned = record.is_crlf();
            if std::mem::take(&mut is_first) {
                if record.len() != columns.len() {
                    wrong = Some(other_fields(record, columns.len()));
                    return false;
                }
                if is_header(record, columns) {
                    (of_header, len) = (returned, len + record.bytes().len());
                    return true;
                }
            }
            ended += usize::from(record.is_ended());
            crlf += usize::from(returned);
            true
        })?;
        let crlf = if ended == 0 { of_header } else { crlf == ended };
        let header = self.bytes.get(..len).unwrap_or_default().to_vec();
        wrong.map_or(Ok((header, crlf)), Err)
    }

    fn quotes(
        &self,
        delimiter: u8,
        columns: &[Column],
        mut skip: bool,
        crlf: bool,
    ) -> Result<Vec<CellQuotes>> {
        let mut polls: Vec<Poll> = columns.iter().map(Poll::new).collect();
        self.each(delimiter, |record| {
            if std::mem::take(&mut skip) || record.len() != columns.len() {
                return true;
            }
            if crlf {
                record.cut_return();
            }
            let pairs = polls.iter_mut().zip(record.fields());
            pairs.for_each(|(poll, raw)| poll.add(raw, delimiter));
            true
        })?;
        Ok(Poll::elect(&polls))
    }
}

/// Whether the fields are the names of the columns, or, where some columns are numbers, texts that no column has.
fn is_header(record: &mut Record, columns: &[Column]) -> bool {
    let is_name = |raw: &[u8], column: &Column| {
        content(raw).is_some_and(|name| String::from_utf8_lossy(&name) == column.name)
    };
    // A line with no cell of the data is one of names; without columns of numbers it may be chance.
    let is_other = |raw: &[u8], column: &Column| {
        content(raw).is_some_and(|cell| {
            let text = column.texts.iter().any(|text| text.as_bytes() == &*cell);
            let number = str::from_utf8(&cell).is_ok_and(|cell| cell.parse::<f64>().is_ok());
            !cell.is_empty() && !text && !number
        })
    };
    let all = |record: &Record, is: &dyn Fn(&[u8], &Column) -> bool| {
        let mut pairs = record.fields().zip(columns);
        record.len() == columns.len() && pairs.all(|(raw, column)| is(raw, column))
    };
    if all(record, &is_name) {
        return true;
    }
    record.cut_return();
    let numeric = columns.iter().any(|column| column.numbers.is_some());
    all(record, &is_name) || numeric && all(record, &is_other)
}

#[cfg(test)]
mod tests {
    use super::super::quotes::Quotes;
    use super::*;
    use bbans_nn::description::{Numbers, Zeros};

    fn columns() -> Vec<Column> {
        let numbers = Numbers {
            lowest: 0,
            step: 1,
            count: 10,
            decimals: 0,
            zeros: Zeros::Kept,
        };
        let column = |name: &str, numbers| Column {
            name: name.into(),
            texts: ["NA", "x", "y;", "5\"", ""].map(String::from).to_vec(),
            numbers,
        };
        vec![column("a", None), column("b", Some(numbers))]
    }

    fn dialect(text: &[u8]) -> Dialect {
        Head::read(&mut &text[..])
            .unwrap()
            .dialect(&columns())
            .unwrap()
    }

    fn quotes(text: &[u8]) -> [Quotes; 3] {
        let [a, b] = dialect(text).quotes.try_into().unwrap();
        [a.texts, b.texts, b.numbers]
    }

    #[test]
    fn delimiters_headers_and_line_ends_are_found() {
        for (text, delimiter, header, crlf) in [
            (&b"a,b\nx,1\n"[..], b',', &b"a,b\n"[..], false),
            (
                b"\"a\";\"b\"\r\n\"y;\";1\r\n",
                b';',
                b"\"a\";\"b\"\r\n",
                true,
            ),
            (b"\xef\xbb\xbfa\tb", b'\t', b"\xef\xbb\xbfa\tb", false),
            (b"\xef\xbb\xbfx|1\n", b'|', b"\xef\xbb\xbf", false),
            (b"a,b\r\nx,1", b',', b"a,b\r\n", true),
            (b"a,b\r\nx,1\nx,2", b',', b"a,b\r\n", false),
            (b"x,1\r\nx,2\n", b',', b"", false),
            // Names that are not the model's; a line that has a number, or a text of the data.
            (b" a, c\nx,1\n", b',', b" a, c\n", false),
            (b"c,7\nx,1\n", b',', b"", false),
            (b"x,c\nx,1\n", b',', b"", false),
            (b"new,1\r\nx,2\r\n", b',', b"", true),
            (b"new,1e5\nx,2\n", b',', b"", false),
            (b",\nx,2\n", b',', b"", false),
            (b"", b',', b"", false),
        ] {
            let found = dialect(text);
            let found = (found.delimiter, &found.header[..], found.crlf);
            assert_eq!(found, (delimiter, header, crlf), "{text:?}");
        }
    }

    #[test]
    fn quotes_are_those_of_most_cells() {
        use Quotes::*;
        assert_eq!(quotes(b"x,1\n5\",2\n"), [Never, Never, Needed]);
        assert_eq!(quotes(b"x;1\n\"y;\";2\n"), [Needed, Needed, Needed]);
        assert_eq!(quotes(b"\"x\",1\nNA,2\n"), [ButNa, ButNa, Needed]);
        assert_eq!(quotes(b"\"x\",\"1\"\n,NA\n"), [ButEmpty, Needed, Always]);
        assert_eq!(quotes(b""), [Needed, Needed, Needed]);
    }

    #[test]
    fn the_first_line_has_a_field_for_each_column() {
        let head = Head::read(&mut &b"a,b,c\n1,2,3\n"[..]).unwrap();
        let e = head.dialect(&columns()).unwrap_err().to_string();
        assert!(
            e.contains("line 1") && e.contains("found 3 fields, expected 2"),
            "{e}"
        );
    }
}
