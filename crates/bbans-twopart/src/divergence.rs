//! The channel simulation divergence.

/// The channel simulation divergence of `q` and `p`, in bits, from `q/p` and the probability under `p` of each value.
///
/// With `w(h) = P(q/p >= h)`, a probability density, it is its differential entropy `-int_0^inf w log2 w dh`. Its average
/// over the data of a channel is a lower bound on what rejection sampling and its kin can reach, between `KL` and
/// `KL + log2(KL + 1) + 1`; that over the symbols, of the data's distribution given a symbol, is the channel's functional
/// information. Source: Goc & Flamich 2024 (arXiv 2401.16579); Hill, Alajaji, Linder & Flamich 2026 (arXiv 2604.23076).
pub fn channel_simulation_divergence(values: impl Iterator<Item = (f64, f64)>) -> f64 {
    let mut values: Vec<(f64, f64)> = values.filter(|(_, p)| *p > 0.0).collect();
    values.sort_by(|a, b| b.0.total_cmp(&a.0));
    // From the greatest ratio down: w is constant between two of them.
    let (mut bits, mut w) = (0.0, 0.0);
    for (i, &(ratio, p)) in values.iter().enumerate() {
        w += p;
        let below = values.get(i + 1).map_or(0.0, |next| next.0);
        bits -= (ratio - below) * w * w.min(1.0).log2();
    }
    bits
}

/// The functional information of a channel from equally likely data to symbols, in bits: from `q/p` of all symbols for each
/// datum, and the probabilities of the symbols under `p`.
///
/// No less than the mutual information; the ring toss code takes at most `log2 e` bits more than it. `p` need not be what the
/// data average to: the symbols are taken with their own probabilities.
pub fn functional_information<R: AsRef<[f64]>>(data: &[R], p: &[f64]) -> f64 {
    let weight = 1.0 / data.len() as f64;
    let of_symbol = |(y, &p): (usize, &f64)| {
        let ratio = |of_datum: &R| of_datum.as_ref().get(y).copied().unwrap_or(0.0);
        let mean = data.iter().map(ratio).sum::<f64>() * weight;
        let given = data.iter().map(|of_datum| (ratio(of_datum) / mean, weight));
        match mean > 0.0 {
            true => p * mean * channel_simulation_divergence(given),
            false => 0.0,
        }
    };
    p.iter().enumerate().map(of_symbol).sum()
}

#[cfg(test)]
mod tests {
    use super::channel_simulation_divergence as divergence;

    #[test]
    fn known_divergences() {
        // Of a symbol of probability 1/8, and of a distribution and itself.
        assert!((divergence([(8.0, 0.125), (0.0, 0.875)].into_iter()) - 3.0).abs() < 1e-12);
        assert!(divergence([(1.0, 0.5), (1.0, 0.5)].into_iter()).abs() < 1e-12);
        // w is 1 below 1/2 and 1/2 from there to 3/2.
        let found = divergence([(0.5, 0.5), (1.5, 0.5)].into_iter());
        assert!((found - 0.5).abs() < 1e-12, "{found}");
    }
}
