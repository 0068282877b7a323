//! What computes an operation.

use std::fmt::Debug;
use std::ops::Range;

use crate::exact::simd::Path;

/// Computes an operation on values `[features, lanes]` of at least one lane. A lane depends on nothing but
/// itself.
pub trait Kernel: Debug + Send + Sync {
    /// The output, all of `out`, on inputs of the shapes that the kernel was made for.
    fn run(&self, path: Path, inputs: &[&[f32]], lanes: usize, out: &mut [f32]);

    /// Whether finite inputs always give finite outputs.
    fn keeps_finite(&self) -> bool {
        false
    }

    /// The same on data, `[lanes, features]`, most of which are zero; false if it has no way of its own.
    fn run_bytes(&self, path: Path, data: &[u8], lanes: usize, out: &mut [f32]) -> bool {
        let _ = (path, data, lanes, out);
        false
    }

    /// The same on the only input in parts that stand one after another; false if it has no way of its own.
    fn run_parts(&self, path: Path, parts: &[&[f32]], lanes: usize, out: &mut [f32]) -> bool {
        let _ = (path, parts, lanes, out);
        false
    }

    /// Whether it computes a range of its outputs alone.
    fn has_ranges(&self) -> bool {
        false
    }

    /// A range of the outputs into `out`, if [`Kernel::has_ranges`].
    fn run_range(
        &self,
        path: Path,
        inputs: &[&[f32]],
        lanes: usize,
        range: Range<usize>,
        out: &mut [f32],
    ) {
        let _ = (path, inputs, lanes, range, out);
    }

    /// The output in the place of the only input; false if it has no way of its own.
    fn run_in_place(&self, path: Path, values: &mut [f32]) -> bool {
        let _ = (path, values);
        false
    }
}
