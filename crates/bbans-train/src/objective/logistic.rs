//! A logistic distribution, cut at the half-integers: what the mixtures of them share.

use super::moves;

/// `log` of the mass of a symbol, and its derivatives by the mean and by the log scale.
///
/// With `sigmoid(high) - sigmoid(low) = sigmoid(high) sigmoid(-low) (1 - e^(low - high))` nothing cancels.
pub(super) fn log_mass(levels: usize, mean: f64, log_scale: f64, x: u16) -> [f64; 3] {
    let rate = (-log_scale.clamp(-10.0, 20.0)).exp();
    let moves = moves(log_scale, [-10.0, 20.0]);
    let at = |edge: f64| (edge - mean) * rate;
    let (low, high) = (at(f64::from(x) - 0.5), at(f64::from(x) + 0.5));
    let log_sigmoid = |v: f64| v.min(0.0) - (-v.abs()).exp().ln_1p();
    let sigmoid = |v: f64| 1.0 / (1.0 + (-v).exp());
    // The value, and the derivatives by `high` and by `low`.
    let upper = || (log_sigmoid(high), sigmoid(-high));
    let lower = || (log_sigmoid(-low), -sigmoid(low));
    let (value, by_high, by_low, by_width) = match usize::from(x) {
        0 => (upper().0, upper().1, 0.0, 0.0),
        x if x == levels - 1 => (lower().0, 0.0, lower().1, 0.0),
        _ => {
            let width = (-(-rate).exp_m1()).ln();
            let value = upper().0 + lower().0 + width;
            (value, upper().1, lower().1, 1.0 / rate.exp_m1())
        }
    };
    let by_mean = -rate * (by_high + by_low);
    let by_log_scale = -(high * by_high + low * by_low + rate * by_width);
    [value, by_mean, by_log_scale * moves]
}
