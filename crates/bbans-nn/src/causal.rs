//! Pixels one after another: each one's logit from its channels and from the pixels before it.

use ndarray::Array2;

use crate::description::Window;
use crate::error::{Error, Result};
use crate::math;
use crate::network::Network;
use crate::simd::Path;

/// The likelihood of some latents under a causal model: what the decoder gives for the pixels.
#[derive(Debug)]
pub struct Channels<'a> {
    pub(crate) head: &'a Network,
    pub(crate) path: Path,
    pub(crate) window: Window,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// `[pixels * channels, lanes]`.
    pub(crate) values: Array2<f32>,
}

/// Images under way, all lanes at once: the pixels that are known so far.
#[derive(Debug)]
pub struct Images<'a> {
    channels: &'a Channels<'a>,
    /// `[above + height, side + width + side, lanes]`, 0 around the images.
    padded: Vec<f32>,
    /// Inputs of the head, `[inputs, lanes]`.
    input: Array2<f32>,
}

impl Channels<'_> {
    /// Numbers of pixels and of lanes.
    pub fn dim(&self) -> (usize, usize) {
        (self.height * self.width, self.values.ncols())
    }

    /// Images of which no pixel is known.
    pub fn images(&self) -> Images<'_> {
        let Window { above, side, .. } = self.window;
        let lanes = self.values.ncols();
        Images {
            channels: self,
            padded: vec![0.0; (self.height + above) * (self.width + 2 * side) * lanes],
            input: Array2::zeros((self.window.channels + self.window.count(), lanes)),
        }
    }
}

impl Images<'_> {
    /// Where a pixel's lanes begin among the padded ones, given its row and column there.
    fn at(&self, row: usize, column: usize) -> usize {
        let c = self.channels;
        (row * (c.width + 2 * c.window.side) + column) * c.values.ncols()
    }

    /// Makes a pixel known: 0 or 1 in each lane.
    pub fn set(&mut self, pixel: usize, lanes: impl Iterator<Item = u8>) {
        let (y, x) = (pixel / self.channels.width, pixel % self.channels.width);
        let Window { above, side, .. } = self.channels.window;
        let at = self.at(y + above, x + side);
        for (to, bit) in self.padded[at..].iter_mut().zip(lanes) {
            *to = f32::from(bit);
        }
    }

    /// Logits of a pixel, `[lanes]`; all pixels before it that its window has must be known.
    ///
    /// # Errors
    /// If the network's result is infinite or NaN.
    pub fn logits(&mut self, pixel: usize) -> Result<Vec<f32>> {
        let c = self.channels;
        let (
            lanes,
            Window {
                channels,
                above,
                side,
            },
        ) = (c.values.ncols(), c.window);
        let (y, x) = (pixel / c.width, pixel % c.width);
        let own = pixel * channels * lanes;
        let own = c
            .values
            .as_slice()
            .and_then(|v| v.get(own..own + channels * lanes));
        let line = (2 * side + 1) * lanes;
        let lines: Vec<usize> = (0..=above).map(|dy| self.at(y + dy, x)).collect();
        let (Some(own), Some(input)) = (own, self.input.as_slice_mut()) else {
            return Err(Error::new(format!("an image has no pixel {pixel}")));
        };
        let (to_own, mut rest) = input.split_at_mut(own.len());
        to_own.copy_from_slice(own);
        for (i, &from) in lines.iter().enumerate() {
            let length = if i < above { line } else { side * lanes };
            let (to, after) = rest.split_at_mut(length);
            to.copy_from_slice(&self.padded[from..from + length]);
            rest = after;
        }
        let logits = c.head.forward(c.path, self.input.view())?;
        Ok(logits.into_raw_vec_and_offset().0)
    }

    /// Masses, of `2^24`, of a 1 in a pixel, into `masses`, `[lanes]`.
    ///
    /// # Errors
    /// As [`Images::logits`].
    pub fn masses<T>(
        &mut self,
        pixel: usize,
        masses: &mut Vec<T>,
        of_mass: impl Fn(u32) -> T,
    ) -> Result<()> {
        let logits = self.logits(pixel)?;
        masses.clear();
        masses.extend(logits.iter().map(|&l| of_mass(math::bernoulli_mass(l))));
        Ok(())
    }
}
