//! Bits, each given its neighbours before it.

use crate::likelihood::{Fields, HeadKind, Kind, Window, check_image};
use bbans_core::Result;

/// One logit for each pixel of an image `[height, width]`, from the network `head` on the pixel's channels, which the
/// decoder gives, and on its causal neighbours: pixels that come before it, row by row. Pixels are 0 or 1; beyond the
/// edge all are 0. The idea is PixelCNN's (van den Oord, Kalchbrenner & Kavukcuoglu 2016) over latents (PixelVAE,
/// Gulrajani et al. 2017), with a window so small that decoding is fast.
pub type CausalBernoulli = Window;

impl Kind for CausalBernoulli {
    fn levels(&self) -> usize {
        2
    }

    fn parameters(&self) -> usize {
        self.channels
    }

    fn check(&self) -> Result<()> {
        Window::check(*self)
    }

    fn check_shape(&self, shape: &[usize]) -> Result<()> {
        check_image(shape)
    }

    fn head(&self) -> Option<HeadKind> {
        Some(HeadKind {
            window: *self,
            depth: 1,
            outputs: 1,
        })
    }

    fn fields(&self) -> (&'static str, Fields) {
        let numbers = vec![self.channels, self.above, self.side];
        ("causal_bernoulli", Fields::List(numbers))
    }
}
