//! What follows the header of a member: blocks, then the trailer.

use std::io::{Read, Seek, SeekFrom};

use bbans_core::block::{self, Block, Plan, Way};
use bbans_core::{Error, Result};

use super::header::Framing;
use super::{Header, Packed, limits, message_bytes, put_crc};
use crate::bytes::{Recorder, put_varint};

/// The last bytes of a member.
const END: [u8; 4] = *b"snab";

const TAG_TRAILER: u8 = 0;
const TAG_BLOCK: u8 = 1;
const TAG_PACKED: u8 = 2;
const TAG_INDEPENDENT: u8 = 3;

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

/// How the restored bytes are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// BLAKE3 of the restored bytes.
    Digest([u8; 32]),
    /// The checksum of a lean file, [`Header::checksum`]; `None` where it is the word that the message begins with.
    Checksum(Option<u32>),
}

/// What a member ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trailer {
    /// Number of data.
    pub count: u64,
    /// Of each block: number of data and bytes in the file.
    pub blocks: Vec<(u64, u64)>,
    /// Bytes of the last line's end that the input did not have.
    pub cut: u8,
    /// By what the restored bytes are checked.
    pub check: Check,
}

/// What follows a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A block.
    Block(StoredBlock),
    /// The end of the member.
    Trailer(Trailer),
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

    fn begins_with_points(&self) -> bool {
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

impl Trailer {
    /// The trailer's bytes.
    ///
    /// # Errors
    /// If there are too many blocks, or the file is a lean one, which has no trailer.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let Check::Digest(digest) = self.check else {
            return Err(Error::invalid_argument("a trailer without a digest"));
        };
        let mut out = vec![TAG_TRAILER];
        put_varint(&mut out, self.count);
        put_varint(&mut out, self.blocks.len() as u64);
        for &(count, bytes) in &self.blocks {
            put_varint(&mut out, count);
            put_varint(&mut out, bytes);
        }
        out.push(self.cut);
        out.extend(digest);
        put_crc(&mut out);
        let len = u32::try_from(out.len() + 8);
        let len = len.map_err(|_| Error::invalid_argument("a trailer of over 4 GiB"))?;
        out.extend(len.to_le_bytes());
        out.extend(END);
        Ok(out)
    }
}

impl Trailer {
    /// The trailer that a file ends with, and where it begins. It is found from the end, without what is before it.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::Corruption`] if the file ends with none.
    pub fn at_end(file: &mut (impl Read + Seek)) -> Result<(Self, u64)> {
        let none = || Error::corruption("the file does not end with a trailer");
        let end = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(end.checked_sub(8).ok_or_else(none)?))?;
        let len = u64::from(Recorder::new(file).u32()?);
        let start = end.checked_sub(len).ok_or_else(none)?;
        file.seek(SeekFrom::Start(start))?;
        let mut r = Recorder::new(file);
        if r.byte()? != TAG_TRAILER {
            return Err(none());
        }
        Ok((read_trailer(r)?, start))
    }

    /// Checks the table against the blocks that were found.
    fn check_blocks(&self, found: &[(u64, u64)]) -> Result<()> {
        let count: u64 = found.iter().map(|block| block.0).sum();
        if self.blocks.len() != found.len() || self.count != count {
            return Err(Error::corruption(format!(
                "the trailer promises {} data in {} blocks, found {count} in {}",
                self.count,
                self.blocks.len(),
                found.len()
            )));
        }
        if self.blocks != found {
            return Err(Error::corruption(
                "the trailer's table does not fit the blocks; the file is damaged",
            ));
        }
        Ok(())
    }
}

/// Reads what follows a header.
pub struct Parts<'a, R> {
    input: &'a mut R,
    version: u8,
    framing: Framing,
    way: Way,
    block_len: usize,
    dims: usize,
    /// Whether there may be blocks: the .amat file of no bytes, which alone has no shape, has none.
    has_data: bool,
    /// Of each block so far: number of data and bytes in the file.
    blocks: Vec<(u64, u64)>,
    /// Whether the last block began with points.
    points: bool,
}

impl<'a, R: Read> Parts<'a, R> {
    /// What follows `header` in `input`.
    ///
    /// # Errors
    /// If the header is beyond the limits of this version.
    pub fn new(input: &'a mut R, header: &Header) -> Result<Self> {
        Ok(Self {
            input,
            version: header.version,
            framing: header.framing,
            way: header.way,
            block_len: header.block_len,
            dims: limits::dims(&header.source.shape)?,
            has_data: !header.source.shape.is_empty(),
            blocks: Vec::new(),
            points: false,
        })
    }

    /// The next block, or the trailer, which must be that of the blocks before it.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::Corruption`] if the bytes are no such thing.
    pub fn read(&mut self) -> Result<Part> {
        let (way, dims, lean) = (self.way, self.dims, self.framing == Framing::Lean);
        let mut r = Recorder::new(&mut *self.input);
        if lean && let [block] = *self.blocks {
            return read_lean_end(r, self.points, block).map(Part::Trailer);
        }
        let independent = self.framing == Framing::Independent;
        let tag = r.byte()?;
        match tag {
            TAG_BLOCK | TAG_PACKED | TAG_INDEPENDENT if !self.has_data => {
                Err(Error::corruption("a block of data that have no shape"))
            }
            TAG_BLOCK | TAG_PACKED | TAG_INDEPENDENT
                if (tag == TAG_INDEPENDENT) == independent
                    && (tag == TAG_BLOCK || self.version > 1) =>
            {
                let count = match lean {
                    true => self.block_len,
                    false => r.varint(self.block_len as u64, "a block's number of data")? as usize,
                };
                if count == 0 {
                    return Err(Error::corruption(NO_ENCODER));
                }
                let (scale, content) = match tag {
                    TAG_BLOCK if self.version == 1 => read_words(&mut r, way, count, dims)?,
                    TAG_BLOCK => read_message(&mut r, way, count, dims)?,
                    TAG_PACKED => read_packed(&mut r, count, dims)?,
                    _ => read_independent(&mut r, count, dims)?,
                };
                if !lean {
                    r.check_crc("a block")?;
                }
                let block = StoredBlock {
                    count,
                    scale,
                    content: content.checked(count, dims)?,
                    stored_bytes: r.read(),
                };
                if scale == 0 {
                    return Err(Error::corruption(NO_ENCODER));
                }
                self.points = block.begins_with_points();
                self.blocks.push((count as u64, block.stored_bytes));
                Ok(Part::Block(block))
            }
            TAG_TRAILER if !lean => {
                let trailer = read_trailer(r)?;
                trailer.check_blocks(&self.blocks)?;
                Ok(Part::Trailer(trailer))
            }
            tag => Err(Error::corruption(format!(
                "found a part of unknown kind {tag}; the file is damaged"
            ))),
        }
    }
}

const NO_ENCODER: &str = "a block holds values that no encoder writes";

/// A block's content before its checksum was seen.
enum Raw {
    Words(Plan, Vec<u32>),
    Message(Plan, Vec<u8>),
    Packed(u32, Vec<u8>),
    /// Bytes, and whether they are a message.
    Independent(u32, Vec<(Vec<u8>, bool)>),
}

impl Raw {
    /// The content of a block of `count` data, whose checksum fits.
    fn checked(self, count: usize, dims: usize) -> Result<Content> {
        // Within the limits that the header keeps to.
        let symbols = count.saturating_mul(dims);
        Ok(match self {
            // A head alone is two words.
            Self::Words(_, words) if words.len() < 2 => {
                return Err(Error::corruption(NO_ENCODER));
            }
            Self::Words(plan, words) => Content::Message { plan, words },
            Self::Message(plan, bytes) => {
                let words = message_bytes::to_words(&bytes)?;
                Content::Message { plan, words }
            }
            Self::Packed(bits, bytes) => Content::Packed(Packed::from_bytes(bytes, symbols, bits)?),
            Self::Independent(bits, data) => {
                let datum = |(bytes, message): (Vec<u8>, bool)| {
                    Ok(match message {
                        true => Datum::Message(message_bytes::to_words(&bytes)?),
                        false => Datum::Packed(Packed::from_bytes(bytes, dims, bits)?),
                    })
                };
                let data = data.into_iter().map(datum).collect::<Result<_>>()?;
                Content::Independent(data)
            }
        })
    }
}

/// Reads the scale and the content of a block of version 1.
fn read_words<R: Read>(
    r: &mut Recorder<'_, R>,
    way: Way,
    count: usize,
    dims: usize,
) -> Result<(u8, Raw)> {
    let most = block::MAX_INITIAL_WORDS as u64;
    let initial_words = r.varint(most, "a block's number of initial words")? as usize;
    let [growth, scale] = r.array()?;
    let plan = Plan {
        way,
        count,
        points: 0,
        initial_words,
        growth,
    };
    let len = r.varint(limits::max_words(&plan, dims), "a block's length")?;
    Ok((scale, Raw::Words(plan, r.words(len)?)))
}

/// Reads the scale and the content of a block of `count` data that are coded.
fn read_message<R: Read>(
    r: &mut Recorder<'_, R>,
    way: Way,
    count: usize,
    dims: usize,
) -> Result<(u8, Raw)> {
    let points = r.varint(count as u64, "a block's number of points")? as usize;
    let most = block::MAX_INITIAL_WORDS as u64;
    let initial_words = match points {
        0 => r.varint(most, "a block's number of initial words")? as usize,
        _ => 1,
    };
    let [growth, scale] = r.array()?;
    let plan = Plan {
        way,
        count,
        points,
        initial_words,
        growth,
    };
    let len = r.varint(limits::max_bytes(count, dims), "a block's length")?;
    Ok((scale, Raw::Message(plan, r.bytes(len)?)))
}

/// Reads the scale and the content of a block of `count` data as they are.
fn read_packed<R: Read>(r: &mut Recorder<'_, R>, count: usize, dims: usize) -> Result<(u8, Raw)> {
    let [scale, bits] = r.array()?;
    let bits = check_bits(bits)?;
    let bytes = r.bytes(Packed::len_of(count.saturating_mul(dims), bits) as u64)?;
    Ok((scale, Raw::Packed(bits, bytes)))
}

/// Reads the scale and the content of a block of `count` data each decodable alone.
fn read_independent<R: Read>(
    r: &mut Recorder<'_, R>,
    count: usize,
    dims: usize,
) -> Result<(u8, Raw)> {
    let [scale, bits] = r.array()?;
    let bits = check_bits(bits)?;
    let most = limits::max_bytes(1, dims);
    let len = |_| r.varint(most, "a datum's length");
    let lens = (0..count).map(len).collect::<Result<Vec<_>>>()?;
    let packed = Packed::len_of(dims, bits) as u64;
    let datum = |&len: &u64| Ok((r.bytes(if len == 0 { packed } else { len })?, len > 0));
    let data = lens.iter().map(datum).collect::<Result<_>>()?;
    Ok((scale, Raw::Independent(bits, data)))
}

fn check_bits(bits: u8) -> Result<u32> {
    match bits {
        1..=8 => Ok(u32::from(bits)),
        _ => Err(Error::corruption(format!(
            "symbols of {bits} bits; expected 1 to 8"
        ))),
    }
}

/// Reads the end of a lean file.
fn read_lean_end<R: Read>(
    mut r: Recorder<'_, R>,
    points: bool,
    block: (u64, u64),
) -> Result<Trailer> {
    let cut = r.byte()?;
    let checksum = match points {
        true => None,
        false => Some(r.u32()?),
    };
    Ok(Trailer {
        count: block.0,
        blocks: vec![block],
        cut,
        check: Check::Checksum(checksum),
    })
}

/// Reads a trailer.
fn read_trailer<R: Read>(mut r: Recorder<'_, R>) -> Result<Trailer> {
    let count = r.varint(u64::MAX, "the number of data")?;
    let len = r.varint(u64::from(u32::MAX), "the number of blocks")?;
    let mut blocks = Vec::new();
    for _ in 0..len {
        let count = r.varint(block::MAX_COUNT as u64, "a block's number of data")?;
        blocks.push((count, r.varint(u64::MAX, "a block's length")?));
    }
    let cut = r.byte()?;
    let digest = r.array()?;
    r.check_crc("the trailer")?;
    let expected = r.read() + 8;
    if u64::from(r.u32()?) != expected || r.array()? != END {
        return Err(Error::corruption("the end of the trailer is damaged"));
    }
    Ok(Trailer {
        count,
        blocks,
        cut,
        check: Check::Digest(digest),
    })
}
