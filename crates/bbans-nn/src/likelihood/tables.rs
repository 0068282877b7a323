//! Likelihoods as tables of integer masses, exactly specified.
//!
//! Each gives a cumulative function `c_0 = 0 <= c_1 <= .. <= c_N` of its symbols `0..N`, not
//! normalised; [`starts`] turns it into masses of at least 1 that sum to `2^24`. All operations are on `f32`, one by
//! one and in a fixed order; docs/format/likelihoods writes them down.

use crate::exact::math;
use crate::likelihood::Tabular;

/// Lanes whose tables are made side by side.
pub const WIDTH: usize = 16;
/// Most symbols.
pub const MAX_LEVELS: usize = 256;

/// Values of [`WIDTH`] lanes.
pub type Lanes = [f32; WIDTH];

/// Cumulative functions of [`WIDTH`] lanes.
pub type Cumulative = [Lanes; MAX_LEVELS + 1];

/// The tables of one dimension: from its parameters, `[parameters, lanes]`, all finite, to
/// `starts`, `[levels + 1, lanes]`, of each lane ascending from 0 to `2^24`, every symbol with a
/// mass of at least 1.
///
/// With the cumulative function `c`: `starts[k] = k + min(2^24 - N, floor(c_k * ((2^24 - N) / c_N)))`
/// for `k < N`.
#[inline(always)]
pub fn starts<L: Tabular>(likelihood: &L, parameters: &[f32], starts: &mut [u32]) {
    let lanes = starts.len() / (likelihood.levels() + 1);
    each(
        likelihood.levels(),
        lanes,
        starts,
        |first, width, cumulative| {
            likelihood.cumulative(|p| row(&parameters[p * lanes..], first, width), cumulative);
        },
    );
}

/// `starts`, `[levels + 1, lanes]`, from the cumulative functions that `fill` makes of `width` lanes from `first` on.
#[inline(always)]
pub fn each(
    levels: usize,
    lanes: usize,
    starts: &mut [u32],
    fill: impl Fn(usize, usize, &mut Cumulative),
) {
    let mut cumulative: Cumulative = [[0.0; WIDTH]; MAX_LEVELS + 1];
    for (first, width) in runs(lanes) {
        fill(first, width, &mut cumulative);
        integers(levels, &cumulative, &mut starts[first..], lanes, width);
    }
}

/// Lanes that are taken side by side: the first of them, and how many, at most [`WIDTH`].
#[inline(always)]
pub fn runs(lanes: usize) -> impl Iterator<Item = (usize, usize)> {
    let firsts = (0..lanes).step_by(WIDTH);
    firsts.map(move |first| (first, WIDTH.min(lanes - first)))
}

/// Some lanes of a row of values.
#[inline(always)]
pub fn row(values: &[f32], first: usize, width: usize) -> Lanes {
    let mut row = [0.0; WIDTH];
    row[..width].copy_from_slice(&values[first..][..width]);
    row
}

/// Cumulative functions to starts; `starts` begins with the first of the lanes.
#[inline(always)]
fn integers(
    levels: usize,
    cumulative: &Cumulative,
    starts: &mut [u32],
    lanes: usize,
    width: usize,
) {
    let spare = ((1 << 24) - levels as i32) as f32;
    let scale = cumulative[levels].map(|c| spare / c);
    for (k, c) in cumulative[..levels].iter().enumerate() {
        let mut row = [0; WIDTH];
        for ((start, c), scale) in row.iter_mut().zip(c).zip(scale) {
            let v = c * scale;
            *start = k as u32 + math::floor(if v < spare { v } else { spare });
        }
        starts[k * lanes..][..width].copy_from_slice(&row[..width]);
    }
    starts[levels * lanes..][..width].fill(1 << 24);
}

/// A cumulative function may not fall; what computes it may, by a unit in the last place.
#[inline(always)]
pub fn ascend(levels: usize, cumulative: &mut Cumulative) {
    for k in 1..=levels {
        let before = cumulative[k - 1];
        for (c, before) in cumulative[k].iter_mut().zip(before) {
            *c = if *c > before { *c } else { before };
        }
    }
}

/// Clamped, first from above.
#[inline(always)]
pub fn clamp(v: f32, [min, max]: [f32; 2]) -> f32 {
    let v = if v < max { v } else { max };
    if v > min { v } else { min }
}
