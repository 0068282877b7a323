//! The sigmoid-weighted linear unit.

use serde::{Deserialize, Serialize};

use crate::exact::math;
use crate::ops::elementwise::Elementwise;

/// `x sigmoid(x)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silu {}

impl Elementwise for Silu {
    #[inline(always)]
    fn map(&self, x: f32) -> f32 {
        math::silu(x)
    }
}

#[cfg(test)]
mod tests {
    use crate::exact::math;
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        laws::check(&Op::Silu(super::Silu {}), &[&[3, 5, 4]], |x, _| {
            x[0].iter().map(|&x| math::silu(x)).collect()
        });
    }
}
