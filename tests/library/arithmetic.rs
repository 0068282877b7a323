//! Exactness: the same bytes on every SIMD path, thread count and batch; agreement with candle.

use bbans::nn::ModelFile;
use bbans::nn::simd::Path;
use bbans::{FileModel, LatentModel, VaeModel};
use bbans_train::Network;
use ndarray::{Array2, ArrayView2, Axis};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::support::graphs::graph_model_files;
use crate::support::symbol_models::symbol_model_files;
use crate::support::{
    TINY_SHAPE, causal_model_file, features_model_files, grey_model_files, hierarchy_model_file,
    idx, tiny_data, tiny_model, tiny_model_file,
};
use crate::{compress, decompress};

fn small() -> VaeModel {
    VaeModel::from_bytes(bbans_models::MODELS[0].bytes).unwrap()
}

#[test]
fn every_path_and_thread_count_writes_the_same_bytes() {
    let images = bbans::sample(&small(), 100, 5, 0).unwrap();
    // More than one block, so that threads have something to divide.
    let many = Array2::from_shape_fn((5_300, 784), |(i, d)| images[(i * 7 % 100, d)]);
    let content = idx(&many, &[28, 28], 1);
    let (expected, _) = compress(&small(), &content, 32, 1).unwrap();
    for path in Path::available() {
        let model = small().with_path(path);
        assert_eq!(model.vae().path().name(), path.name());
        for threads in [1, 2, 3] {
            let (file, _) = compress(&model, &content, 32, threads).unwrap();
            assert!(file == expected, "{}, {threads} threads", path.name());
        }
        assert!(
            decompress(&model, &expected, 2).unwrap() == content,
            "{}",
            path.name()
        );
    }
}

#[test]
fn every_path_agrees_on_every_kind_of_layer() {
    let content = idx(&tiny_data(300, 2), &TINY_SHAPE, 1);
    let (expected, _) = compress(&tiny_model(), &content, 16, 1).unwrap();
    for path in Path::available() {
        let (file, _) = compress(&tiny_model().with_path(path), &content, 16, 1).unwrap();
        assert!(file == expected, "{}", path.name());
    }
}

#[test]
fn a_row_does_not_depend_on_the_other_rows() {
    let model = small();
    let x = bbans::sample(&model, 37, 2, 0).unwrap();
    let posterior = |x: ArrayView2<'_, u16>| {
        let latents = model.vae().infer(x).unwrap().top_down().unwrap();
        latents.posterior().unwrap()
    };
    let batch = posterior(x.view());
    for (i, row) in x.axis_chunks_iter(Axis(0), 1).enumerate() {
        let alone = posterior(row);
        assert_eq!(alone.mean.column(0), batch.mean.column(i));
        assert_eq!(alone.inverse_sigma.column(0), batch.inverse_sigma.column(i));
    }
}

/// The bound for the same latents, exact engine against candle, within 1e-3 nats a datum or a part in 100,000, of every
/// likelihood and of every kind of network.
#[test]
fn the_elbo_agrees_with_candle() {
    let built_in = ModelFile::from_bytes(bbans_models::MODELS[0].bytes).unwrap();
    let files = [
        built_in,
        tiny_model_file("tiny", 7),
        causal_model_file("causal", 3),
    ]
    .into_iter()
    .chain(features_model_files())
    .chain([hierarchy_model_file()])
    .chain(grey_model_files())
    .chain(graph_model_files())
    .chain(symbol_model_files());
    for file in files {
        elbo_agrees_with_candle(&file);
    }
}

fn elbo_agrees_with_candle(file: &ModelFile) {
    const SAMPLES: usize = 3;
    let model = VaeModel::from_bytes(&file.to_bytes().unwrap()).unwrap();
    let network = Network::from_model_file(file).unwrap();
    let (vae, name) = (model.vae(), &file.description.name);
    let x = bbans::sample(&model, 50, 3, 0).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for (i, row) in x.axis_chunks_iter(Axis(0), 1).enumerate() {
        let latents = vae.latents();
        let draw = |_| (f64::from(rng.next_u32()) / 1e9 - 2.0) as f32;
        let noise: Vec<f32> = (0..SAMPLES * latents).map(draw).collect();
        let symbols: Vec<u16> = row.iter().copied().collect();
        for samples in [1, SAMPLES] {
            // The codec draws group by group, of each for one sample after another.
            let of_group = |group: std::ops::Range<usize>| {
                (0..samples).flat_map(move |k| group.clone().map(move |l| k * latents + l))
            };
            let order = vae.latent_groups().into_iter().flat_map(of_group);
            let order: Vec<f64> = order.map(|at| f64::from(noise[at])).collect();
            let ours = bbans::elbo_with(&model, row, samples, |_| {
                let mut draws = order.clone().into_iter();
                move || draws.next().unwrap()
            });
            let ours = ours.unwrap()[0];
            let noise = &noise[..samples * latents];
            let (ours, theirs) = match samples {
                1 => {
                    let theirs = network.elbo(&symbols, noise).unwrap();
                    (ours.bits(), theirs.kl_nats + theirs.reconstruction_nats)
                }
                _ => {
                    let theirs = network.importance_weighted_nats(&symbols, noise, samples);
                    (ours.importance_bits, theirs.unwrap())
                }
            };
            let ours = ours * std::f64::consts::LN_2;
            let within = 1e-3 + 1e-5 * ours.abs();
            assert!(
                (ours - theirs).abs() < within,
                "{name}, {i}, {samples}: {ours} {theirs}"
            );
        }
    }
    assert_eq!(model.dims(), x.ncols());
    assert_eq!(model.name(), file.description.name);
}

/// A wrong number would be taken for right.
#[test]
fn causal_likelihoods_have_no_tables() {
    use bbans::nn::Likelihood;
    for file in grey_model_files() {
        let likelihood = file.description.likelihood;
        let causal = likelihood.window().is_some();
        let mut starts = vec![0; likelihood.levels() + 1];
        let parameters = vec![0.0; likelihood.parameters()];
        let tables = likelihood.starts(Path::detect(), &parameters, &mut starts);
        assert_eq!(tables.is_err(), causal, "{}", file.description.name);
    }
    let tables = Likelihood::Bernoulli.starts(Path::detect(), &[0.0], &mut [0; 3]);
    assert!(tables.is_err());
}
