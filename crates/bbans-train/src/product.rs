//! The two products that training consists of, and sums, over rows of numbers that lie anywhere in a buffer:
//! rows may overlap, so that a pixel's neighbours are the same row from another place on.

use pulp::{Arch, Simd, WithSimd};

/// Rows of one length: where each begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) starts: &'a [usize],
}

/// Part of a matrix, row after row: its first element and the distance from a row to the next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) stride: usize,
}

/// Adds `sum_k w[k, n] x[k]` to row `n` of `out` for all `n < count`; rows are `length` long.
pub(crate) fn add_sums(
    x: Rows<'_>,
    w: Matrix<'_>,
    out: &mut [f32],
    out_starts: &[usize],
    length: usize,
) {
    Arch::new().dispatch(Sums {
        x,
        w,
        out,
        out_starts,
        length,
    });
}

/// Adds the scalar product of row `k` of `x` and row `n` of `y` to element `[k, n]` of `out`, whose
/// rows are `stride` apart; rows are `length` long.
pub(crate) fn add_scalar_products(
    x: Rows<'_>,
    y: Rows<'_>,
    length: usize,
    out: &mut [f32],
    stride: usize,
) {
    Arch::new().dispatch(Products {
        x,
        y,
        length,
        out,
        stride,
    });
}

struct Sums<'a> {
    x: Rows<'a>,
    w: Matrix<'a>,
    out: &'a mut [f32],
    out_starts: &'a [usize],
    length: usize,
}

/// Rows whose part stays in the nearest cache while all sums use it.
const RUN: usize = 96;

impl WithSimd for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let vector = S::F32_LANES;
        let wide = vector == 16;
        let whole = self.length / vector * vector;
        let mut first = 0;
        while first < self.x.starts.len() {
            let run = first..self.x.starts.len().min(first + RUN);
            let mut at = 0;
            while at < whole {
                let vectors = match (whole - at) / vector {
                    4.. if wide => 4,
                    2.. => 2,
                    _ => 1,
                };
                let mut n = 0;
                while n < self.out_starts.len() {
                    let height = match self.out_starts.len() - n {
                        6 | 7 | 9.. => 6,
                        4.. => 4,
                        _ => 1,
                    };
                    let run = run.clone();
                    match (height, vectors) {
                        (6, 4) => self.tile::<S, 6, 4>(simd, run, at, n),
                        (6, 2) => self.tile::<S, 6, 2>(simd, run, at, n),
                        (6, _) => self.tile::<S, 6, 1>(simd, run, at, n),
                        (4, 4) => self.tile::<S, 4, 4>(simd, run, at, n),
                        (4, 2) => self.tile::<S, 4, 2>(simd, run, at, n),
                        (4, _) => self.tile::<S, 4, 1>(simd, run, at, n),
                        (_, 4) => self.tile::<S, 1, 4>(simd, run, at, n),
                        (_, 2) => self.tile::<S, 1, 2>(simd, run, at, n),
                        (_, _) => self.tile::<S, 1, 1>(simd, run, at, n),
                    }
                    n += height;
                }
                at += vectors * vector;
            }
            first = run.end;
        }
        for (n, &to) in self.out_starts.iter().enumerate() {
            for at in whole..self.length {
                let term = |(k, &x): (usize, &usize)| {
                    self.x.values[x + at] * self.w.values[k * self.w.stride + n]
                };
                self.out[to + at] += self.x.starts.iter().enumerate().map(term).sum::<f32>();
            }
        }
    }
}

impl Sums<'_> {
    /// `ROWS` sums over `VECTORS` vectors, in registers.
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &mut self,
        simd: S,
        run: std::ops::Range<usize>,
        at: usize,
        n: usize,
    ) {
        let width = VECTORS * S::F32_LANES;
        // Everything about the sums has a known length, so that they stay in registers.
        let starts: [usize; ROWS] = std::array::from_fn(|r| self.out_starts[n + r] + at);
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        for r in 0..ROWS {
            let (out, _) = S::as_simd_f32s(&self.out[starts[r]..][..width]);
            sums[r] = std::array::from_fn(|v| out[v]);
        }
        let w = self.w.values[run.start * self.w.stride + n..].chunks(self.w.stride);
        for (&start, w) in self.x.starts[run].iter().zip(w) {
            // A panic here would keep the sums in memory.
            let from = start + at;
            let (Some(x), Some(w)) = (self.x.values.get(from..from + width), w.get(..ROWS)) else {
                continue;
            };
            let (x, _) = S::as_simd_f32s(x);
            for r in 0..ROWS {
                let w = simd.splat_f32s(w[r]);
                for v in 0..VECTORS {
                    sums[r][v] = simd.mul_add_f32s(x[v], w, sums[r][v]);
                }
            }
        }
        for r in 0..ROWS {
            let (out, _) = S::as_mut_simd_f32s(&mut self.out[starts[r]..][..width]);
            out.copy_from_slice(&sums[r]);
        }
    }
}

struct Products<'a> {
    x: Rows<'a>,
    y: Rows<'a>,
    length: usize,
    out: &'a mut [f32],
    stride: usize,
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        // Parts of the rows of a tile, and of all its columns, that stay in the nearest cache.
        for first in (0..self.length).step_by(PART) {
            self.part(simd, first..self.length.min(first + PART));
        }
    }
}

/// Length of a part.
const PART: usize = 448;

impl<'a> Products<'a> {
    #[inline(always)]
    fn part<S: Simd>(&mut self, simd: S, part: std::ops::Range<usize>) {
        let wide = S::F32_LANES == 16;
        let mut k = 0;
        while k < self.x.starts.len() {
            let rows = match self.x.starts.len() - k {
                6.. if wide => 6,
                3.. => 3,
                _ => 1,
            };
            let mut n = 0;
            while n < self.y.starts.len() {
                let columns = match self.y.starts.len() - n {
                    4.. => 4,
                    _ => 1,
                };
                match (rows, columns) {
                    (6, 4) => self.tile::<S, 6, 4>(simd, k, n, &part),
                    (6, _) => self.tile::<S, 6, 1>(simd, k, n, &part),
                    (3, 4) => self.tile::<S, 3, 4>(simd, k, n, &part),
                    (3, _) => self.tile::<S, 3, 1>(simd, k, n, &part),
                    (_, 4) => self.tile::<S, 1, 4>(simd, k, n, &part),
                    (_, _) => self.tile::<S, 1, 1>(simd, k, n, &part),
                }
                n += columns;
            }
            k += rows;
        }
    }

    /// `ROWS` by `COLUMNS` scalar products, in registers.
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const COLUMNS: usize>(
        &mut self,
        simd: S,
        k: usize,
        n: usize,
        part: &std::ops::Range<usize>,
    ) {
        let count = part.len() / S::F32_LANES;
        let row = |rows: &Rows<'a>, i: usize| &rows.values[rows.starts[i]..][part.clone()];
        let x: [&[f32]; ROWS] = std::array::from_fn(|i| row(&self.x, k + i));
        let y: [&[f32]; COLUMNS] = std::array::from_fn(|j| row(&self.y, n + j));
        let vectors = |row: &'a [f32]| &S::as_simd_f32s(row).0[..count];
        let (x_vectors, y_vectors) = (x.map(vectors), y.map(vectors));
        let mut sums = [[simd.splat_f32s(0.0); COLUMNS]; ROWS];
        for v in 0..count {
            let y: [S::f32s; COLUMNS] = std::array::from_fn(|j| y_vectors[j][v]);
            for r in 0..ROWS {
                let x = x_vectors[r][v];
                for c in 0..COLUMNS {
                    sums[r][c] = simd.mul_add_f32s(x, y[c], sums[r][c]);
                }
            }
        }
        let first = count * S::F32_LANES;
        for (i, sums) in sums.iter().enumerate() {
            let out = &mut self.out[(k + i) * self.stride + n..][..COLUMNS];
            for (j, (out, &sum)) in out.iter_mut().zip(sums).enumerate() {
                let rest = x[i][first..].iter().zip(&y[j][first..]).map(|(x, y)| x * y);
                *out += simd.reduce_sum_f32s(sum) + rest.sum::<f32>();
            }
        }
    }
}

/// In 16 parts, which the compiler adds side by side.
#[inline(always)]
pub(crate) fn sum(values: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let parts = values.chunks_exact(16);
    let rest: f32 = parts.remainder().iter().sum();
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(sum, v)| *sum += v);
    }
    rest + sums.iter().sum::<f32>()
}

/// The sum of the products, likewise.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let parts = a.chunks_exact(16).zip(b.chunks_exact(16));
    let done = a.len() / 16 * 16;
    let rest: f32 = a[done..].iter().zip(&b[done..]).map(|(a, b)| a * b).sum();
    for (a, b) in parts {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    rest + sums.iter().sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_products_are_sums_of_products() {
        let draw = |n: usize, seed: usize| -> Vec<f32> {
            (0..n)
                .map(|i| ((i * 7919 + seed * 131) % 1000) as f32 / 500.0 - 1.0)
                .collect()
        };
        for (rows, columns, length) in [(1, 1, 1), (13, 15, 150), (100, 6, 80), (7, 29, 17)] {
            // Rows that overlap.
            let starts: Vec<usize> = (0..rows).map(|k| 3 * k % 40).collect();
            let values = draw(40 + length, 1);
            let x = Rows {
                values: &values,
                starts: &starts,
            };
            let element = |k: usize, i: usize| f64::from(values[starts[k] + i]);
            let (w, stride) = (draw(rows * (columns + 2), 2), columns + 2);
            let y_starts: Vec<usize> = (0..columns).map(|n| n * length).collect();

            let before = draw(columns * length, 3);
            let mut out = before.clone();
            let matrix = Matrix { values: &w, stride };
            add_sums(x, matrix, &mut out, &y_starts, length);
            for (at, &found) in out.iter().enumerate() {
                let (n, i) = (at / length, at % length);
                let term = |k: usize| element(k, i) * f64::from(w[k * stride + n]);
                let expected = f64::from(before[at]) + (0..rows).map(term).sum::<f64>();
                assert!((f64::from(found) - expected).abs() < 1e-3);
            }

            let mut out = w.clone();
            let y = Rows {
                values: &before,
                starts: &y_starts,
            };
            add_scalar_products(x, y, length, &mut out, stride);
            for (at, &found) in out.iter().enumerate() {
                let (k, n) = (at / stride, at % stride);
                let term = |i: usize| element(k, i) * f64::from(before[n * length + i]);
                let added = if n < columns {
                    (0..length).map(term).sum::<f64>()
                } else {
                    0.0
                };
                assert!((f64::from(found) - f64::from(w[at]) - added).abs() < 1e-3);
            }
        }
    }
}
