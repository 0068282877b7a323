//! What the fuzz targets share: the golden models, and files in memory.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock, Mutex};

use bbans::container::Header;
use bbans::data::Target;
use bbans::{DataReader, FileModel, Options, Result, VaeModel};

/// A model of every likelihood, the binary one first.
pub static MODELS: LazyLock<Vec<VaeModel>> = LazyLock::new(|| {
    let files: [&[u8]; 14] = [
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
    ];
    files.map(|file| VaeModel::from_bytes(file).unwrap()).into()
});

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
pub fn decode(model: &VaeModel, mut file: &[u8]) -> Result<Option<Vec<u8>>> {
    let Some(mut header) = Header::read(&mut file)? else {
        return Ok(None);
    };
    header.fingerprint = model.fingerprint();
    let memory = Memory::default();
    let folder = matches!(
        &header.source.layout,
        bbans::data::Layout::Png(pictures) if !pictures.single
    );
    let target = if folder {
        Target::Nowhere
    } else {
        memory.target()
    };
    let writer = bbans::writer(model, &header, target)?;
    bbans::decompress(
        model,
        &header,
        &mut file,
        writer,
        NonZeroUsize::MIN,
        &mut |_| {},
    )?;
    Ok((!folder).then(|| memory.bytes()))
}

/// Compresses a data file in memory.
pub fn encode(model: &VaeModel, content: &[u8], lanes: usize) -> Result<Vec<u8>> {
    let reader = DataReader::open(io::Cursor::new(content.to_vec()), "x.png")?;
    let mut file = Vec::new();
    let options = Options {
        lanes,
        threads: NonZeroUsize::MIN,
        ..Options::default()
    };
    bbans::compress(model, reader, &mut file, options, &mut |_| {})?;
    Ok(file)
}
