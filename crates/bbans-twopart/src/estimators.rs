//! Estimators of `KL(q, p)` from samples of `q`, with `r = p/q`; in nats.
//!
//! `k1 = -log r`, `k2 = (log r)^2 / 2` and `k3 = (r - 1) - log r`; and `r log r - (r - 1)` for
//! `KL(p, q)`. k1 and k3 have no bias, k3 is never negative; k2 has a bias that is small where `q` and
//! `p` are near. Where `q` is much narrower than `p`, `r` has an infinite variance under `q`: then k3
//! stays below the truth however many samples there are that one can draw. Source: Schulman 2020,
//! "Approximating KL divergence".

/// Names of the estimators, in the order of [`estimate`].
pub const NAMES: [&str; 4] = ["k1", "k2", "k3", "reverse"];

/// Mean and standard deviation of one estimator over samples.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// The standard deviation of one sample.
    pub deviation: f64,
}

/// The estimators over samples of `log r = log p(z) - log q(z)`, `z ~ q`.
pub fn estimate(log_ratios: impl IntoIterator<Item = f64>) -> [Estimate; 4] {
    let mut sums = [(0.0, 0.0); 4];
    let mut count = 0.0f64;
    for log_r in log_ratios {
        let r = log_r.exp();
        let values = [
            -log_r,
            0.5 * log_r * log_r,
            (r - 1.0) - log_r,
            // r log r is 0 for r = 0.
            if r > 0.0 { r * log_r } else { 0.0 } - (r - 1.0),
        ];
        count += 1.0;
        for ((sum, squares), value) in sums.iter_mut().zip(values) {
            *sum += value;
            *squares += value * value;
        }
    }
    sums.map(|(sum, squares)| {
        let mean = sum / count;
        Estimate {
            mean,
            deviation: (squares / count - mean * mean).max(0.0).sqrt(),
        }
    })
}
