//! Draws for bounds, training and tests: nothing that a file depends on.

use rand_chacha::rand_core::Rng;

/// Two independent standard normal draws (Box & Muller 1958).
pub fn normal_pair(rng: &mut impl Rng) -> [f64; 2] {
    // In (0, 1], so that the logarithm is finite.
    let u = (f64::from(rng.next_u32()) + 1.0) / 4_294_967_296.0;
    let angle = f64::from(rng.next_u32()) / 4_294_967_296.0 * std::f64::consts::TAU;
    let radius = (-2.0 * u.ln()).sqrt();
    [radius * angle.cos(), radius * angle.sin()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn moments_are_those_of_the_normal_distribution() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let draws: Vec<f64> = (0..50_000).flat_map(|_| normal_pair(&mut rng)).collect();
        let moment = |k: i32| draws.iter().map(|v| v.powi(k)).sum::<f64>() / draws.len() as f64;
        let errors = [moment(1), moment(2) - 1.0, moment(3), moment(4) - 3.0];
        for (error, bound) in errors.iter().zip([0.02, 0.03, 0.06, 0.2]) {
            assert!(error.abs() < bound, "{errors:?}");
        }
    }
}
