//! The smooth rectifier.

use serde::{Deserialize, Serialize};

use crate::exact::math;
use crate::ops::elementwise::Elementwise;

/// `ln(1 + e^x)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Softplus {}

impl Elementwise for Softplus {
    #[inline(always)]
    fn map(&self, x: f32) -> f32 {
        math::softplus(x)
    }
}

#[cfg(test)]
mod tests {
    use crate::exact::math;
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        laws::check(&Op::Softplus(super::Softplus {}), &[&[3, 5, 4]], |x, _| {
            x[0].iter().map(|&x| math::softplus(x)).collect()
        });
    }
}
