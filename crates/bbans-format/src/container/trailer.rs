//! What a member ends with.

use std::io::{Read, Seek, SeekFrom};

use bbans_core::{Error, Result, block};

use super::put_crc;
use crate::bytes::{Recorder, put_varint};

/// The last bytes of a member.
const END: [u8; 4] = *b"snab";

pub(super) const TAG_TRAILER: u8 = 0;

/// A block takes this many bytes at least.
const MIN_BLOCK: u64 = 8;

/// How the restored bytes are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// BLAKE3 of the restored bytes.
    Digest([u8; 32]),
    /// The checksum of a lean file, that of its header and restored bytes; `None` where it is the word that the message begins with.
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
        Ok((read_trailer(r, start / MIN_BLOCK)?, start))
    }

    /// Checks the table against the blocks that were found.
    pub(super) fn check_blocks(&self, found: &[(u64, u64)]) -> Result<()> {
        let count: u64 = found.iter().map(|block| block.0).sum();
        if self.blocks == found && self.count == count {
            return Ok(());
        }
        Err(Error::corruption(format!(
            "the trailer promises {} data in {} blocks, found {count} in {}, or others; the file is damaged",
            self.count,
            self.blocks.len(),
            found.len()
        )))
    }
}

/// Reads the end of a lean file.
pub(super) fn read_lean_end<R: Read>(
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

/// Reads a trailer of at most so many blocks, so that its table takes no more memory than they do.
pub(super) fn read_trailer<R: Read>(mut r: Recorder<'_, R>, most: u64) -> Result<Trailer> {
    let count = r.varint(u64::MAX, "the number of data")?;
    let len = r.varint(most, "the number of blocks in the trailer")?;
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
