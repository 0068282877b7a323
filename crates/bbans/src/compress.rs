//! Data file to bbans file.

use std::io::Write;
use std::num::NonZeroUsize;

use bbans_core::block::{self, Block, Way};
use bbans_core::{Error, MAX_PARTICLES, Result};
use bbans_format::container::{self, Header, Packed, StoredBlock, Trailer};
use bbans_format::{DataReader, Rows};
use ndarray::{Array2, ArrayView2};

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
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lanes: 64,
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            format: 1,
            particles: 1,
        }
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
    if !(1..=block::MAX_LANES).contains(&options.lanes) {
        return Err(Error::invalid_argument(format!(
            "{} lanes; expected 1 to {}",
            options.lanes,
            block::MAX_LANES
        )));
    }
    let most = match options.format {
        1 => 1,
        2 => MAX_PARTICLES,
        version => {
            return Err(Error::invalid_argument(format!(
                "version {version} of the container; expected 1 or {}",
                container::VERSION
            )));
        }
    };
    if !(1..=most).contains(&options.particles) {
        return Err(Error::invalid_argument(format!(
            "{} particles in a file of version {}; expected 1 to {most}, or version 2, which takes {MAX_PARTICLES}",
            options.particles, options.format
        )));
    }
    check_fits(model, reader.source())?;
    let dims = model.dims();
    let block_len = container::block_len(dims);
    let way = match options.format {
        1 => Way::plain(options.lanes),
        _ => Way::whitened(model, options.lanes, options.particles),
    };
    let header = Header {
        version: options.format,
        fingerprint: model.fingerprint(),
        model_name: model.name().to_owned(),
        way,
        block_len,
        source: reader.source().clone(),
    };
    let header = header.to_bytes()?;
    out.write_all(&header)?;
    let mut report = Report {
        dims,
        file_bytes: header.len() as u64,
        ..Report::default()
    };
    let mut table = Vec::new();
    let next = || {
        let rows = reader.read(block_len)?;
        Ok((rows.count > 0).then_some(rows))
    };
    let work = |rows: Rows| encode(model, rows, options.format, way);
    ordered(options.threads.get(), next, work, |block| {
        out.write_all(&block.bytes)?;
        let bytes = block.bytes.len() as u64;
        table.push((block.count as u64, bytes));
        report.count += block.count as u64;
        report.blocks += 1;
        report.packed_blocks += u64::from(block.packed);
        report.file_bytes += bytes;
        report.frame_bytes += bytes - block.content_bytes;
        report.initial_bits += block.initial_bits;
        report.net_bits += block.net_bits;
        progress(report.count);
        Ok(())
    })?;
    let end = reader.finish();
    let trailer = Trailer {
        count: report.count,
        blocks: table,
        cut: end.cut,
        digest: end.digest,
    };
    let trailer = trailer.to_bytes()?;
    out.write_all(&trailer)?;
    report.input_bytes = end.bytes;
    report.file_bytes += trailer.len() as u64;
    report.frame_bytes += (header.len() + trailer.len()) as u64;
    Ok(report)
}

/// A block as it is written, and what it consists of.
struct Written {
    bytes: Vec<u8>,
    count: usize,
    packed: bool,
    content_bytes: u64,
    initial_bits: u64,
    net_bits: f64,
}

impl Written {
    fn coded(block: &Block, bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            count: block.plan.count,
            packed: false,
            content_bytes: 4 * block.words.len() as u64,
            initial_bits: 32 * block.plan.initial_words as u64,
            net_bits: block.net_bits,
        }
    }

    fn packed(packed: &Packed, count: usize, scale: u8) -> Self {
        let content_bytes = packed.bytes().len() as u64;
        Self {
            bytes: StoredBlock::packed_to_bytes(packed, count, scale),
            count,
            packed: true,
            content_bytes,
            initial_bits: 0,
            net_bits: 8.0 * content_bytes as f64,
        }
    }
}

fn encode(model: &impl FileModel, rows: Rows, format: u8, way: Way) -> Result<Written> {
    let Rows { count, mut bytes } = rows;
    let scale = symbols(model, &mut bytes)?;
    let may_pack = format > 1;
    let packed = may_pack.then(|| Packed::new(&bytes, Packed::bits_of(model.levels())));
    let data = Array2::from_shape_vec((count, model.dims()), bytes);
    let data = data.map_err(Error::invalid_argument)?;
    let data = ByteSymbol::of_bytes(data);
    let coded = block::encode_by(model, ArrayView2::from(&data), way).and_then(|block| {
        let bytes = StoredBlock::to_bytes(&block, scale, model.dims())?;
        Ok(Written::coded(&block, bytes))
    });
    let Some(packed) = packed else { return coded };
    let packed = Written::packed(&packed, count, scale);
    match coded {
        Ok(coded) if coded.bytes.len() < packed.bytes.len() => Ok(coded),
        // A model that gives the data no probability to speak of.
        Ok(_) => Ok(packed),
        Err(e) if e.kind() == bbans_core::ErrorKind::Model => Ok(packed),
        Err(e) => Err(e),
    }
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
