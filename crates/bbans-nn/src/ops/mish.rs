//! A smooth rectifier that dips below 0.

use serde::{Deserialize, Serialize};

use crate::exact::math;
use crate::ops::elementwise::Elementwise;

/// `x tanh(softplus(x))` (Misra 2020).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mish {}

impl Elementwise for Mish {
    #[inline(always)]
    fn map(&self, x: f32) -> f32 {
        x * math::tanh(math::softplus(x))
    }
}

#[cfg(test)]
mod tests {
    use crate::exact::math;
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        laws::check(&Op::Mish(super::Mish {}), &[&[3, 5, 4]], |x, _| {
            let mish = |&x: &f32| x * math::tanh(math::softplus(x));
            x[0].iter().map(mish).collect()
        });
    }
}
