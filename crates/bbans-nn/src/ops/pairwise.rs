//! Functions of two numbers, of two values of the same shape.

use std::fmt;

use crate::exact::simd::Path;
use crate::ops::Kernel;

/// `y = f(a, b)`, number by number.
pub(super) struct Pairwise<F>(pub F);

impl<F> fmt::Debug for Pairwise<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pairwise")
    }
}

impl<F: Fn(f32, f32) -> f32 + Send + Sync> Kernel for Pairwise<F> {
    fn run(&self, path: Path, inputs: &[&[f32]], _: usize, out: &mut [f32]) {
        let [a, b] = inputs else { return };
        path.vectorize(
            #[inline(always)]
            || {
                for ((y, &a), &b) in out.iter_mut().zip(*a).zip(*b) {
                    *y = (self.0)(a, b);
                }
            },
        );
    }
}
