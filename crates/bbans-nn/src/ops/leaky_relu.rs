//! The rectifier with a slope below 0.

use serde::{Deserialize, Serialize};

use crate::ops::elementwise::Elementwise;
use crate::ops::shapes;
use bbans_core::Result;

/// `x > 0 ? x : x slope`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeakyRelu {
    /// Of the values below 0.
    pub slope: f32,
}

impl Elementwise for LeakyRelu {
    // The slope may be steep.
    const KEEPS_FINITE: bool = false;

    fn check(&self) -> Result<()> {
        shapes::finite(&[self.slope])
    }

    #[inline(always)]
    fn map(&self, x: f32) -> f32 {
        if x > 0.0 { x } else { x * self.slope }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, laws};

    #[test]
    fn obeys_the_laws() {
        let slope = 0.01f32;
        laws::check(
            &Op::LeakyRelu(LeakyRelu { slope }),
            &[&[3, 5, 4]],
            |x, _| {
                let of = |&x: &f32| if x > 0.0 { x } else { x * slope };
                x[0].iter().map(of).collect()
            },
        );
    }
}
