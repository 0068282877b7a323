//! The parts of a step, one by one: `cargo bench --bench parts`.

use bbans::distributions::{Bernoulli, Categorical, Uniform, uniform_bins};
use bbans::nn::graph::Inputs;
use bbans::nn::simd::Path;
use bbans::nn::{Dense, Observed};
use bbans::{BitsBack, Codec, Distribution, Independent, LatentModel, Message};
use bbans_benches::{images, random_model};
use divan::Bencher;
use divan::counter::ItemsCount;
use ndarray::Array2;

fn main() {
    divan::main();
}

/// A message with plenty of words and 64 heads.
fn message() -> Message {
    // Room for what is pushed: the growth of a vector is no part of what is measured.
    let mut words = Vec::with_capacity(1 << 18);
    words.extend(bbans::initial_words(1 << 16));
    let mut message = Message::new(words);
    message.grow(64).unwrap();
    message
}

const LANES: usize = 64;
const DIMS: usize = 784;

fn bernoullis() -> Array2<Bernoulli> {
    Array2::from_shape_fn((DIMS, LANES), |(d, l)| {
        Bernoulli::new(((d * 7919 + l * 104_729) % (1 << 22)) as u32)
    })
}

/// constriction alone, one head, a Bernoulli symbol.
mod constriction_alone {
    use super::*;
    use constriction::stream::model::ContiguousCategoricalEntropyModel;
    use constriction::stream::stack::DefaultAnsCoder;
    use constriction::stream::{Decode, Encode};

    const COUNT: usize = 50_000;

    #[divan::bench]
    fn push(bencher: Bencher) {
        let model = ContiguousCategoricalEntropyModel::<u32, _, 24>::from_floating_point_probabilities_fast(&[0.87f64, 0.13], None).unwrap();
        bencher.counter(ItemsCount::new(COUNT)).bench_local(|| {
            let mut coder = DefaultAnsCoder::new();
            (0..COUNT).for_each(|i| {
                coder
                    .encode_symbol(usize::from(i % 8 == 0), &model)
                    .unwrap()
            });
            coder
        });
    }

    #[divan::bench]
    fn pop(bencher: Bencher) {
        let model = ContiguousCategoricalEntropyModel::<u32, _, 24>::from_floating_point_probabilities_fast(&[0.87f64, 0.13], None).unwrap();
        let mut coder = DefaultAnsCoder::new();
        (0..COUNT).for_each(|i| {
            coder
                .encode_symbol(usize::from(i % 8 == 0), &model)
                .unwrap()
        });
        bencher
            .counter(ItemsCount::new(COUNT))
            .with_inputs(|| coder.clone())
            .bench_local_values(|mut coder| {
                (0..COUNT)
                    .map(|_| coder.decode_symbol(&model).unwrap())
                    .sum::<usize>()
            });
    }
}

/// Symbols of each distribution, 64 lanes by 784, on the fastest SIMD path.
mod distributions {
    use super::*;

    fn pushed<D: Distribution>(bencher: Bencher, columns: Array2<D>, symbol: D::Symbol)
    where
        D::Symbol: Copy + Default,
    {
        let path = Path::detect();
        let symbols = Array2::from_elem((columns.ncols(), columns.nrows()), symbol);
        let codec = Independent(columns);
        bencher
            .counter(ItemsCount::new(symbols.len()))
            .with_inputs(message)
            .bench_local_refs(|m| {
                path.vectorize(
                    #[inline(always)]
                    || codec.push(m, &symbols),
                )
                .unwrap();
            });
    }

    fn popped<D: Distribution>(bencher: Bencher, columns: Array2<D>)
    where
        D::Symbol: Copy + Default,
    {
        let path = Path::detect();
        let count = columns.len();
        let codec = Independent(columns);
        bencher
            .counter(ItemsCount::new(count))
            .with_inputs(message)
            .bench_local_refs(|m| {
                path.vectorize(
                    #[inline(always)]
                    || codec.pop(m),
                )
                .unwrap()
            });
    }

    #[divan::bench]
    fn bernoulli_push(bencher: Bencher) {
        pushed(bencher, bernoullis(), 0);
    }

    #[divan::bench]
    fn bernoulli_pop(bencher: Bencher) {
        popped(bencher, bernoullis());
    }

    #[divan::bench]
    fn uniform_push(bencher: Bencher) {
        pushed(
            bencher,
            Array2::from_elem((40, LANES), Uniform::new(1000).unwrap()),
            7,
        );
    }

    #[divan::bench]
    fn uniform_pop(bencher: Bencher) {
        popped(
            bencher,
            Array2::from_elem((40, LANES), Uniform::new(1000).unwrap()),
        );
    }

    #[divan::bench]
    fn categorical_push(bencher: Bencher) {
        let die = Categorical::from_weights(&[1.0; 256]).unwrap();
        pushed(bencher, Array2::from_elem((40, LANES), die), 7);
    }

    #[divan::bench]
    fn categorical_pop(bencher: Bencher) {
        let die = Categorical::from_weights(&[1.0; 256]).unwrap();
        popped(bencher, Array2::from_elem((40, LANES), die));
    }

    #[divan::bench]
    fn bins_push(bencher: Bencher) {
        let path = Path::detect();
        let codec = uniform_bins(LANES, 40, 10).unwrap();
        let z = Array2::from_elem((LANES, 40), 77u16);
        bencher
            .counter(ItemsCount::new(z.len()))
            .with_inputs(message)
            .bench_local_refs(|m| {
                path.vectorize(
                    #[inline(always)]
                    || codec.push(m, &z),
                )
                .unwrap();
            });
    }

    #[divan::bench]
    fn posterior_pop(bencher: Bencher) {
        let (model, x) = (random_model(&[100], 40), images(LANES));
        let codec = model.posterior(&x).unwrap();
        bencher
            .counter(ItemsCount::new(LANES * 40))
            .with_inputs(message)
            .bench_local_refs(|m| codec.pop(m).unwrap());
    }

    #[divan::bench]
    fn posterior_push(bencher: Bencher) {
        let (model, x) = (random_model(&[100], 40), images(LANES));
        let codec = model.posterior(&x).unwrap();
        let mut popped = message();
        let z = codec.pop(&mut popped).unwrap();
        bencher
            .counter(ItemsCount::new(LANES * 40))
            .with_inputs(|| popped.clone())
            .bench_local_refs(|m| codec.push(m, &z).unwrap());
    }
}

/// Dense layers: items are multiply-adds, so items a second are MAC/s.
mod kernels {
    use super::*;

    fn dense(bencher: Bencher, inputs: usize, outputs: usize, path: Path) {
        let weight: Vec<f32> = (0..inputs * outputs)
            .map(|i| (i % 17) as f32 * 0.01)
            .collect();
        let layer = Dense::new(inputs, outputs, &weight, &vec![0.0; outputs]).unwrap();
        let x = Array2::from_elem((inputs, LANES), 0.5f32);
        bencher
            .counter(ItemsCount::new(LANES * inputs * outputs))
            .bench_local(|| layer.forward(path, x.view()).unwrap());
    }

    fn named(name: &str) -> Option<Path> {
        Path::available().into_iter().find(|p| p.name() == name)
    }

    #[divan::bench(args = ["scalar", "portable", "avx2", "avx512", "neon"])]
    fn dense_100_784(bencher: Bencher, path: &str) {
        if let Some(path) = named(path) {
            dense(bencher, 100, 784, path);
        }
    }

    #[divan::bench(args = [(40, 100), (100, 80), (200, 200), (200, 784), (784, 1024)])]
    fn dense_fastest(bencher: Bencher, (inputs, outputs): (usize, usize)) {
        dense(bencher, inputs, outputs, Path::detect());
    }

    #[divan::bench(args = [100, 200])]
    fn first_layer_from_bytes(bencher: Bencher, outputs: usize) {
        let layer = Dense::new(
            784,
            outputs,
            &vec![0.01; 784 * outputs],
            &vec![0.0; outputs],
        )
        .unwrap();
        let x = images(LANES).mapv(|pixel| pixel as u8);
        bencher
            .counter(ItemsCount::new(LANES))
            .bench_local(|| layer.forward_bytes(Path::detect(), x.view()).unwrap());
    }
}

/// Parts of a step of the 784-100-40 network, 64 lanes: items are images.
mod parts_of_a_step {
    use super::*;

    #[divan::bench]
    fn posterior(bencher: Bencher) {
        let (model, x) = (random_model(&[100], 40), images(LANES));
        bencher.counter(ItemsCount::new(LANES)).bench_local(|| {
            let latents = model.vae().infer(x.view()).unwrap().top_down().unwrap();
            latents.posterior().unwrap()
        });
    }

    #[divan::bench]
    fn logits(bencher: Bencher) {
        let model = random_model(&[100], 40);
        let z = Array2::from_elem((40, LANES), 0.3f32);
        bencher
            .counter(ItemsCount::new(LANES))
            .bench_local(|| model.vae().parameters(z.view()).unwrap());
    }

    /// All layers of a model whose weights do not fit in the second-level cache.
    #[divan::bench]
    fn both_networks_200_200(bencher: Bencher) {
        let model = random_model(&[200, 200], 40);
        let z = Array2::from_elem((40, LANES), 0.3f32);
        let x = vec![0.0f32; 784 * LANES];
        bencher.counter(ItemsCount::new(LANES)).bench_local(|| {
            let encoder = model.vae().encoder().unwrap();
            let hidden = encoder
                .run(Path::detect(), Inputs::Values(&[&x]), LANES)
                .unwrap();
            (hidden, model.vae().parameters(z.view()).unwrap())
        });
    }

    #[divan::bench]
    fn logits_and_masses(bencher: Bencher) {
        let model = random_model(&[100], 40);
        let z = Array2::from_elem((LANES, 40), 300u16);
        bencher.counter(ItemsCount::new(LANES)).bench_local(|| {
            let e = model.vae().latents_of_bins(z.view()).unwrap();
            let Observed::Independent(decoded) = model.vae().decode(e.view()).unwrap() else {
                unreachable!("the model's bits are independent")
            };
            let mut masses = Vec::new();
            for first in (0..784).step_by(32) {
                let dims = first..784.min(first + 32);
                decoded.bernoulli_masses(dims, &mut masses, |m| m).unwrap();
            }
            masses
        });
    }
}

/// One whole step by number of lanes: items are images.
mod step {
    use super::*;

    #[divan::bench(args = [1, 2, 4, 8, 16, 32, 64, 128, 256])]
    fn push(bencher: Bencher, lanes: usize) {
        let (model, x) = (random_model(&[100], 40), images(lanes));
        let mut start = Message::with_initial_words(1 << 16);
        start.grow(lanes).unwrap();
        bencher
            .counter(ItemsCount::new(lanes))
            .with_inputs(|| start.clone())
            .bench_local_refs(|m| {
                BitsBack {
                    model: &model,
                    lanes,
                }
                .push(m, &x)
                .unwrap()
            });
    }

    #[divan::bench(args = [1, 2, 4, 8, 16, 32, 64, 128, 256])]
    fn pop(bencher: Bencher, lanes: usize) {
        let (model, x) = (random_model(&[100], 40), images(lanes));
        let codec = BitsBack {
            model: &model,
            lanes,
        };
        let mut pushed = Message::with_initial_words(1 << 16);
        pushed.grow(lanes).unwrap();
        codec.push(&mut pushed, &x).unwrap();
        bencher
            .counter(ItemsCount::new(lanes))
            .with_inputs(|| pushed.clone())
            .bench_local_refs(|m| codec.pop(m).unwrap());
    }
}
