//! A block of data as it is written.

use bbans_core::block::{Block, Coder};
use bbans_core::{Error, ErrorKind, LatentModel, Result};
use bbans_format::Rows;
use bbans_format::container::{self, Datum, Extra, Framing, Header, Packed, StoredBlock};
use bbans_format::data::Exception;
use ndarray::{Array2, ArrayView2, Axis};

use super::symbols::{check_rare, symbols};
use crate::file_model::{FileModel, FileSymbol};

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

/// Data of a block as symbols of the model, and what their symbols are multiplied by to give those of the file.
#[derive(Clone)]
pub(super) struct Symbols {
    pub(super) rows: Rows,
    pub(super) scale: u16,
}

/// The symbols of data; those of a set in ascending order.
pub(super) fn symbols_of(
    model: &impl FileModel,
    mut rows: Rows,
    header: &Header,
) -> Result<Symbols> {
    check_rare(model, &rows, &header.source)?;
    let scale = symbols(model, &mut rows.symbols)?;
    if header.way.unordered {
        rows = sorted(rows, model.dims().max(1));
    }
    Ok(Symbols { rows, scale })
}

/// The same data in ascending order of their symbols, and of their exceptions.
fn sorted(rows: Rows, dims: usize) -> Rows {
    let mut exceptions = rows.exceptions.into_iter().peekable();
    let data = rows.symbols.chunks_exact(dims).enumerate();
    let datum = |(i, symbols)| {
        let mut own = Vec::new();
        while let Some(Exception { at, bytes }) = exceptions.next_if(|e| e.at < (i + 1) * dims) {
            own.push((at - i * dims, bytes));
        }
        (symbols, own)
    };
    let mut data: Vec<_> = data.map(datum).collect();
    data.sort_unstable();
    let mut sorted = Rows {
        count: rows.count,
        ..Rows::default()
    };
    for (i, (symbols, own)) in data.into_iter().enumerate() {
        sorted.symbols.extend(symbols);
        let own = own.into_iter().map(|(at, bytes)| Exception {
            at: i * dims + at,
            bytes,
        });
        sorted.exceptions.extend(own);
    }
    sorted
}

/// Symbols of the model, `[count, dims]`.
pub(super) fn data_of<M: FileModel>(count: usize, symbols: Vec<u16>) -> Result<Array2<M::X>> {
    let dims = symbols.len().checked_div(count).unwrap_or(0);
    let data = Array2::from_shape_vec((count, dims), symbols).map_err(Error::invalid_argument)?;
    FileSymbol::of_numbers(data)
}

/// A block of these data; with the `checksum` of the file if it is lean.
pub(super) fn encode<M: FileModel>(
    model: &M,
    coder: &Coder<'_, M>,
    header: &Header,
    symbols: Symbols,
    checksum: Option<u32>,
) -> Result<Written> {
    let Symbols { rows, scale } = symbols;
    let bits = Packed::bits_of(model.levels());
    let count = rows.count;
    let data = data_of::<M>(count, rows.symbols)?;
    let data = data.view();
    let extra = Extra {
        scale,
        exceptions: rows.exceptions,
    };
    let extra = &extra;
    if header.framing == Framing::Independent {
        return independent(coder, header, data, extra, bits);
    }
    let coded = match header.version {
        1 => coder.encode(data),
        _ => coder.encode_shorter(data, checksum.unwrap_or(0)),
    };
    let coded = coded.and_then(|block| {
        let bytes = StoredBlock::to_bytes(header, &block, extra, model.dims())?;
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
    let symbols = FileSymbol::to_numbers(data.to_owned())?;
    let packed = Packed::new(symbols.as_slice().unwrap_or_default(), bits);
    let content_bytes = packed.bytes().len() as u64;
    Ok(Written {
        bytes: StoredBlock::packed_to_bytes(header, &packed, count, extra),
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
fn independent<M: LatentModel<X: FileSymbol>>(
    coder: &Coder<'_, M>,
    header: &Header,
    data: ArrayView2<'_, M::X>,
    extra: &Extra,
    bits: u32,
) -> Result<Written> {
    let mut net_bits = 0.0;
    let mut all = Vec::with_capacity(data.nrows());
    for datum in data.axis_chunks_iter(Axis(0), 1) {
        let symbols = FileSymbol::to_numbers(datum.to_owned())?;
        let symbols = symbols.as_slice().unwrap_or_default();
        let packed = Packed::new(symbols, bits);
        all.push(
            match coder.encode_with_points(datum, Datum::checksum(symbols, bits)) {
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
    let bytes = StoredBlock::independent_to_bytes(header, &all, extra, bits);
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
