//! Random numbers of a run, from streams that are stable: ChaCha8, one stream for each purpose.

use bbans_core::normal_pair;
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

/// Fills `out` with standard normal draws.
pub(crate) fn fill_normal(rng: &mut ChaCha8Rng, out: &mut [f32]) {
    for pair in out.chunks_mut(2) {
        for (to, draw) in pair.iter_mut().zip(normal_pair(rng)) {
            *to = draw as f32;
        }
    }
}

/// A uniform draw from `0..n`; the bias, below `n / 2^64`, is harmless here.
pub(crate) fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}
