//! A block of data as it is written.

use bbans_core::block::{Block, Coder};
use bbans_core::{Error, ErrorKind, LatentModel, Result};
use bbans_format::Rows;
use bbans_format::container::{self, Datum, Framing, Header, Packed, StoredBlock};
use ndarray::{Array2, ArrayView2, Axis};

use super::symbols::symbols;
use crate::file_model::{ByteSymbol, FileModel};

/// A block as it is written, and what it consists of.
pub(super) struct Written {
    pub(super) bytes: Vec<u8>,
    pub(super) count: usize,
    pub(super) packed: bool,
    /// Whether the checksum of a lean file is the word that the message begins with.
    pub(super) carries_checksum: bool,
    pub(super) content_bytes: u64,
    pub(super) initial_bits: u64,
    pub(super) net_bits: f64,
    pub(super) points: u64,
    pub(super) point_bits: f64,
}

/// Data of a block as symbols of the model.
pub(super) struct Symbols {
    pub(super) count: usize,
    /// Row-major `[count, dims]`.
    pub(super) bytes: Vec<u8>,
    pub(super) scale: u8,
}

/// The symbols of rows of bytes; those of a set in ascending order.
pub(super) fn symbols_of(model: &impl FileModel, rows: Rows, header: &Header) -> Result<Symbols> {
    let Rows { count, mut bytes } = rows;
    let scale = symbols(model, &mut bytes)?;
    if header.way.unordered {
        let mut rows: Vec<&[u8]> = bytes.chunks_exact(model.dims().max(1)).collect();
        rows.sort_unstable();
        bytes = rows.concat();
    }
    Ok(Symbols {
        count,
        bytes,
        scale,
    })
}

/// Symbols of the model, `[count, dims]`, of bytes.
pub(super) fn data_of<M: FileModel>(count: usize, bytes: Vec<u8>) -> Result<Array2<M::X>> {
    let dims = bytes.len().checked_div(count).unwrap_or(0);
    let data = Array2::from_shape_vec((count, dims), bytes).map_err(Error::invalid_argument)?;
    Ok(ByteSymbol::of_bytes(data))
}

/// A block of these data; with the `checksum` of the file if it is lean.
pub(super) fn encode<M: FileModel>(
    model: &M,
    coder: &Coder<'_, M>,
    header: &Header,
    symbols: Symbols,
    checksum: Option<u32>,
) -> Result<Written> {
    let Symbols {
        count,
        bytes,
        scale,
    } = symbols;
    let bits = Packed::bits_of(model.levels());
    let data = data_of::<M>(count, bytes)?;
    let data = data.view();
    if header.framing == Framing::Independent {
        return independent(coder, header, data, scale, bits);
    }
    let coded = match header.version {
        1 => coder.encode(data),
        _ => coder.encode_shorter(data, checksum.unwrap_or(0)),
    };
    let coded = coded.and_then(|block| {
        let bytes = StoredBlock::to_bytes(header, &block, scale, model.dims())?;
        let message = container::message_len(header.version, &block.words);
        Ok((message, Written::coded(&block, bytes, message)))
    });
    let packed_len = Packed::len_of(data.len(), bits) as u64;
    match coded {
        Ok((message, coded)) if header.version == 1 || message < packed_len => return Ok(coded),
        Err(e) if header.version == 1 => return Err(e),
        // A model that gives the data no probability to speak of.
        Ok(_) => {}
        Err(e) if e.kind() == ErrorKind::Model => {}
        Err(e) => return Err(e),
    }
    let symbols = ByteSymbol::to_bytes(data.to_owned())?;
    let packed = Packed::new(symbols.as_slice().unwrap_or_default(), bits);
    let content_bytes = packed.bytes().len() as u64;
    Ok(Written {
        bytes: StoredBlock::packed_to_bytes(header, &packed, count, scale),
        count,
        packed: true,
        carries_checksum: false,
        content_bytes,
        initial_bits: 0,
        net_bits: 8.0 * content_bytes as f64,
        points: 0,
        point_bits: 0.0,
    })
}

impl Written {
    /// A block whose message has so many bytes.
    fn coded(block: &Block, bytes: Vec<u8>, message: u64) -> Self {
        // The word that points begin with is not the message's own.
        let (content_bytes, initial_words) = match block.plan.points {
            0 => (message, block.plan.initial_words as u64),
            _ => (message - 4, 0),
        };
        Self {
            content_bytes,
            bytes,
            count: block.plan.count,
            packed: false,
            carries_checksum: block.plan.points > 0,
            initial_bits: 32 * initial_words,
            net_bits: block.net_bits,
            points: block.plan.points as u64,
            point_bits: block.point_bits,
        }
    }
}

/// A block of data each of which is a message of its own.
fn independent<M: LatentModel<X: ByteSymbol>>(
    coder: &Coder<'_, M>,
    header: &Header,
    data: ArrayView2<'_, M::X>,
    scale: u8,
    bits: u32,
) -> Result<Written> {
    let mut net_bits = 0.0;
    let mut all = Vec::with_capacity(data.nrows());
    for datum in data.axis_chunks_iter(Axis(0), 1) {
        let symbols = ByteSymbol::to_bytes(datum.to_owned())?;
        let symbols = symbols.as_slice().unwrap_or_default();
        let packed = Packed::new(symbols, bits);
        all.push(
            match coder.encode_with_points(datum, Datum::checksum(symbols)) {
                Ok(Some(block)) if 4 * block.words.len() <= packed.bytes().len() => {
                    net_bits += block.net_bits;
                    Datum::Message(block.words)
                }
                Err(e) if e.kind() != ErrorKind::Model => return Err(e),
                _ => {
                    net_bits += 8.0 * packed.bytes().len() as f64;
                    Datum::Packed(packed)
                }
            },
        );
    }
    let packed = all.iter().all(|datum| matches!(datum, Datum::Packed(_)));
    let bytes = StoredBlock::independent_to_bytes(header, &all, scale, bits);
    Ok(Written {
        content_bytes: (net_bits / 8.0) as u64,
        bytes,
        count: data.nrows(),
        packed,
        carries_checksum: false,
        initial_bits: 0,
        net_bits,
        points: 0,
        point_bits: 0.0,
    })
}
