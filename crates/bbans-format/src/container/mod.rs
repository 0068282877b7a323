//! The container, versions 1 to 4: a header, blocks, a trailer. docs/format has every byte.
//!
//! It is written and read as a stream, block by block; the trailer's table makes it seekable where
//! the file is. Files may be concatenated: each is a member of its own.

mod content;
mod header;
mod limits;
mod message_bytes;
mod packed;
mod parts;
mod stored;
mod trailer;

pub use header::{Framing, Header, LEAN_FINGERPRINT, Stored};
pub(crate) use limits::dims as dims_of;
pub use limits::{
    MAX_BLOCK_SYMBOLS, MAX_BLOCK_WORDS, MAX_DIMS, MAX_EXCEPTION_BYTES, MAX_HEADER_BYTES,
    MAX_NAME_BYTES, MAX_NAMES, MAX_SET_SYMBOLS, block_len, set_len,
};
pub use message_bytes::message_len;
pub use packed::Packed;
pub use parts::{Part, Parts};
pub use stored::{Content, Datum, Extra, StoredBlock};
pub use trailer::{Check, Trailer};

/// The first bytes of a file; the first is no ASCII and the last two are a line end, so that a
/// transfer that alters either is noticed.
pub const MAGIC: [u8; 8] = *b"\x89bbans\r\n";
/// The newest version that this library reads.
pub const VERSION: u8 = 4;

fn put_crc(out: &mut Vec<u8>) {
    let crc = crc32fast::hash(out);
    out.extend(crc.to_le_bytes());
}
