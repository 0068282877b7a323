//! What a file of this version may hold, so that no promise of a few bytes takes gigabytes. The
//! encoder keeps to the same limits.

use bbans_core::block::{MAX_COUNT, Plan};
use bbans_core::{Error, Result};

use crate::data::MAX_RANK;

/// Most dimensions of one datum.
pub const MAX_DIMS: usize = 1 << 24;
/// Most symbols in a block that holds more than one datum.
pub const MAX_BLOCK_SYMBOLS: usize = 1 << 22;
/// Most symbols in a block whose data are a multiset.
pub const MAX_SET_SYMBOLS: usize = 1 << 26;
/// Most words in a block of version 1; see `max_words` for the limit that depends on what it holds.
pub const MAX_BLOCK_WORDS: u64 = 1 << 25;
/// Most bytes in a header.
pub const MAX_HEADER_BYTES: u64 = 1 << 27;
/// Most names of PNG files.
pub const MAX_NAMES: usize = 1 << 21;
/// Most bytes of all names together, each with its line's end.
pub const MAX_NAME_BYTES: u64 = 1 << 26;

/// Most bytes of an exception: a cell of a table.
pub const MAX_EXCEPTION_BYTES: u64 = 1 << 20;

/// Data in a block, at most, for an encoder's choice.
const BLOCK_DATA: usize = 5000;

/// Data in a block for data of `dims` dimensions: 5,000, fewer for large data.
pub fn block_len(dims: usize) -> usize {
    (MAX_BLOCK_SYMBOLS / dims.max(1)).clamp(1, BLOCK_DATA)
}

/// Data in a block whose order is not kept: as many as a block has room for.
pub fn set_len(dims: usize) -> usize {
    (MAX_SET_SYMBOLS / dims.max(1)).clamp(1, MAX_COUNT)
}

/// Dimensions of data of this shape.
pub(crate) fn dims(shape: &[usize]) -> Result<usize> {
    let dims = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    let dims = dims.filter(|&n| n <= MAX_DIMS && shape.len() as u64 <= MAX_RANK);
    dims.ok_or_else(|| {
        Error::invalid_argument(format!(
            "data of shape {shape:?}; the limit is {MAX_DIMS} values and {MAX_RANK} axes a datum"
        ))
    })
}

/// Checks the number of data in a block against their dimensions.
pub(super) fn check_block(count: usize, dims: usize, unordered: bool) -> Result<()> {
    let most = most_symbols(unordered);
    if count > 1 && count.saturating_mul(dims) > most {
        return Err(Error::invalid_argument(format!(
            "blocks of {count} data of {dims} values; the limit is {most} values in a block of more than one"
        )));
    }
    Ok(())
}

fn most_symbols(unordered: bool) -> usize {
    match unordered {
        true => MAX_SET_SYMBOLS,
        false => MAX_BLOCK_SYMBOLS,
    }
}

/// Most words in a block of version 1.
///
/// They are its initial words, two for each lane's head, and what coding a datum adds: no more than
/// the initial words for its latents, for which an encoder provides them, and two words a dimension.
pub(super) fn max_words(plan: &Plan, dims: usize) -> u64 {
    let [count, initial, lanes, dims] =
        [plan.count, plan.initial_words, plan.way.lanes, dims].map(|n| n as u64);
    let of_datum = initial.saturating_add(dims.saturating_mul(2));
    let words = count
        .saturating_mul(of_datum)
        .saturating_add(initial + 2 * lanes);
    words.min(MAX_BLOCK_WORDS)
}

/// Most bytes of a message, from version 2 on: one that is longer than its data as they are is not written.
pub(super) fn max_bytes(version: u8, count: usize, dims: usize) -> u64 {
    let of_symbol = if version > 2 { 2 } else { 1 };
    (count as u64)
        .saturating_mul(dims as u64)
        .saturating_mul(of_symbol)
}
