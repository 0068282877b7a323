//! Functions of one number, on every value by itself.

use std::fmt::Debug;

use crate::exact::simd::Path;
use crate::file::Tensor;
use crate::ops::{Kernel, Operation, Shape, shapes};
use bbans_core::Result;

/// A function of one number; the output has the input's shape.
pub trait Elementwise: Debug + Clone + Send + Sync + 'static {
    /// Whether a finite number always gives a finite one.
    const KEEPS_FINITE: bool = true;

    /// Checks the attributes.
    ///
    /// # Errors
    /// If one is out of its range.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The function, exactly specified.
    fn map(&self, x: f32) -> f32;
}

impl<E: Elementwise> Operation for E {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        self.check()?;
        shapes::one(inputs).map(<[usize]>::to_vec)
    }

    fn kernel(&self, inputs: &[&[usize]], _: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        self.output(inputs)?;
        Ok(Box::new(Map(self.clone())))
    }
}

#[derive(Debug)]
struct Map<E>(E);

impl<E: Elementwise> Kernel for Map<E> {
    fn keeps_finite(&self) -> bool {
        E::KEEPS_FINITE
    }

    fn run(&self, path: Path, inputs: &[&[f32]], _: usize, out: &mut [f32]) {
        let [x] = inputs else { return };
        path.vectorize(
            #[inline(always)]
            || {
                for (y, &x) in out.iter_mut().zip(*x) {
                    *y = self.0.map(x);
                }
            },
        );
    }

    fn run_in_place(&self, path: Path, values: &mut [f32]) -> bool {
        path.vectorize(
            #[inline(always)]
            || values.iter_mut().for_each(|v| *v = self.0.map(*v)),
        );
        true
    }
}
