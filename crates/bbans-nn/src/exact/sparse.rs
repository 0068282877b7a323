//! The first dense layer on data, most of which are zero: the same sums without the terms whose input
//! is zero, which add +0 or -0 to a sum that is never -0.

use ndarray::{Array2, ArrayView2};
use pulp::{Simd, WithSimd};

use crate::exact::dense::{Dense, PANEL, check_finite};
use crate::exact::simd::Path;
use bbans_core::Result;

impl Dense {
    /// The layer on data `x`, `[lanes, inputs]`, most of which are zero; gives `[outputs, lanes]`.
    ///
    /// # Errors
    /// If `x` has another width, or a result is infinite or NaN.
    pub fn forward_bytes(&self, path: Path, x: ArrayView2<'_, u8>) -> Result<Array2<f32>> {
        let (lanes, inputs) = x.dim();
        self.check_inputs(inputs)?;
        let x = x.as_standard_layout();
        let mut y = Array2::zeros((self.outputs(), lanes));
        if let (Some(x), Some(out), 1..) = (x.as_slice(), y.as_slice_mut(), lanes) {
            self.product_of_bytes(path, x, lanes, out);
            check_finite(path, out)?;
        }
        Ok(y)
    }

    /// All outputs on data that fit, `[lanes, inputs]`.
    pub(crate) fn product_of_bytes(&self, path: Path, x: &[u8], lanes: usize, out: &mut [f32]) {
        path.run(Forward {
            layer: self,
            x,
            lanes,
            out,
        });
    }
}

struct Forward<'a> {
    layer: &'a Dense,
    /// `[lanes, inputs]`.
    x: &'a [u8],
    lanes: usize,
    /// `[outputs, lanes]`.
    out: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Sums of one datum, side by side in registers: as many panels as fit.
        let ones = self.x.iter().fold(0, |greatest, &v| v.max(greatest)) <= 1;
        match (S::F32_LANES, ones) {
            (16, true) => forward::<S, Ones, 4>(simd, self),
            (16, false) => forward::<S, Values, 4>(simd, self),
            (_, true) => forward::<S, Ones, 2>(simd, self),
            (_, false) => forward::<S, Values, 2>(simd, self),
        }
    }
}

/// An input that is not zero.
trait Active: Copy {
    fn new(index: usize, value: u8) -> Self;
    fn index(self) -> usize;
    /// The input times a weight.
    fn times<S: Simd>(self, simd: S, weight: S::f32s) -> S::f32s;
}

/// An input that is 1: its product is the weight.
#[derive(Clone, Copy)]
struct Ones(u32);

impl Active for Ones {
    #[inline(always)]
    fn new(index: usize, _: u8) -> Self {
        Self(index as u32)
    }

    #[inline(always)]
    fn index(self) -> usize {
        self.0 as usize
    }

    #[inline(always)]
    fn times<S: Simd>(self, _: S, weight: S::f32s) -> S::f32s {
        weight
    }
}

/// An input of any value.
#[derive(Clone, Copy)]
struct Values(u32, f32);

impl Active for Values {
    #[inline(always)]
    fn new(index: usize, value: u8) -> Self {
        Self(index as u32, f32::from(value))
    }

    #[inline(always)]
    fn index(self) -> usize {
        self.0 as usize
    }

    #[inline(always)]
    fn times<S: Simd>(self, simd: S, weight: S::f32s) -> S::f32s {
        simd.mul_f32s(simd.splat_f32s(self.1), weight)
    }
}

/// Bytes of weights that stay in the first-level cache while all data use them.
const CACHED: usize = 28 << 10;

/// `PANELS` panels at a time, over a run of inputs whose weights stay in the cache, datum by datum.
#[inline(always)]
fn forward<S: Simd, A: Active, const PANELS: usize>(simd: S, task: Forward<'_>) {
    let Forward {
        layer,
        x,
        lanes,
        out,
    } = task;
    let inputs = layer.inputs();
    let (mut active, mut starts) = (Vec::with_capacity(x.len() / 4), Vec::with_capacity(lanes));
    for row in x.chunks_exact(inputs) {
        starts.push(active.len());
        push_active::<A>(row, &mut active);
        // Ends every run.
        active.push(A::new(usize::MAX, 0));
    }
    let run = (CACHED / (PANELS * PANEL * 4)).min(inputs);
    let panels = layer.outputs().div_ceil(PANEL);
    let mut sums = vec![[[0.0f32; PANEL]; PANELS]; lanes];
    for first in (0..panels).step_by(PANELS) {
        // Past the last panel that one again: some values are computed twice.
        let pass: [usize; PANELS] = std::array::from_fn(|i| (first + i).min(panels - 1));
        let weights = pass.map(|panel| layer.panel(panel));
        for sums in &mut sums {
            for (sums, panel) in sums.iter_mut().zip(pass) {
                sums.copy_from_slice(layer.bias(panel));
            }
        }
        let mut next = starts.clone();
        for start in (0..inputs).step_by(run) {
            let end = start + run;
            for (sums, next) in sums.iter_mut().zip(&mut next) {
                *next += add_run(simd, &active[*next..], end, &weights, sums);
            }
        }
        let out = &mut out[first * PANEL * lanes..];
        for (j, out) in out.chunks_exact_mut(lanes).take(PANELS * PANEL).enumerate() {
            for (out, sums) in out.iter_mut().zip(&sums) {
                *out = sums[j / PANEL][j % PANEL];
            }
        }
    }
}

/// Adds the terms of the inputs before `end` to the sums of one datum; returns their number.
#[inline(always)]
fn add_run<S: Simd, A: Active, const PANELS: usize>(
    simd: S,
    active: &[A],
    end: usize,
    weights: &[&[f32]; PANELS],
    sums: &mut [[f32; PANEL]; PANELS],
) -> usize {
    let step = 2 * S::F32_LANES;
    let mut count = 0;
    let mut column = 0;
    while column < PANEL {
        let range = column..column + step;
        let mut registers: [[S::f32s; 2]; PANELS] =
            std::array::from_fn(|p| pair(simd, &sums[p][range.clone()]));
        count = 0;
        for &a in active {
            if a.index() >= end {
                break;
            }
            let line = a.index() * PANEL;
            for (sums, weights) in registers.iter_mut().zip(weights) {
                let w = pair(simd, &weights[line..line + PANEL][range.clone()]);
                for (sum, w) in sums.iter_mut().zip(w) {
                    *sum = simd.add_f32s(*sum, a.times(simd, w));
                }
            }
            count += 1;
        }
        for (sums, registers) in sums.iter_mut().zip(registers) {
            let (sums, _) = S::as_mut_simd_f32s(&mut sums[range.clone()]);
            sums.copy_from_slice(&registers);
        }
        column += step;
    }
    count
}

#[inline(always)]
fn pair<S: Simd>(_: S, values: &[f32]) -> [S::f32s; 2] {
    let (vectors, _) = S::as_simd_f32s(values);
    [vectors[0], vectors[1]]
}

/// Appends the inputs of a row that are not zero.
#[inline(always)]
fn push_active<A: Active>(row: &[u8], active: &mut Vec<A>) {
    let (chunks, rest) = row.as_chunks::<64>();
    let mut last = [0; 64];
    last[..rest.len()].copy_from_slice(rest);
    for (i, bytes) in chunks.iter().chain([&last]).enumerate() {
        let mut set = bits_set(bytes);
        while set != 0 {
            let at = set.trailing_zeros() as usize;
            active.push(A::new(64 * i + at, bytes[at & 63]));
            set &= set - 1;
        }
    }
}

/// Bit `i` says whether byte `i` is not zero.
#[inline(always)]
fn bits_set(bytes: &[u8; 64]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().rev().fold(0, |set, &word| {
        let word = u64::from_le_bytes(word);
        // The top bit of each byte: set if one of its bits is.
        let any = (((word & LOW_7) + LOW_7) | word) & !LOW_7;
        // The product gathers the eight bits in the top byte.
        set << 8 | (any >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
    })
}

const LOW_7: u64 = 0x7f7f_7f7f_7f7f_7f7f;
