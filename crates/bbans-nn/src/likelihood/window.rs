//! What a pixel's distribution sees of the pixels before it.

use serde::{Deserialize, Serialize};

use bbans_core::{Error, Result};

/// Most channels of a pixel.
const MAX_CHANNELS: usize = 1024;
/// Most rows above a pixel, and columns aside.
pub(crate) const MAX_WINDOW: usize = 16;

/// What a pixel's distribution sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Numbers that the decoder gives for each pixel.
    pub channels: usize,
    /// Rows above the pixel's.
    pub above: usize,
    /// Columns to either side of the pixel's; in its own row, to the left alone.
    pub side: usize,
}

impl Window {
    /// Rows and columns of the neighbours, relative to the pixel, in order: the rows from the top,
    /// each from the left.
    pub fn neighbours(self) -> impl Iterator<Item = (isize, isize)> + Clone {
        // Bounded by validation.
        let (above, side) = (self.above as isize, self.side as isize);
        let rows = (-above..0).flat_map(move |y| (-side..=side).map(move |x| (y, x)));
        rows.chain((-side..0).map(|x| (0, x)))
    }

    /// Number of neighbours.
    pub fn count(self) -> usize {
        self.above * (2 * self.side + 1) + self.side
    }

    pub(super) fn check(self) -> Result<()> {
        let Self {
            channels,
            above,
            side,
        } = self;
        if (1..=MAX_CHANNELS).contains(&channels) && above.max(side) <= MAX_WINDOW {
            return Ok(());
        }
        Err(Error::model(format!(
            "the likelihood sees {channels} channels, {above} rows above and {side} columns \
             aside; expected 1 to {MAX_CHANNELS}, and at most {MAX_WINDOW}"
        )))
    }
}
