//! Arithmetic with a fixed order of `f32` operations: the same bits on every SIMD path.

pub(crate) mod dense;
mod lines;
pub mod math;
mod product;
pub mod simd;
mod sparse;
pub(crate) mod windows;
