//! Drawing data from a model: decoding random words.

use bbans_core::{Codec, LatentModel, Message, Result};
use ndarray::Array2;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

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
