//! The Bernoulli distribution.

use crate::likelihood::{Fields, Kind};

/// A logit for each dimension; data are 0 or 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bernoulli;

impl Kind for Bernoulli {
    fn levels(&self) -> usize {
        2
    }

    fn parameters(&self) -> usize {
        1
    }

    fn fields(&self) -> (&'static str, Fields) {
        ("bernoulli", Fields::Numbers(Vec::new()))
    }
}

/// `-log p(x)`: `max(l, 0) - l x + log(1 + e^-|l|)`.
pub(super) fn nats(logit: f64, x: usize) -> f64 {
    logit.max(0.0) - logit * x as f64 + (-logit.abs()).exp().ln_1p()
}

/// Of many.
pub(crate) fn sum_nats(logits: impl Iterator<Item = f32>, x: impl Fn(usize) -> u16) -> f64 {
    let mut total = 0.0;
    // The logarithms of up to 16 factors between 1 and 2 are taken as one.
    let mut product = 1.0f64;
    for (i, l) in logits.enumerate() {
        let l = f64::from(l);
        total += l.max(0.0) - l * f64::from(x(i));
        product *= 1.0 + (-l.abs()).exp();
        if i % 16 == 15 {
            total += product.ln();
            product = 1.0;
        }
    }
    total + product.ln()
}
