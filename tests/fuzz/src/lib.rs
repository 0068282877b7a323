//! What the fuzz targets share: the golden models, and files in memory.

pub mod fields;

use std::io::{self, Cursor, Write};
use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock, Mutex};

use bbans::container::Header;
use bbans::data::{Layout, Target};
use bbans::nn::description::Networks;
use bbans::nn::likelihood::Kind;
use bbans::{DataReader, FileModel, LatentModel, Options, Result, Source, VaeModel};

/// A model of every likelihood, the binary one first.
pub static MODELS: LazyLock<Vec<VaeModel>> = LazyLock::new(|| {
    let files: [&[u8]; 18] = [
        include_bytes!("../../golden/tiny.safetensors"),
        include_bytes!("../../golden/grey/beta-binomial.safetensors"),
        include_bytes!("../../golden/grey/categorical.safetensors"),
        include_bytes!("../../golden/grey/logistic.safetensors"),
        include_bytes!("../../golden/grey/logistics.safetensors"),
        include_bytes!("../../golden/grey/causal.safetensors"),
        include_bytes!("../../golden/grey/causal-features.safetensors"),
        include_bytes!("../../golden/grey/causal-levels.safetensors"),
        include_bytes!("../../golden/grey/hierarchy.safetensors"),
        include_bytes!("../../golden/graphs/ladder.safetensors"),
        include_bytes!("../../golden/graphs/gaussian.safetensors"),
        include_bytes!("../../golden/graphs/colours.safetensors"),
        include_bytes!("../../golden/graphs/causal.safetensors"),
        include_bytes!("../../golden/graphs/far.safetensors"),
        include_bytes!("../../golden/v3/symbols-of-pictures.safetensors"),
        include_bytes!("../../golden/v3/symbols-of-signals.safetensors"),
        include_bytes!("../../golden/v3/symbols-of-tables.safetensors"),
        include_bytes!("../../golden/v3/symbols-of-colours.safetensors"),
    ];
    files.map(|file| VaeModel::from_bytes(file).unwrap()).into()
});

/// Which of [`MODELS`] are of pictures of three symbols a pixel, of signals, and of tables.
pub const PICTURES: usize = 14;
pub const SIGNALS: usize = 15;
pub const TABLES: usize = 16;

/// The fingerprints of [`MODELS`].
pub static FINGERPRINTS: LazyLock<Vec<[u8; 32]>> =
    LazyLock::new(|| MODELS.iter().map(FileModel::fingerprint).collect());

/// Number of levels of each dimension.
pub fn levels(model: &VaeModel) -> Vec<usize> {
    let symbols = match &model.vae().description().networks {
        Networks::Graphs(graphs) => graphs.symbols.as_slice(),
        Networks::Chains(_) => &[],
    };
    let of_symbols = symbols.iter().map(|symbol| symbol.distribution.levels());
    match symbols.is_empty() {
        true => vec![model.levels(); model.dims()],
        false => of_symbols.cycle().take(model.dims()).collect(),
    }
}

/// A stream that keeps what is written.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    /// What was written.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    /// It as a target of a writer.
    pub fn target(&self) -> Target {
        Target::Stream(Box::new(self.clone()))
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Decodes a file as one of this model, whichever it names: the fuzzer cannot guess a fingerprint, and
/// what comes after it is what is tested. Gives the restored bytes where they go to a stream.
pub fn decode(model: &VaeModel, file: &[u8]) -> Result<Option<Vec<u8>>> {
    let memory = Memory::default();
    let folder = decode_to(model, file, |folder| match folder {
        true => Target::Nowhere,
        false => memory.target(),
    })?;
    Ok((folder == Some(false)).then(|| memory.bytes()))
}

/// Decodes a file likewise to a target, which is told whether it has to be a folder. Gives whether it had; none if
/// there was no file.
pub fn decode_to(
    model: &VaeModel,
    mut file: &[u8],
    target: impl FnOnce(bool) -> Target,
) -> Result<Option<bool>> {
    let Some(mut header) = Header::read(&mut file)? else {
        return Ok(None);
    };
    header.fingerprint = model.fingerprint();
    let folder = matches!(&header.source.layout, Layout::Png(pictures) if !pictures.single);
    let writer = bbans::writer(model, &header, target(folder))?;
    bbans::decompress(
        model,
        &header,
        &mut file,
        writer,
        NonZeroUsize::MIN,
        &mut |_| {},
    )?;
    Ok(Some(folder))
}

/// Decodes some data of a file, which must name the model.
pub fn decode_range(model: &VaeModel, file: &[u8], range: std::ops::Range<u64>) -> Result<Vec<u8>> {
    let memory = Memory::default();
    let several = range.end.saturating_sub(range.start) > 1;
    let named = Header::read(&mut &file[..])?.is_some_and(|h| h.source.names().is_some());
    let target = match several && named {
        true => Target::Nowhere,
        false => memory.target(),
    };
    bbans::decompress_range(model, &mut Cursor::new(file), range, target)?;
    Ok(memory.bytes())
}

/// Compresses data to memory.
pub fn encode(model: &VaeModel, reader: DataReader, options: Options) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    let options = Options {
        threads: NonZeroUsize::MIN,
        ..options
    };
    bbans::compress(model, reader, &mut file, options, &mut |_| {})?;
    Ok(file)
}

/// Options by the bits of a number.
pub fn options(bits: u8) -> Options {
    Options {
        lanes: 1 + usize::from(bits % 4),
        unordered: bits & 12 == 4,
        independent: bits & 12 == 8,
        block: NonZeroUsize::new(usize::from(bits >> 4)),
        ..Options::default()
    }
}

/// A source without the checksums of its PNG's chunks, which are not checked under `cfg(fuzzing)` and come back right.
pub fn unsummed(mut source: Source) -> Source {
    if let Layout::Png(pictures) = &mut source.layout {
        pictures.chunks.iter_mut().for_each(|chunks| {
            let mut sums = Vec::new();
            let mut at = 0;
            while at < chunks.len() {
                if chunks[at] == 0x80 {
                    at += 1;
                    continue;
                }
                let len = u32::from_be_bytes(chunks[at..at + 4].try_into().unwrap());
                at += 12 + len as usize;
                sums.push(at - 4);
            }
            for sum in sums {
                chunks[sum..sum + 4].fill(0);
            }
        });
    }
    source
}
