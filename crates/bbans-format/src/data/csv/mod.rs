//! Tables as CSV files, RFC 4180 and its relatives: read as symbols of a model's columns, and restored byte for byte.
//!
//! A [`CsvReader`] finds from the beginning of a file how it is written, its [`Dialect`]: the delimiter, the line ends
//! and which cells have quotes. Symbols and dialect give the bytes of a cell; where they would give others, an
//! [`Exception`] holds what the file has, and its symbol is the one before it in the same column and the same call of
//! [`CsvReader::read`], or 0. So that for every table which is read
//!
//! ```text
//! file = dialect.header() + render(symbols, exceptions) of all rows, less the last bytes that finish() tells
//! ```
//!
//! [`infer`] finds the columns of a table that no model knows yet.

mod cells;
mod decimal;
mod detect;
mod dialect;
mod infer;
mod quotes;
mod reader;
mod record;
mod render;
mod tally;
#[cfg(test)]
mod tests;
mod votes;

pub use dialect::{CellQuotes, Dialect};
pub use infer::{InferOptions, infer};
pub use quotes::Quotes;
pub use reader::CsvReader;

pub use super::rows::{Exception, Rows};
pub use render::render;

/// Most bytes of a record, its line's end included.
pub const MAX_RECORD: usize = 1 << 20;
/// Most columns.
pub const MAX_COLUMNS: usize = 4096;
/// Bytes of records after which a call of [`CsvReader::read`] gives no more.
pub const MAX_BATCH: usize = 1 << 26;
/// What some programs begin UTF-8 with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
