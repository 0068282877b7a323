//! The mean of each channel.

use serde::{Deserialize, Serialize};

use crate::exact::simd::Path;
use crate::file::Tensor;
use crate::ops::sums::sums;
use crate::ops::{Kernel, Operation, Shape, shapes};
use bbans_core::Result;

/// From `[channels, ..]` to `[channels]`: the sum of a channel's values, in the order that norms take, divided by
/// their number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobalMean {}

impl Operation for GlobalMean {
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape> {
        Ok(vec![shapes::first(shapes::one(inputs)?)?])
    }

    fn kernel(&self, inputs: &[&[usize]], _: &[&Tensor]) -> Result<Box<dyn Kernel>> {
        self.output(inputs)?;
        Ok(Box::new(Means(shapes::len(&shapes::one(inputs)?[1..]))))
    }
}

/// Of so many values each.
#[derive(Debug)]
struct Means(usize);

impl Kernel for Means {
    fn run(&self, path: Path, inputs: &[&[f32]], lanes: usize, out: &mut [f32]) {
        let ([x], 1..) = (inputs, lanes) else { return };
        path.vectorize(
            #[inline(always)]
            || {
                let channels = x.chunks_exact(self.0 * lanes);
                for (x, out) in channels.zip(out.chunks_exact_mut(lanes)) {
                    sums(x, out, |x, _| x);
                    out.iter_mut().for_each(|y| *y /= self.0 as f32);
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, laws, sums};

    #[test]
    fn obeys_the_laws() {
        laws::check(&Op::GlobalMean(GlobalMean {}), &[&[3, 7, 6]], |x, _| {
            let mean = |x: &[f32]| sums::definition(x.iter().copied()) / 42.0;
            x[0].chunks(42).map(mean).collect()
        });
    }
}
