//! Whole losses, and the two heads.

use super::parameters::lock;
use super::*;
use crate::arch::Preset;
use crate::bound::weighted;
use crate::dataset::{Dataset, Values};
use crate::facts::Facts;
use crate::generated::DataKind;
use crate::noise::{Purpose, below, fill_normal, generator};
use candle_core::Var;

fn network(preset: &str, levels: usize, fuse: bool) -> Network {
    let facts = Facts::new(&[4, 8], levels);
    let arch = Preset::named(preset).unwrap().arch(&facts).unwrap();
    let rng = generator(1, Purpose::Initialization, 0);
    let source = Source::random(None, rng, &arch.schedule.init);
    Network::build(&arch.description, source, Device::Cpu, fuse).unwrap()
}

/// Along its derivatives a loss changes by their length.
#[test]
fn a_loss_changes_as_its_derivatives_say() {
    for (preset, levels) in [
        ("small", 5),
        ("small", 40),
        ("gray", 5),
        ("best", 2),
        ("ladder", 2),
    ] {
        let network = network(preset, levels, true);
        let mut rng = generator(2, Purpose::Latents, 0);
        let x: Vec<u16> = (0..6 * 32)
            .map(|_| below(&mut rng, levels) as u16)
            .collect();
        for samples in [1, 3] {
            let mut noise = vec![0.0; 6 * samples * network.latents()];
            fill_normal(&mut rng, &mut noise);
            let batch = Batch::new(&network, &x, &noise, samples).unwrap();
            let loss = || {
                let terms = network.terms(&batch, Derivatives::Backward).unwrap();
                let weights = vec![0.7; terms.kl.len()];
                match samples {
                    1 => weighted(&terms, &weights).unwrap(),
                    _ => importance_weighted(&terms, &batch, 0.7).unwrap(),
                }
            };
            let vars: Vec<Var> = lock(network.vars()).values().cloned().collect();
            let grads = loss().backward().unwrap();
            let grads: Vec<Tensor> = vars
                .iter()
                .map(|var| {
                    grads
                        .get(var)
                        .map_or(var.zeros_like().unwrap(), Tensor::clone)
                })
                .collect();
            let square = |g: &Tensor| {
                g.sqr()
                    .unwrap()
                    .sum_all()
                    .unwrap()
                    .to_scalar::<f32>()
                    .unwrap()
            };
            let length = grads.iter().map(square).sum::<f32>().sqrt();
            let before: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().copy().unwrap()).collect();
            let at = |step: f64| {
                for ((var, before), g) in vars.iter().zip(&before).zip(&grads) {
                    let moved = (before + (g * (step / f64::from(length))).unwrap()).unwrap();
                    var.set(&moved).unwrap();
                }
                f64::from(loss().to_scalar::<f32>().unwrap())
            };
            let step = 0.02 / f64::from(length).max(1.0);
            let found = (at(step) - at(-step)) / (2.0 * step);
            at(0.0);
            let over = found / f64::from(length);
            assert!(
                (0.97..1.03).contains(&over),
                "{preset} {levels} {samples}: {over}"
            );
        }
    }
}

/// The fused head and the one of candle's operations.
#[test]
fn the_fused_head_is_the_one_of_tensors() {
    for (preset, levels) in [("best", 2), ("gray", 9)] {
        let [fused, composed] = [true, false].map(|fuse| network(preset, levels, fuse));
        assert!(matches!(fused.head, Head::Fused(..)));
        let mut rng = generator(3, Purpose::Latents, 0);
        let x: Vec<u16> = (0..5 * 32)
            .map(|_| below(&mut rng, levels) as u16)
            .collect();
        let mut noise = vec![0.0; 5 * fused.latents()];
        fill_normal(&mut rng, &mut noise);
        let run = |network: &Network| {
            let batch = Batch::new(network, &x, &noise, 1).unwrap();
            let terms = network.terms(&batch, Derivatives::Forward).unwrap();
            let loss = weighted(&terms, &[1.0]).unwrap();
            let grads = loss.backward().unwrap();
            let vars = lock(network.vars());
            let grad = |name: &String| {
                let grad = grads.get(&vars[name]).unwrap().flatten_all().unwrap();
                (name.clone(), grad.to_vec1::<f32>().unwrap())
            };
            let grads: Vec<_> = network.names().iter().map(grad).collect();
            (terms.nats.to_vec1::<f32>().unwrap(), grads)
        };
        let ((a, by_a), (b, by_b)) = (run(&fused), run(&composed));
        let close = |a: f32, b: f32| (a - b).abs() <= 2e-4 * (1.0 + a.abs());
        assert!(a.iter().zip(&b).all(|(&a, &b)| close(a, b)), "{a:?} {b:?}");
        for ((name, a), (_, b)) in by_a.iter().zip(&by_b) {
            assert!(a.iter().any(|&g| g != 0.0), "{name}");
            assert!(a.iter().zip(b).all(|(&a, &b)| close(a, b)), "{name}");
        }
    }
}

/// Positions of some lanes after others, and of all lanes at once.
#[test]
fn the_head_by_parts_is_the_one_of_the_whole() {
    for (kind, shape, count) in [
        (DataKind::Pixels, vec![4, 8, 3], 70),
        (DataKind::Table, vec![5], 1100),
    ] {
        let mut rng = generator(4, Purpose::Latents, 0);
        let dims: usize = shape.iter().product();
        let x: Vec<u16> = (0..count * dims)
            .map(|i| below(&mut rng, [300, 40, 7][i % dims % 3]) as u16)
            .collect();
        let data = Dataset::new(x.clone(), shape, Values::Levels).unwrap();
        let arch = kind.arch(&data, None, &Default::default()).unwrap();
        let source = Source::random(None, rng.clone(), &arch.schedule.init);
        let network = Network::new(&arch.description, source, Device::Cpu).unwrap();
        let mut noise = vec![0.0; count * network.latents()];
        fill_normal(&mut rng, &mut noise);
        let run = |derivatives| {
            let batch = Batch::new(&network, &x, &noise, 1).unwrap();
            let terms = network.terms(&batch, derivatives).unwrap();
            let loss = (weighted(&terms, &[0.7]).unwrap() * 0.01).unwrap();
            let grads = loss.backward().unwrap();
            let vars = lock(network.vars());
            let grad = |name: &String| {
                let grad = grads.get(&vars[name])?.flatten_all().unwrap();
                Some((name.clone(), grad.to_vec1::<f32>().unwrap()))
            };
            let grads: Vec<_> = network.names().iter().map(grad).collect();
            (terms.nats.to_vec1::<f32>().unwrap(), grads)
        };
        let (by_parts, whole) = (run(Derivatives::Forward), run(Derivatives::Backward));
        let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 2e-4 * (1.0 + a.abs());
        assert!(by_parts.0.iter().zip(&whole.0).all(close));
        assert_eq!(run(Derivatives::None).0, by_parts.0);
        for (a, b) in by_parts.1.iter().zip(&whole.1) {
            let (Some((name, a)), Some((_, b))) = (a, b) else {
                panic!("a parameter without derivatives");
            };
            let length = |v: &mut dyn Iterator<Item = f32>| v.map(|v| v * v).sum::<f32>().sqrt();
            let of_whole = length(&mut b.iter().copied());
            let apart = length(&mut a.iter().zip(b).map(|(a, b)| a - b));
            assert!(of_whole > 0.0, "{name}");
            assert!(apart < 1e-4 * of_whole, "{name}: {apart} {of_whole}");
        }
    }
}
