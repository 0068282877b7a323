//! Data file to bbans file.

mod encode;
mod options;
mod report;
mod symbols;

use std::io::Write;

use bbans_core::block::Coder;
use bbans_core::{Error, Result};
use bbans_format::container::{self, Check, Framing, Header, Packed, Trailer};
use bbans_format::data::{End, Layout, Target};
use bbans_format::{DataReader, DataWriter, Rows, Source};
use bbans_nn::description::Values;

use self::encode::{Symbols, data_of, encode, symbols_of};
pub use self::options::Options;
pub use self::report::Report;
pub use self::symbols::{binary_symbols, symbols};
use crate::file_model::{FileModel, bind};
use crate::pipeline::ordered;

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
    bind(model, &mut reader)?;
    if options.unordered && matches!(reader.source().layout, Layout::Png(_)) {
        return Err(Error::invalid_argument(
            "PNG files have names, which their order belongs to; leave --unordered out, or give the pixels as .npy",
        ));
    }
    let dims = model.dims();
    let block_len = match options.unordered {
        true => container::set_len(dims),
        false => container::block_len(dims),
    };
    let block_len = options
        .block
        .map_or(block_len, |most| block_len.min(most.get()));
    let way = match options.format {
        1 => options.way(),
        _ => options.way().whitened(model),
    };
    let version = match (options.format, version(model, reader.source())) {
        (1, _) if model.embedded().is_some() => {
            return Err(Error::invalid_argument(
                "a model in a file of version 1, which has no room for it; expected version 2, which becomes 4",
            ));
        }
        (1, version @ 3..) => {
            return Err(Error::invalid_argument(format!(
                "data of the model {} as {} in a file of version 1, which has no room for their values; expected version \
                 2, which becomes {version}",
                model.name(),
                reader.source().kind()
            )));
        }
        (1, _) => 1,
        (_, version) => version,
    };
    let mut header = Header {
        version,
        framing: match options.independent {
            true => Framing::Independent,
            false => Framing::Blocks,
        },
        fingerprint: model.fingerprint(),
        model_name: model.name().to_owned(),
        model: model.embedded().map(<[u8]>::to_vec),
        way,
        block_len,
        source: reader.source().clone(),
        stored: container::Stored::default(),
    };
    let mut ahead = vec![reader.read(block_len)?];
    if options.format > 1 && !options.independent && is_few(model, ahead[0].count) {
        // Whether there is a second block tells whether the file is a lean one.
        ahead.push(reader.read(block_len)?);
        if ahead[0].count > 0 && ahead[1].count == 0 {
            header.framing = Framing::Lean;
            header.block_len = ahead[0].count;
        }
    }
    let work = Work {
        model,
        coder: Coder::new(model, way),
        header: &header,
        canonical: match options.unordered {
            true => Some(DataWriter::new(
                header.source.clone(),
                dims,
                &model.values(),
                Target::Nowhere,
            )?),
            false => None,
        },
    };
    if header.framing == Framing::Lean {
        let rows = ahead.swap_remove(0);
        let report = work.lean(rows, &reader.finish(), out)?;
        progress(report.count);
        return Ok(report);
    }
    work.blocks(ahead, reader, out, options, progress)
}

/// The version of a file's container: the oldest that has what it needs, but version 1.
fn version(model: &impl FileModel, source: &Source) -> u8 {
    let others = model.levels() > 256 || model.values() != Values::default();
    let of_model = match others {
        _ if model.embedded().is_some() => 4,
        true => 3,
        false => 2,
    };
    source.oldest_version().max(of_model)
}

/// Whether so many data go to a lean file, where they are in one block.
fn is_few(model: &impl FileModel, count: usize) -> bool {
    let bits = Packed::bits_of(model.levels());
    Packed::len_of(count.saturating_mul(model.dims()), bits) <= LEAN_BYTES
}

/// Data of lean files take no more bytes than this as they are.
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
        ahead: Vec<Rows>,
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
        if header.version > 1
            && let Some(rows) = ahead.first()
        {
            // By the first block, whichever thread has it.
            let last = rows.count.min(DECIDING);
            let rows = Rows {
                count: last,
                symbols: rows.symbols[rows.symbols.len() - last * model.dims()..].to_vec(),
                exceptions: vec![],
            };
            let Symbols { rows, .. } = symbols_of(model, rows, header)?;
            coder.decide(data_of::<M>(last, rows.symbols)?.view());
        }
        let mut ahead = ahead.into_iter();
        let next = || {
            let rows = match ahead.next() {
                Some(rows) => rows,
                None => reader.read(header.block_len)?,
            };
            Ok((rows.count > 0).then_some(rows))
        };
        let work = |rows: Rows| {
            let symbols = symbols_of(model, rows, header)?;
            let sorted = (header.way.unordered).then(|| symbols.clone());
            Ok((encode(model, &coder, header, symbols, None)?, sorted))
        };
        ordered(options.threads.get(), next, work, |(block, sorted)| {
            out.write_all(&block.bytes)?;
            if let (Some(canonical), Some(sorted)) = (&mut canonical, sorted) {
                canonical.write(&sorted.rows, sorted.scale)?;
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
                canonical.write(&symbols.rows, symbols.scale)?;
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
