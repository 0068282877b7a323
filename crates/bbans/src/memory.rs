//! Data files in memory.

use std::io::{Cursor, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bbans_core::{Error, Result};
use bbans_format::DataReader;
use bbans_format::container::Header;
use bbans_format::data::Target;

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
        restored.append(&mut memory.0.lock().unwrap_or_else(PoisonError::into_inner));
        header = Header::read(&mut file)?;
    }
    Ok(restored)
}

/// What is written into it can be read once the writer is gone.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

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
