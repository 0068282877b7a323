//! A layer on many columns, such as all positions of a batch, as one operation.
//!
//! Rows of many columns lie a multiple of a page apart, where a cache has room for few of them: some columns at a time
//! are put together first.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::slice;
use crate::lanes::transposed;
use crate::product::{self, Matrix, Rows, add_scalar_products, add_sums};

/// Columns that are put together.
const BLOCK: usize = 512;
/// From one row of them to the next.
const STRIDE: usize = BLOCK + 16;

/// `w^T x + b`: `x` `[inputs, columns]`, `w` `[inputs, outputs]`, `b` `[outputs]`.
pub(super) struct Affine;

/// Some columns of rows, side by side.
struct Packed {
    values: Vec<f32>,
    starts: Vec<usize>,
}

impl Packed {
    fn new(rows: usize) -> Self {
        Self {
            values: vec![0.0; rows * STRIDE],
            starts: (0..rows).map(|row| row * STRIDE).collect(),
        }
    }

    fn load(&mut self, from: &[f32], columns: usize, part: Range<usize>) {
        for (to, from) in self
            .values
            .chunks_exact_mut(STRIDE)
            .zip(from.chunks_exact(columns))
        {
            to[..part.len()].copy_from_slice(&from[part.clone()]);
        }
    }

    fn store(&self, to: &mut [f32], columns: usize, part: Range<usize>) {
        for (from, to) in self
            .values
            .chunks_exact(STRIDE)
            .zip(to.chunks_exact_mut(columns))
        {
            to[part.clone()].copy_from_slice(&from[..part.len()]);
        }
    }

    fn rows(&self) -> Rows<'_> {
        Rows {
            values: &self.values,
            starts: &self.starts,
        }
    }

    /// Sets every row to a number.
    fn fill(&mut self, numbers: impl Iterator<Item = f32>) {
        for (row, number) in self.values.chunks_exact_mut(STRIDE).zip(numbers) {
            row.fill(number);
        }
    }
}

fn blocks(columns: usize) -> impl Iterator<Item = Range<usize>> {
    let firsts = (0..columns).step_by(BLOCK);
    firsts.map(move |first| first..columns.min(first + BLOCK))
}

/// `out = w^T x + b`, of rows of `columns`.
fn forward(x: &[f32], w: &[f32], b: &[f32], columns: usize) -> Vec<f32> {
    let outputs = b.len();
    let inputs = w.len() / outputs;
    let mut out = vec![0.0; outputs * columns];
    let (mut from, mut to) = (Packed::new(inputs), Packed::new(outputs));
    let matrix = Matrix {
        values: w,
        stride: outputs,
    };
    for part in blocks(columns) {
        from.load(x, columns, part.clone());
        to.fill(b.iter().copied());
        let starts = to.starts.clone();
        add_sums(from.rows(), matrix, &mut to.values, &starts, part.len());
        to.store(&mut out, columns, part);
    }
    out
}

impl CustomOp3 for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, w, b) = (
            slice(x, x_layout)?,
            slice(w, w_layout)?,
            slice(b, b_layout)?,
        );
        let [rows, columns] = *x_layout.dims() else {
            bail!("a layer on other than rows of columns");
        };
        if b.is_empty() || w.len() != rows * b.len() {
            bail!("a layer of {} weights on {rows} rows", w.len());
        }
        let out = forward(x, w, b, columns);
        Ok((CpuStorage::F32(out), Shape::from((b.len(), columns))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _: &Tensor,
        by: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (inputs, columns) = x.dims2()?;
        let outputs = b.elem_count();
        let by = by.contiguous()?;
        let (by_x, by_w, by_b) = super::slices(&[x, w, &by], |all| {
            let (x, w, by) = (all[0], all[1], all[2]);
            let turned = transposed(w, inputs, outputs);
            let by_x = forward(by, &turned, &vec![0.0; inputs], columns);
            let mut by_w = vec![0.0; inputs * outputs];
            let (mut of_x, mut of_by) = (Packed::new(inputs), Packed::new(outputs));
            for part in blocks(columns) {
                of_x.load(x, columns, part.clone());
                of_by.load(by, columns, part.clone());
                add_scalar_products(of_x.rows(), of_by.rows(), part.len(), &mut by_w, outputs);
            }
            let by_b: Vec<f32> = by.chunks_exact(columns).map(product::sum).collect();
            Ok((by_x, by_w, by_b))
        })?;
        let tensor = |values, like: &Tensor| Tensor::from_vec(values, like.shape(), like.device());
        Ok((
            Some(tensor(by_x, x)?),
            Some(tensor(by_w, w)?),
            Some(tensor(by_b, b)?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    /// Against the same in candle's own operations, of columns that blocks do not divide.
    #[test]
    fn values_and_derivatives_are_those_of_a_product() {
        let draw = |n: usize, seed: usize| -> Vec<f32> {
            (0..n)
                .map(|i| ((i * 7919 + seed * 104_729) % 1000) as f32 / 500.0 - 1.0)
                .collect()
        };
        for (inputs, outputs, columns) in [(1, 1, 1030), (5, 3, 512), (13, 20, 2049)] {
            let var = |n: usize, shape: &[usize], seed| {
                Var::from_tensor(&Tensor::from_vec(draw(n, seed), shape, &Device::Cpu).unwrap())
                    .unwrap()
            };
            let x = var(inputs * columns, &[inputs, columns], 1);
            let w = var(inputs * outputs, &[inputs, outputs], 2);
            let b = var(outputs, &[outputs], 3);
            let factor =
                Tensor::from_vec(draw(outputs * columns, 4), (outputs, columns), &Device::Cpu)
                    .unwrap();
            let ours = x.apply_op3(&w, &b, Affine).unwrap();
            let theirs = x
                .t()
                .unwrap()
                .matmul(&w)
                .unwrap()
                .broadcast_add(&b)
                .unwrap()
                .t()
                .unwrap();
            let of = |y: &Tensor| {
                let loss = (y * &factor).unwrap().sum_all().unwrap();
                let by = loss.backward().unwrap();
                [&x, &w, &b].map(|v| {
                    by.get(v)
                        .unwrap()
                        .flatten_all()
                        .unwrap()
                        .to_vec1::<f32>()
                        .unwrap()
                })
            };
            let flat = |y: &Tensor| {
                y.contiguous()
                    .unwrap()
                    .flatten_all()
                    .unwrap()
                    .to_vec1::<f32>()
                    .unwrap()
            };
            let pairs = std::iter::once((flat(&ours), flat(&theirs)))
                .chain(of(&ours).into_iter().zip(of(&theirs)));
            for (ours, theirs) in pairs {
                for (a, b) in ours.iter().zip(&theirs) {
                    assert!((a - b).abs() < 1e-3 * (1.0 + b.abs()), "{a} {b}");
                }
            }
        }
    }
}
