//! Masses against the same in `f64`, and the same bits on every path.

use super::*;

const BETA_BINOMIAL: Likelihood = Likelihood::BetaBinomial(BetaBinomial { levels: 256 });

fn masses(likelihood: Likelihood, parameters: &[f32]) -> Vec<u32> {
    let mut starts = vec![0; likelihood.levels() + 1];
    likelihood
        .starts(Path::detect(), parameters, &mut starts)
        .unwrap();
    assert_eq!((starts[0], starts[likelihood.levels()]), (0, 1 << 24));
    starts.windows(2).map(|w| w[1] - w[0]).collect()
}

/// Parameters from timid to absurd.
fn extremes() -> impl Iterator<Item = [f32; 2]> {
    let values = [
        -1e30, -25.0, -9.5, -3.0, -0.1, 0.0, 0.7, 2.5, 6.0, 11.0, 19.0, 1e30,
    ];
    values.into_iter().flat_map(move |a| values.map(|b| [a, b]))
}

#[test]
fn masses_of_a_beta_binomial_are_those_of_the_gamma_functions() {
    for [a, b] in extremes() {
        let found = masses(BETA_BINOMIAL, &[a, b]);
        let (alpha, beta) = (
            f64::from(a).clamp(-20.0, 20.0).exp(),
            f64::from(b).clamp(-20.0, 20.0).exp(),
        );
        let log_beta = |x: f64, y: f64| libm::lgamma(x) + libm::lgamma(y) - libm::lgamma(x + y);
        let log_p = |k: f64| {
            libm::lgamma(256.0) - libm::lgamma(k + 1.0) - libm::lgamma(256.0 - k)
                + log_beta(k + alpha, 255.0 - k + beta)
                - log_beta(alpha, beta)
        };
        // Neighbours alone where the gamma functions cancel.
        if alpha.max(beta) < 1e6 {
            for (k, &mass) in found.iter().enumerate() {
                let expected = 16_777_216.0 * log_p(k as f64).exp();
                let error = (f64::from(mass) - expected).abs();
                assert!(
                    error < 4.0 + 2e-4 * expected,
                    "{a} {b}: {k}: {mass} {expected}"
                );
            }
        }
        assert!(found.iter().all(|&m| m >= 1));
    }
}

#[test]
fn masses_of_logistics_and_of_logits_are_those_of_f64() {
    let logistic = Likelihood::DiscretizedLogistic(DiscretizedLogistic {
        levels: 256,
        components: 2,
    });
    let (logits, means, scales) = ([0.3f32, -1.0], [40.0f32, 254.0], [2.0f32, -0.5]);
    let found = masses(logistic, &[logits, means, scales].concat());
    let e = logits.map(|l| f64::from(l).exp());
    let cumulative = |edge: f64| -> f64 {
        let of = |i: usize| {
            e[i] / (e[0] + e[1])
                / (1.0 + (-(edge - f64::from(means[i])) / f64::from(scales[i]).exp()).exp())
        };
        of(0) + of(1)
    };
    for (k, &mass) in found.iter().enumerate() {
        let below = if k == 0 {
            0.0
        } else {
            cumulative(k as f64 - 0.5)
        };
        let above = if k == 255 {
            1.0
        } else {
            cumulative(k as f64 + 0.5)
        };
        let expected = 1.0 + 16_776_960.0 * (above - below);
        assert!((f64::from(mass) - expected).abs() < 8.0, "{k}");
    }
    let logits: Vec<f32> = (0..10).map(|k| (k * k % 7) as f32 - 100.0).collect();
    let total: f64 = logits.iter().map(|&l| f64::from(l).exp()).sum();
    let found = masses(Likelihood::Categorical(Categorical { levels: 10 }), &logits);
    for (&mass, &l) in found.iter().zip(&logits) {
        assert!((f64::from(mass) - 16_777_216.0 * f64::from(l).exp() / total).abs() < 20.0);
    }
}

#[test]
fn every_path_and_number_of_lanes_gives_the_same_tables() {
    let all: Vec<[f32; 2]> = extremes().collect();
    let lanes = all.len();
    let column: Vec<f32> = (0..6)
        .flat_map(|p| all.iter().map(move |v| v[p % 2] * 0.7))
        .collect();
    let kinds = [
        (BETA_BINOMIAL, 2),
        (Likelihood::BetaBinomial(BetaBinomial { levels: 2 }), 2),
        (Likelihood::Categorical(Categorical { levels: 6 }), 6),
        (
            Likelihood::DiscretizedLogistic(DiscretizedLogistic {
                levels: 256,
                components: 1,
            }),
            2,
        ),
        (
            Likelihood::DiscretizedLogistic(DiscretizedLogistic {
                levels: 17,
                components: 2,
            }),
            6,
        ),
    ];
    for (kind, parameters) in kinds {
        assert_eq!(kind.parameters(), parameters);
        let column = &column[..parameters * lanes];
        let mut expected = vec![0; (kind.levels() + 1) * lanes];
        kind.starts(Path::available()[0], column, &mut expected)
            .unwrap();
        for path in Path::available() {
            let mut found = vec![0; expected.len()];
            kind.starts(path, column, &mut found).unwrap();
            assert_eq!(found, expected, "{kind:?} {}", path.name());
        }
        for lane in 0..lanes {
            let one: Vec<f32> = column.chunks(lanes).map(|row| row[lane]).collect();
            let mut found = vec![0; kind.levels() + 1];
            kind.starts(Path::detect(), &one, &mut found).unwrap();
            let expected = expected.chunks(lanes).map(|row| row[lane]);
            assert!(found.iter().copied().eq(expected), "{kind:?} {lane}");
            assert!(found.windows(2).all(|w| w[0] < w[1]), "{kind:?} {lane}");
        }
    }
}

/// Files depend on these bits. A change here is a new version of the format.
#[test]
fn golden_bits() {
    let mut hasher = blake3::Hasher::new();
    for [a, b] in extremes() {
        for (kind, parameters) in [
            (BETA_BINOMIAL, vec![a, b]),
            (
                Likelihood::Categorical(Categorical { levels: 3 }),
                vec![a, b, 1.0],
            ),
            (
                Likelihood::DiscretizedLogistic(DiscretizedLogistic {
                    levels: 256,
                    components: 1,
                }),
                vec![20.0 * a, b],
            ),
            (
                Likelihood::DiscretizedLogistic(DiscretizedLogistic {
                    levels: 256,
                    components: 2,
                }),
                vec![a, b, 200.0, 20.0 * a, b, 1.5],
            ),
        ] {
            let mut starts = vec![0; kind.levels() + 1];
            kind.starts(Path::detect(), &parameters, &mut starts)
                .unwrap();
            for start in starts {
                hasher.update(&start.to_le_bytes());
            }
        }
    }
    assert_eq!(hasher.finalize().to_hex()[..16], *"0d3943cffd031687");
}

#[test]
fn probabilities_of_every_likelihood_sum_to_one() {
    let cases = [
        (Likelihood::Bernoulli, vec![0.7]),
        (
            Likelihood::BetaBinomial(BetaBinomial { levels: 256 }),
            vec![-3.0, 2.5],
        ),
        (
            Likelihood::BetaBinomial(BetaBinomial { levels: 17 }),
            vec![9.0, -19.0],
        ),
        (
            Likelihood::Categorical(Categorical { levels: 3 }),
            vec![-40.0, 2.0, 1.0],
        ),
        (
            Likelihood::DiscretizedLogistic(DiscretizedLogistic {
                levels: 256,
                components: 1,
            }),
            vec![260.0, 1.2],
        ),
        (
            Likelihood::DiscretizedLogistic(DiscretizedLogistic {
                levels: 9,
                components: 2,
            }),
            vec![0.3, -2.0, 1.0, 7.0, -1.0, 0.5],
        ),
        (
            Likelihood::DiscretizedGaussian(DiscretizedGaussian { levels: 256 }),
            vec![250.5, 1.2],
        ),
    ];
    for (likelihood, p) in cases {
        let total: f64 = (0..likelihood.levels())
            .map(|x| (-likelihood.nats(&p, x).unwrap()).exp())
            .sum();
        assert!((total - 1.0).abs() < 1e-9, "{likelihood:?}: {total}");
    }
}

#[test]
fn masses_of_a_gaussian_are_those_of_f64() {
    let gaussian = Likelihood::DiscretizedGaussian(DiscretizedGaussian { levels: 256 });
    for [mean, log_sigma] in [[40.3f32, 2.0], [254.0, -3.0], [-3.0, 4.0]] {
        let found = masses(gaussian, &[mean, log_sigma]);
        let p = [f64::from(mean), f64::from(log_sigma)];
        for (k, &mass) in found.iter().enumerate() {
            let expected = 1.0 + 16_776_960.0 * (-gaussian.nats(&p, k).unwrap()).exp();
            assert!(
                (f64::from(mass) - expected).abs() < 8.0,
                "{k}: {mass} {expected}"
            );
        }
    }
}
