//! The rectifier.

use serde::{Deserialize, Serialize};

use crate::exact::math;
use crate::ops::elementwise::Elementwise;

/// `x > 0 ? x : +0`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relu {}

impl Elementwise for Relu {
    #[inline(always)]
    fn map(&self, x: f32) -> f32 {
        math::relu(x)
    }
}

#[cfg(test)]
mod tests {
    use crate::exact::math;
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        laws::check(&Op::Relu(super::Relu {}), &[&[3, 5, 4]], |x, _| {
            x[0].iter().map(|&x| math::relu(x)).collect()
        });
    }
}
