//! What is kept of the pixels that a window sees.

use super::Window;

/// Numbers for the pixels of the row under way and of those above that a window sees, and what is
/// beyond the edge. A new row takes the place of the one that is no longer seen.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) values: Vec<f32>,
    /// The window in which they are looked at; its channels are how many of them a pixel has.
    window: Window,
    /// Pixels from a row to the next.
    stride: usize,
    lanes: usize,
}

impl Field {
    pub(super) fn new(window: Window, width: usize, lanes: usize) -> Self {
        Self {
            values: vec![0.0; Self::numbers(window, width) * lanes],
            window,
            stride: width + 2 * window.side,
            lanes,
        }
    }

    /// How many numbers there are for a lane.
    pub(super) fn numbers(window: Window, width: usize) -> usize {
        let pixels = (1 + window.above) * (width + 2 * window.side);
        pixels.saturating_mul(window.channels)
    }

    /// Numbers of a pixel.
    fn each(&self) -> usize {
        self.window.channels * self.lanes
    }

    /// Where a pixel's begin.
    fn start(&self, y: usize, x: usize) -> usize {
        let row = y % (1 + self.window.above);
        (row * self.stride + self.window.side + x) * self.each()
    }

    pub(super) fn pixel_mut(&mut self, y: usize, x: usize) -> &mut [f32] {
        let (start, each) = (self.start(y, x), self.each());
        &mut self.values[start..start + each]
    }

    /// The pixels of the window, and with `own` the pixel itself: those of a row are one part.
    pub(super) fn parts(&self, y: usize, x: usize, own: bool) -> Vec<&[f32]> {
        let Window { above, side, .. } = self.window;
        let part = |dy: usize| {
            // Rows above the first one are 0 still.
            let first = self.start(y + 1 + above - dy, x) - side * self.each();
            let count = if dy > 0 {
                2 * side + 1
            } else {
                side + usize::from(own)
            };
            &self.values[first..first + count * self.each()]
        };
        (0..=above).rev().map(part).collect()
    }
}
