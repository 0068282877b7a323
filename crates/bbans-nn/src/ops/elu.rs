//! The exponential linear unit.

use serde::{Deserialize, Serialize};

use crate::exact::math;
use crate::ops::elementwise::Elementwise;

/// `x > 0 ? x : e^x - 1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Elu {}

impl Elementwise for Elu {
    #[inline(always)]
    fn map(&self, x: f32) -> f32 {
        math::elu(x)
    }
}

#[cfg(test)]
mod tests {
    use crate::exact::math;
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        laws::check(&Op::Elu(super::Elu {}), &[&[3, 5, 4]], |x, _| {
            x[0].iter().map(|&x| math::elu(x)).collect()
        });
    }
}
