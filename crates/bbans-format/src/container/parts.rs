//! Reading what follows the header of a member: blocks, then the trailer.

use std::io::Read;

use bbans_core::block::Way;
use bbans_core::{Error, Result};

use super::content::{NO_ENCODER, read_independent, read_message, read_packed, read_words};
use super::header::Framing;
use super::stored::{TAG_BLOCK, TAG_INDEPENDENT, TAG_PACKED, read_exceptions};
use super::trailer::{TAG_TRAILER, read_lean_end, read_trailer};
use super::{Header, StoredBlock, Trailer, limits};
use crate::bytes::Recorder;

/// What follows a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A block.
    Block(StoredBlock),
    /// The end of the member.
    Trailer(Trailer),
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
                let version = self.version;
                let exceptions = match version {
                    1 | 2 => Vec::new(),
                    _ => read_exceptions(&mut r, (count as u64).saturating_mul(dims as u64))?,
                };
                let (scale, content) = match tag {
                    TAG_BLOCK if version == 1 => read_words(&mut r, way, count, dims)?,
                    TAG_BLOCK => read_message(&mut r, version, way, count, dims)?,
                    TAG_PACKED => read_packed(&mut r, version, count, dims)?,
                    _ => read_independent(&mut r, version, count, dims)?,
                };
                if !lean {
                    r.check_crc("a block")?;
                }
                let block = StoredBlock {
                    count,
                    scale,
                    exceptions,
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
                let trailer = read_trailer(r, self.blocks.len() as u64)?;
                trailer.check_blocks(&self.blocks)?;
                Ok(Part::Trailer(trailer))
            }
            tag => Err(Error::corruption(format!(
                "found a part of unknown kind {tag}; the file is damaged"
            ))),
        }
    }
}
