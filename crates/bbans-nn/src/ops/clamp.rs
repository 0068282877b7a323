//! Values kept within bounds.

use serde::{Deserialize, Serialize};

use crate::ops::elementwise::Elementwise;
use crate::ops::shapes;
use bbans_core::{Error, Result};

/// From above first: `x = x < max ? x : max; x > min ? x : min`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clamp {
    /// Least value.
    pub min: f32,
    /// Greatest value.
    pub max: f32,
}

impl Elementwise for Clamp {
    fn check(&self) -> Result<()> {
        shapes::finite(&[self.min, self.max])?;
        if self.min > self.max {
            return Err(Error::model(format!(
                "bounds from {} to {}; expected the lower one first",
                self.min, self.max
            )));
        }
        Ok(())
    }

    #[inline(always)]
    fn map(&self, x: f32) -> f32 {
        let x = if x < self.max { x } else { self.max };
        if x > self.min { x } else { self.min }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, Operation, laws};

    #[test]
    fn obeys_the_laws() {
        let clamp = Clamp {
            min: -0.25,
            max: 7.0,
        };
        laws::check(&Op::Clamp(clamp), &[&[3, 5, 4]], |x, _| {
            x[0].iter().map(|x| x.clamp(-0.25, 7.0)).collect()
        });
        assert!(Clamp { min: 1.0, max: 0.0 }.output(&[&[3]]).is_err());
    }
}
