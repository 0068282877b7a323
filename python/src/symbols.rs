//! Arrays of values, and of symbols.

use std::io::{Cursor, Read};

use bbans::ndarray::{Array2, ArrayView2};
use bbans::{DataReader, Error, LatentModel, Result, VaeModel, bind};
use numpy::PyArray1;
use pyo3::prelude::*;

use crate::streams::ArrayBytes;

/// The .npy file that an array would be, from its header and the bytes of its values.
pub(crate) fn npy_file(header: Vec<u8>, values: Py<PyArray1<u8>>) -> impl Read + Send + 'static {
    Cursor::new(header).chain(ArrayBytes::new(values))
}

/// The values of an array as symbols of a model, `[count, dims]`.
pub(crate) fn symbols(
    model: &VaeModel,
    header: Vec<u8>,
    values: Py<PyArray1<u8>>,
) -> Result<Array2<u16>> {
    let mut reader = DataReader::open(npy_file(header, values), "")?;
    bind(model, &mut reader)?;
    let mut rows = reader.read(usize::MAX)?;
    if let Some(first) = rows.exceptions.first() {
        return Err(Error::invalid_argument(format!(
            "{} in dimension {} is no value of the model {}",
            reader.source().element().shown(&first.bytes),
            first.at % model.dims().max(1),
            bbans::FileModel::name(model),
        )));
    }
    bbans::symbols(model, &mut rows.symbols)?;
    Array2::from_shape_vec((rows.count, model.dims()), rows.symbols)
        .map_err(Error::invalid_argument)
}

/// `[lanes, dims]` as `[dims, lanes]`, row-major.
pub(crate) fn turned<T: Copy>(values: ArrayView2<'_, T>) -> Array2<T> {
    Array2::from_shape_fn((values.ncols(), values.nrows()), |(d, l)| values[(l, d)])
}
