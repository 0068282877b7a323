//! What every objective must obey: its nats are the bound's, its derivatives those of differences.

use bbans_nn::Likelihood;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::noise::{below, fill_normal};

const LANES: usize = 3;

fn likelihoods() -> Vec<Likelihood> {
    let all = [
        r#""bernoulli""#,
        r#"{"beta_binomial":{"levels":256}}"#,
        r#"{"beta_binomial":{"levels":5}}"#,
        r#"{"categorical":{"levels":7}}"#,
        r#"{"discretized_logistic":{"levels":16,"components":1}}"#,
        r#"{"discretized_logistic":{"levels":16,"components":4}}"#,
        r#"{"discretized_gaussian":{"levels":12}}"#,
        r#"{"colour_logistics":{"levels":9,"components":2}}"#,
    ];
    all.iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect()
}

/// Checks `nats` and the derivatives `by` of parameters, both `[parameters, lanes]`, lane by lane: against those of
/// `f64`, those of the bound where `bound` has one, and those of differences, to these parts of them.
pub(super) fn check_lanes(
    objective: &dyn Objective,
    [p, by]: [&[f32]; 2],
    x: &[u16],
    nats: &[f64],
    [of_nats, of_derivatives]: [f64; 2],
    bound: impl Fn(&[f64], u16) -> Option<f64>,
) {
    let (count, lanes) = (objective.parameters(), nats.len());
    for lane in 0..lanes {
        let own = p.iter().skip(lane).step_by(lanes);
        let own: Vec<f64> = own.map(|&v| v.into()).collect();
        let symbols: Vec<u16> = x.iter().skip(lane).step_by(lanes).copied().collect();
        let of = |p: &[f64]| objective.nats(p, &symbols, &mut vec![0.0; count]);
        let exact = of(&own);
        assert!(
            (nats[lane] - exact).abs() <= of_nats * (1.0 + exact),
            "{} {exact}",
            nats[lane]
        );
        if let Some(bound) = bound(&own, symbols[0]) {
            assert!((exact - bound).abs() <= 1e-9 * (1.0 + bound), "{bound}");
        }
        // The bound has a least mass, where the derivative still says where to go.
        for i in (0..count).filter(|_| exact < 700.0) {
            let at = |step: f64| {
                let mut moved = own.clone();
                moved[i] += step;
                of(&moved)
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            let found = f64::from(by[i * lanes + lane]);
            assert!(
                (found - difference).abs() <= of_derivatives * (1.0 + difference.abs()),
                "{i}: {found} {difference}"
            );
        }
    }
}

#[test]
fn nats_are_the_bounds_and_derivatives_those_of_differences() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for likelihood in likelihoods() {
        let objective = objective(&likelihood).unwrap();
        let (count, levels) = (objective.parameters(), objective.levels());
        for draw in 0..200 {
            let mut p = vec![0.0; count * LANES];
            fill_normal(&mut rng, &mut p);
            // Means between the levels, and some parameters far out.
            p.iter_mut()
                .for_each(|p| *p = *p * 3.0 + if draw % 2 == 0 { 4.0 } else { 0.0 });
            let x: Vec<u16> = (0..objective.dims() * LANES)
                .map(|_| below(&mut rng, levels) as u16)
                .collect();
            let (mut nats, mut by) = (vec![0.0; LANES], vec![0.0; p.len()]);
            objective.lanes(Path::detect(), &p, &x, &mut nats, &mut by);
            check_lanes(&*objective, [&p, &by], &x, &nats, [1e-4, 1e-3], |own, x| {
                let one = objective.dims() == 1;
                one.then(|| likelihood.nats(own, usize::from(x)).unwrap())
            });
        }
    }
}

/// Far out a derivative still says where to go.
#[test]
fn derivatives_stay_finite_where_masses_vanish() {
    for likelihood in likelihoods() {
        let objective = objective(&likelihood).unwrap();
        for (p, x) in [(1e4, 0), (-1e4, 1), (1e4, 1), (-30.0, 1), (30.0, 0)] {
            let parameters = vec![p; objective.parameters()];
            let mut by = vec![0.0; parameters.len()];
            let nats = objective.nats(&parameters, &[x; 3][..objective.dims()], &mut by);
            assert!(
                nats.is_finite() && by.iter().all(|b| b.is_finite()),
                "{likelihood:?} {p} {x}"
            );
        }
    }
}
