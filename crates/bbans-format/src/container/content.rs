//! What a block holds, as it is read.

use std::io::Read;

use bbans_core::block::{self, Plan, Way};
use bbans_core::{Error, Result};

use super::{Content, Datum, Packed, limits, message_bytes};
use crate::bytes::Recorder;

pub(super) const NO_ENCODER: &str = "a block holds values that no encoder writes";

/// A block's content before its checksum was seen.
pub(super) enum Raw {
    Words(Plan, Vec<u32>),
    Message(Plan, Vec<u8>),
    Packed(u32, Vec<u8>),
    /// Bytes, and whether they are a message.
    Independent(u32, Vec<(Vec<u8>, bool)>),
}

impl Raw {
    /// The content of a block of `count` data, whose checksum fits.
    pub(super) fn checked(self, count: usize, dims: usize) -> Result<Content> {
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
pub(super) fn read_words<R: Read>(
    r: &mut Recorder<'_, R>,
    way: Way,
    count: usize,
    dims: usize,
) -> Result<(u16, Raw)> {
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
    Ok((u16::from(scale), Raw::Words(plan, r.words(len)?)))
}

/// Reads the scale and the content of a block of `count` data that are coded.
pub(super) fn read_message<R: Read>(
    r: &mut Recorder<'_, R>,
    version: u8,
    way: Way,
    count: usize,
    dims: usize,
) -> Result<(u16, Raw)> {
    let points = r.varint(count as u64, "a block's number of points")? as usize;
    let most = block::MAX_INITIAL_WORDS as u64;
    let initial_words = match points {
        0 => r.varint(most, "a block's number of initial words")? as usize,
        _ => 1,
    };
    let growth = r.byte()?;
    let scale = read_scale(r, version)?;
    let plan = Plan {
        way,
        count,
        points,
        initial_words,
        growth,
    };
    let len = r.varint(limits::max_bytes(version, count, dims), "a block's length")?;
    Ok((scale, Raw::Message(plan, r.bytes(len)?)))
}

/// Reads the scale and the content of a block of `count` data as they are.
pub(super) fn read_packed<R: Read>(
    r: &mut Recorder<'_, R>,
    version: u8,
    count: usize,
    dims: usize,
) -> Result<(u16, Raw)> {
    let scale = read_scale(r, version)?;
    let bits = read_bits(r, version)?;
    let bytes = r.bytes(Packed::len_of(count.saturating_mul(dims), bits) as u64)?;
    Ok((scale, Raw::Packed(bits, bytes)))
}

/// Reads the scale and the content of a block of `count` data each decodable alone.
pub(super) fn read_independent<R: Read>(
    r: &mut Recorder<'_, R>,
    version: u8,
    count: usize,
    dims: usize,
) -> Result<(u16, Raw)> {
    let scale = read_scale(r, version)?;
    let bits = read_bits(r, version)?;
    let most = limits::max_bytes(version, 1, dims);
    let len = |_| r.varint(most, "a datum's length");
    let lens = (0..count).map(len).collect::<Result<Vec<_>>>()?;
    let packed = Packed::len_of(dims, bits) as u64;
    let datum = |&len: &u64| Ok((r.bytes(if len == 0 { packed } else { len })?, len > 0));
    let data = lens.iter().map(datum).collect::<Result<_>>()?;
    Ok((scale, Raw::Independent(bits, data)))
}

fn read_scale<R: Read>(r: &mut Recorder<'_, R>, version: u8) -> Result<u16> {
    Ok(match version {
        1 | 2 => u16::from(r.byte()?),
        _ => r.varint(u64::from(u16::MAX), "a block's scale")? as u16,
    })
}

fn read_bits<R: Read>(r: &mut Recorder<'_, R>, version: u8) -> Result<u32> {
    let most = if version > 2 { 16 } else { 8 };
    match u32::from(r.byte()?) {
        bits if (1..=most).contains(&bits) => Ok(bits),
        bits => Err(Error::corruption(format!(
            "symbols of {bits} bits; expected 1 to {most}"
        ))),
    }
}
