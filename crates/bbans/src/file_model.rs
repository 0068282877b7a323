//! Models that data files are compressed with.

use bbans_core::{Error, LatentModel, Result};
use bbans_format::{DataReader, Source};
use bbans_nn::description::Values;
use ndarray::Array2;

/// A symbol of a data file's values, `0..levels` with at most 65,536 levels.
pub trait FileSymbol: Clone + Sized {
    /// The symbols of these numbers.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::InvalidArgument`] if a number is beyond the type: the model has no such symbol.
    fn of_numbers(numbers: Array2<u16>) -> Result<Array2<Self>>;

    /// The numbers of symbols.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::Model`] if a symbol is above 65,535: the model gave one that no value has.
    fn to_numbers(symbols: Array2<Self>) -> Result<Array2<u16>>;
}

impl FileSymbol for u16 {
    fn of_numbers(numbers: Array2<u16>) -> Result<Array2<u16>> {
        Ok(numbers)
    }

    fn to_numbers(symbols: Array2<u16>) -> Result<Array2<u16>> {
        Ok(symbols)
    }
}

macro_rules! file_symbols {
    ($($of:ty),*) => {
        $(impl FileSymbol for $of {
            fn of_numbers(numbers: Array2<u16>) -> Result<Array2<Self>> {
                let none = |number| Error::invalid_argument(format!("a symbol {number}, which the model does not have"));
                convert(numbers, |number| Self::try_from(number).map_err(|_| none(number)))
            }

            fn to_numbers(symbols: Array2<Self>) -> Result<Array2<u16>> {
                let none = |symbol| Error::model(format!("a symbol {symbol}; expected at most 65,535"));
                convert(symbols, |symbol| u16::try_from(symbol).map_err(|_| none(symbol)))
            }
        })*
    };
}

fn convert<A: Copy, B>(all: Array2<A>, one: impl Fn(A) -> Result<B>) -> Result<Array2<B>> {
    let converted = all.iter().map(|&a| one(a)).collect::<Result<Vec<B>>>()?;
    Array2::from_shape_vec(all.dim(), converted).map_err(Error::model)
}

file_symbols!(u8, u32, u64, usize, i32);

/// A latent-variable model of the values of data files: a file can be bound to it.
///
/// The program `bbans` restores the files of models that are model files. Those of a model in code need the code: a
/// bbans file holds the fingerprint of its model, not the model, and only the code knows what the fingerprint means.
/// Such a model's own program calls [`crate::decompress`], or [`crate::decompress_bytes`].
pub trait FileModel: LatentModel<X: FileSymbol> + Sync {
    /// A digest of everything that the model's codecs depend on. A file names it, so that no other
    /// model is used to decode.
    fn fingerprint(&self) -> [u8; 32];

    /// A name for messages: at most 100 printable ASCII characters without spaces.
    fn name(&self) -> &str;

    /// Shape of one datum; its product is [`LatentModel::dims`].
    fn shape(&self) -> &[usize];

    /// Number of symbols of an observed dimension, `0..levels`, of the one with the most. With 2, the default, a block's
    /// values may be 0 and one other; with more they are the symbols.
    fn levels(&self) -> usize {
        2
    }

    /// What the symbols stand for.
    fn values(&self) -> Values {
        Values::default()
    }

    /// The model in bytes, which [`bbans_nn::ModelFile::unpack`] takes, if files are to carry it; by default they do not.
    fn embedded(&self) -> Option<&[u8]> {
        None
    }
}

/// Reads the values of a file as symbols of a model.
///
/// # Errors
/// [`bbans_core::ErrorKind::InvalidArgument`] if they are of another kind or shape than the model's.
pub fn bind(model: &impl FileModel, reader: &mut DataReader) -> Result<()> {
    reader.bind(&model.values(), model.levels())?;
    reader.fit(model.shape())?;
    check_fits(model, reader.source())
}

/// Checks that data of `source` have the model's shape. A source that knows only the number of
/// values, as .amat does, fits by that number.
///
/// # Errors
/// [`bbans_core::ErrorKind::InvalidArgument`] with both shapes.
pub fn check_fits(model: &impl FileModel, source: &Source) -> Result<()> {
    let (found, expected) = (&source.shape, model.shape());
    let flat = found.len() == 1 || expected.len() == 1;
    let fits = found == expected || flat && source.dims() == Some(model.dims());
    // An empty .amat file has no shape at all.
    if fits || found.is_empty() {
        return Ok(());
    }
    Err(Error::invalid_argument(format!(
        "the data have shape {found:?}, the model {} needs {expected:?}; train a model for these \
         data with `bbans train`",
        model.name()
    )))
}
