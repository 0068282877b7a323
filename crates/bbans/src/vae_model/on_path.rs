//! Codecs with the instructions of a SIMD path.

use bbans_core::{Codec, Message, Result};
use bbans_nn::simd::Path;

/// A codec that runs with the instructions of a SIMD path. Its arithmetic is on integers and on
/// doubles whose rounding is corrected: the path changes the time alone.
pub(super) struct OnPath<C> {
    pub(super) codec: C,
    pub(super) path: Path,
}

impl<C: Codec> Codec for OnPath<C> {
    type Symbol = C::Symbol;

    fn push(&self, message: &mut Message, symbol: &Self::Symbol) -> Result<()> {
        self.path.vectorize(
            #[inline(always)]
            || self.codec.push(message, symbol),
        )
    }

    fn pop(&self, message: &mut Message) -> Result<Self::Symbol> {
        self.path.vectorize(
            #[inline(always)]
            || self.codec.pop(message),
        )
    }
}
