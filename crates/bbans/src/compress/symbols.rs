//! Values of a data file as symbols of a model.

use bbans_core::{Error, Result};
use bbans_format::data::Exception;
use bbans_format::{Rows, Source};
use bbans_nn::description::Values;

use crate::file_model::FileModel;

/// Of so many values one may be none of the model's.
const RARE: usize = 8;

/// Turns numbers into the symbols of a model, in place; returns the scale, what a symbol is multiplied
/// by to give its number again.
///
/// # Errors
/// [`bbans_core::ErrorKind::InvalidArgument`] if the model has no symbol for a number.
pub fn symbols(model: &impl FileModel, numbers: &mut [u16]) -> Result<u16> {
    let levels = model.levels();
    if levels == 2 && model.values() == Values::default() {
        return binary_symbols(numbers);
    }
    match numbers.iter().find(|&&b| usize::from(b) >= levels) {
        None => Ok(1),
        Some(b) => Err(Error::invalid_argument(format!(
            "the data have the value {b}, the model {} is for values below {levels}",
            model.name()
        ))),
    }
}

/// Checks that few values are none of the model's.
///
/// # Errors
/// [`bbans_core::ErrorKind::InvalidArgument`] if the data are others than the model's.
pub(super) fn check_rare(model: &impl FileModel, rows: &Rows, source: &Source) -> Result<()> {
    let Some(Exception { at, bytes }) = rows.exceptions.first() else {
        return Ok(());
    };
    if rows.exceptions.len() <= rows.symbols.len() / RARE + 1 {
        return Ok(());
    }
    let dim = at % model.dims().max(1);
    let first = match model.values() {
        Values::Columns(columns) => format!(
            "{:?} in the column {:?}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(20)]),
            columns.get(dim).map_or("", |column| &column.name)
        ),
        _ => format!("{} in dimension {dim}", source.element().shown(bytes)),
    };
    Err(Error::invalid_argument(format!(
        "{} of {} values are none that the model {} has, the first of them {first}; expected at most one in {RARE}: \
         train a model for these data with `bbans train`",
        rows.exceptions.len(),
        rows.symbols.len(),
        model.name(),
    )))
}

/// Turns numbers of two values, 0 and another, into 0 and 1; returns the other.
///
/// # Errors
/// [`bbans_core::ErrorKind::InvalidArgument`] if there are more values: the data are grey.
pub fn binary_symbols(numbers: &mut [u16]) -> Result<u16> {
    let scale = numbers.iter().fold(0, |m, &b| b.max(m)).max(1);
    if scale == 1 {
        return Ok(1);
    }
    // Without an early end this is a pass that vectorises.
    let grey = numbers
        .iter()
        .fold(false, |grey, &b| grey | ((b != 0) & (b != scale)));
    if let Some(other) = grey
        .then(|| numbers.iter().find(|&&b| b != 0 && b != scale))
        .flatten()
    {
        return Err(Error::invalid_argument(format!(
            "the data are grey (values {other} and {scale} among them), the model is for binary \
             data; take a model of that many levels with --model (`bbans models`), train one with \
             `bbans train`, or make the data binary first with `bbans binarize`, which loses the grey levels"
        )));
    }
    numbers.iter_mut().for_each(|b| *b = u16::from(*b != 0));
    Ok(scale)
}
