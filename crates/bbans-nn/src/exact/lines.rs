//! Products over windows whose outputs lie side by side: the lines that they see are copied once for all taps.

use pulp::Simd;

use crate::exact::windows::{Place, Product, Sums, TERMS, TILE, Terms, Windows};

/// Lines of the input that the taps see from a line of outputs, side by side, so that a value is copied once and not
/// for each tap.
pub(super) struct Lines {
    /// The first row and column that a tap sees from output 0 on.
    first: [isize; 2],
    /// Number of lines.
    rows: usize,
    /// Values from a line's channel to the next: columns and lanes, with zeros beyond the edges, and a vector more.
    stride: usize,
    /// Number of channels of all layers.
    channels: usize,
    /// `[rows, channels, stride]`: line `r` of the input is in the place of its remainder by `rows`.
    values: Vec<f32>,
}

/// Most values of [`Lines`].
const MAX_LINES: usize = 1 << 22;

impl Lines {
    /// None where tiles are faster: outputs that are not side by side, short lines, few channels, kernels that reach far.
    pub(super) fn new(windows: &Windows, layers: &[impl Sums], lanes: usize) -> Option<Self> {
        let taps = windows.taps.len();
        let few = layers.iter().any(|layer| layer.terms() < 8 * taps);
        if few || windows.step != [1, 1] || windows.outputs[1] * lanes < TILE {
            return None;
        }
        let reach = |axis: usize| {
            let all = || windows.taps.iter().map(|tap| tap[axis]);
            Some((all().min()?, all().max()?))
        };
        let ((top, bottom), (left, right)) = (reach(0)?, reach(1)?);
        let rows = bottom.abs_diff(top) + 1;
        let columns = windows.outputs[1] + right.abs_diff(left);
        let stride = columns * lanes + TILE;
        let channels = layers.iter().map(|layer| layer.terms() / taps).sum();
        let size = rows.checked_mul(stride)?.checked_mul(channels)?;
        (size <= MAX_LINES).then(|| Self {
            first: [top, left],
            rows,
            stride,
            channels,
            // A stride more: rows that begin within a line are taken as long as whole ones.
            values: vec![0.0; size + stride],
        })
    }

    /// Where a line begins that lies `row` below the first that the taps see.
    fn start(&self, row: usize) -> usize {
        row % self.rows * self.channels * self.stride
    }

    /// Copies the line that lies `row` below the first that the taps see.
    #[inline(always)]
    fn copy(&mut self, windows: &Windows, x: &[f32], lanes: usize, row: usize) {
        let [rows, columns] = windows.input;
        let start = self.start(row);
        let seen = row.checked_add_signed(self.first[0]);
        let lines = self.values[start..].chunks_exact_mut(self.stride);
        let lines = lines.take(self.channels);
        let Some(seen) = seen.filter(|&seen| seen < rows) else {
            return lines.for_each(|line| line.fill(0.0));
        };
        // Columns of the input from `from` on are those of the line from `to` on.
        let from = self.first[1].max(0).unsigned_abs();
        let to = (-self.first[1]).max(0).unsigned_abs();
        let room = (self.stride / lanes).saturating_sub(to);
        let count = columns.saturating_sub(from).min(room) * lanes;
        if count == 0 {
            // All of it is beyond the edges.
            return;
        }
        for (line, x) in lines.zip(x.chunks_exact(rows * columns * lanes)) {
            let x = &x[(seen * columns + from) * lanes..][..count];
            line[to * lanes..][..count].copy_from_slice(x);
        }
    }
}

/// A product by the lines that the taps see.
#[inline(always)]
pub(super) fn by_lines<L: Sums, P: Place, S: Simd>(
    product: Product<'_, L, P>,
    simd: S,
    mut lines: Lines,
) {
    let Product {
        windows,
        layers,
        x,
        lanes,
        place,
    } = product;
    let line_len = windows.outputs[1] * lanes;
    let most = layers.iter().map(L::outputs).max().unwrap_or(0);
    let mut sums = vec![0.0; most * TILE];
    for row in 0..windows.outputs[0] {
        let new = if row == 0 { 0 } else { row + lines.rows - 1 };
        (new..row + lines.rows).for_each(|row| lines.copy(windows, x, lanes, row));
        for first in (0..line_len).step_by(TILE) {
            let count = TILE.min(line_len - first);
            let width = count.next_multiple_of(S::F32_LANES);
            let (mut output, mut channel) = (0, 0);
            for layer in layers {
                let channels = layer.terms() / windows.taps.len();
                let sums = &mut sums[..layer.outputs() * width];
                for (i, tap) in windows.taps.iter().enumerate() {
                    let line = lines.start(row + tap[0].abs_diff(lines.first[0]));
                    let at = line + first + tap[1].abs_diff(lines.first[1]) * lanes;
                    // What is added at a time stays in the nearest cache.
                    for from in (0..channels).step_by(TERMS) {
                        let these = TERMS.min(channels - from);
                        let seen = &lines.values[at + (channel + from) * lines.stride..];
                        let seen = &seen[..these * lines.stride];
                        let terms = Terms {
                            first: i * channels + from,
                            seen,
                            stride: lines.stride,
                        };
                        layer.add(simd, terms, width, sums);
                    }
                }
                place.put(output, row * line_len + first, count, sums, width);
                output += layer.outputs();
                channel += channels;
            }
        }
    }
}
