//! The container, version 1: a header, blocks, a trailer. docs/format.md has every byte.
//!
//! It is written and read as a stream, block by block; the trailer's table makes it seekable where
//! the file is. Files may be concatenated: each is a member of its own.

use std::io::{ErrorKind as IoErrorKind, Read};

use bbans_core::block::{self, Block, Plan};
use bbans_core::{Error, Result};

use crate::bytes::{Recorder, put_varint};
use crate::data::Source;

/// The first bytes of a file; the first is no ASCII and the last two are a line end, so that a
/// transfer that alters either is noticed.
pub const MAGIC: [u8; 8] = *b"\x89bbans\r\n";
/// The version that this library writes.
pub const VERSION: u8 = 1;
/// The last bytes of a member.
const END: [u8; 4] = *b"snab";
/// Symbols in a block, at most, if it holds more than one datum.
const BLOCK_SYMBOLS: usize = 1 << 22;
/// Data in a block, at most, for an encoder's choice.
const BLOCK_DATA: usize = 5000;

const TAG_TRAILER: u8 = 0;
const TAG_BLOCK: u8 = 1;

/// What a member starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// BLAKE3 of the model; see `bbans_nn`.
    pub fingerprint: [u8; 32],
    /// The model's name, for messages.
    pub model_name: String,
    /// Lanes of every block.
    pub lanes: usize,
    /// Data in every block but the last.
    pub block_len: usize,
    /// What the data came from.
    pub source: Source,
}

/// A block with what belongs to it in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBlock {
    /// How it was coded.
    pub plan: Plan,
    /// A symbol `s` stands for the byte `s * scale`.
    pub scale: u8,
    /// The message.
    pub words: Vec<u32>,
    /// Bytes in the file, tag and checksum included.
    pub stored_bytes: u64,
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

/// Data in a block for data of `dims` dimensions: 5,000, fewer for large data.
pub fn block_len(dims: usize) -> usize {
    (BLOCK_SYMBOLS / dims.max(1)).clamp(1, BLOCK_DATA)
}

impl Header {
    /// The header's bytes.
    ///
    /// # Errors
    /// If a field is too large to be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut body = self.fingerprint.to_vec();
        let name = self.model_name.as_bytes();
        let len = u8::try_from(name.len());
        body.push(len.map_err(|_| Error::invalid_argument("a model name of over 255 bytes"))?);
        body.extend(name);
        put_varint(&mut body, self.lanes as u64);
        put_varint(&mut body, self.block_len as u64);
        self.source.write(&mut body)?;
        let len = u32::try_from(body.len());
        let len = len.map_err(|_| Error::invalid_argument("a header of over 4 GiB"))?;
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        out.extend(len.to_le_bytes());
        out.extend(body);
        put_crc(&mut out);
        Ok(out)
    }

    /// Reads a header; `None` if the input is at its end.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::Compatibility`] for another version,
    /// [`bbans_core::ErrorKind::Corruption`] for anything else that is no header.
    pub fn read(input: &mut impl Read) -> Result<Option<Self>> {
        let mut first = [0];
        if !read_byte(input, &mut first)? {
            return Ok(None);
        }
        let mut rest = (&first[..]).chain(input);
        let mut r = Recorder::new(&mut rest);
        let magic = r.array::<8>().map_err(|_| not_ours())?;
        if magic != MAGIC {
            return Err(not_ours());
        }
        let version = r.byte()?;
        if version != VERSION {
            return Err(Error::compatibility(format!(
                "the file has format version {version}, this program reads version {VERSION}; \
                 use a newer bbans"
            )));
        }
        let len = r.u32()?;
        r.bytes(u64::from(len))?;
        r.check_crc("the header")?;
        let seen = r.seen;
        Self::parse(&seen[MAGIC.len() + 5..seen.len() - 4]).map(Some)
    }

    fn parse(mut body: &[u8]) -> Result<Self> {
        let mut r = Recorder::new(&mut body);
        let fingerprint = r.array()?;
        let len = r.byte()?;
        let name = r.bytes(u64::from(len))?;
        if !name.iter().all(u8::is_ascii_graphic) {
            return Err(Error::corruption(
                "the model's name in the header is not printable",
            ));
        }
        let model_name = String::from_utf8_lossy(name).into_owned();
        let lanes = r.varint(block::MAX_LANES as u64, "the number of lanes")? as usize;
        let block_len = r.varint(block::MAX_COUNT as u64, "the length of a block")? as usize;
        let source = Source::read(&mut r)?;
        if !body.is_empty() || lanes == 0 || block_len == 0 {
            return Err(Error::corruption(
                "the header holds values that no encoder writes",
            ));
        }
        Ok(Self {
            fingerprint,
            model_name,
            lanes,
            block_len,
            source,
        })
    }
}

impl StoredBlock {
    /// The bytes of a block.
    pub fn to_bytes(block: &Block, scale: u8) -> Vec<u8> {
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

/// Reads the next block or the trailer of the member with this header.
///
/// # Errors
/// [`bbans_core::ErrorKind::Corruption`] if the bytes are no such thing.
pub fn read_part(input: &mut impl Read, header: &Header) -> Result<Part> {
    let mut r = Recorder::new(input);
    match r.byte()? {
        TAG_BLOCK => read_block(r, header).map(Part::Block),
        TAG_TRAILER => read_trailer(r).map(Part::Trailer),
        tag => Err(Error::corruption(format!(
            "found a part of unknown kind {tag}; the file is damaged"
        ))),
    }
}

fn read_block<R: Read>(mut r: Recorder<'_, R>, header: &Header) -> Result<StoredBlock> {
    let count = r.varint(header.block_len as u64, "a block's number of data")? as usize;
    let most = block::MAX_INITIAL_WORDS as u64;
    let initial_words = r.varint(most, "a block's number of initial words")? as usize;
    let [growth, scale] = r.array()?;
    let len = r.varint(u64::from(u32::MAX), "a block's length")?;
    let payload = r.bytes(4 * len)?;
    let words = payload
        .chunks_exact(4)
        .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let words = words.collect();
    r.check_crc("a block")?;
    if count == 0 || scale == 0 {
        return Err(Error::corruption(
            "a block holds values that no encoder writes",
        ));
    }
    let plan = Plan {
        count,
        lanes: header.lanes,
        initial_words,
        growth,
    };
    Ok(StoredBlock {
        plan,
        scale,
        words,
        stored_bytes: r.seen.len() as u64,
    })
}

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
    let expected = r.seen.len() as u64 + 8;
    if u64::from(r.u32()?) != expected || r.array()? != END {
        return Err(Error::corruption("the end of the trailer is damaged"));
    }
    Ok(Trailer {
        count,
        blocks,
        cut,
        digest,
    })
}

fn put_crc(out: &mut Vec<u8>) {
    let crc = crc32fast::hash(out);
    out.extend(crc.to_le_bytes());
}

fn read_byte(input: &mut impl Read, byte: &mut [u8; 1]) -> Result<bool> {
    loop {
        match input.read(byte) {
            Ok(n) => return Ok(n == 1),
            Err(e) if e.kind() == IoErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
}

fn not_ours() -> Error {
    Error::corruption(
        "not a bbans file: it does not start with the magic bytes; expected a file that `bbans compress` wrote",
    )
}
