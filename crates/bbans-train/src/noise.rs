//! Random numbers of a run, from streams that are stable: ChaCha8, one stream for each purpose.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream is for. Two purposes never share a stream, and neither do two epochs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Initialization = 0,
    Order = 1,
    Binarization = 2,
    Latents = 3,
    Validation = 4,
}

/// The generator of one purpose in one epoch.
pub(crate) fn generator(seed: u64, purpose: Purpose, epoch: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(((epoch as u64) << 3) | purpose as u64);
    rng
}

/// Fills `out` with standard normal draws (Box & Muller 1958).
pub(crate) fn fill_normal(rng: &mut ChaCha8Rng, out: &mut [f32]) {
    for pair in out.chunks_mut(2) {
        // In (0, 1], so that the logarithm is finite.
        let u = (f64::from(rng.next_u32()) + 1.0) / 4_294_967_296.0;
        let angle = f64::from(rng.next_u32()) / 4_294_967_296.0 * std::f64::consts::TAU;
        let radius = (-2.0 * u.ln()).sqrt();
        pair[0] = (radius * angle.cos()) as f32;
        if let Some(second) = pair.get_mut(1) {
            *second = (radius * angle.sin()) as f32;
        }
    }
}

/// A uniform draw from `0..n`; the bias, below `n / 2^64`, is harmless here.
pub(crate) fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}
