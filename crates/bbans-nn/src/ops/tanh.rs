//! Hyperbolic tangent.

use serde::{Deserialize, Serialize};

use crate::exact::math;
use crate::ops::elementwise::Elementwise;

/// Hyperbolic tangent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tanh {}

impl Elementwise for Tanh {
    #[inline(always)]
    fn map(&self, x: f32) -> f32 {
        math::tanh(x)
    }
}

#[cfg(test)]
mod tests {
    use crate::exact::math;
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        laws::check(&Op::Tanh(super::Tanh {}), &[&[3, 5, 4]], |x, _| {
            x[0].iter().map(|&x| math::tanh(x)).collect()
        });
    }
}
