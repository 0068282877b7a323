//! Models that data files are compressed with.

use bbans_core::{Error, LatentModel, Result};
use bbans_format::Source;

/// A latent-variable model over bytes that a file can be bound to.
pub trait FileModel: LatentModel<X = u8> + Sync {
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
