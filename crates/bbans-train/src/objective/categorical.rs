//! A logit for each symbol.

use bbans_nn::likelihood::Categorical;
use bbans_nn::math;
use bbans_nn::simd::Path;

use super::{Objective, log_sum_exp};

impl Objective for Categorical {
    fn nats(&self, parameters: &[f64], x: &[u16], by: &mut [f64]) -> f64 {
        let x = usize::from(x[0]);
        by.copy_from_slice(parameters);
        let total = log_sum_exp(by);
        by[x] -= 1.0;
        total - parameters[x]
    }

    fn lanes(&self, path: Path, logits: &[f32], x: &[u16], nats: &mut [f64], by: &mut [f32]) {
        let lanes = nats.len();
        let (mut greatest, mut sums) = (vec![f32::MIN; lanes], vec![0.0f32; lanes]);
        path.vectorize(
            #[inline(always)]
            || {
                for row in logits.chunks_exact(lanes) {
                    for (m, &l) in greatest.iter_mut().zip(row) {
                        *m = if l > *m { l } else { *m };
                    }
                }
                for (row, by) in logits.chunks_exact(lanes).zip(by.chunks_exact_mut(lanes)) {
                    for (((by, l), m), sum) in by.iter_mut().zip(row).zip(&greatest).zip(&mut sums)
                    {
                        *by = math::exp(l - m);
                        *sum += *by;
                    }
                }
                for by in by.chunks_exact_mut(lanes) {
                    by.iter_mut().zip(&sums).for_each(|(by, sum)| *by /= sum);
                }
            },
        );
        for (lane, (nats, &x)) in nats.iter_mut().zip(x).enumerate() {
            let own = usize::from(x) * lanes + lane;
            by[own] -= 1.0;
            *nats += f64::from(sums[lane].ln() - (logits[own] - greatest[lane]));
        }
    }
}
