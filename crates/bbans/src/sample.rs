//! Drawing data from a model: decoding random words.

use bbans_core::{Codec, Error, LatentModel, Message, Result};
use bbans_format::data::Element;
use bbans_format::{Rows, Source};
use bbans_nn::description::{Step, Values};
use ndarray::Array2;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::file_model::FileModel;
use crate::memory::data_file;
use crate::vae_model::VaeModel;

/// Data that [`samples`] draws at a time.
const LANES: usize = 100;

/// Draws `lanes` data from the model, `[lanes, dims]`: `z <- pop with p(z); x <- pop with p(x|z)`
/// from a message of random words. `seed` and `stream` name the words.
///
/// # Errors
/// As the model says.
pub fn sample<M: LatentModel>(
    model: &M,
    lanes: usize,
    seed: u64,
    stream: u64,
) -> Result<Array2<M::X>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    let bits = lanes as f64 * (model.posterior_bits() + 26.0 * model.dims() as f64 + 64.0);
    let mut words = bits as usize / 32 + 64;
    loop {
        let mut message = Message::new((0..words).map(|_| rng.next_u32()).collect());
        message.grow(lanes)?;
        let drawn = (model.prior(lanes)?.pop(&mut message))
            .and_then(|z| model.likelihood(&z)?.pop(&mut message));
        match drawn {
            // Wider symbols than a bit: more words.
            Err(e) if e.kind() == bbans_core::ErrorKind::InsufficientData && words < 1 << 28 => {
                words *= 2;
            }
            drawn => return drawn,
        }
    }
}

/// Draws `count` data from the model, row-major `[count, dims]`; what is no colour becomes the nearest one. `check` is
/// called now and then, and its error ends the work.
///
/// # Errors
/// As [`sample`]; those of `check`; [`bbans_core::ErrorKind::InvalidArgument`] if there is no memory for so many.
pub fn samples(
    model: &VaeModel,
    count: usize,
    seed: u64,
    mut check: impl FnMut() -> Result<()>,
) -> Result<Vec<u16>> {
    let mut symbols = Vec::new();
    let size = count.saturating_mul(model.dims());
    if symbols.try_reserve_exact(size).is_err() {
        return Err(Error::invalid_argument(format!(
            "{count} samples of {} values; there is not enough memory for them",
            model.dims()
        )));
    }
    for (step, start) in (0..count).step_by(LANES).enumerate() {
        check()?;
        let drawn = sample(model, LANES.min(count - start), seed, step as u64)?;
        symbols.extend(drawn.iter().copied());
    }
    if let Values::GreenFirst(colours) = model.values() {
        let pixels = symbols.chunks_exact_mut(colours.channels);
        pixels.for_each(|pixel| colours.nearest(pixel));
    }
    Ok(symbols)
}

/// Symbols as a data file: a table, or an .npy file of the narrowest type that the model's numbers fit in.
///
/// # Errors
/// If they do not fit the model.
pub fn samples_file(model: &VaeModel, symbols: Vec<u16>, count: usize) -> Result<Vec<u8>> {
    let source = match model.values() {
        Values::Columns(columns) => Source::table(&columns),
        Values::GreenFirst(colours) => {
            let highest = colours.levels as i64 - 1;
            Source::npy(model.shape(), count, Element::of_numbers(0, highest))
        }
        Values::Numbers(Step { lowest, step }) => {
            let highest = lowest + i64::from(step) * (model.levels() as i64 - 1);
            Source::npy(model.shape(), count, Element::of_numbers(lowest, highest))
        }
    };
    let rows = Rows {
        count,
        symbols,
        exceptions: vec![],
    };
    data_file(model, source, &rows)
}
