//! The logistic function.

use serde::{Deserialize, Serialize};

use crate::exact::math;
use crate::ops::elementwise::Elementwise;

/// `1 / (1 + e^-x)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sigmoid {}

impl Elementwise for Sigmoid {
    #[inline(always)]
    fn map(&self, x: f32) -> f32 {
        math::sigmoid(x)
    }
}

#[cfg(test)]
mod tests {
    use crate::exact::math;
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        laws::check(&Op::Sigmoid(super::Sigmoid {}), &[&[3, 5, 4]], |x, _| {
            x[0].iter().map(|&x| math::sigmoid(x)).collect()
        });
    }
}
