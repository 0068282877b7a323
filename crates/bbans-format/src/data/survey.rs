//! What numbers a file has.

use bbans_core::{Error, Result};
use bbans_nn::description::Step;

/// What numbers a file has.
#[derive(Debug, Clone, Default)]
pub(super) struct Survey {
    least: Option<i64>,
    greatest: i64,
    /// Of all numbers above the first one.
    divisor: u64,
    first: i64,
    count: u64,
    /// Values that are no whole numbers, and one of them.
    others: u64,
    other: Vec<u8>,
}

impl Survey {
    pub(super) fn see(&mut self, number: Option<i64>, bytes: &[u8]) {
        self.count += 1;
        let Some(number) = number else {
            self.others += 1;
            self.other = bytes.to_vec();
            return;
        };
        match self.least {
            None => (self.least, self.greatest, self.first) = (Some(number), number, number),
            Some(least) => {
                self.least = Some(least.min(number));
                self.greatest = self.greatest.max(number);
            }
        }
        if self.divisor != 1 {
            self.divisor = gcd(self.divisor, number.abs_diff(self.first));
        }
    }

    /// What symbols can stand for, and how many there are: with few exceptions, all numbers.
    pub(super) fn found(&self) -> Result<(Step, usize)> {
        let Some(lowest) = self.least.filter(|_| self.others <= self.count / 100) else {
            return Err(Error::invalid_argument(match self.count {
                0 => "there are no values".to_owned(),
                count => format!(
                    "{} of {count} values are no whole numbers, such as {}; expected whole numbers: multiply and round \
                     them first, where that loses nothing you need",
                    self.others,
                    shown(&self.other)
                ),
            }));
        };
        let step = self.divisor.max(1);
        let levels = (self.greatest.abs_diff(lowest) / step).saturating_add(1);
        match (u32::try_from(step), usize::try_from(levels)) {
            (Ok(step), Ok(levels)) if levels <= 1 << 16 => Ok((Step { lowest, step }, levels)),
            _ => Err(Error::invalid_argument(format!(
                "the values are from {lowest} to {} in steps of {step}, {levels} of them; expected at most 65,536",
                self.greatest
            ))),
        }
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A floating-point number as it is written.
fn shown(bytes: &[u8]) -> String {
    match *bytes {
        [a, b, c, d] => f32::from_le_bytes([a, b, c, d]).to_string(),
        [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]).to_string(),
        _ => format!("{bytes:02x?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_far_apart_as_can_be_are_too_many_levels() {
        let mut survey = Survey::default();
        for number in [i64::MIN, i64::MAX, 0] {
            survey.see(Some(number), &[]);
        }
        let refused = survey.found().unwrap_err().to_string();
        assert!(refused.contains("at most 65,536"), "{refused}");
    }
}
