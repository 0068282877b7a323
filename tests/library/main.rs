//! Tests of the libraries together: golden files, damage, SIMD paths, agreement with candle.

mod arithmetic;
mod damage;
mod golden;
mod grey;
mod import;
mod message;
mod operations;
mod rate;
mod reference;
#[path = "../support/mod.rs"]
mod support;

use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use bbans::container::Header;
use bbans::data::Target;
use bbans::{DataReader, DataWriter, FileModel, Options, Report, Result};

/// Compresses a data file in memory.
pub(crate) fn compress(
    model: &impl FileModel,
    content: &[u8],
    lanes: usize,
    threads: usize,
) -> Result<(Vec<u8>, Report)> {
    let reader = DataReader::open(std::io::Cursor::new(content.to_vec()), "image.png")?;
    let mut file = Vec::new();
    let options = Options {
        lanes,
        threads: NonZeroUsize::new(threads).unwrap(),
    };
    let report = bbans::compress(model, reader, &mut file, options, &mut |_| {})?;
    assert_eq!(report.file_bytes, file.len() as u64);
    Ok((file, report))
}

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Restores the data file that a compressed one in memory holds.
pub(crate) fn decompress(
    model: &impl FileModel,
    mut file: &[u8],
    threads: usize,
) -> Result<Vec<u8>> {
    let header = Header::read(&mut file)?.ok_or_else(|| bbans::Error::corruption("empty"))?;
    let memory = Memory::default();
    let target = Target::Stream(Box::new(memory.clone()));
    let writer = DataWriter::new(header.source.clone(), model.dims(), target)?;
    let threads = NonZeroUsize::new(threads).unwrap();
    bbans::decompress(model, &header, &mut file, writer, threads, &mut |_| {})?;
    let bytes = memory.0.lock().unwrap().clone();
    Ok(bytes)
}
