//! What follows the header of a member: blocks, then the trailer.

use std::io::Read;

use bbans_core::block::{self, Block, Plan, Way};
use bbans_core::{Error, Result};

use super::limits;
use super::{Header, Packed, put_crc};
use crate::bytes::{Recorder, put_varint};

/// The last bytes of a member.
const END: [u8; 4] = *b"snab";

const TAG_TRAILER: u8 = 0;
const TAG_BLOCK: u8 = 1;
const TAG_PACKED: u8 = 2;

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
    /// BLAKE3 of the restored bytes.
    pub digest: [u8; 32],
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
    /// The bytes of a block of data of `dims` dimensions.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::Model`] if it has more words than a reader takes: the model gives the
    /// data next to no probability.
    pub fn to_bytes(block: &Block, scale: u8, dims: usize) -> Result<Vec<u8>> {
        let most = limits::max_words(&block.plan, dims);
        if block.words.len() as u64 > most {
            return Err(Error::model(format!(
                "a block of {} data of {dims} values takes {} words, a file has room for {most}; \
                 the model does not fit the data",
                block.plan.count,
                block.words.len()
            )));
        }
        let mut out = vec![TAG_BLOCK];
        put_varint(&mut out, block.plan.count as u64);
        put_varint(&mut out, block.plan.initial_words as u64);
        out.extend([block.plan.growth, scale]);
        put_varint(&mut out, block.words.len() as u64);
        block
            .words
            .iter()
            .for_each(|word| out.extend(word.to_le_bytes()));
        put_crc(&mut out);
        Ok(out)
    }

    /// The bytes of a block of `count` data as they are.
    pub fn packed_to_bytes(packed: &Packed, count: usize, scale: u8) -> Vec<u8> {
        let mut out = vec![TAG_PACKED];
        put_varint(&mut out, count as u64);
        out.extend([scale, packed.bits() as u8]);
        out.extend(packed.bytes());
        put_crc(&mut out);
        out
    }
}

impl Trailer {
    /// The trailer's bytes.
    ///
    /// # Errors
    /// If there are too many blocks.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = vec![TAG_TRAILER];
        put_varint(&mut out, self.count);
        put_varint(&mut out, self.blocks.len() as u64);
        for &(count, bytes) in &self.blocks {
            put_varint(&mut out, count);
            put_varint(&mut out, bytes);
        }
        out.push(self.cut);
        out.extend(self.digest);
        put_crc(&mut out);
        let len = u32::try_from(out.len() + 8);
        let len = len.map_err(|_| Error::invalid_argument("a trailer of over 4 GiB"))?;
        out.extend(len.to_le_bytes());
        out.extend(END);
        Ok(out)
    }
}

/// Reads what follows a header.
pub struct Parts<'a, R> {
    input: &'a mut R,
    version: u8,
    way: Way,
    block_len: usize,
    dims: usize,
    /// Whether there may be blocks: the .amat file of no bytes, which alone has no shape, has none.
    has_data: bool,
    /// Of each block so far: number of data and bytes in the file.
    blocks: Vec<(u64, u64)>,
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
            way: header.way,
            block_len: header.block_len,
            dims: limits::dims(&header.source.shape)?,
            has_data: !header.source.shape.is_empty(),
            blocks: Vec::new(),
        })
    }

    /// The next block, or the trailer, which must be that of the blocks before it.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::Corruption`] if the bytes are no such thing.
    pub fn read(&mut self) -> Result<Part> {
        let (way, dims) = (self.way, self.dims);
        let mut r = Recorder::new(&mut *self.input);
        match r.byte()? {
            TAG_BLOCK | TAG_PACKED if !self.has_data => {
                Err(Error::corruption("a block of data that have no shape"))
            }
            tag @ (TAG_BLOCK | TAG_PACKED) if tag == TAG_BLOCK || self.version > 1 => {
                let count = r.varint(self.block_len as u64, "a block's number of data")? as usize;
                let block = match tag {
                    TAG_BLOCK => read_message(r, way, count, dims)?,
                    _ => read_packed(r, count, dims)?,
                };
                if count == 0 || block.scale == 0 {
                    return Err(Error::corruption(NO_ENCODER));
                }
                self.blocks.push((count as u64, block.stored_bytes));
                Ok(Part::Block(block))
            }
            TAG_TRAILER => read_trailer(r, &self.blocks).map(Part::Trailer),
            tag => Err(Error::corruption(format!(
                "found a part of unknown kind {tag}; the file is damaged"
            ))),
        }
    }
}

const NO_ENCODER: &str = "a block holds values that no encoder writes";

/// Reads a block of `count` data that are coded.
fn read_message<R: Read>(
    mut r: Recorder<'_, R>,
    way: Way,
    count: usize,
    dims: usize,
) -> Result<StoredBlock> {
    let most = block::MAX_INITIAL_WORDS as u64;
    let initial_words = r.varint(most, "a block's number of initial words")? as usize;
    let [growth, scale] = r.array()?;
    let plan = Plan {
        way,
        count,
        initial_words,
        growth,
    };
    let len = r.varint(limits::max_words(&plan, dims), "a block's length")?;
    let words = r.words(len)?;
    r.check_crc("a block")?;
    // A head alone is two words.
    if words.len() < 2 {
        return Err(Error::corruption(NO_ENCODER));
    }
    Ok(StoredBlock {
        count,
        scale,
        content: Content::Message { plan, words },
        stored_bytes: r.read(),
    })
}

/// Reads a block of `count` data as they are.
fn read_packed<R: Read>(mut r: Recorder<'_, R>, count: usize, dims: usize) -> Result<StoredBlock> {
    let [scale, bits] = r.array()?;
    let bits = u32::from(bits);
    if !(1..=8).contains(&bits) {
        return Err(Error::corruption(format!(
            "symbols of {bits} bits; expected 1 to 8"
        )));
    }
    // Within the limits that the header keeps to.
    let symbols = count.saturating_mul(dims);
    let bytes = r.bytes(Packed::len_of(symbols, bits) as u64)?;
    r.check_crc("a block")?;
    Ok(StoredBlock {
        count,
        scale,
        content: Content::Packed(Packed::from_bytes(bytes, symbols, bits)?),
        stored_bytes: r.read(),
    })
}

/// Reads the trailer of these blocks.
fn read_trailer<R: Read>(mut r: Recorder<'_, R>, found: &[(u64, u64)]) -> Result<Trailer> {
    let count = r.varint(u64::MAX, "the number of data")?;
    let len = r.varint(u64::from(u32::MAX), "the number of blocks")?;
    let found_count: u64 = found.iter().map(|block| block.0).sum();
    if len != found.len() as u64 || count != found_count {
        return Err(Error::corruption(format!(
            "the trailer promises {count} data in {len} blocks, found {found_count} in {}",
            found.len()
        )));
    }
    let mut same = true;
    for block in found {
        let count = r.varint(block::MAX_COUNT as u64, "a block's number of data")?;
        same &= (count, r.varint(u64::MAX, "a block's length")?) == *block;
    }
    if !same {
        return Err(Error::corruption(
            "the trailer's table does not fit the blocks; the file is damaged",
        ));
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
        blocks: found.to_vec(),
        cut,
        digest,
    })
}
