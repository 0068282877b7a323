//! What is decoded has the distribution q, at the length that theory promises.

use bbans_core::distributions::Categorical;
use bbans_core::{Distribution, TOTAL_MASS};
use bbans_twopart::{
    Acceptance, ClippedBlock, Code, Direct, DyadicSplits, ExactBlock, Greedy, GreedyPoisson,
    OrDirect, Ordered, Pair, PoissonFunctional, Rejection, RingToss, Shared, empty_message,
    functional_information, masses, message_bits,
};

const MESSAGES: u64 = 100_000;

fn discrete() -> Pair {
    let q = Categorical::from_weights(&[0.05, 0.5, 0.1, 0.0001, 0.05, 0.1, 0.1, 0.1]).unwrap();
    let p = Categorical::from_weights(&[0.3, 0.05, 0.2, 0.1, 0.1, 0.05, 0.1, 0.1]).unwrap();
    Pair::new(&q, &p).unwrap()
}

/// N(0.8, 0.2^2) over 64 equal-mass bins of N(0, 1).
fn gaussian() -> Pair {
    Pair::gaussian(0.8, 0.2, 6).unwrap()
}

/// Codes `MESSAGES` messages and checks that each decodes: how often each symbol came.
fn counts(code: &impl Code, pair: &Pair) -> Vec<u64> {
    code_all(code, pair).0
}

/// [`counts`], and the mean bits of part 1.
fn code_all(code: &impl Code, pair: &Pair) -> (Vec<u64>, f64) {
    let mut counts = vec![0u64; pair.probabilities().len()];
    let mut bits = 0.0;
    for number in 0..MESSAGES {
        let mut shared = Shared::new(7, number, 0);
        let pairs = std::slice::from_ref(pair);
        let chosen = code.choose(pairs, &mut shared).unwrap().unwrap();
        let mut message = empty_message().unwrap();
        code.push(&mut message, &chosen.index).unwrap();
        bits += message_bits(&message);

        let mut receiver = Shared::new(7, number, 0);
        let index = code.pop(&mut message, &mut receiver).unwrap();
        bbans_twopart::check_empty(&message).unwrap();
        let prior = [pair.prior().clone()];
        let z = code.receive(&prior, &index, &mut receiver).unwrap();
        assert_eq!(z, chosen.z, "message {number}");
        counts[z[0] as usize] += 1;
    }
    (counts, bits / MESSAGES as f64)
}

/// Checks every message, and the symbols against q by a chi-square test. Returns the mean bits of
/// part 1.
fn check(code: &impl Code, pair: &Pair) -> f64 {
    let (counts, bits) = code_all(code, pair);
    // Symbols that are expected less than 10 times are taken together.
    let (mut statistic, mut cells) = (0.0, 0.0);
    let (mut rare, mut rare_expected) = (0, 0.0);
    let mut cell = |count: u64, expected: f64| {
        statistic += (count as f64 - expected).powi(2) / expected;
        cells += 1.0;
    };
    for (&count, q) in counts.iter().zip(pair.probabilities()) {
        let expected = q * MESSAGES as f64;
        if expected >= 10.0 {
            cell(count, expected);
        } else {
            rare += count;
            rare_expected += expected;
        }
    }
    if rare_expected >= 1.0 {
        cell(rare, rare_expected);
    }
    // Mean n - 1, variance 2 (n - 1): four standard deviations, and the seeds are fixed.
    let freedom: f64 = cells - 1.0;
    assert!(
        statistic <= freedom + 4.0 * (2.0 * freedom).sqrt(),
        "chi-square {statistic} of {freedom} degrees of freedom"
    );
    bits
}

/// Within `[log2 M, log2 M + 1.5]`, as the geometric distribution promises.
#[test]
fn rejection_sampling_is_exact_and_as_long_as_promised() {
    for pair in [discrete(), gaussian()] {
        let log2_m = pair.log2_max_ratio();
        let known = check(&Rejection::of_known_ratio(log2_m).unwrap(), &pair);
        assert!((log2_m..log2_m + 1.5).contains(&known), "{known} {log2_m}");
        // The exponent of M, rounded up, one of 17.
        let sent = check(&Rejection::new(16).unwrap(), &pair);
        let expected = log2_m.ceil() + 17f64.log2();
        assert!((expected..expected + 1.5).contains(&sent), "{sent}");
    }
}

/// Below `KL + log2(KL + 1) + 4`.
#[test]
fn the_poisson_functional_representation_is_exact_and_below_its_bound() {
    for pair in [discrete(), gaussian()] {
        let kl = pair.kl_bits();
        let bits = check(&PoissonFunctional::new(kl, 16).unwrap(), &pair);
        assert!(
            (kl..kl + (kl + 1.0).log2() + 4.0).contains(&bits),
            "{bits} {kl}"
        );
    }
}

#[test]
fn greedy_rejection_sampling_is_exact() {
    for pair in [discrete(), gaussian()] {
        let kl = pair.kl_bits();
        let bits = check(&Greedy::new(kl, 16).unwrap(), &pair);
        assert!(
            (kl..kl + (kl + 1.0).log2() + 4.0).contains(&bits),
            "{bits} {kl}"
        );
    }
}

/// Below `KL + log2(KL + 1) + 6`; with as many candidates as `max q/p`.
#[test]
fn greedy_poisson_rejection_sampling_is_exact_and_below_its_bound() {
    for pair in [discrete(), gaussian()] {
        let kl = pair.kl_bits();
        let code = GreedyPoisson::new(kl, 16).unwrap();
        let bits = check(&code, &pair);
        assert!(
            (kl..kl + (kl + 1.0).log2() + 6.0).contains(&bits),
            "{bits} {kl}"
        );
        let candidates = (0..MESSAGES).map(|number| {
            let chosen = code.choose(std::slice::from_ref(&pair), &mut Shared::new(7, number, 0));
            chosen.unwrap().unwrap().candidates as f64
        });
        let mean = candidates.sum::<f64>() / MESSAGES as f64;
        let expected = pair.log2_max_ratio().exp2();
        assert!((mean / expected - 1.0).abs() < 0.03, "{mean} {expected}");
    }
    // A symbol without mass in q is never taken.
    let q = masses(&[0.5, 0.0, 0.5]).unwrap();
    let pair = Pair::new(&q, &masses(&[0.25, 0.5, 0.25]).unwrap()).unwrap();
    check(&GreedyPoisson::new(1.0, 16).unwrap(), &pair);
    let narrow = GreedyPoisson::new(1.0, 0).unwrap();
    let refused = narrow.choose(std::slice::from_ref(&pair), &mut Shared::new(1, 1, 0));
    assert!(refused.unwrap().is_none());
}

/// The rows of an additive channel over as many symbols as the noise has, all of them equally likely.
fn additive(noise: &[f64]) -> Vec<Pair> {
    let count = noise.len();
    let p = masses(&vec![1.0 / count as f64; count]).unwrap();
    let row =
        |x: usize| -> Vec<f64> { (0..count).map(|y| noise[(y + count - x) % count]).collect() };
    (0..count)
        .map(|x| Pair::new(&masses(&row(x)).unwrap(), &p).unwrap())
        .collect()
}

/// On average over the data between the functional information and `log2 e` more, and no shorter than the mutual
/// information, which is the functional one of singular channels alone.
#[test]
fn the_ring_toss_code_is_exact_and_reaches_the_functional_information() {
    for (noise, singular) in [
        (vec![0.7, 0.1, 0.05, 0.05, 0.02, 0.02, 0.02, 0.04], false),
        ([vec![0.25; 4], vec![0.0; 28]].concat(), true),
        ([vec![1.0], vec![0.0; 15]].concat(), true),
    ] {
        let rows = additive(&noise);
        let log2_m = rows[0].log2_max_ratio();
        let acceptance = Acceptance::new(rows.iter().map(Pair::ratios), 0.0).unwrap();
        let prior = rows[0].prior().clone();
        let code = RingToss::new(prior, log2_m, acceptance).unwrap();
        // All rows are alike.
        let information = rows[0].kl_bits();
        let ratios: Vec<_> = rows.iter().map(Pair::ratios).collect();
        let functional = functional_information(&ratios, rows[0].prior_probabilities());
        assert_eq!((functional - information).abs() < 1e-4, singular);
        assert!((rows[0].channel_simulation_divergence() - functional).abs() < 1e-4);
        let bits: f64 = (0..2).map(|x| check(&code, &rows[x]) / 2.0).sum();
        let at_most = functional + std::f64::consts::LOG2_E + 0.01;
        assert!(
            (functional - 0.01..at_most).contains(&bits),
            "{bits} {functional}"
        );
    }
}

/// Where others than the data at hand send, every candidate may be taken or not.
#[test]
fn a_ring_toss_of_other_data_is_exact() {
    let rows = additive(&[0.7, 0.1, 0.05, 0.05, 0.02, 0.02, 0.02, 0.04]);
    let some = || rows[..3].iter().map(Pair::ratios);
    let code = |unseen| {
        let acceptance = Acceptance::new(some(), unseen).unwrap();
        RingToss::new(rows[0].prior().clone(), 3.0, acceptance).unwrap()
    };
    check(&code(0.1), &rows[6]);
    // Candidates that none of the data takes cannot be said without.
    let unsaid = (0..1000).filter(|&number| {
        let mut shared = Shared::new(7, number, 0);
        let chosen = code(0.0).choose(&rows[6..7], &mut shared).unwrap().unwrap();
        let mut message = empty_message().unwrap();
        code(0.0).push(&mut message, &chosen.index).is_err()
    });
    assert!(unsaid.count() > 100);
    // Beyond the bound, and two latents.
    let acceptance = Acceptance::new(some(), 0.0).unwrap();
    let low = RingToss::new(rows[0].prior().clone(), 1.0, acceptance.clone()).unwrap();
    let shared = &mut Shared::new(1, 1, 0);
    assert!(low.choose(&rows[..1], shared).unwrap().is_none());
    assert!(low.choose(&rows[..2], shared).unwrap().is_none());
    let beyond = RingToss::new(rows[0].prior().clone(), 21.0, acceptance);
    assert!(beyond.unwrap_err().to_string().contains("2^21"));
    assert!(Acceptance::new([[0.0; 0]; 0], 0.0).is_err());
    assert!(Acceptance::new([vec![1.0], vec![1.0, 1.0]], 0.0).is_err());
    assert!(Acceptance::new([[1.0]], 1.5).is_err());
    let narrow = Acceptance::new([[1.0]], 0.0).unwrap();
    assert!(RingToss::new(rows[0].prior().clone(), 1.0, narrow).is_err());
    assert!(code(0.1).choose(&[discrete()], shared).is_err());
    // What is beyond it is sent directly.
    let prior = vec![rows[0].prior().clone()];
    let direct = OrDirect::new(low, prior, 0.5);
    assert!((check(&direct, &rows[0]) - 4.0).abs() < 0.01);
}

#[test]
fn dyadic_splits_are_exact() {
    for (pair, depth) in [(discrete(), 3), (gaussian(), 6)] {
        let kl = pair.kl_bits();
        let bits = check(&DyadicSplits::new(depth, &[1.0; 7]).unwrap(), &pair);
        assert!((kl..kl + 5.0).contains(&bits), "{bits} {kl}");
    }
}

/// Groups share a message; each has candidates of its own.
#[test]
fn groups_are_coded_on_one_message() {
    let (group, code) = (vec![discrete(), gaussian()], Rejection::new(20).unwrap());
    let mut message = empty_message().unwrap();
    let mut sent = Vec::new();
    for number in 0..3 {
        let chosen = code.choose(&group, &mut Shared::new(1, 5, number)).unwrap();
        let chosen = chosen.unwrap();
        code.push(&mut message, &chosen.index).unwrap();
        sent.push(chosen.z);
    }
    let prior: Vec<Categorical> = group.iter().map(|pair| pair.prior().clone()).collect();
    for number in (0..3).rev() {
        let mut shared = Shared::new(1, 5, number);
        let index = code.pop(&mut message, &mut shared).unwrap();
        let z = code.receive(&prior, &index, &mut shared);
        assert_eq!(z.unwrap(), sent[number as usize]);
    }
    assert_ne!(sent[0], sent[1]);
}

#[test]
fn what_cannot_be_sent_is_said() {
    let wide = Categorical::from_weights(&[1.0, 1.0, 1.0]).unwrap();
    let gap = Categorical::from_masses(&[TOTAL_MASS / 2, 0, TOTAL_MASS / 2]).unwrap();
    let error = Pair::new(&wide, &gap).unwrap_err().to_string();
    assert!(error.contains("symbol 1 has mass"), "{error}");
    assert!(Pair::new(&wide, &discrete().prior().clone()).is_err());
    assert!(
        Rejection::new(41)
            .unwrap_err()
            .to_string()
            .contains("years")
    );

    // Over budget: an answer, not a hang.
    let pairs = vec![gaussian(); 30];
    let mut shared = Shared::new(1, 1, 1);
    assert!(
        Rejection::new(16)
            .unwrap()
            .choose(&pairs, &mut shared)
            .unwrap()
            .is_none()
    );
    assert!(
        PoissonFunctional::new(3.0, 16)
            .unwrap()
            .choose(&pairs, &mut shared)
            .unwrap()
            .is_none()
    );
    assert!(
        Greedy::new(3.0, 16)
            .unwrap()
            .choose(&pairs, &mut shared)
            .unwrap()
            .is_none()
    );

    // A message that is cut short.
    let mut message = empty_message().unwrap();
    let codes = Rejection::new(16).unwrap();
    while codes.pop(&mut message, &mut shared).is_ok() {}
    assert!(codes.pop(&mut message, &mut shared).is_err());
}

/// Mass of `(q - M p)+` and `-log2` of the acceptance for one draw.
fn block_of_one(pair: &Pair, log2_m: f64) -> (f64, f64) {
    let m = log2_m.exp2();
    let both = || pair.probabilities().iter().zip(pair.prior_probabilities());
    let delta = both().map(|(q, p)| (q - m * p).max(0.0)).sum();
    let accepted: f64 = both().map(|(q, p)| p.min(q / m)).sum();
    (delta, -accepted.log2())
}

#[test]
fn a_block_made_exact_is_exact_and_a_clipped_one_is_not() {
    for pair in [discrete(), gaussian()] {
        let log2_m = pair.log2_max_ratio() - 1.0;
        let (delta, log2_candidates) = block_of_one(&pair, log2_m);
        assert!(delta > 0.05);
        let clipped = ClippedBlock::new(log2_m, log2_candidates).unwrap();
        let exact = ExactBlock::new(clipped.clone(), vec![pair.prior().clone()], delta);
        check(&exact, &pair);
        // Its total variation distance is the exact one.
        let counts = counts(&clipped, &pair);
        let differences = counts.iter().zip(pair.probabilities());
        let measured: f64 = differences
            .map(|(&count, q)| (count as f64 / MESSAGES as f64 - q).abs())
            .sum();
        let exact: f64 = (pair.probabilities().iter())
            .zip(pair.prior_probabilities())
            .map(|(q, p)| (p.min(q / log2_m.exp2()) * log2_candidates.exp2() - q).abs())
            .sum();
        assert!(
            (0.5 * measured - 0.5 * exact).abs() < 0.01,
            "{measured} {exact}"
        );
    }
}

/// Read with another seed, or cut short: an error, never other data taken for true.
#[test]
fn other_seeds_and_damage_are_noticed() {
    let (pair, code) = (gaussian(), Rejection::new(16).unwrap());
    let x = Categorical::from_weights(&[0.9, 0.1]).unwrap();
    // Part 2 depends on z: 40 symbols whose distribution z chooses.
    let likelihood = |z: u32| {
        if z.is_multiple_of(2) {
            &x
        } else {
            pair.prior()
        }
    };
    let mut noticed = 0;
    for number in 0..200 {
        let sender = &mut Shared::new(1, number, 0);
        let chosen = code
            .choose(std::slice::from_ref(&pair), sender)
            .unwrap()
            .unwrap();
        let mut message = empty_message().unwrap();
        for _ in 0..40 {
            let interval = likelihood(chosen.z[0]).interval(&1).unwrap();
            message.push(0, interval).unwrap();
        }
        code.push(&mut message, &chosen.index).unwrap();
        let prior = [pair.prior().clone()];
        let other = &mut Shared::new(2, number, 0);
        let index = code.pop(&mut message, other).unwrap();
        let z = code.receive(&prior, &index, other).unwrap()[0];
        let popped = (0..40).try_for_each(|_| message.pop(0, likelihood(z)).map(|_| ()));
        let ended = popped.and_then(|()| bbans_twopart::check_empty(&message));
        // Half of the time the other z has the same likelihood, and nothing is wrong.
        let same = z % 2 == chosen.z[0] % 2;
        assert_eq!(ended.is_ok(), same, "message {number}");
        noticed += u32::from(!same);
    }
    assert!(noticed > 50);
}

/// With 2^10 candidates for less than 2 bits of information 100,000 messages show no difference.
#[test]
fn ordered_random_coding_is_nearly_exact_with_many_candidates() {
    let pair = discrete();
    let bits = check(&Ordered::new(pair.kl_bits(), 10).unwrap(), &pair);
    let kl = pair.kl_bits();
    assert!(
        (kl..kl + (kl + 1.0).log2() + 4.0).contains(&bits),
        "{bits} {kl}"
    );
}

#[test]
fn what_is_beyond_a_code_is_sent_directly() {
    let pair = gaussian();
    let prior = vec![pair.prior().clone()];
    let bits = check(
        &Direct {
            prior: prior.clone(),
        },
        &pair,
    );
    assert!((bits - 6.0).abs() < 0.01, "{bits}");
    // A budget of one candidate is never enough here.
    let code = OrDirect::new(Rejection::new(0).unwrap(), prior, 0.5);
    let bits = check(&code, &pair);
    assert!((bits - 7.0).abs() < 0.01, "{bits}");
}

/// The table of Schulman's note, in units of the truth: bias and standard deviation of k1, k2, k3.
#[test]
fn estimators_of_kl_have_the_known_bias_and_deviation() {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};
    const SAMPLES: usize = 1_000_000;
    for (mean, expected) in [
        (0.1f64, [(0.0, 20.0), (0.002, 1.42), (0.0, 1.42)]),
        (1.0, [(0.0, 2.0), (0.25, 1.73), (0.0, 1.7)]),
    ] {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let log_ratios = (0..SAMPLES).map(|_| {
            let u = (f64::from(rng.next_u32()) + 0.5) / 2f64.powi(32);
            let v = f64::from(rng.next_u32()) / 2f64.powi(32);
            let z = (-2.0 * u.ln()).sqrt() * (v * std::f64::consts::TAU).cos();
            // log N(z; mean, 1) - log N(z; 0, 1)
            mean * z - 0.5 * mean * mean
        });
        let truth = 0.5 * mean * mean;
        let found = bbans_twopart::estimators::estimate(log_ratios);
        for (found, (bias, deviation)) in found.iter().zip(expected) {
            let error = 4.0 * deviation / (SAMPLES as f64).sqrt() + 0.001;
            assert!(
                (found.mean / truth - 1.0 - bias).abs() < error,
                "{mean} {found:?}"
            );
            assert!(
                (found.deviation / truth / deviation - 1.0).abs() < 0.02,
                "{mean} {found:?}"
            );
        }
    }
}
