//! Reading the records of a table as symbols.

use std::io::BufRead;

use bbans_core::{Error, Result};
use bbans_nn::description::Column;

use super::cells::Cells;
use super::detect::{Head, Stream};
use super::dialect::Dialect;
use super::record::{Record, Splitter, other_fields};
use super::{Exception, MAX_BATCH, MAX_COLUMNS, Rows};

/// Reads the records of a table in order.
pub struct CsvReader<B> {
    records: Splitter<Stream<B>>,
    record: Record,
    dialect: Dialect,
    columns: Vec<Cells>,
    cut: u8,
}

impl<B: BufRead> CsvReader<B> {
    /// Opens a table with these columns, and finds from its beginning how it is written. The first line is a header
    /// if it holds the columns' names.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::InvalidArgument`] if the first line does not have a field for each column, or there
    /// are none or more than [`MAX_COLUMNS`].
    pub fn open(mut stream: B, columns: &[Column]) -> Result<Self> {
        if !(1..=MAX_COLUMNS).contains(&columns.len()) {
            return Err(Error::invalid_argument(format!(
                "a model of {} columns; tables can have from 1 to {MAX_COLUMNS}",
                columns.len()
            )));
        }
        let head = Head::read(&mut stream)?;
        let dialect = head.dialect(columns)?;
        let lines = dialect.header.iter().filter(|&&b| b == b'\n').count() as u64;
        let stream = head.before(stream, dialect.header.len());
        let cells = columns.iter().zip(&dialect.quotes);
        let cells = cells.map(|(column, &quotes)| Cells::new(column, quotes, dialect.delimiter));
        Ok(Self {
            records: Splitter::new(stream, dialect.delimiter, lines),
            record: Record::default(),
            columns: cells.collect(),
            dialect,
            cut: 0,
        })
    }

    /// How the table is written.
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// The next records, up to `max`, and fewer where they have more than [`MAX_BATCH`] bytes. `max` bounds the
    /// memory: `max * columns` symbols, and as many exceptions.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::InvalidArgument`], with the line's number, if a record has another number of fields
    /// than there are columns, is too long, or has a line end that cannot be restored.
    pub fn read(&mut self, max: usize) -> Result<Rows> {
        let mut rows = Rows::default();
        let mut bytes = 0usize;
        while rows.count < max && bytes < MAX_BATCH && self.records.next(&mut self.record)? {
            bytes = bytes.saturating_add(self.record.bytes().len());
            self.end_line()?;
            if self.record.len() != self.columns.len() {
                return Err(other_fields(&self.record, self.columns.len()));
            }
            self.push(&mut rows);
        }
        Ok(rows)
    }

    /// Takes the line's end off the record, and keeps what the last one lacks of it.
    fn end_line(&mut self) -> Result<()> {
        let returned = self.dialect.crlf && self.record.cut_return();
        self.cut = match (self.record.is_ended(), self.dialect.crlf) {
            (true, true) if !returned => {
                return Err(Error::invalid_argument(format!(
                    "the record of line {} of the table ends in LF, those before it in CR LF; give all of them the \
                     same line ends",
                    self.record.line()
                )));
            }
            (true, _) => 0,
            (false, true) if !returned => 2,
            (false, _) => 1,
        };
        Ok(())
    }

    fn push(&self, rows: &mut Rows) {
        let before = rows.symbols.len().checked_sub(self.columns.len());
        for (i, (cells, raw)) in self.columns.iter().zip(self.record.fields()).enumerate() {
            let symbol = cells.symbol(raw).unwrap_or_else(|| {
                rows.exceptions.push(Exception {
                    at: rows.symbols.len(),
                    bytes: raw.to_vec(),
                });
                // Any would do; one that was likely a row ago costs little.
                before
                    .and_then(|row| rows.symbols.get(row + i))
                    .copied()
                    .unwrap_or(0)
            });
            rows.symbols.push(symbol);
        }
        rows.count += 1;
    }

    /// Ends the reading, after [`CsvReader::read`] has given no more records. Returns how many bytes of the last
    /// line's end the table does not have, and the stream.
    pub fn finish(self) -> (u8, B) {
        (self.cut, self.records.into_inner().into_inner().1)
    }
}
