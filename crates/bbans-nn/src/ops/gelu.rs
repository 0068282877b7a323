//! The Gaussian error linear unit, `x Phi(x)` (Hendrycks & Gimpel 2016).

use serde::{Deserialize, Serialize};

use crate::exact::math;
use crate::ops::elementwise::Elementwise;

/// `x Phi(x)`, or its approximation by a hyperbolic tangent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gelu {
    /// `0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tanh: bool,
}

impl Elementwise for Gelu {
    #[inline(always)]
    fn map(&self, x: f32) -> f32 {
        if self.tanh {
            math::gelu_tanh(x)
        } else {
            math::gelu(x)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        for tanh in [false, true] {
            let gelu = Gelu { tanh };
            laws::check(&Op::Gelu(gelu.clone()), &[&[3, 5, 4]], |x, _| {
                x[0].iter().map(|&x| gelu.map(x)).collect()
            });
        }
    }
}
