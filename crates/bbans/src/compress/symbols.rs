//! Bytes of a data file as symbols of a model.

use bbans_core::{Error, Result};

use crate::file_model::FileModel;

/// Turns bytes into the symbols of a model, in place; returns the scale, what a symbol is multiplied
/// by to give its byte again.
///
/// # Errors
/// [`bbans_core::ErrorKind::InvalidArgument`] if the model has no symbol for a byte.
pub fn symbols(model: &impl FileModel, bytes: &mut [u8]) -> Result<u8> {
    let levels = model.levels();
    if levels == 2 {
        return binary_symbols(bytes);
    }
    match bytes.iter().find(|&&b| usize::from(b) >= levels) {
        None => Ok(1),
        Some(b) => Err(Error::invalid_argument(format!(
            "the data have the value {b}, the model {} is for values below {levels}",
            model.name()
        ))),
    }
}

/// Turns bytes of two values, 0 and another, into 0 and 1; returns the other.
///
/// # Errors
/// [`bbans_core::ErrorKind::InvalidArgument`] if there are more values: the data are grey.
pub fn binary_symbols(bytes: &mut [u8]) -> Result<u8> {
    let scale = bytes.iter().fold(0, |m, &b| b.max(m)).max(1);
    // Without an early end this is a pass that vectorises.
    let grey = bytes
        .iter()
        .fold(false, |grey, &b| grey | ((b != 0) & (b != scale)));
    if let Some(other) = grey
        .then(|| bytes.iter().find(|&&b| b != 0 && b != scale))
        .flatten()
    {
        return Err(Error::invalid_argument(format!(
            "the data are grey (values {other} and {scale} among them), the model is for binary \
             data; take a model of that many levels with --model (`bbans models`), or make the data \
             binary first with `bbans binarize`, which loses the grey levels"
        )));
    }
    bytes.iter_mut().for_each(|b| *b = u8::from(*b != 0));
    Ok(scale)
}
