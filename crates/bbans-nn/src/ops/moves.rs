//! Values that change their places alone.

use std::fmt;

use crate::exact::simd::Path;
use crate::ops::Kernel;

/// Output feature `f` is feature `of(f)` of the input with number `input(f)`.
pub(super) struct Moves<F> {
    /// From a feature of the output to an input's number and a feature of it.
    pub from: F,
}

impl<F> fmt::Debug for Moves<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Moves")
    }
}

impl<F: Fn(usize) -> (usize, usize) + Send + Sync> Kernel for Moves<F> {
    fn keeps_finite(&self) -> bool {
        true
    }

    fn run(&self, _: Path, inputs: &[&[f32]], lanes: usize, out: &mut [f32]) {
        let features = out.len() / lanes.max(1);
        let mut first = 0;
        while first < features {
            let (input, from) = (self.from)(first);
            // What lies together in both is one copy.
            let mut end = first + 1;
            while end < features && (self.from)(end) == (input, from + end - first) {
                end += 1;
            }
            let x = &inputs[input][from * lanes..(from + end - first) * lanes];
            out[first * lanes..end * lanes].copy_from_slice(x);
            first = end;
        }
    }
}
