//! Writing the records of a table from their symbols.

use bbans_core::{Error, Result};
use bbans_nn::description::Column;

use super::cells;
use super::dialect::Dialect;
use super::{Exception, MAX_BATCH, MAX_RECORD};

/// Most bytes of a record whose line's end is there: a reader counts the last one without.
const MAX_ROW: usize = MAX_RECORD + 2;

/// Appends the records of these symbols, row-major `[count, columns]`, each with its line's end. `exceptions` are
/// those of the same symbols, and all what one call of [`super::CsvReader::read`] gave, or less.
///
/// # Errors
/// [`bbans_core::ErrorKind::Corruption`] if a symbol or an exception is out of range, or the records are longer than
/// a reader can have read them.
pub fn render(
    dialect: &Dialect,
    columns: &[Column],
    symbols: &[u16],
    exceptions: &[Exception],
    out: &mut Vec<u8>,
) -> Result<()> {
    if dialect.quotes.len() != columns.len() || !symbols.len().is_multiple_of(columns.len().max(1))
    {
        return Err(Error::corruption(format!(
            "{} values of a table of {} columns for a model of {}; the file is damaged or the model another",
            symbols.len(),
            dialect.quotes.len(),
            columns.len()
        )));
    }
    let mut exceptions = exceptions.iter().peekable();
    let start = out.len();
    for (row, symbols) in symbols.chunks_exact(columns.len().max(1)).enumerate() {
        let row_start = out.len();
        for (i, &symbol) in symbols.iter().enumerate() {
            out.extend((i > 0).then_some(dialect.delimiter));
            match exceptions.next_if(|exception| exception.at == row * columns.len() + i) {
                Some(exception) => out.extend(&exception.bytes),
                None => put(dialect, columns, i, symbol, out)?,
            }
            if out.len() - row_start > MAX_ROW {
                return Err(too_long("a row", MAX_ROW));
            }
        }
        out.extend(dialect.line_end());
        if out.len() - start > MAX_BATCH + MAX_ROW {
            return Err(too_long("rows", MAX_BATCH));
        }
    }
    exceptions.next().map_or(Ok(()), |exception| {
        Err(Error::corruption(format!(
            "an exception at value {} is out of order or after the last of {} values; the file is damaged",
            exception.at,
            symbols.len()
        )))
    })
}

fn put(
    dialect: &Dialect,
    columns: &[Column],
    i: usize,
    symbol: u16,
    out: &mut Vec<u8>,
) -> Result<()> {
    let column = columns.get(i).zip(dialect.quotes.get(i));
    let written =
        column.and_then(|(column, &quotes)| cells::write(column, quotes, dialect, symbol, out));
    written.ok_or_else(|| {
        Error::corruption(format!(
            "the symbol {symbol} of column {} is none of its values; the file is damaged or the model another",
            i + 1
        ))
    })
}

fn too_long(what: &str, most: usize) -> Error {
    Error::corruption(format!(
        "{what} of more than {most} bytes, which no table has here; the file is damaged"
    ))
}
