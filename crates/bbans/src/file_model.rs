//! Models that data files are compressed with.

use bbans_core::{Error, LatentModel, Result};
use bbans_format::Source;
use ndarray::Array2;

/// A symbol that stands for a byte of a data file.
pub trait ByteSymbol: Clone + Sized {
    /// The symbols of bytes.
    fn of_bytes(bytes: Array2<u8>) -> Array2<Self>;

    /// The bytes of symbols.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::Model`] if a symbol is above 255: the model gave one that no byte has.
    fn to_bytes(symbols: Array2<Self>) -> Result<Array2<u8>>;
}

impl ByteSymbol for u8 {
    fn of_bytes(bytes: Array2<u8>) -> Array2<u8> {
        bytes
    }

    fn to_bytes(symbols: Array2<u8>) -> Result<Array2<u8>> {
        Ok(symbols)
    }
}

macro_rules! byte_symbols {
    ($($of:ty),*) => {
        $(impl ByteSymbol for $of {
            fn of_bytes(bytes: Array2<u8>) -> Array2<Self> {
                bytes.mapv(Self::from)
            }

            fn to_bytes(symbols: Array2<Self>) -> Result<Array2<u8>> {
                let no_byte = |symbol| Error::model(format!("a symbol {symbol}; expected at most 255"));
                let byte = |&symbol: &Self| u8::try_from(symbol).map_err(|_| no_byte(symbol));
                let bytes = symbols.iter().map(byte).collect::<Result<Vec<u8>>>()?;
                Array2::from_shape_vec(symbols.dim(), bytes).map_err(Error::model)
            }
        })*
    };
}

byte_symbols!(u16, u32, u64, usize, i32);

/// A latent-variable model whose symbols are bytes of data files, of any type: a file can be bound to it.
///
/// The program `bbans` restores the files of models that are model files. Those of a model in code need the code: a
/// bbans file holds the fingerprint of its model, not the model, and only the code knows what the fingerprint means.
/// Such a model's own program calls [`crate::decompress`], or [`crate::decompress_bytes`].
pub trait FileModel: LatentModel<X: ByteSymbol> + Sync {
    /// A digest of everything that the model's codecs depend on. A file names it, so that no other
    /// model is used to decode.
    fn fingerprint(&self) -> [u8; 32];

    /// A name for messages: at most 100 printable ASCII characters without spaces.
    fn name(&self) -> &str;

    /// Shape of one datum; its product is [`LatentModel::dims`].
    fn shape(&self) -> &[usize];

    /// Number of symbols of an observed dimension, `0..levels`. With 2, the default, a block's bytes
    /// may be 0 and one other; with more they are the symbols.
    fn levels(&self) -> usize {
        2
    }
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
