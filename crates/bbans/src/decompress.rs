//! bbans file to data file.

use std::io::Read;
use std::num::NonZeroUsize;

use bbans_core::{Error, Result, block};
use bbans_format::DataWriter;
use bbans_format::container::{Content, Header, Part, Parts, StoredBlock};
use ndarray::Array2;

use crate::file_model::{ByteSymbol, FileModel, check_fits};
use crate::pipeline::ordered;

/// What was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// Number of data.
    pub count: u64,
    /// Number of blocks.
    pub blocks: u64,
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
    let mut count = 0;
    let work = |b: StoredBlock| Ok((b.scale, symbols_of(model, b)?));
    ordered(threads.get(), next, work, |(scale, data)| {
        let data = data.as_standard_layout();
        writer.write(data.as_slice().unwrap_or_default(), scale)?;
        count += data.nrows() as u64;
        progress(count);
        Ok(())
    })?;
    let Some(trailer) = trailer else {
        return Err(Error::corruption(
            "the file ends without a trailer; it was cut short",
        ));
    };
    writer.finish(trailer.cut, &trailer.digest)?;
    Ok(Restored {
        count,
        blocks: trailer.blocks.len() as u64,
    })
}

/// The symbols of a block, `[count, dims]`.
fn symbols_of(model: &impl FileModel, block: StoredBlock) -> Result<Array2<u8>> {
    match block.content {
        Content::Message { plan, words } => {
            ByteSymbol::to_bytes(block::decode(model, plan, words)?)
        }
        Content::Packed(packed) => {
            let shape = (block.count, model.dims());
            let symbols = packed.symbols(shape.0 * shape.1);
            if let Some(s) = symbols.iter().find(|&&s| usize::from(s) >= model.levels()) {
                return Err(Error::corruption(format!(
                    "a symbol {s} of a model of {} levels",
                    model.levels()
                )));
            }
            Array2::from_shape_vec(shape, symbols).map_err(Error::corruption)
        }
    }
}

fn check_model(model: &impl FileModel, header: &Header) -> Result<()> {
    if model.fingerprint() != header.fingerprint {
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
