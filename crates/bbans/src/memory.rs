//! Data files in memory.

use std::io::{Cursor, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bbans_core::{Error, Result};
use bbans_format::container::Header;
use bbans_format::data::Target;
use bbans_format::{DataReader, DataWriter, Rows, Source};

use crate::compress::{Options, compress};
use crate::decompress::{decompress, writer};
use crate::file_model::FileModel;

/// The bbans file of a data file's bytes: IDX, .amat, .npy, or a PNG picture.
///
/// # Errors
/// As [`compress`].
///
/// # Example
///
/// ```no_run
/// let model = bbans::VaeModel::from_bytes(&std::fs::read("model.safetensors")?)?;
/// let data = std::fs::read("digits.idx")?;
/// let file = bbans::compress_bytes(&model, &data, bbans::Options::default())?;
/// assert_eq!(bbans::decompress_bytes(&model, &file, bbans::Options::default())?, data);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn compress_bytes(model: &impl FileModel, data: &[u8], options: Options) -> Result<Vec<u8>> {
    let reader = DataReader::open(Cursor::new(data.to_vec()), "data.png")?;
    let mut file = Vec::new();
    compress(model, reader, &mut file, options, &mut |_| {})?;
    Ok(file)
}

/// The bytes of the data file that a bbans file restores to. Of the options, the threads alone count.
///
/// # Errors
/// As [`decompress`], or if the file is of a folder of PNG pictures, which are no file.
pub fn decompress_bytes(
    model: &impl FileModel,
    mut file: &[u8],
    options: Options,
) -> Result<Vec<u8>> {
    let mut restored = Vec::new();
    let empty = || Error::corruption("an empty file; expected one that bbans wrote");
    let mut header = Some(Header::read(&mut file)?.ok_or_else(empty)?);
    // Members one after another.
    while let Some(of_member) = header {
        let memory = Memory::default();
        let target = Target::Stream(Box::new(memory.clone()));
        let restored_to = writer(model, &of_member, target)?;
        let threads = options.threads;
        decompress(
            model,
            &of_member,
            &mut file,
            restored_to,
            threads,
            &mut |_| {},
        )?;
        restored.append(&mut memory.take());
        header = Header::read(&mut file)?;
    }
    Ok(restored)
}

/// The bytes of a data file of these data.
///
/// # Errors
/// If the model's symbols do not fit the file.
pub fn data_file(model: &impl FileModel, source: Source, rows: &Rows) -> Result<Vec<u8>> {
    let memory = Memory::default();
    let target = Target::Stream(Box::new(memory.clone()));
    let mut writer = DataWriter::new(source, model.dims(), &model.values(), target)?;
    writer.write(rows, 1)?;
    writer.finish(0)?;
    Ok(memory.take())
}

/// A stream that keeps what is written; its clones are the same stream.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    /// What was written.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
