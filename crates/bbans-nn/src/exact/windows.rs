//! Products over windows of a picture.
//!
//! Values are `[channels, rows, columns, lanes]`. What the taps of a kernel see from a run of positions,
//! columns and lanes alike, is copied side by side, `[taps, channels, positions]`: a convolution's sum over
//! its kernel's rows, columns and input channels is then that of a dense layer over its inputs.

use pulp::{Simd, WithSimd};

use crate::exact::dense::Dense;
use crate::exact::lines::{Lines, by_lines};
use crate::exact::product::add_terms;
use crate::exact::simd::Path;

/// Positions that are taken together: a few vectors of any path, and few enough for the nearest cache.
pub(super) const TILE: usize = 64;

/// Terms that are added at a time.
pub(super) const TERMS: usize = 96;

/// Where a kernel looks, for outputs that lie in regular steps.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Windows {
    /// Rows and columns of the input.
    pub input: [usize; 2],
    /// Rows and columns of the outputs that are computed.
    pub outputs: [usize; 2],
    /// Rows and columns of the input from an output to the next.
    pub step: [usize; 2],
    /// Rows and columns of what the taps see from output 0 on; beyond the edge it is 0.
    pub taps: Vec<[isize; 2]>,
}

/// What becomes of what the taps see: sums of a term for each tap and channel, in this order.
pub(crate) trait Sums {
    /// Number of terms.
    fn terms(&self) -> usize;
    /// Number of sums.
    fn outputs(&self) -> usize;
    /// Adds terms to the sums `[outputs, width]`, for whole vectors and at most [`TILE`]. The first terms start from
    /// the bias.
    fn add<S: Simd>(&self, simd: S, terms: Terms<'_>, width: usize, sums: &mut [f32]);
}

/// Some of the terms of sums.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    /// Number of the first.
    pub first: usize,
    /// Their inputs, rows that begin every `stride`.
    pub seen: &'a [f32],
    pub stride: usize,
}

/// Where sums are written.
pub(crate) trait Place {
    /// Writes `count` positions from `first` on of sums `[outputs, width]`, the outputs from `channel` on; a
    /// position is a column and a lane of it.
    fn put(&mut self, channel: usize, first: usize, count: usize, sums: &[f32], width: usize);
}

/// Values that are copied: `len` of them to `to`, from `from` on every `step`-th; zeros without a `from`.
#[derive(Debug, Clone, Copy)]
struct Run {
    to: usize,
    len: usize,
    from: Option<usize>,
    step: usize,
}

impl Run {
    #[inline(always)]
    fn copy(self, x: &[f32], to: &mut [f32]) {
        let to = &mut to[self.to..self.to + self.len];
        match (self.from, self.step) {
            (None, _) => to.fill(0.0),
            (Some(from), 1) => {
                let x = &x[from..from + self.len];
                match (to.first_chunk_mut::<TILE>(), x.first_chunk::<TILE>()) {
                    // A known length: a few moves of vectors.
                    (Some(to), Some(x)) => *to = *x,
                    _ => to.copy_from_slice(x),
                }
            }
            (Some(from), step) => {
                for (to, x) in to.iter_mut().zip(x[from..].iter().step_by(step)) {
                    *to = *x;
                }
            }
        }
    }
}

impl Windows {
    /// Number of positions.
    pub fn positions(&self, lanes: usize) -> usize {
        self.outputs[0] * self.outputs[1] * lanes
    }

    /// Sums over what the taps see of `x`, whose channels are those of one layer after another.
    pub fn product(
        &self,
        path: Path,
        layers: &[impl Sums],
        x: &[f32],
        lanes: usize,
        place: &mut impl Place,
    ) {
        path.run(Product {
            windows: self,
            layers,
            x,
            lanes,
            place,
        });
    }

    /// Where in a channel a tap finds what it sees at `count` positions from `first` on.
    fn runs(&self, tap: [isize; 2], lanes: usize, first: usize, count: usize, runs: &mut Vec<Run>) {
        runs.clear();
        let row_len = self.outputs[1] * lanes;
        let mut done = 0;
        while done < count {
            let (row, start) = ((first + done) / row_len, (first + done) % row_len);
            let len = (count - done).min(row_len - start);
            let seen = (row * self.step[0]).checked_add_signed(tap[0]);
            match seen.filter(|&seen| seen < self.input[0]) {
                None => runs.push(Run {
                    to: done,
                    len,
                    from: None,
                    step: 1,
                }),
                Some(seen) => self.runs_of_row(tap[1], lanes, seen, start, done, len, runs),
            }
            done += len;
        }
    }

    /// The same of `len` positions of one row from `start` on, which see row `seen`.
    #[expect(clippy::too_many_arguments, reason = "a part of the one above")]
    fn runs_of_row(
        &self,
        right: isize,
        lanes: usize,
        seen: usize,
        start: usize,
        to: usize,
        len: usize,
        runs: &mut Vec<Run>,
    ) {
        let [_, columns] = self.input;
        let step = self.step[1];
        let line = seen * columns * lanes;
        if step == 1 || lanes == 1 {
            // Position p of the row sees p * step + shift, or what is beyond an edge.
            let shift = right * lanes as isize;
            let end = columns * lanes;
            let below = |limit: isize| -> usize {
                // The first position that sees `limit` or more.
                let ahead = (limit - shift).max(0).unsigned_abs();
                ahead.div_ceil(step).clamp(start, start + len) - start
            };
            let (inside, after) = (below(0), below(end as isize));
            let mut push = |from: usize, until: usize, at: Option<usize>| {
                if until > from {
                    runs.push(Run {
                        to: to + from,
                        len: until - from,
                        from: at,
                        step,
                    });
                }
            };
            push(0, inside, None);
            let at = ((start + inside) * step).checked_add_signed(shift);
            push(inside, after, at.map(|at| line + at));
            push(after, len, None);
            return;
        }
        let mut done = 0;
        while done < len {
            let (column, lane) = ((start + done) / lanes, (start + done) % lanes);
            let run = (len - done).min(lanes - lane);
            let seen = (column * step).checked_add_signed(right);
            let seen = seen.filter(|&seen| seen < columns);
            runs.push(Run {
                to: to + done,
                len: run,
                from: seen.map(|seen| line + seen * lanes + lane),
                step: 1,
            });
            done += run;
        }
    }
}

/// All of a product.
pub(super) struct Product<'a, L, P> {
    pub windows: &'a Windows,
    pub layers: &'a [L],
    pub x: &'a [f32],
    pub lanes: usize,
    pub place: &'a mut P,
}

impl<L: Sums, P: Place> WithSimd for Product<'_, L, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match Lines::new(self.windows, self.layers, self.lanes) {
            Some(lines) => by_lines(self, simd, lines),
            None => self.by_tiles(simd),
        }
    }
}

impl<L: Sums, P: Place> Product<'_, L, P> {
    /// Copies what the taps see tile by tile.
    #[inline(always)]
    fn by_tiles<S: Simd>(self, simd: S) {
        let Self {
            windows,
            layers,
            x,
            lanes,
            place,
        } = self;
        let (taps, positions) = (windows.taps.len(), windows.positions(lanes));
        let channel_len = windows.input[0] * windows.input[1] * lanes;
        let most = |size: fn(&L) -> usize| layers.iter().map(size).max().unwrap_or(0);
        let mut seen = vec![0.0; TERMS * TILE];
        let widest = TILE.min(positions.next_multiple_of(S::F32_LANES));
        let mut sums = vec![0.0; most(L::outputs) * widest];
        let mut runs = vec![Vec::new(); taps];
        for first in (0..positions).step_by(TILE) {
            let count = TILE.min(positions - first);
            // Whole vectors: what is beyond the last position stays as it was and is left out.
            let width = count.next_multiple_of(S::F32_LANES);
            for (runs, &tap) in runs.iter_mut().zip(&windows.taps) {
                windows.runs(tap, lanes, first, count, runs);
            }
            let (mut output, mut x) = (0, x);
            for layer in layers {
                let channels = layer.terms() / taps;
                let (these, rest) = x.split_at(channels * channel_len);
                x = rest;
                let sums = &mut sums[..layer.outputs() * width];
                // What is added at a time stays in the nearest cache.
                let block = channels.clamp(1, TERMS);
                for (i, runs) in runs.chunks(TERMS / block).enumerate() {
                    for (j, x) in these.chunks(block * channel_len).enumerate() {
                        let channels_here = x.len() / channel_len;
                        // A channel's taps together: they see the same lines.
                        for (channel, x) in x.chunks_exact(channel_len).enumerate() {
                            for (tap, runs) in runs.iter().enumerate() {
                                let at = (tap * channels_here + channel) * width;
                                let to = &mut seen[at..at + width];
                                runs.iter().for_each(|run| run.copy(x, to));
                            }
                        }
                        let term = i * (TERMS / block) * channels + j * block;
                        let seen = &seen[..runs.len() * channels_here * width];
                        let terms = Terms {
                            first: term,
                            seen,
                            stride: width,
                        };
                        layer.add(simd, terms, width, sums);
                    }
                }
                place.put(output, first, count, sums, width);
                output += layer.outputs();
            }
        }
    }
}

impl Sums for Dense {
    fn terms(&self) -> usize {
        self.inputs()
    }

    fn outputs(&self) -> usize {
        self.outputs()
    }

    #[inline(always)]
    fn add<S: Simd>(&self, simd: S, terms: Terms<'_>, width: usize, sums: &mut [f32]) {
        add_terms(simd, self, terms, width, sums);
    }
}

/// Sums that are so few that a dense layer is no gain.
#[derive(Debug)]
pub(crate) struct Few {
    /// `[outputs, terms]`.
    pub weights: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
}

impl Sums for Few {
    fn terms(&self) -> usize {
        self.weights.len() / self.bias.len().max(1)
    }

    fn outputs(&self) -> usize {
        self.bias.len()
    }

    #[inline(always)]
    fn add<S: Simd>(&self, _: S, terms: Terms<'_>, width: usize, sums: &mut [f32]) {
        let Terms {
            first,
            seen,
            stride,
        } = terms;
        let columns = self.weights.chunks_exact(self.terms());
        let outputs = sums.chunks_exact_mut(width).zip(columns).zip(&self.bias);
        for ((sums, weights), bias) in outputs {
            if first == 0 {
                sums.fill(*bias);
            }
            let weights = &weights[first..];
            if let Some(sums) = sums.first_chunk_mut::<TILE>() {
                // A known length: the sums stay in registers.
                let mut registers = *sums;
                let mut add = |x: &[f32; TILE], weight: f32| {
                    for (sum, x) in registers.iter_mut().zip(x) {
                        *sum += x * weight;
                    }
                };
                let weights = weights.iter().copied();
                if stride == TILE {
                    let terms = seen.as_chunks::<TILE>().0.iter().zip(weights);
                    terms.for_each(|(x, weight)| add(x, weight));
                } else {
                    let terms = seen.chunks_exact(stride).zip(weights);
                    terms.for_each(|(x, weight)| {
                        x.first_chunk().into_iter().for_each(|x| add(x, weight))
                    });
                }
                *sums = registers;
                continue;
            }
            for (x, weight) in seen.chunks_exact(stride).zip(weights) {
                for (sum, x) in sums.iter_mut().zip(&x[..width]) {
                    *sum += x * weight;
                }
            }
        }
    }
}

/// Outputs one after another, `[channels, positions]`.
pub(crate) struct InOrder<'a> {
    /// Where they go.
    pub out: &'a mut [f32],
    /// Number of positions.
    pub positions: usize,
}

impl Place for InOrder<'_> {
    #[inline(always)]
    fn put(&mut self, channel: usize, first: usize, count: usize, sums: &[f32], width: usize) {
        let outputs = self.out.chunks_exact_mut(self.positions).skip(channel);
        for (out, sums) in outputs.zip(sums.chunks_exact(width)) {
            out[first..first + count].copy_from_slice(&sums[..count]);
        }
    }
}

/// A part of the outputs of a picture: every `step`-th row and column from `start` on.
pub(crate) struct Spread<'a> {
    /// Where they go, `[channels, rows, columns, lanes]`.
    pub out: &'a mut [f32],
    /// Rows and columns of the picture.
    pub picture: [usize; 2],
    /// The first row and column.
    pub start: [usize; 2],
    /// Rows and columns from one to the next.
    pub step: [usize; 2],
    /// Number of columns in the part.
    pub columns: usize,
    /// Number of lanes.
    pub lanes: usize,
}

impl Place for Spread<'_> {
    #[inline(always)]
    fn put(&mut self, channel: usize, first: usize, count: usize, sums: &[f32], width: usize) {
        let Self { lanes, step, .. } = *self;
        let [rows, columns] = self.picture;
        let row_len = self.columns * lanes;
        let mut done = 0;
        while done < count {
            let (row, at) = ((first + done) / row_len, (first + done) % row_len);
            let line = (self.start[0] + row * step[0]) * columns;
            let (column, lane) = (at / lanes, at % lanes);
            let to = (line + self.start[1] + column * step[1]) * lanes + lane;
            // Of one lane a whole row's values, else those of a column.
            let (len, step) = match lanes {
                1 => ((count - done).min(row_len - at), step[1]),
                _ => ((count - done).min(lanes - lane), 1),
            };
            let outputs = self.out.chunks_exact_mut(rows * columns * lanes);
            for (out, sums) in outputs.skip(channel).zip(sums.chunks_exact(width)) {
                let sums = &sums[done..done + len];
                if step == 1 {
                    out[to..to + len].copy_from_slice(sums);
                } else {
                    for (out, sum) in out[to..].iter_mut().step_by(step).zip(sums) {
                        *out = *sum;
                    }
                }
            }
            done += len;
        }
    }
}
