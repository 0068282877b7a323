//! bbans file to data file.

use std::io::{Read, Seek, SeekFrom};
use std::num::NonZeroUsize;
use std::ops::Range;

use bbans_core::block::{Coder, Plan};
use bbans_core::{Error, Result};
use bbans_format::container::{
    Check, Content, Datum, Framing, Header, Packed, Part, Parts, StoredBlock, Trailer,
};
use bbans_format::data::{Exception, Target};
use bbans_format::{DataWriter, Rows};
use ndarray::{Array2, Axis};

use crate::file_model::{FileModel, FileSymbol, check_fits};
use crate::pipeline::ordered;

/// What was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// Number of data.
    pub count: u64,
    /// Number of blocks.
    pub blocks: u64,
}

/// A writer of the data of a file that was compressed with this model.
///
/// # Errors
/// As [`DataWriter::new`].
pub fn writer(model: &impl FileModel, header: &Header, target: Target) -> Result<DataWriter> {
    let source = header.source.clone();
    DataWriter::new(source, model.dims(), &model.values(), target)
}

/// Decompresses what follows `header` in `input`, up to the end of the member, to `writer`.
/// Each block is checked before its data are written. `progress` is told the number of data.
///
/// # Errors
/// [`bbans_core::ErrorKind::Compatibility`] if the model is not the file's,
/// [`bbans_core::ErrorKind::Corruption`] if the file is damaged.
pub fn decompress(
    model: &impl FileModel,
    header: &Header,
    input: &mut impl Read,
    mut writer: DataWriter,
    threads: NonZeroUsize,
    progress: &mut dyn FnMut(u64),
) -> Result<Restored> {
    check_model(model, header)?;
    let mut trailer = None;
    let mut parts = Parts::new(input, header)?;
    let next = || match parts.read()? {
        Part::Block(block) => Ok(Some(block)),
        Part::Trailer(t) => {
            trailer = Some(t);
            Ok(None)
        }
    };
    let (mut count, mut carried) = (0, None);
    let decoder = Decoder {
        model,
        coder: Coder::new(model, header.way),
        header,
    };
    let work = |b: StoredBlock| decoder.block(b);
    ordered(threads.get(), next, work, |decoded| {
        writer.write(&decoded.rows, decoded.scale)?;
        count += decoded.rows.count as u64;
        carried = decoded.payload;
        progress(count);
        Ok(())
    })?;
    let Some(trailer) = trailer else {
        return Err(Error::corruption(
            "the file ends without a trailer; it was cut short",
        ));
    };
    let digest = writer.finish(trailer.cut)?;
    let fits = match trailer.check {
        Check::Digest(expected) => digest == expected,
        Check::Checksum(checksum) => checksum.or(carried) == Some(header.checksum(&digest)?),
    };
    if !fits {
        return Err(Error::corruption(
            "the digest of the restored data does not fit; the file is damaged",
        ));
    }
    Ok(Restored {
        count,
        blocks: trailer.blocks.len() as u64,
    })
}

/// Decompresses some data of a file, by their numbers from 0 on, to `target`, as a file of these alone. Of the file no
/// more than its header, its end and the blocks that they are in are read; of data that are decodable alone no more than
/// they are decoded.
///
/// # Errors
/// As [`decompress`]; [`bbans_core::ErrorKind::InvalidArgument`] if the file has no such data, or is several files after
/// one another.
pub fn decompress_range(
    model: &impl FileModel,
    file: &mut (impl Read + Seek),
    range: Range<u64>,
    target: Target,
) -> Result<()> {
    file.rewind()?;
    let header = Header::read(file)?.ok_or_else(|| Error::corruption("an empty file"))?;
    check_model(model, &header)?;
    let start = file.stream_position()?;
    let blocks = match header.framing {
        Framing::Lean => {
            // It has one checksum, of all data.
            let all = writer(model, &header, Target::Nowhere)?;
            decompress(model, &header, file, all, NonZeroUsize::MIN, &mut |_| {})?;
            if file.read(&mut [0])? > 0 {
                return Err(Error::invalid_argument(SEVERAL));
            }
            vec![(header.block_len as u64, 0)]
        }
        _ => table(file, start)?,
    };
    let count = blocks.iter().fold(0, |n, block| block.0.saturating_add(n));
    if range.start >= range.end || range.end > count {
        return Err(Error::invalid_argument(format!(
            "there are no data {}..{}; the file has {count}, from 0 on",
            range.start, range.end
        )));
    }
    let decoder = Decoder {
        model,
        coder: Coder::new(model, header.way),
        header: &header,
    };
    let indices = range.start as usize..range.end as usize;
    let source = header.source.of_range(indices)?;
    let mut writer = DataWriter::new(source, model.dims(), &model.values(), target)?;
    let (mut first, mut at) = (0, start);
    for (count, bytes) in blocks {
        let wanted = range.start.max(first)..range.end.min(first + count);
        if wanted.start < wanted.end {
            file.seek(SeekFrom::Start(at))?;
            let Part::Block(block) = Parts::new(file, &header)?.read()? else {
                return Err(Error::corruption(
                    "the trailer's table does not fit the blocks",
                ));
            };
            if block.count as u64 != count {
                return Err(Error::corruption(
                    "a block of other data than the trailer says",
                ));
            }
            let of_block = (wanted.start - first) as usize..(wanted.end - first) as usize;
            let (rows, scale) = decoder.part(block, of_block)?;
            writer.write(&rows, scale)?;
        }
        (first, at) = (first + count, at + bytes);
    }
    writer.finish(0).map(drop)
}

/// The number of the picture of this name, or of the one whose path ends in it.
///
/// # Errors
/// [`bbans_core::ErrorKind::InvalidArgument`] if the file has no names, or none or several of them end so.
pub fn index_of_name(header: &Header, name: &str) -> Result<u64> {
    let names = header.source.names().ok_or_else(|| {
        Error::invalid_argument(format!(
            "{name:?} is no number, and the file holds no pictures with names; expected the number of a datum, from 0 on"
        ))
    })?;
    let ends = |found: &str| {
        let rest = found.strip_suffix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    let mut found = names.iter().enumerate().filter(|(_, found)| ends(found));
    match (found.next(), found.next()) {
        (Some((index, _)), None) => Ok(index as u64),
        (Some((_, one)), Some((_, other))) => Err(Error::invalid_argument(format!(
            "several pictures are named {name}, such as {one} and {other}; give more of the path"
        ))),
        (None, _) => Err(Error::invalid_argument(format!(
            "there is no picture {name}; `bbans inspect` shows the first names"
        ))),
    }
}

/// Data and bytes of every block of a file of one member, whose blocks begin at `start`.
fn table(file: &mut (impl Read + Seek), start: u64) -> Result<Vec<(u64, u64)>> {
    let (trailer, end) = Trailer::at_end(file)?;
    let blocks = trailer.blocks.iter().map(|block| block.1);
    if blocks.fold(start, u64::saturating_add) != end {
        return Err(Error::invalid_argument(SEVERAL));
    }
    Ok(trailer.blocks)
}

const SEVERAL: &str = "several files after one another, or a damaged table; expected one file";

/// What a block holds.
struct DecodedBlock {
    rows: Rows,
    scale: u16,
    /// The checksum of a lean file, if its message carries it.
    payload: Option<u32>,
}

/// The numbers, row after row; not copied where they lie so.
fn row_major(numbers: Array2<u16>) -> Vec<u16> {
    let len = numbers.len();
    if !numbers.is_standard_layout() {
        return numbers.iter().copied().collect();
    }
    let (mut all, first) = numbers.into_raw_vec_and_offset();
    all.drain(..first.unwrap_or(0));
    all.truncate(len);
    all
}

/// Decodes the blocks of a member.
struct Decoder<'a, M: FileModel> {
    model: &'a M,
    coder: Coder<'a, M>,
    header: &'a Header,
}

impl<M: FileModel> Decoder<'_, M> {
    /// Some of the data of a block, and its scale.
    fn part(&self, block: StoredBlock, wanted: Range<usize>) -> Result<(Rows, u16)> {
        let dims = self.model.dims();
        let dims_wanted = wanted.start * dims..wanted.end * dims;
        let (mut symbols, scale) = match &block.content {
            Content::Independent(data) => {
                let mut all = Vec::new();
                for datum in data.get(wanted.clone()).unwrap_or_default() {
                    all.extend(self.datum(datum)?);
                }
                (all, block.scale)
            }
            _ => {
                let decoded = self.block(block.clone())?;
                let symbols = decoded.rows.symbols.get(dims_wanted.clone());
                (symbols.unwrap_or_default().to_vec(), decoded.scale)
            }
        };
        symbols.truncate(wanted.len() * dims);
        let own = block
            .exceptions
            .into_iter()
            .filter(|e| dims_wanted.contains(&e.at));
        let rows = Rows {
            count: wanted.len(),
            symbols,
            exceptions: own
                .map(|e| Exception {
                    at: e.at - dims_wanted.start,
                    ..e
                })
                .collect(),
        };
        Ok((rows, scale))
    }

    /// The data of a block.
    fn block(&self, block: StoredBlock) -> Result<DecodedBlock> {
        let (symbols, payload) = self.symbols(block.content, block.count)?;
        Ok(DecodedBlock {
            rows: Rows {
                count: symbols.nrows(),
                symbols: row_major(symbols),
                exceptions: block.exceptions,
            },
            scale: block.scale,
            payload,
        })
    }

    /// The symbols of a block, `[count, dims]`, and the checksum of a lean file, if its message carries it.
    fn symbols(&self, content: Content, count: usize) -> Result<(Array2<u16>, Option<u32>)> {
        match content {
            Content::Message { plan, words } => {
                let decoded = self.coder.decode(plan, words)?;
                let lean = self.header.framing == Framing::Lean;
                if !lean && decoded.payload.is_some_and(|payload| payload != 0) {
                    return Err(Error::corruption(
                        "the block does not end with the word that it begins with",
                    ));
                }
                Ok((FileSymbol::to_numbers(decoded.data)?, decoded.payload))
            }
            Content::Packed(packed) => Ok((self.packed(&packed, count)?, None)),
            Content::Independent(data) => {
                let rows = data.iter().map(|datum| self.datum(datum));
                let rows = rows.collect::<Result<Vec<_>>>()?;
                let views: Vec<_> = rows.iter().map(|row| row.view()).collect();
                let all = ndarray::concatenate(Axis(0), &views).map_err(Error::corruption)?;
                Ok((all, None))
            }
        }
    }

    fn packed(&self, packed: &Packed, count: usize) -> Result<Array2<u16>> {
        let (dims, levels) = (self.model.dims(), self.model.levels());
        let symbols = packed.symbols(count * dims);
        if let Some(s) = symbols.iter().find(|&&s| usize::from(s) >= levels) {
            return Err(Error::corruption(format!(
                "a symbol {s} of a model of {levels} levels"
            )));
        }
        Array2::from_shape_vec((count, dims), symbols).map_err(Error::corruption)
    }

    /// A datum that is decodable alone, `[1, dims]`.
    fn datum(&self, datum: &Datum) -> Result<Array2<u16>> {
        let words = match datum {
            Datum::Message(words) => words.clone(),
            Datum::Packed(packed) => return self.packed(packed, 1),
        };
        let plan = Plan {
            way: self.header.way,
            count: 1,
            points: 1,
            initial_words: 1,
            growth: 0,
        };
        let decoded = self.coder.decode(plan, words)?;
        let symbols = FileSymbol::to_numbers(decoded.data)?;
        let bits = Packed::bits_of(self.model.levels());
        let checksum = symbols.as_slice().map(|s| Datum::checksum(s, bits));
        if decoded.payload != checksum {
            return Err(Error::corruption(
                "the checksum of a datum does not fit; the file is damaged",
            ));
        }
        Ok(symbols)
    }
}

fn check_model(model: &impl FileModel, header: &Header) -> Result<()> {
    if !header.is_of(&model.fingerprint()) {
        let short = |f: &[u8; 32]| {
            f[..6]
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect::<String>()
        };
        return Err(Error::compatibility(format!(
            "the file was written with the model {} ({}), this is {} ({}); give the right one with \
             --model",
            header.model_name,
            short(&header.fingerprint),
            model.name(),
            short(&model.fingerprint())
        )));
    }
    let words = header.way.words_of_step(model);
    if header.way.whitened > 2 * words {
        return Err(Error::corruption(format!(
            "{} words are whitened for each lane, of which a step takes {words}",
            header.way.whitened
        )));
    }
    check_fits(model, &header.source).map_err(Error::corruption)
}
