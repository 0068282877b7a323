//! Records of a table as they stand in the file: raw bytes, split at the delimiters that no quotes enclose.

use std::io::{BufRead, Read};

use bbans_core::{Error, Result};

use super::MAX_RECORD;

/// The bytes of one record.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// All of them, the line's end included.
    bytes: Vec<u8>,
    /// Where each field ends.
    ends: Vec<usize>,
    /// Number of the line that it begins in, from 1.
    line: u64,
    /// Whether a line feed ends it; without one the file ends.
    ended: bool,
}

impl Record {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn line(&self) -> u64 {
        self.line
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Number of fields.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The raw bytes of each field, with its quotes.
    pub(super) fn fields(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let field = self.bytes.get(start..end).unwrap_or_default();
            start = end + 1;
            field
        })
    }

    /// Takes a carriage return off the end of the last field. Returns whether there was one.
    pub(super) fn cut_return(&mut self) -> bool {
        let start = match self.ends.as_slice() {
            [.., before, _] => before + 1,
            _ => 0,
        };
        match self.ends.last_mut() {
            Some(end) if *end > start && self.bytes.get(*end - 1) == Some(&b'\r') => {
                *end -= 1;
                true
            }
            _ => false,
        }
    }

    /// Whether its line ends in a carriage return and a line feed.
    pub(super) fn is_crlf(&self) -> bool {
        self.ended && self.bytes.ends_with(b"\r\n")
    }

    fn start(&mut self, line: u64) {
        self.bytes.clear();
        self.ends.clear();
        self.line = line;
        self.ended = false;
    }

    /// Splits the bytes from `from` on, before which the state was `state`.
    fn split(&mut self, from: usize, mut state: State, delimiter: u8) -> State {
        for (at, &byte) in self.bytes.iter().enumerate().skip(from) {
            state = match (state, byte) {
                (State::Quoted, b'"') => State::Closed,
                (State::Quoted, _) => State::Quoted,
                (State::Start | State::Closed, b'"') => State::Quoted,
                (_, b'\n') => {
                    self.ends.push(at);
                    self.ended = true;
                    State::Start
                }
                (_, byte) if byte == delimiter => {
                    self.ends.push(at);
                    State::Start
                }
                _ => State::Bare,
            };
        }
        state
    }
}

/// Where a byte stands in its field.
#[derive(Clone, Copy)]
enum State {
    Start,
    /// Without quotes, or after text that follows a closing quote.
    Bare,
    Quoted,
    /// After a quote that closes the field, unless another one follows.
    Closed,
}

/// Splits a stream into records.
pub(super) struct Splitter<B> {
    input: B,
    delimiter: u8,
    /// Lines that were read.
    lines: u64,
}

impl<B: BufRead> Splitter<B> {
    /// Of a stream of which `lines` lines were read before.
    pub(super) fn new(input: B, delimiter: u8, lines: u64) -> Self {
        Self {
            input,
            delimiter,
            lines,
        }
    }

    /// The next record; `false` at the end of the stream.
    pub(super) fn next(&mut self, record: &mut Record) -> Result<bool> {
        record.start(self.lines.saturating_add(1));
        let mut state = State::Start;
        loop {
            let from = record.bytes.len();
            // One byte more than is allowed, to see that there are more.
            let room = (MAX_RECORD + 1).saturating_sub(from) as u64;
            let read = (&mut self.input)
                .take(room)
                .read_until(b'\n', &mut record.bytes)?;
            if record.bytes.len() > MAX_RECORD {
                return Err(too_long(record.line));
            }
            if read == 0 {
                break;
            }
            self.lines = self.lines.saturating_add(1);
            state = record.split(from, state, self.delimiter);
            if record.ended {
                return Ok(true);
            }
        }
        if record.bytes.is_empty() {
            return Ok(false);
        }
        record.ends.push(record.bytes.len());
        Ok(true)
    }

    pub(super) fn into_inner(self) -> B {
        self.input
    }
}

fn too_long(line: u64) -> Error {
    Error::invalid_argument(format!(
        "the record that begins in line {line} of the table is longer than {MAX_RECORD} bytes, the limit; \
         look for a quote there that nothing closes"
    ))
}

/// The error of a record with another number of fields than `expected`.
pub(super) fn other_fields(record: &Record, expected: usize) -> Error {
    let line = record.line;
    let is_empty = record.len() == 1 && record.fields().all(|field| matches!(field, b"" | b"\r"));
    let found = match record.len() {
        1 if is_empty => "an empty line".into(),
        1 => "1 field".into(),
        found => format!("{found} fields"),
    };
    Error::invalid_argument(format!(
        "line {line} of the table: found {found}, expected {expected}, one for each column"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &[u8]) -> Vec<Vec<String>> {
        let mut splitter = Splitter::new(text, b',', 0);
        let (mut record, mut all) = (Record::default(), vec![]);
        while splitter.next(&mut record).unwrap() {
            let fields = record.fields().map(String::from_utf8_lossy);
            all.push(fields.map(|field| field.into_owned()).collect());
        }
        all
    }

    #[test]
    fn quotes_enclose_delimiters_quotes_and_line_ends() {
        let found = records(b"a,\"b,\"\"c\"\"\nd\",e\n,\n\"f\"x,g\"");
        let expected: [&[&str]; 3] = [
            &["a", "\"b,\"\"c\"\"\nd\"", "e"],
            &["", ""],
            &["\"f\"x", "g\""],
        ];
        assert_eq!(found, expected);
        assert_eq!(records(b""), [[""; 0]; 0]);
        assert_eq!(records(b"\n"), [[""]]);
        assert_eq!(records(b"\"a\n"), [["\"a\n"]]);
    }

    #[test]
    fn lines_are_counted_within_quotes_too() {
        let mut splitter = Splitter::new(&b"\"a\nb\",c\nd"[..], b',', 0);
        let mut record = Record::default();
        splitter.next(&mut record).unwrap();
        assert_eq!((record.line(), record.is_ended()), (1, true));
        splitter.next(&mut record).unwrap();
        assert_eq!((record.line(), record.is_ended()), (3, false));
    }

    #[test]
    fn a_carriage_return_is_of_the_last_field_only() {
        for (text, last, cut) in [
            (&b"a,b\r\n"[..], &b"b"[..], true),
            (b"a,\r\n", b"", true),
            (b"\r,\n", b"", false),
            (b"a\n", b"a", false),
        ] {
            let mut record = Record::default();
            Splitter::new(text, b',', 0).next(&mut record).unwrap();
            assert_eq!(record.cut_return(), cut);
            assert_eq!(record.fields().last(), Some(last));
        }
    }

    #[test]
    fn records_have_a_limit() {
        let mut text = vec![b'x'; MAX_RECORD];
        let mut record = Record::default();
        assert!(Splitter::new(&text[..], b',', 0).next(&mut record).unwrap());
        text.push(b'\n');
        let e = Splitter::new(&text[..], b',', 0).next(&mut record);
        assert!(e.unwrap_err().to_string().contains("line 1"));
        text[0] = b'"';
        text[9] = b'\n';
        assert!(Splitter::new(&text[..], b',', 0).next(&mut record).is_err());
    }
}
