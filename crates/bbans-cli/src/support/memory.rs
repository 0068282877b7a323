//! Restoring into memory.

use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use bbans::data::Target;
use bbans::{DataWriter, FileModel, LatentModel, Rows, Source, VaeModel, container::Header};

/// A stream that keeps what is written.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Restores the one data file that `file` holds.
///
/// # Errors
/// If it is damaged or of another model.
pub(crate) fn restore(
    model: &impl FileModel,
    mut file: impl Read,
    threads: NonZeroUsize,
) -> Result<Vec<u8>> {
    let header = Header::read(&mut file)?.context("the file is empty")?;
    let memory = Memory::default();
    let target = Target::Stream(Box::new(memory.clone()));
    let writer = bbans::writer(model, &header, target)?;
    bbans::decompress(model, &header, &mut file, writer, threads, &mut |_| {})?;
    let mut bytes = memory.0.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *bytes))
}

/// The bytes of a data file of these data.
///
/// # Errors
/// If the model's symbols do not fit the file.
pub(crate) fn data_file(model: &VaeModel, source: Source, rows: &Rows) -> Result<Vec<u8>> {
    let memory = Memory::default();
    let target = Target::Stream(Box::new(memory.clone()));
    let (dims, values) = (model.dims(), model.values());
    let mut writer = DataWriter::new(source, dims, &values, target)?;
    writer.write(rows, 1)?;
    writer.finish(0)?;
    let mut bytes = memory.0.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *bytes))
}
