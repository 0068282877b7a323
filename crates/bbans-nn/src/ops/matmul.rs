//! Product of two matrices of a datum.

use serde::{Deserialize, Serialize};

use crate::exact::simd::Path;
use crate::file::Tensor;
use crate::ops::{Kernel, Operation, Shape, shapes};
use bbans_core::{Error, Result};

/// `[rows, inner]` by `[inner, columns]` to `[rows, columns]`: from +0 on, `y = y + a b`, inner ascending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matmul {}

/// Rows, inner size and columns.
fn sizes(inputs: &[&[usize]]) -> Result<[usize; 3]> {
    match inputs {
        &[&[rows, inner], &[same, columns]] if inner == same => Ok([rows, inner, columns]),
        _ => Err(Error::model(format!(
            "inputs of shapes {inputs:?}; expected [rows, inner] and [inner, columns]"
        ))),
    }
}

impl Operation for Matmul {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        let [rows, _, columns] = sizes(inputs)?;
        shapes::checked(vec![rows, columns])
    }

    fn multiply_adds(&self, inputs: &[&[usize]]) -> u64 {
        shapes::product(&sizes(inputs).unwrap_or_default())
    }

    fn kernel(&self, inputs: &[&[usize]], _: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        self.output(inputs)?;
        let [_, inner, columns] = sizes(inputs)?;
        Ok(Box::new(Product { inner, columns }))
    }
}

#[derive(Debug)]
struct Product {
    inner: usize,
    columns: usize,
}

impl Kernel for Product {
    fn run(&self, path: Path, inputs: &[&[f32]], lanes: usize, out: &mut [f32]) {
        let ([a, b], 1..) = (inputs, lanes) else {
            return;
        };
        path.vectorize(
            #[inline(always)]
            || {
                let rows = a.chunks_exact(self.inner * lanes);
                for (a, out) in rows.zip(out.chunks_exact_mut(self.columns * lanes)) {
                    out.fill(0.0);
                    let terms = a
                        .chunks_exact(lanes)
                        .zip(b.chunks_exact(self.columns * lanes));
                    for (a, b) in terms {
                        if let &[a] = a {
                            for (y, b) in out.iter_mut().zip(b) {
                                *y += a * b;
                            }
                            continue;
                        }
                        for (out, b) in out.chunks_exact_mut(lanes).zip(b.chunks_exact(lanes)) {
                            for ((y, a), b) in out.iter_mut().zip(a).zip(b) {
                                *y += a * b;
                            }
                        }
                    }
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        laws::check(&Op::Matmul(Matmul {}), &[&[3, 20], &[20, 7]], |x, _| {
            let of = |(i, j): (usize, usize)| {
                (0..20).fold(0.0f32, |y, k| y + x[0][i * 20 + k] * x[1][k * 7 + j])
            };
            (0..3)
                .flat_map(|i| (0..7).map(move |j| (i, j)))
                .map(of)
                .collect()
        });
        assert!(Matmul {}.output(&[&[3, 4], &[3, 4]]).is_err());
    }
}
