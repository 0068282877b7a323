//! bbans file to data file.

use std::io::{Read, Seek, SeekFrom};
use std::num::NonZeroUsize;

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

/// Decompresses datum `index`, the first being 0, of a file whose data are decodable alone to `target`, as a file of one
/// datum. Of the file no more than its header, its end and one block are read.
///
/// # Errors
/// As [`decompress`]; [`bbans_core::ErrorKind::InvalidArgument`] if the file has no such datum, or its data are not
/// decodable alone.
pub fn decompress_datum(
    model: &impl FileModel,
    file: &mut (impl Read + Seek),
    index: u64,
    target: Target,
) -> Result<()> {
    file.rewind()?;
    let header = Header::read(file)?.ok_or_else(|| Error::corruption("an empty file"))?;
    check_model(model, &header)?;
    if header.framing != Framing::Independent {
        return Err(Error::invalid_argument(
            "the data of this file are not decodable alone; expected one that `bbans compress --independent` wrote",
        ));
    }
    let start = file.stream_position()?;
    let (trailer, end) = Trailer::at_end(file)?;
    let blocks = trailer.blocks.iter().map(|block| block.1);
    if blocks.fold(start, u64::saturating_add) != end {
        return Err(Error::invalid_argument(
            "several files after one another, or a damaged table; expected one file",
        ));
    }
    if index >= trailer.count {
        return Err(Error::invalid_argument(format!(
            "there is no datum {index}; the file has {}, from 0 on",
            trailer.count
        )));
    }
    let (mut first, mut at) = (0, start);
    for &(count, bytes) in &trailer.blocks {
        if index < first + count {
            break;
        }
        (first, at) = (first + count, at + bytes);
    }
    file.seek(SeekFrom::Start(at))?;
    let none = || Error::corruption("the trailer's table does not fit the blocks");
    let Part::Block(StoredBlock {
        content: Content::Independent(data),
        scale,
        exceptions,
        ..
    }) = Parts::new(file, &header)?.read()?
    else {
        return Err(none());
    };
    let datum = data.get((index - first) as usize).ok_or_else(none)?;
    let coder = Coder::new(model, header.way);
    let decoder = Decoder {
        model,
        coder,
        header: &header,
    };
    let symbols = decoder.datum(datum)?;
    let source = header.source.of_one(index as usize)?;
    let dims = model.dims();
    let mut writer = DataWriter::new(source, dims, &model.values(), target)?;
    let (first, last) = (
        (index - first) as usize * dims,
        (index - first + 1) as usize * dims,
    );
    let own = exceptions
        .into_iter()
        .filter(|e| (first..last).contains(&e.at));
    let rows = Rows {
        count: 1,
        symbols: symbols.into_raw_vec_and_offset().0,
        exceptions: own
            .map(|e| Exception {
                at: e.at - first,
                ..e
            })
            .collect(),
    };
    writer.write(&rows, scale)?;
    writer.finish(0).map(drop)
}

/// What a block holds.
struct DecodedBlock {
    rows: Rows,
    scale: u16,
    /// The checksum of a lean file, if its message carries it.
    payload: Option<u32>,
}

/// Decodes the blocks of a member.
struct Decoder<'a, M: FileModel> {
    model: &'a M,
    coder: Coder<'a, M>,
    header: &'a Header,
}

impl<M: FileModel> Decoder<'_, M> {
    /// The data of a block.
    fn block(&self, block: StoredBlock) -> Result<DecodedBlock> {
        let (symbols, payload) = self.symbols(block.content, block.count)?;
        Ok(DecodedBlock {
            rows: Rows {
                count: symbols.nrows(),
                symbols: symbols
                    .as_standard_layout()
                    .into_owned()
                    .into_raw_vec_and_offset()
                    .0,
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
