//! Data file to bbans file.

use std::io::Write;
use std::num::NonZeroUsize;

use bbans_core::block::{self, Block, Coder, Way};
use bbans_core::{Error, ErrorKind, LatentModel, MAX_PARTICLES, Result};
use bbans_format::container::{self, Check, Datum, Framing, Header, Packed, StoredBlock, Trailer};
use bbans_format::data::{End, Layout, Target};
use bbans_format::{DataReader, DataWriter, Rows};
use ndarray::{Array2, ArrayView2, Axis};

use crate::file_model::{ByteSymbol, FileModel, check_fits};
use crate::pipeline::ordered;

/// How to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Lanes of a block: data that a step codes side by side, 1 to [`block::MAX_LANES`].
    pub lanes: usize,
    /// Threads. They change the time, never a byte of the file.
    pub threads: NonZeroUsize,
    /// Version of the container, 1 or 2. From 2 on the message is whitened between steps, and a block that the model
    /// would make larger is kept as it is.
    pub format: u8,
    /// Particles of a datum, 1 to [`MAX_PARTICLES`]; with more than one, from version 2 on, a file approaches the
    /// importance-weighted bound, at a speed of one over so many.
    pub particles: usize,
    /// The order of the data is of no use, from version 2 on: they are restored in ascending order, and the bits of the
    /// order are saved.
    pub unordered: bool,
    /// Every datum can be decoded alone, from version 2 on, in longer files.
    pub independent: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lanes: 64,
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            format: 1,
            particles: 1,
            unordered: false,
            independent: false,
        }
    }
}

impl Options {
    fn check(&self) -> Result<()> {
        if !(1..=block::MAX_LANES).contains(&self.lanes) {
            return Err(Error::invalid_argument(format!(
                "{} lanes; expected 1 to {}",
                self.lanes,
                block::MAX_LANES
            )));
        }
        let most = match self.format {
            1 => 1,
            2 => MAX_PARTICLES,
            version => {
                return Err(Error::invalid_argument(format!(
                    "version {version} of the container; expected 1 or {}",
                    container::VERSION
                )));
            }
        };
        if !(1..=most).contains(&self.particles) {
            return Err(Error::invalid_argument(format!(
                "{} particles in a file of version {}; expected 1 to {most}, or version 2, which takes {MAX_PARTICLES}",
                self.particles, self.format
            )));
        }
        if self.format == 1 && (self.unordered || self.independent) {
            return Err(Error::invalid_argument(
                "unordered or independent data in a file of version 1; expected version 2",
            ));
        }
        if self.independent && (self.unordered || self.particles > 1) {
            return Err(Error::invalid_argument(
                "independent data that are unordered, or have particles; expected one of them alone",
            ));
        }
        Ok(())
    }
}

/// What a file consists of.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Report {
    /// Number of data.
    pub count: u64,
    /// Observed dimensions of one datum.
    pub dims: usize,
    /// Bytes of the input, without a gzip around it.
    pub input_bytes: u64,
    /// Bytes of the file, everything included.
    pub file_bytes: u64,
    /// Bytes of the header, the trailer, and what surrounds the messages of the blocks.
    pub frame_bytes: u64,
    /// Number of blocks.
    pub blocks: u64,
    /// Of these the blocks that are kept as they are.
    pub packed_blocks: u64,
    /// Initial bits of all blocks.
    pub initial_bits: u64,
    /// Growth of the messages over their initial bits.
    pub net_bits: f64,
    /// Data in a point code, with which messages begin that have no initial words.
    pub points: u64,
    /// Of the net bits those of points.
    pub point_bits: f64,
}

impl Report {
    /// File bytes as bits per observed dimension.
    pub fn gross_bits_per_dim(&self) -> f64 {
        8.0 * self.file_bytes as f64 / (self.count as f64 * self.dims as f64)
    }

    /// Net bits per observed dimension.
    pub fn net_bits_per_dim(&self) -> f64 {
        self.net_bits / (self.count as f64 * self.dims as f64)
    }
}

/// Compresses the data of `reader` to `out`. `progress` is told the number of data after each block.
///
/// # Errors
/// If the data are not the model's, cannot be read, or `out` cannot be written.
pub fn compress(
    model: &impl FileModel,
    mut reader: DataReader,
    out: &mut dyn Write,
    options: Options,
    progress: &mut dyn FnMut(u64),
) -> Result<Report> {
    options.check()?;
    check_fits(model, reader.source())?;
    if options.unordered && matches!(reader.source().layout, Layout::Png { .. }) {
        return Err(Error::invalid_argument(
            "PNG files have names, which their order belongs to; leave --unordered out, or give the pixels as .npy",
        ));
    }
    let dims = model.dims();
    let (block_len, mut way) = match options.unordered {
        true => (
            container::set_len(dims),
            Way::whitened(model, options.lanes, options.particles),
        ),
        false if options.format == 1 => (container::block_len(dims), Way::plain(options.lanes)),
        false => (
            container::block_len(dims),
            Way::whitened(model, options.lanes, options.particles),
        ),
    };
    way.unordered = options.unordered;
    let mut header = Header {
        version: options.format,
        framing: match options.independent {
            true => Framing::Independent,
            false => Framing::Blocks,
        },
        fingerprint: model.fingerprint(),
        model_name: model.name().to_owned(),
        way,
        block_len,
        source: reader.source().clone(),
    };
    // Whether there is a second block tells whether the file is a lean one.
    let ahead = [reader.read(block_len)?, reader.read(block_len)?];
    let bits = Packed::bits_of(model.levels());
    let few = Packed::len_of(ahead[0].count.saturating_mul(dims), bits) <= LEAN_BYTES;
    if options.format > 1
        && ahead[0].count > 0
        && ahead[1].count == 0
        && few
        && !options.independent
    {
        header.framing = Framing::Lean;
        header.block_len = ahead[0].count;
    }
    let work = Work {
        model,
        coder: Coder::new(model, way),
        header: &header,
        canonical: match options.unordered {
            true => Some(DataWriter::new(
                header.source.clone(),
                dims,
                Target::Nowhere,
            )?),
            false => None,
        },
    };
    if header.framing == Framing::Lean {
        let [rows, _] = ahead;
        let report = work.lean(rows, &reader.finish(), out)?;
        progress(report.count);
        return Ok(report);
    }
    let ahead = ahead.into_iter().filter(|rows| rows.count > 0);
    work.blocks(ahead, reader, out, options, progress)
}

/// Data that take no more bytes than this as they are go to a lean file, where they are in one block.
const LEAN_BYTES: usize = 1 << 18;

/// By so many data it is decided how blocks begin, at least.
const DECIDING: usize = 64;

/// A file under way.
struct Work<'a, M: FileModel> {
    model: &'a M,
    coder: Coder<'a, M>,
    header: &'a Header,
    /// Digests the data in the order that they are restored in, where it is another.
    canonical: Option<DataWriter>,
}

impl<M: FileModel> Work<'_, M> {
    /// Writes blocks and a trailer.
    fn blocks(
        self,
        ahead: impl Iterator<Item = Rows>,
        mut reader: DataReader,
        out: &mut dyn Write,
        options: Options,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Report> {
        let Self {
            model,
            coder,
            header,
            mut canonical,
        } = self;
        let start = header.to_bytes()?;
        out.write_all(&start)?;
        let mut report = Report {
            dims: model.dims(),
            file_bytes: start.len() as u64,
            ..Report::default()
        };
        let mut table = Vec::new();
        let mut ahead = ahead.peekable();
        if header.version > 1
            && let Some(rows) = ahead.peek()
        {
            // By the first block, whichever thread has it.
            let last = rows.count.min(DECIDING);
            let bytes = rows.bytes[rows.bytes.len() - last * model.dims()..].to_vec();
            let Symbols { bytes, .. } = symbols_of(model, Rows { count: last, bytes }, header)?;
            let data = Array2::from_shape_vec((last, model.dims()), bytes);
            let data = ByteSymbol::of_bytes(data.map_err(Error::invalid_argument)?);
            coder.decide(data.view());
        }
        let next = || {
            let rows = match ahead.next() {
                Some(rows) => rows,
                None => reader.read(header.block_len)?,
            };
            Ok((rows.count > 0).then_some(rows))
        };
        let work = |rows: Rows| {
            encode(
                model,
                &coder,
                header,
                symbols_of(model, rows, header)?,
                None,
            )
        };
        ordered(options.threads.get(), next, work, |block| {
            out.write_all(&block.bytes)?;
            if let (Some(canonical), Some(data)) = (&mut canonical, &block.sorted) {
                canonical.write(data, block.scale)?;
            }
            table.push((block.count as u64, block.bytes.len() as u64));
            report.add(&block);
            progress(report.count);
            Ok(())
        })?;
        let end = reader.finish();
        let trailer = Trailer {
            count: report.count,
            blocks: table,
            cut: end.cut,
            check: Check::Digest(match canonical {
                Some(canonical) => canonical.finish(end.cut)?,
                None => end.digest,
            }),
        };
        let trailer = trailer.to_bytes()?;
        out.write_all(&trailer)?;
        report.input_bytes = end.bytes;
        report.file_bytes += trailer.len() as u64;
        report.frame_bytes += (start.len() + trailer.len()) as u64;
        Ok(report)
    }

    /// Writes the one block of a lean file.
    fn lean(self, rows: Rows, end: &End, out: &mut dyn Write) -> Result<Report> {
        let Self {
            model,
            coder,
            header,
            canonical,
        } = self;
        let symbols = symbols_of(model, rows, header)?;
        let digest = match canonical {
            Some(mut canonical) => {
                canonical.write(&symbols.bytes, symbols.scale)?;
                canonical.finish(end.cut)?
            }
            None => end.digest,
        };
        let checksum = header.checksum(&digest)?;
        let block = encode(model, &coder, header, symbols, Some(checksum))?;
        let start = header.to_bytes()?;
        let mut rest = vec![end.cut];
        if !block.carries_checksum {
            rest.extend(checksum.to_le_bytes());
        }
        for bytes in [&start, &block.bytes, &rest] {
            out.write_all(bytes)?;
        }
        let frame = (start.len() + rest.len()) as u64;
        let mut report = Report {
            dims: model.dims(),
            input_bytes: end.bytes,
            file_bytes: frame,
            frame_bytes: frame,
            ..Report::default()
        };
        report.add(&block);
        Ok(report)
    }
}

impl Report {
    fn add(&mut self, block: &Written) {
        let bytes = block.bytes.len() as u64;
        self.count += block.count as u64;
        self.blocks += 1;
        self.packed_blocks += u64::from(block.packed);
        self.file_bytes += bytes;
        self.frame_bytes += bytes - block.content_bytes;
        self.initial_bits += block.initial_bits;
        self.net_bits += block.net_bits;
        self.points += block.points;
        self.point_bits += block.point_bits;
    }
}

/// A block as it is written, and what it consists of.
struct Written {
    bytes: Vec<u8>,
    count: usize,
    scale: u8,
    packed: bool,
    /// Whether the checksum of a lean file is the word that the message begins with.
    carries_checksum: bool,
    /// The symbols, where they are in another order than they were.
    sorted: Option<Vec<u8>>,
    content_bytes: u64,
    initial_bits: u64,
    net_bits: f64,
    points: u64,
    point_bits: f64,
}

/// Data of a block as symbols of the model.
struct Symbols {
    count: usize,
    /// Row-major `[count, dims]`.
    bytes: Vec<u8>,
    scale: u8,
}

fn symbols_of(model: &impl FileModel, rows: Rows, header: &Header) -> Result<Symbols> {
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

/// A block of these data; with the `checksum` of the file if it is lean.
fn encode<M: FileModel>(
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
    let data = Array2::from_shape_vec((count, model.dims()), bytes);
    let data = ByteSymbol::of_bytes(data.map_err(Error::invalid_argument)?);
    let data = ArrayView2::from(&data);
    let sorted = match header.way.unordered && checksum.is_none() {
        true => ByteSymbol::to_bytes(data.to_owned())?
            .into_raw_vec_and_offset()
            .0
            .into(),
        false => None,
    };
    if header.framing == Framing::Independent {
        return independent(coder, header, data, scale, bits);
    }
    let coded = match header.version {
        1 => coder.encode(data),
        _ => coder.encode_shorter(data, checksum.unwrap_or(0)),
    };
    let coded = coded.and_then(|block| {
        let bytes = StoredBlock::to_bytes(header, &block, scale, model.dims())?;
        Ok(Written::coded(&block, bytes, scale, sorted.clone()))
    });
    match coded {
        coded if header.version == 1 => return coded,
        Ok(coded) if coded.content_bytes < Packed::len_of(data.len(), bits) as u64 => {
            return Ok(coded);
        }
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
        scale,
        packed: true,
        carries_checksum: false,
        sorted,
        content_bytes,
        initial_bits: 0,
        net_bits: 8.0 * content_bytes as f64,
        points: 0,
        point_bits: 0.0,
    })
}

impl Written {
    fn coded(block: &Block, bytes: Vec<u8>, scale: u8, sorted: Option<Vec<u8>>) -> Self {
        // From version 2 on without the zeros that the last word ends with.
        Self {
            content_bytes: 4 * block.words.len() as u64,
            bytes,
            count: block.plan.count,
            scale,
            packed: false,
            carries_checksum: block.plan.points > 0,
            sorted,
            initial_bits: 32 * block.plan.initial_words as u64,
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
        let coded = coder.encode_shorter(datum, Datum::checksum(symbols));
        all.push(match coded {
            Ok(block) if block.plan.points > 0 && 4 * block.words.len() <= packed.bytes().len() => {
                net_bits += block.net_bits;
                Datum::Message(block.words)
            }
            Err(e) if e.kind() != ErrorKind::Model => return Err(e),
            _ => {
                net_bits += 8.0 * packed.bytes().len() as f64;
                Datum::Packed(packed)
            }
        });
    }
    let packed = all.iter().all(|datum| matches!(datum, Datum::Packed(_)));
    let bytes = StoredBlock::independent_to_bytes(header, &all, scale, bits);
    Ok(Written {
        content_bytes: (net_bits / 8.0) as u64,
        bytes,
        count: data.nrows(),
        scale,
        packed,
        carries_checksum: false,
        sorted: None,
        initial_bits: 0,
        net_bits,
        points: 0,
        point_bits: 0.0,
    })
}

/// Turns bytes into the symbols of a model, in place; returns the scale, what a symbol is multiplied
/// by to give its byte again.
///
/// # Errors
/// [`bbans_core::ErrorKind::InvalidArgument`] if the model has no symbol for a byte.
pub fn symbols(model: &impl FileModel, bytes: &mut [u8]) -> Result<u8> {
    let levels = model.levels();
    if levels == 2 {
        return binary_symbols(bytes);
    }
    match bytes.iter().find(|&&b| usize::from(b) >= levels) {
        None => Ok(1),
        Some(b) => Err(Error::invalid_argument(format!(
            "the data have the value {b}, the model {} is for values below {levels}",
            model.name()
        ))),
    }
}

/// Turns bytes of two values, 0 and another, into 0 and 1; returns the other.
///
/// # Errors
/// [`bbans_core::ErrorKind::InvalidArgument`] if there are more values: the data are grey.
pub fn binary_symbols(bytes: &mut [u8]) -> Result<u8> {
    let scale = bytes.iter().fold(0, |m, &b| b.max(m)).max(1);
    // Without an early end this is a pass that vectorises.
    let grey = bytes
        .iter()
        .fold(false, |grey, &b| grey | ((b != 0) & (b != scale)));
    if let Some(other) = grey
        .then(|| bytes.iter().find(|&&b| b != 0 && b != scale))
        .flatten()
    {
        return Err(Error::invalid_argument(format!(
            "the data are grey (values {other} and {scale} among them), the model is for binary \
             data; take a model of that many levels with --model (`bbans models`), or make the data \
             binary first with `bbans binarize`, which loses the grey levels"
        )));
    }
    bytes.iter_mut().for_each(|b| *b = u8::from(*b != 0));
    Ok(scale)
}
