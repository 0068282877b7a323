//! Blocks as they are stored.

use bbans_core::block::{Block, Plan};
use bbans_core::{Error, Result};

use super::header::Framing;
use super::{Header, Packed, limits, message_bytes, put_crc};
use crate::bytes::put_varint;

pub(super) const TAG_BLOCK: u8 = 1;
pub(super) const TAG_PACKED: u8 = 2;
pub(super) const TAG_INDEPENDENT: u8 = 3;

/// A block with what belongs to it in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBlock {
    /// Number of data.
    pub count: usize,
    /// A symbol `s` stands for the byte `s * scale`.
    pub scale: u8,
    /// The data.
    pub content: Content,
    /// Bytes in the file, tag and checksum included.
    pub stored_bytes: u64,
}

/// The data of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Coded with the model.
    Message {
        /// How they were coded.
        plan: Plan,
        /// The message.
        words: Vec<u32>,
    },
    /// As they are; since version 2.
    Packed(Packed),
    /// Each decodable alone; since version 2.
    Independent(Vec<Datum>),
}

/// A datum that is decodable alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Datum {
    /// A message of this datum alone, which begins with a point.
    Message(Vec<u32>),
    /// As it is.
    Packed(Packed),
}

impl Datum {
    /// The word that the message of a datum begins with: the first bytes of BLAKE3 of its symbols.
    pub fn checksum(symbols: &[u8]) -> u32 {
        let [a, b, c, d, ..] = *blake3::hash(symbols).as_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

impl StoredBlock {
    /// The bytes of a block of data of `dims` dimensions, after `header`.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::Model`] if it is longer than a reader takes: the model gives the
    /// data next to no probability.
    pub fn to_bytes(header: &Header, block: &Block, scale: u8, dims: usize) -> Result<Vec<u8>> {
        let Plan {
            count,
            points,
            initial_words,
            growth,
            ..
        } = block.plan;
        let mut out = header.begin_block(TAG_BLOCK, count);
        let (most, len) = match header.version {
            1 => {
                put_varint(&mut out, initial_words as u64);
                out.extend([growth, scale]);
                put_varint(&mut out, block.words.len() as u64);
                let words = block.words.iter();
                words.for_each(|word| out.extend(word.to_le_bytes()));
                let most = limits::max_words(&block.plan, dims);
                (4 * most, 4 * block.words.len() as u64)
            }
            _ => {
                put_varint(&mut out, points as u64);
                if points == 0 {
                    put_varint(&mut out, initial_words as u64);
                }
                out.extend([growth, scale]);
                let message = message_bytes::to_bytes(&block.words);
                put_varint(&mut out, message.len() as u64);
                out.extend(&message);
                (limits::max_bytes(count, dims), message.len() as u64)
            }
        };
        if len > most {
            return Err(Error::model(format!(
                "a block of {count} data of {dims} values takes {len} bytes, a file has room for {most}; the model does \
                 not fit the data"
            )));
        }
        header.end_block(&mut out);
        Ok(out)
    }

    /// The bytes of a block of `count` data as they are.
    pub fn packed_to_bytes(header: &Header, packed: &Packed, count: usize, scale: u8) -> Vec<u8> {
        let mut out = header.begin_block(TAG_PACKED, count);
        out.extend([scale, packed.bits() as u8]);
        out.extend(packed.bytes());
        header.end_block(&mut out);
        out
    }

    /// The bytes of a block of data each of which is decodable alone; packed ones have `bits` bits a symbol.
    pub fn independent_to_bytes(header: &Header, data: &[Datum], scale: u8, bits: u32) -> Vec<u8> {
        let mut out = header.begin_block(TAG_INDEPENDENT, data.len());
        out.extend([scale, bits as u8]);
        let mut content = Vec::new();
        for datum in data {
            match datum {
                Datum::Message(words) => {
                    let message = message_bytes::to_bytes(words);
                    put_varint(&mut out, message.len() as u64);
                    content.extend(message);
                }
                Datum::Packed(packed) => {
                    put_varint(&mut out, 0);
                    content.extend(packed.bytes());
                }
            }
        }
        out.extend(content);
        header.end_block(&mut out);
        out
    }

    pub(super) fn begins_with_points(&self) -> bool {
        matches!(&self.content, Content::Message { plan, .. } if plan.points > 0)
    }
}

impl Header {
    /// A lean header has the number of data.
    fn begin_block(&self, tag: u8, count: usize) -> Vec<u8> {
        let mut out = vec![tag];
        if self.framing != Framing::Lean {
            put_varint(&mut out, count as u64);
        }
        out
    }

    fn end_block(&self, block: &mut Vec<u8>) {
        if self.framing != Framing::Lean {
            put_crc(block);
        }
    }
}
