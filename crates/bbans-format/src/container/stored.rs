//! Blocks as they are stored.

use std::io::Read;

use bbans_core::block::{Block, Plan};
use bbans_core::{Error, Result};

use super::header::Framing;
use super::{Header, Packed, limits, message_bytes, put_crc};
use crate::bytes::{Recorder, put_varint};
use crate::data::Exception;

pub(super) const TAG_BLOCK: u8 = 1;
pub(super) const TAG_PACKED: u8 = 2;
pub(super) const TAG_INDEPENDENT: u8 = 3;

/// A block with what belongs to it in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBlock {
    /// Number of data.
    pub count: usize,
    /// A symbol `s` stands for the one that is `scale` times as large.
    pub scale: u16,
    /// What the symbols do not say; none before version 3.
    pub exceptions: Vec<Exception>,
    /// The data.
    pub content: Content,
    /// Bytes in the file, tag and checksum included.
    pub stored_bytes: u64,
}

/// What a block has besides its symbols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extra {
    /// A symbol `s` stands for the one that is `scale` times as large.
    pub scale: u16,
    /// What the symbols do not say.
    pub exceptions: Vec<Exception>,
}

/// Reads what [`Header::begin_block`] wrote of the exceptions of `symbols` symbols.
pub(super) fn read_exceptions<R: Read>(
    r: &mut Recorder<'_, R>,
    symbols: u64,
) -> Result<Vec<Exception>> {
    let count = r.varint(symbols, "the number of exceptions")?;
    let (mut exceptions, mut next) = (Vec::new(), 0);
    for _ in 0..count {
        let Some(most) = symbols.checked_sub(next + 1) else {
            return Err(Error::corruption(
                "an exception beyond the last symbol of its block",
            ));
        };
        let at = next + r.varint(most, "the place of an exception")?;
        let len = r.varint(limits::MAX_EXCEPTION_BYTES, "the length of an exception")?;
        exceptions.push(Exception {
            at: at as usize,
            bytes: r.bytes(len)?,
        });
        next = at + 1;
    }
    Ok(exceptions)
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
    ///
    /// A symbol is a byte if symbols have `bits` from 1 to 8, else two, the lower one first.
    pub fn checksum(symbols: &[u16], bits: u32) -> u32 {
        let bytes: Vec<u8> = match bits {
            0..=8 => symbols.iter().map(|&s| s as u8).collect(),
            _ => symbols.iter().flat_map(|s| s.to_le_bytes()).collect(),
        };
        let [a, b, c, d, ..] = *blake3::hash(&bytes).as_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

impl StoredBlock {
    /// The bytes of a block of data of `dims` dimensions, after `header`.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::Model`] if it is longer than a reader takes: the model gives the
    /// data next to no probability.
    pub fn to_bytes(header: &Header, block: &Block, extra: &Extra, dims: usize) -> Result<Vec<u8>> {
        let Plan {
            count,
            points,
            initial_words,
            growth,
            ..
        } = block.plan;
        let mut out = header.begin_block(TAG_BLOCK, count, extra);
        let (most, len) = match header.version {
            1 => {
                put_varint(&mut out, initial_words as u64);
                out.push(growth);
                header.put_scale(extra, &mut out);
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
                out.push(growth);
                header.put_scale(extra, &mut out);
                let message = message_bytes::to_bytes(&block.words);
                put_varint(&mut out, message.len() as u64);
                out.extend(&message);
                (
                    limits::max_bytes(header.version, count, dims),
                    message.len() as u64,
                )
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
    pub fn packed_to_bytes(
        header: &Header,
        packed: &Packed,
        count: usize,
        extra: &Extra,
    ) -> Vec<u8> {
        let mut out = header.begin_block(TAG_PACKED, count, extra);
        header.put_scale(extra, &mut out);
        out.push(packed.bits() as u8);
        out.extend(packed.bytes());
        header.end_block(&mut out);
        out
    }

    /// The bytes of a block of data each of which is decodable alone; packed ones have `bits` bits a symbol.
    pub fn independent_to_bytes(
        header: &Header,
        data: &[Datum],
        extra: &Extra,
        bits: u32,
    ) -> Vec<u8> {
        let mut out = header.begin_block(TAG_INDEPENDENT, data.len(), extra);
        header.put_scale(extra, &mut out);
        out.push(bits as u8);
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
    fn begin_block(&self, tag: u8, count: usize, extra: &Extra) -> Vec<u8> {
        let mut out = vec![tag];
        if self.framing != Framing::Lean {
            put_varint(&mut out, count as u64);
        }
        if self.version > 2 {
            put_varint(&mut out, extra.exceptions.len() as u64);
            let mut next = 0;
            for Exception { at, bytes } in &extra.exceptions {
                put_varint(&mut out, at.saturating_sub(next) as u64);
                put_varint(&mut out, bytes.len() as u64);
                out.extend(bytes);
                next = at + 1;
            }
        }
        out
    }

    fn put_scale(&self, extra: &Extra, out: &mut Vec<u8>) {
        match self.version {
            1 | 2 => out.push(extra.scale as u8),
            _ => put_varint(out, u64::from(extra.scale)),
        }
    }

    fn end_block(&self, block: &mut Vec<u8>) {
        if self.framing != Framing::Lean {
            put_crc(block);
        }
    }
}
