//! Weights on grids: how a run ends whose model is stored in few bits.
//!
//! A weight that is rounded to a multiple of `d` is off by `d^2 / 12` in the mean of squares, which costs
//! `h d^2 / 24` nats of the data, where `h` is the second derivative of their code length; and a step twice as large
//! saves a bit of the weight. The sum is least at `d = sqrt(12 / h)` (compare Hinton & van Camp 1993). For `h` the
//! squares of the derivatives of single data stand in, which the optimizer keeps the mean of (Fisher's information).
//!
//! From then on the data are coded with the rounded weights, and the derivatives by them move the weights below
//! (straight through: Bengio, Léonard & Courville 2013).

use std::collections::BTreeMap;

use bbans_nn::packed::coarse_step;

use crate::adam::Slot;
use crate::network::Fold;

/// Steps of every parameter, by its name: one, or one for each index of the last axis.
pub(crate) type Grids = BTreeMap<String, Vec<f32>>;

/// Bits of a step in a file, about.
const STEP_BITS: f64 = 5.0;
/// Most steps from 0 to the largest weight of a step.
const MOST: f64 = 65_536.0;

/// Steps for a parameter of a shape; `scale` is the number of data times those of a batch, by which the mean squares
/// of derivatives of a batch's mean become those of all data.
pub(crate) fn steps(fold: &Fold, name: &str, shape: &[usize], slot: &Slot, scale: f64) -> Vec<f32> {
    let channels = match shape {
        [.., channels] if shape.len() > 1 => *channels,
        _ => 1,
    };
    let (mut zeros, mut ones) = (vec![0.0; slot.value.len()], vec![1.0; slot.value.len()]);
    fold.folded(name, &mut zeros);
    fold.folded(name, &mut ones);
    let mut values = slot.average.clone();
    fold.folded(name, &mut values);
    let rows = (values.len() / channels.max(1)).max(1) as f64;
    let (mut curvature, mut largest) = (vec![0f64; channels], vec![0f64; channels]);
    for i in 0..values.len() {
        let gain = f64::from(ones[i] - zeros[i]);
        curvature[i % channels] += f64::from(slot.second[i]) * scale / (gain * gain) / rows;
        largest[i % channels] = largest[i % channels].max(f64::from(values[i].abs()));
    }
    let step = |h: f64, largest: f64| {
        let least = (largest / MOST).max(1e-12);
        // What matters to nobody is 0.
        coarse_step(
            (12.0 / h.max(1e-30))
                .sqrt()
                .clamp(least, 4.0 * largest.max(1e-6)),
        )
    };
    let mean = curvature.iter().sum::<f64>() / channels as f64;
    let log = |h: f64| h.max(1e-30).log2();
    let spread = log(mean) - curvature.iter().map(|&h| log(h)).sum::<f64>() / channels as f64;
    if channels > 1 && 0.5 * rows * spread > STEP_BITS {
        let both = curvature.iter().zip(&largest);
        return both.map(|(&h, &largest)| step(h, largest)).collect();
    }
    vec![step(mean, largest.iter().fold(0.0, |a, &b| a.max(b)))]
}

/// Rounds values as a file has them.
pub(crate) fn round(values: &mut [f32], steps: &[f32]) {
    for (value, step) in values.iter_mut().zip(steps.iter().cycle()) {
        *value = (*value / step).round() * step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(value: &[f32], second: &[f32]) -> Slot {
        Slot {
            value: value.to_vec(),
            first: vec![0.0; value.len()],
            second: second.to_vec(),
            average: value.to_vec(),
        }
    }

    #[test]
    fn what_matters_more_is_finer() {
        let values = [0.5f32, -0.25].repeat(32);
        let second = [1e-2f32, 1e-6].repeat(32);
        let fold = Fold::default();
        let found = steps(&fold, "w", &[32, 2], &slot(&values, &second), 1200.0);
        assert_eq!(found.len(), 2);
        // The square root of 12 / (1200 * 1e-2), and what is nothing but noise.
        assert!((0.88..1.13).contains(&f64::from(found[0])), "{found:?}");
        assert!(found[1] >= 0.8, "{found:?}");
        let found = steps(&fold, "w", &[32, 2], &slot(&values, &[1e-2f32; 64]), 1200.0);
        assert_eq!(found.len(), 1);
        let mut values = [0.3f32, -0.76, 1.0];
        round(&mut values, &[0.5]);
        assert_eq!(values, [0.5, -1.0, 1.0]);
    }
}
