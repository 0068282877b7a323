//! Restoring into memory.

use std::io::Read;
use std::num::NonZeroUsize;

use anyhow::{Context, Result};
use bbans::data::Target;
use bbans::{FileModel, Memory, container::Header};

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
    Ok(memory.take())
}
