//! The exponential function.

use serde::{Deserialize, Serialize};

use crate::exact::math;
use crate::ops::elementwise::Elementwise;

/// `e^x`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exp {}

impl Elementwise for Exp {
    #[inline(always)]
    fn map(&self, x: f32) -> f32 {
        math::exp(x)
    }
}

#[cfg(test)]
mod tests {
    use crate::exact::math;
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        laws::check(&Op::Exp(super::Exp {}), &[&[3, 5, 4]], |x, _| {
            x[0].iter().map(|&x| math::exp(x)).collect()
        });
    }
}
